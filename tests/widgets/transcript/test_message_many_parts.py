"""A message with very many parts or notes: the number of its widgets, and that all can be reached."""

from typing import Any

import pytest

from tests import sample_events as talk
from tests.app_harness import on_stage
from tui.core.changes import FailureSeen
from tui.core.model import Failure
from tui.widgets.text.note_line import NoteLine
from tui.widgets.transcript.earlier_parts import EarlierParts
from tui.widgets.transcript.message import PARTS_SHOWN, PORTION, SLACK, MessageView
from tui.widgets.transcript.notes import NOTES_KEPT
from tui.widgets.transcript.tool_call import ToolCall

MANY = 400


async def test_the_newest_of_very_many_parts_are_mounted_and_others_counted() -> None:
    async with on_stage() as stage:
        page = stage.main.transcript
        parts = [talk.tool(f"prt_{at}", title=f"call number {at}") for at in range(MANY)]
        stage.client.feed(*talk.prompt(), talk.answer_begins(), *parts)
        await stage.settled()
        assert f"call number {MANY - 1} " in page.text
        assert len(page.query(ToolCall)) <= PARTS_SHOWN + SLACK
        (earlier,) = page.query(EarlierParts)
        await stage.until(lambda: len(page.query(ToolCall)) >= PARTS_SHOWN)
        await stage.until(lambda: f"{MANY - len(page.query(ToolCall))} earlier parts" in earlier.text)
        shown = len(page.query(ToolCall))

        stage.client.feed(parts[0])
        await stage.settled()
        assert len(page.query(ToolCall)) == shown, "what is told again of an earlier part mounts nothing"

        earlier.focus()
        await stage.press("enter")
        await stage.until(lambda: len(page.query(ToolCall)) == shown + PARTS_SHOWN)
        await stage.until(lambda: f"{MANY - shown - PARTS_SHOWN} earlier parts" in earlier.text)

        assert await page.reveal(talk.ANSWER, "prt_0") is not None
        await stage.settled()
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
    async with on_stage() as stage:
        page = stage.main.transcript
        parts = [talk.tool(f"prt_{at}", title=f"call number {at}") for at in range(MANY)]
        stage.client.feed(*talk.prompt(), talk.answer_begins(), *parts)
        await stage.settled()
        mounted.clear()
        page.draw()
        newest = [f"prt_{at}" for at in range(MANY - PARTS_SHOWN, MANY)]

        def shown() -> list[str]:
            return [view.part.id for view in page.query(ToolCall)]

        await stage.until(lambda: sum(mounted) >= PARTS_SHOWN and shown() == newest)
        assert max(mounted) <= PORTION


async def test_a_collapsed_call_is_one_widget() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.tool("prt_1", title="call number 1"))
        await stage.shows("call number 1")
        call = stage.main.transcript.query_one(ToolCall)
        assert not call.children
        call.focus()
        await stage.press("enter")
        await stage.shows("▾")
        await stage.press("enter")
        await stage.shows("▸")
        assert not call.children


async def test_the_newest_of_very_many_notes_are_mounted() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("words"))
        await stage.shows("words")
        for at in range(4 * NOTES_KEPT):
            stage.client.tell(FailureSeen(talk.SESSION, Failure(f"error number {at}")))
            if at % 20 == 0:
                await stage.settled()
        await stage.shows(f"error number {4 * NOTES_KEPT - 1}")
        assert len(stage.main.transcript.query(NoteLine)) == NOTES_KEPT
