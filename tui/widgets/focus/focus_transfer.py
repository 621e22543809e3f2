"""The way of the keys from one widget to another: none of a burst is lost on it, or comes before an earlier one.

A key waits in the queue of whoever had the focus when it came, before anybody knows what the key before it does.
So the focus moves only once no key is on its way through the one that gives it away. Those that still come there
are kept, and reach the one that takes it before all that come later.
"""

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.widget import Widget

from tui.widgets.focus.key_delivery import send


class FocusTransfer:
    """At most one is under way on the screen of `widget`."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._giver: Widget | None = None
        self._taker: Widget | None = None
        self._kept: list[events.Key | events.Paste] = []

    @property
    def target(self) -> Widget | None:
        """Who is to get the focus; None while it stays where it is."""
        return self._taker

    def begin(self, taker: Widget) -> None:
        """`taker` gets the focus, now or in a moment. Where another was to get it, it does not."""
        self._taker = taker
        if self._giver is None:
            self._giver = self._widget.screen.focused or self._widget.screen
            self._go_on()

    def keep(self, event: events.Key | events.Paste) -> None:
        """This came to the one that gives the focus away, and is meant for the one that takes it."""
        self._kept.append(event)

    def _go_on(self) -> None:
        giver, taker, screen = self._giver, self._taker, self._widget.screen
        if giver is None or taker is None:
            return
        if (screen.focused or screen) is giver and giver is not taker:
            way = [node for node in giver.ancestors_with_self if not isinstance(node, App)]
            if any(map(has_messages, way)) and giver.call_later(screen.call_later, self._go_on):
                return
            screen.set_focus(taker)
        kept, self._giver, self._taker, self._kept = self._kept, None, None, []
        for event in kept:
            send(taker, event)


def has_messages(pump: MessagePump) -> bool:
    """Whether anything waits to be read there.

    Textual looks one message ahead, and does not count that one in `message_queue_size`.
    """
    return pump.message_queue_size > 0 or pump._pending_message is not None
