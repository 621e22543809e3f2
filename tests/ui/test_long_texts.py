"""Text of any length, in any place, does not delay the screen noticeably.

The measure is processor time between two rounds of the event loop, independent of other programs.
"""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.processor_time import loop_held_up_at_most
from tests.waiting import wait_until
from tui.core import changes as c
from tui.core import events as e
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import (
    Failure,
    FilePart,
    Message,
    NotePart,
    Option,
    PermissionRequest,
    Question,
    QuestionRequest,
    ReasoningPart,
    Retrying,
    TextPart,
    Todo,
)
from tui.core.turn_state import TurnState
from tui.widgets.text.markdown_view import MarkdownView
from tui.widgets.transcript.foldable import Foldable

FREEZE = 0.5
"""Seconds of processor time: 0.15 alone takes up to three times that on a shared processor."""
LINES = "\n".join(f"line {number}" for number in range(100_000))
LONG = "x" * 10_000_000
TEXTS = {"lines": LINES, "one line": LONG}


def question(**fields: object) -> e.Event:
    values = {"text": "Which?", "header": "Which", "options": (Option("a"), Option("b"))} | fields
    asked = Question(**values)  # type: ignore[arg-type]
    return e.RequestOpened(QuestionRequest("que_1", sample.SESSION, (asked, asked)))


def permission(**fields: object) -> e.Event:
    return e.RequestOpened(PermissionRequest("per_1", sample.SESSION, **({"action": "bash"} | fields)))  # type: ignore[arg-type]


def answer(*events: e.Event, **fields: object) -> list[e.Event]:
    message = Message(sample.ANSWER, sample.SESSION, "assistant", created=2.0, parent_id=sample.PROMPT)
    return [*sample.prompt(), e.MessageUpserted(replace(message, **fields)), *events]


PLACES: dict[str, Callable[[str], list[e.Event]]] = {
    "title": lambda text: [e.SessionUpserted(sample.session(title=text))],
    "agent": lambda text: answer(agent=text),
    "plan": lambda text: [e.TodosChanged(sample.SESSION, (Todo(text, "in_progress"), Todo(text, "pending")))],
    "label": lambda text: [question(options=(Option(text, text), Option("b")))],
    "question": lambda text: [question(text=text, header=text)],
    "action": lambda text: [permission(action=text, patterns=(text,), always=(text,))],
    "command": lambda text: [permission(detail=text)],
    "failure": lambda text: answer(failure=Failure(text, "provider")),
    "error": lambda text: [e.SessionFailed(sample.SESSION, Failure(text))],
    "file": lambda text: [*sample.prompt(), e.PartUpserted(FilePart("prt_f", sample.SESSION, sample.PROMPT, text))],
    "note": lambda text: answer(e.PartUpserted(NotePart("prt_n", sample.SESSION, sample.ANSWER, text))),
    "tool": lambda text: answer(sample.tool(tool=text, title=text)),
    "output": lambda text: answer(sample.tool(output=text)),
    "input": lambda text: answer(sample.tool(output="", title="", input={"command": text})),
    "diff": lambda text: answer(sample.tool(diff=f"@@\n+{text}")),
    "tool error": lambda text: answer(sample.tool(state="error", error=text)),
    "reasoning": lambda text: answer(
        e.PartUpserted(ReasoningPart("prt_r", sample.SESSION, sample.ANSWER, text))
    ),
    "prompt": lambda text: [
        e.MessageUpserted(Message(sample.PROMPT, sample.SESSION, "user", created=1.0)),
        e.PartUpserted(TextPart("prt_1", sample.SESSION, sample.PROMPT, text[:400_000])),
    ],
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_long_text_does_not_delay_input(place: str, text: str) -> None:
    async with app_harness() as harness, loop_held_up_at_most(FREEZE):
        harness.client.feed(*PLACES[place](text))
        await harness.settled()
        harness.second()
        for fold in harness.main.transcript.query(Foldable):
            fold.unfold()
        await harness.press("f6", "f2", "escape", "f3", "escape")


def retry(harness: AppHarness, text: str) -> None:
    harness.run_turn(TurnState.RETRYING, retry=Retrying(3, text, None))


def ended(harness: AppHarness, text: str) -> None:
    turn = harness.run_turn()
    turn.state, turn.reason = TurnState.INTERRUPTED, text
    harness.client.turn_moved(turn)


def lost(harness: AppHarness, text: str) -> None:
    harness.client.set_line(ConnectionStatus(ConnectionState.STOPPED, reason=text, hint=text))


def refused(harness: AppHarness, text: str) -> None:
    harness.client.feed(question())
    request = harness.client.store.requests["que_1"]
    harness.client.tell(c.ReplyStatusChanged(request, "refused", reason=text))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("reported", [retry, ended, lost, refused], ids=lambda reported: reported.__name__)
async def test_a_long_reason_does_not_delay_input(reported: Callable[[AppHarness, str], None], text: str) -> None:
    async with app_harness() as harness, loop_held_up_at_most(FREEZE):
        harness.client.feed(*sample.prompt())
        reported(harness, text)
        harness.client.notice(text)
        harness.second()
        await harness.settled()


MARKDOWN = {
    "a word": "x" * 100_000,
    "a wide word": "漢" * 100_000,
    "a flood of combining characters": "a" + "\u0301" * 100_000,
    "1,000 columns": "|" + "a|" * 1_000 + "\n|" + "-|" * 1_000 + ("\n|" + "b|" * 1_000) * 30,
    "a long cell": "|a|b|\n|-|-|\n|" + "word " * 20_000 + "|b|",
    "quotations in each other": "\n".join([">" * 1_000 + " so"] * 30),
    "lists in each other": "\n".join("  " * level + "- so" for level in range(400)),
    "links": "[a](http://x.y/z) " * 6_000,
    "brackets": "[" * 50_000,
    "closed brackets": "[" * 25_000 + "]" * 25_000,
    "pictures": "![" * 25_000,
    "open links": "[a](" * 12_000,
    "stars": "*a " * 16_000,
    "marks in words": "a**b" * 12_000,
    "backticks": " ".join("`" * number for number in range(1, 400)),
    "headings": "# a\n" * 20_000,
    "list items": "- so\n" * 20_000,
    "an item without an end": "- " + "so " * 40_000,
    "numbers": "&#x202e;" * 12_000,
    "a line of code": "```\n" + "x" * 500_000,
    "blank lines": "a\n\n" * 30_000,
}


@pytest.mark.parametrize("text", MARKDOWN.values(), ids=MARKDOWN)
async def test_expensive_markdown_does_not_delay_input(text: str) -> None:
    async with app_harness(size=(120, 24)) as harness:
        harness.client.feed(*answer())
        await harness.settled()
        async with loop_held_up_at_most(FREEZE):
            harness.client.feed(sample.text(text))
            await harness.until(lambda: harness.main.transcript.query(MarkdownView), "the answer is mounted")
            prose = harness.main.transcript.query_one(MarkdownView)
            await wait_until(lambda: prose.shown == text, what="all of it is shown")
            await harness.settled()


async def test_text_beyond_the_limit_is_counted() -> None:
    async with app_harness() as harness:
        harness.client.feed(*answer(sample.text("word " * 200_010)))
        await harness.until(lambda: harness.main.transcript.query(MarkdownView), "the answer is mounted")
        await wait_until(lambda: "… 50 more characters" in harness.text, what="the count")
