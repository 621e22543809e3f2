"""A widget that an exception in one of its handlers does not end.

Textual ends the message loop of a widget whose handler raises, takes the widget away, and ends the app. Here the
message is lost and the widget goes on; the app hears of the exception where it hears of all others.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from textual.message import Message
from textual.widget import Widget


class Guarded(Widget):
    """Named last in a class's bases. `_dispatch_message` is the one call by which a widget gets its messages."""

    @contextmanager
    def guard(self) -> Iterator[None]:
        """What is done here may fail, and what comes after it is done all the same."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (what a widget raises can be anything)
            self.app._handle_exception(error)

    async def _dispatch_message(self, message: Message) -> None:
        with self.guard():
            await super()._dispatch_message(message)
