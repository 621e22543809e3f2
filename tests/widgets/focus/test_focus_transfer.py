import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.widgets import TextArea

from tests.waiting import wait_until
from tui.widgets.focus.focus_transfer import FocusTransfer, has_messages


class Box(TextArea):
    """Holds its keys for the target during a focus transfer."""

    handover: FocusTransfer | None = None

    def on_key(self, event: events.Key) -> None:
        if self.handover is not None and self.handover.target not in (None, self):
            event.stop()
            event.prevent_default()
            self.handover.keep(event)


class Boxes(App[None]):
    def compose(self) -> ComposeResult:
        yield Box()
        yield Box()


@asynccontextmanager
async def two_boxes() -> AsyncIterator[tuple[Box, Box, FocusTransfer]]:
    """The first has the focus."""
    app = Boxes()
    async with app.run_test():
        giver, taker = app.query(Box)
        giver.handover = taker.handover = FocusTransfer(app.screen)
        giver.focus()
        await wait_until(lambda: giver.has_focus and not has_messages(giver))
        yield giver, taker, giver.handover


def burst(box: Box, keys: str) -> None:
    for key in keys:
        box.app.post_message(events.Key(key, key))


async def test_without_queued_keys_the_focus_moves_at_once() -> None:
    async with two_boxes() as (giver, taker, handover):
        await wait_until(lambda: not has_messages(giver.screen))
        handover.begin(taker)
        assert giver.app.focused is taker
        assert handover.target is None


@pytest.mark.parametrize("turns", range(12))
async def test_queued_keys_are_delivered_before_later_ones(turns: int) -> None:
    """`turns`: rounds of the event loop before the focus moves."""
    async with two_boxes() as (giver, taker, handover):
        burst(giver, "abcdef")
        for _ in range(turns):
            await asyncio.sleep(0)
        handover.begin(taker)
        burst(giver, "ghi")
        await wait_until(lambda: len(giver.text + taker.text) == 9)
        assert giver.text + taker.text == "abcdefghi"
        assert giver.app.focused is taker


async def test_the_last_call_decides_the_focus() -> None:
    async with two_boxes() as (giver, taker, handover):
        giver.post_message(events.Key("a", "a"))
        handover.begin(taker)
        assert handover.target is taker, "a key is on its way"
        handover.begin(giver)
        await wait_until(lambda: handover.target is None)
        assert giver.app.focused is giver
