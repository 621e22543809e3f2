"""A message with very many parts or notes: the number of its widgets, and that all can be reached."""

from typing import Any

import pytest

from tests import sample_events as sample
from tests.app_harness import app_harness
from tui.core.changes import FailureSeen
from tui.core.model import Failure
from tui.widgets.text.note_line import NoteLine
from tui.widgets.transcript.earlier_parts import EarlierParts
from tui.widgets.transcript.message import PARTS_SHOWN, PORTION, SLACK, MessageView
from tui.widgets.transcript.notes import MAX_NOTES
from tui.widgets.transcript.tool_call import ToolCall

MANY = 400


async def test_the_newest_of_very_many_parts_are_mounted_and_others_counted() -> None:
    async with app_harness() as harness:
        page = harness.main.transcript
        parts = [sample.tool(f"prt_{at}", title=f"call number {at}") for at in range(MANY)]
        harness.client.feed(*sample.prompt(), sample.answer_begins(), *parts)
        await harness.settled()
        assert f"call number {MANY - 1} " in page.text
        assert len(page.query(ToolCall)) <= PARTS_SHOWN + SLACK
        (earlier,) = page.query(EarlierParts)
        await harness.until(lambda: len(page.query(ToolCall)) >= PARTS_SHOWN)
        await harness.until(lambda: f"{MANY - len(page.query(ToolCall))} earlier parts" in earlier.text)
        shown = len(page.query(ToolCall))

        harness.client.feed(parts[0])
        await harness.settled()
        assert len(page.query(ToolCall)) == shown, "what is told again of an earlier part mounts nothing"

        earlier.focus()
        await harness.press("enter")
        await harness.until(lambda: len(page.query(ToolCall)) == shown + PARTS_SHOWN)
        await harness.until(lambda: f"{MANY - shown - PARTS_SHOWN} earlier parts" in earlier.text)

        assert await page.reveal(sample.ANSWER, "prt_0") is not None
        await harness.settled()
        assert not page.query(EarlierParts)
        assert [view.part.id for view in page.query(ToolCall)] == [f"prt_{at}" for at in range(MANY)]


async def test_very_many_parts_are_mounted_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    mounted: list[int] = []
    show = MessageView.show

    def counted(self: MessageView, *args: Any, **more: Any) -> bool:
        before = len(self._views)
        unfinished = show(self, *args, **more)
        mounted.append(len(self._views) - before)
        return unfinished

    monkeypatch.setattr(MessageView, "show", counted)
    async with app_harness() as harness:
        page = harness.main.transcript
        parts = [sample.tool(f"prt_{at}", title=f"call number {at}") for at in range(MANY)]
        harness.client.feed(*sample.prompt(), sample.answer_begins(), *parts)
        await harness.settled()
        mounted.clear()
        page.draw()
        newest = [f"prt_{at}" for at in range(MANY - PARTS_SHOWN, MANY)]

        def shown() -> list[str]:
            return [view.part.id for view in page.query(ToolCall)]

        await harness.until(lambda: sum(mounted) >= PARTS_SHOWN and shown() == newest)
        assert max(mounted) <= PORTION


async def test_a_collapsed_call_is_one_widget() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.tool("prt_1", title="call number 1"))
        await harness.shows("call number 1")
        call = harness.main.transcript.query_one(ToolCall)
        assert not call.children
        call.focus()
        await harness.press("enter")
        await harness.shows("▾")
        await harness.press("enter")
        await harness.shows("▸")
        assert not call.children


async def test_the_newest_of_very_many_notes_are_mounted() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("words"))
        await harness.shows("words")
        for at in range(4 * MAX_NOTES):
            harness.client.tell(FailureSeen(sample.SESSION, Failure(f"error number {at}")))
            if at % 20 == 0:
                await harness.settled()
        await harness.shows(f"error number {4 * MAX_NOTES - 1}")
        assert len(harness.main.transcript.query(NoteLine)) == MAX_NOTES
