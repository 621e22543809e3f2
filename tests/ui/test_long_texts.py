"""Text of any length, in any place, does not delay the screen noticeably.

The measure is processor time between two rounds of the event loop, independent of other programs.
"""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
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
    return e.RequestOpened(QuestionRequest("que_1", talk.SESSION, (asked, asked)))


def permission(**fields: object) -> e.Event:
    return e.RequestOpened(PermissionRequest("per_1", talk.SESSION, **({"action": "bash"} | fields)))  # type: ignore[arg-type]


def answer(*events: e.Event, **fields: object) -> list[e.Event]:
    message = Message(talk.ANSWER, talk.SESSION, "assistant", created=2.0, parent_id=talk.PROMPT)
    return [*talk.prompt(), e.MessageUpserted(replace(message, **fields)), *events]


PLACES: dict[str, Callable[[str], list[e.Event]]] = {
    "title": lambda text: [e.SessionUpserted(talk.session(title=text))],
    "agent": lambda text: answer(agent=text),
    "plan": lambda text: [e.TodosChanged(talk.SESSION, (Todo(text, "in_progress"), Todo(text, "pending")))],
    "label": lambda text: [question(options=(Option(text, text), Option("b")))],
    "question": lambda text: [question(text=text, header=text)],
    "action": lambda text: [permission(action=text, patterns=(text,), always=(text,))],
    "command": lambda text: [permission(detail=text)],
    "failure": lambda text: answer(failure=Failure(text, "provider")),
    "error": lambda text: [e.SessionFailed(talk.SESSION, Failure(text))],
    "file": lambda text: [*talk.prompt(), e.PartUpserted(FilePart("prt_f", talk.SESSION, talk.PROMPT, text))],
    "note": lambda text: answer(e.PartUpserted(NotePart("prt_n", talk.SESSION, talk.ANSWER, text))),
    "tool": lambda text: answer(talk.tool(tool=text, title=text)),
    "output": lambda text: answer(talk.tool(output=text)),
    "input": lambda text: answer(talk.tool(output="", title="", input={"command": text})),
    "diff": lambda text: answer(talk.tool(diff=f"@@\n+{text}")),
    "tool error": lambda text: answer(talk.tool(state="error", error=text)),
    "reasoning": lambda text: answer(
        e.PartUpserted(ReasoningPart("prt_r", talk.SESSION, talk.ANSWER, text))
    ),
    "prompt": lambda text: [
        e.MessageUpserted(Message(talk.PROMPT, talk.SESSION, "user", created=1.0)),
        e.PartUpserted(TextPart("prt_1", talk.SESSION, talk.PROMPT, text[:400_000])),
    ],
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_long_text_does_not_delay_input(place: str, text: str) -> None:
    async with on_stage() as stage, loop_held_up_at_most(FREEZE):
        stage.client.feed(*PLACES[place](text))
        await stage.settled()
        stage.second()
        for fold in stage.main.transcript.query(Foldable):
            fold.unfold()
        await stage.press("f6", "f2", "escape", "f3", "escape")


def retry(stage: Stage, text: str) -> None:
    stage.run_turn(TurnState.RETRYING, retry=Retrying(3, text, None))


def ended(stage: Stage, text: str) -> None:
    turn = stage.run_turn()
    turn.state, turn.reason = TurnState.INTERRUPTED, text
    stage.client.turn_moved(turn)


def lost(stage: Stage, text: str) -> None:
    stage.client.set_line(ConnectionStatus(ConnectionState.STOPPED, reason=text, hint=text))


def refused(stage: Stage, text: str) -> None:
    stage.client.feed(question())
    request = stage.client.store.requests["que_1"]
    stage.client.tell(c.ReplyStatusChanged(request, "refused", reason=text))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("told", [retry, ended, lost, refused], ids=lambda told: told.__name__)
async def test_a_long_reason_does_not_delay_input(told: Callable[[Stage, str], None], text: str) -> None:
    async with on_stage() as stage, loop_held_up_at_most(FREEZE):
        stage.client.feed(*talk.prompt())
        told(stage, text)
        stage.client.notice(text)
        stage.second()
        await stage.settled()


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
    async with on_stage(size=(120, 24)) as stage:
        stage.client.feed(*answer())
        await stage.settled()
        async with loop_held_up_at_most(FREEZE):
            stage.client.feed(talk.text(text))
            await stage.until(lambda: stage.main.transcript.query(MarkdownView), "the answer is mounted")
            prose = stage.main.transcript.query_one(MarkdownView)
            await wait_until(lambda: prose.shown == text, what="all of it is shown")
            await stage.settled()


async def test_text_beyond_the_limit_is_counted() -> None:
    async with on_stage() as stage:
        stage.client.feed(*answer(talk.text("word " * 200_010)))
        await stage.until(lambda: stage.main.transcript.query(MarkdownView), "the answer is mounted")
        await wait_until(lambda: "… 50 more characters" in stage.text, what="the count")
