"""A widget that survives exceptions in its handlers.

Textual removes a widget whose handler raises, and exits the app. Here only the message is lost; the exception is passed
to the app's handler.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from textual.message import Message
from textual.widget import Widget


class Guarded(Widget):
    """Base class; must be the last base. `_dispatch_message` is the only call that delivers messages to a widget."""

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Pass exceptions of the block to the app, and continue after it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (a widget can raise anything)
            self.app._handle_exception(error)

    async def _dispatch_message(self, message: Message) -> None:
        with self.guard():
            await super()._dispatch_message(message)
