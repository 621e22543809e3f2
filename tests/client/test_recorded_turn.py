"""The turn of a prompt among the stored messages of a session."""

import asyncio
from collections.abc import Iterator
from itertools import count, cycle
from typing import cast

import pytest

from tests import sample_events as sample
from tui.backends.base import Backend
from tui.client.recorded_turn import MAX_BYTES, MAX_PAGES, fetch_recorded_turn, recorded_turn
from tui.core.events import MessagesLoaded
from tui.core.model import FullMessage, Message, Part, TextPart, ToolPart


def message(id: str, parent: str | None, created: float, *parts: Part) -> FullMessage:
    role = "user" if parent is None else "assistant"
    return FullMessage(Message(id, sample.SESSION, role, created, created + 1, parent, final=True), parts)  # type: ignore[arg-type]


def text(id: str, text: str, *, synthetic: bool = False) -> TextPart:
    return TextPart(id, sample.SESSION, "m", text, synthetic=synthetic)


FIRST = message("u1", None, 1, text("p1", "hello"))
ANSWER = message("a1", "u1", 2, text("p2", "Hi."), text("p3", "", synthetic=True))
SECOND = message("u2", None, 3, text("p4", "more"))
LATER = message("a2", "u2", 4, text("p5", "Later."))


def texts(*messages: FullMessage, prompt: str = "u1") -> list[str]:
    return [part.text for part in recorded_turn(messages, prompt).texts]


def test_answer_belongs_to_its_prompt() -> None:
    assert texts(FIRST, ANSWER, SECOND, LATER) == ["Hi."]
    assert texts(FIRST, ANSWER, SECOND, LATER, prompt="u2") == ["Later."]
    assert recorded_turn([FIRST, ANSWER], "u3").prompt is None


def test_answer_that_came_after_a_later_prompt_still_belongs_to_its_own() -> None:
    assert texts(FIRST, SECOND, message("a1", "u1", 4, text("p2", "Hi.")), LATER) == ["Hi."]


def test_prompt_answered_together_with_the_next_has_its_answer() -> None:
    assert texts(FIRST, SECOND, LATER) == ["Later."]


def test_turn_continues_after_a_compaction() -> None:
    own = message("u9", None, 3, text("p8", "go on", synthetic=True))
    assert texts(FIRST, ANSWER, own, message("a9", "u9", 4, text("p9", "On."))) == ["Hi.", "On."]


def test_denied_call_is_noticed() -> None:
    call = ToolPart("p7", sample.SESSION, "m", "c", "bash", "error", why="denied")
    failed = ToolPart("p7", sample.SESSION, "m", "c", "bash", "error")
    assert recorded_turn([FIRST, message("a1", "u1", 2, call)], "u1").denied
    assert not recorded_turn([FIRST, message("a1", "u1", 2, failed)], "u1").denied


class Pages:
    """A server whose pages of messages never hold the prompt; the cursors come from `cursors`."""

    def __init__(self, cursors: Iterator[str], text: str = "") -> None:
        self._cursors = cursors
        self._text = text
        self.fetched = 0

    async def messages(self, session_id: str, *, before: str | None = None) -> MessagesLoaded:
        self.fetched += 1
        page = message(f"a{self.fetched}", "u0", 1, text("p", self._text))
        return MessagesLoaded(session_id, (page,), next(self._cursors), "newest")


@pytest.mark.parametrize(
    ("pages", "fetched", "why"),
    [
        (Pages(map(str, count())), MAX_PAGES, "the prompt is not among the newest 2000 pages of messages"),
        (
            Pages(map(str, count()), "é" * (MAX_BYTES // 8)),
            8,
            "the prompt is not among the newest 8 pages of messages",
        ),
        (Pages(cycle("ab")), 3, "the server repeats a page of messages"),
    ],
    ids=["pages", "bytes", "cursor"],
)
def test_fetch_ends_although_the_server_always_has_another_page(pages: Pages, fetched: int, why: str) -> None:
    record = asyncio.run(asyncio.wait_for(fetch_recorded_turn(cast("Backend", pages), sample.SESSION, "u1"), 30))
    assert record.cut == why
    assert pages.fetched == fetched
