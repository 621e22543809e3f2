"""Moves focus without losing or reordering queued keys.

A key waits in the queue of the widget that was focused when it arrived. So focus moves only after the source has
handled its queue. Keys that still arrive there are kept and sent to the target before later ones.
"""

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.widget import Widget

from tui.widgets.focus.key_delivery import send


class FocusTransfer:
    """The focus transfer of the screen of `widget`; at most one is in progress."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._giver: Widget | None = None
        self._taker: Widget | None = None
        self._kept: list[events.Key | events.Paste] = []

    @property
    def target(self) -> Widget | None:
        """The widget that is to get the focus; None if no transfer is in progress."""
        return self._taker

    def begin(self, taker: Widget) -> None:
        """Move the focus to `taker`, now or after the queued keys. A later call replaces the target."""
        self._taker = taker
        if self._giver is None:
            self._giver = self._widget.screen.focused or self._widget.screen
            self._go_on()

    def keep(self, event: events.Key | events.Paste) -> None:
        """Keep an event that the source received for the target."""
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
    """Whether the queue of `pump` contains messages.

    Textual takes one message ahead and does not count it in `message_queue_size`.
    """
    return pump.message_queue_size > 0 or pump._pending_message is not None
