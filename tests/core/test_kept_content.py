"""The contents of a transcript take a bounded memory, and what is cut says so."""

import sys

import pytest
from msgspec.structs import replace

from tests import sample_events as sample
from tui.core import events as e
from tui.core.changes import MessageRemoved, PartChanged
from tui.core.kept_content import CUT_TO, cut
from tui.core.memory_size import weight
from tui.core.model import FullMessage, Message, TextPart, ToolPart
from tui.core.store import Store

MEGABYTE = "x" * 1_000_000
MOST = 34 << 20
"""Bytes of contents."""


def opened() -> Store:
    store = Store()
    store.open_transcript(sample.SESSION)
    for event in (*sample.prompt("do it " * 10_000), sample.answer_begins()):
        store.apply(event)
    return store


def outputs(store: Store) -> list[str]:
    transcript = store.transcript(sample.SESSION)
    assert transcript is not None
    parts = transcript.parts_of(sample.ANSWER)
    return [part.output if isinstance(part, ToolPart) else getattr(part, "text", "") for part in parts]


def test_the_oldest_of_many_large_outputs_are_truncated() -> None:
    store = opened()
    for number in range(99):
        store.apply(sample.tool(f"prt_{number:03}", output=f"{number} {MEGABYTE}"))
    changes = store.apply(sample.tool("prt_099", output=f"99 {MEGABYTE}"))
    found = outputs(store)
    assert sum(map(sys.getsizeof, found)) <= MOST
    assert found[-1] == f"99 {MEGABYTE}"
    assert found[0].startswith("0 xxx")
    assert found[0].endswith("… 996,002 more characters are not kept in memory: open the session again to read them")
    assert len([change for change in changes if isinstance(change, PartChanged)]) == 2


def test_content_sent_again_by_the_server_is_complete_again() -> None:
    store = opened()
    for number in range(100):
        store.apply(sample.tool(f"prt_{number:03}", output=MEGABYTE))
    store.apply(sample.tool("prt_000", output=MEGABYTE))
    assert outputs(store)[0] == MEGABYTE
    assert sum(map(sys.getsizeof, outputs(store))) <= MOST


def test_agent_text_is_truncated_and_user_text_is_not() -> None:
    store = opened()
    for number in range(100):
        store.apply(sample.text(MEGABYTE, part_id=f"prt_{number:03}"))
    assert sum(map(sys.getsizeof, outputs(store))) <= MOST
    transcript = store.transcript(sample.SESSION)
    assert transcript is not None
    (prompt,) = transcript.parts_of(sample.PROMPT)
    assert isinstance(prompt, TextPart)
    assert prompt.text == "do it " * 10_000


def test_an_endless_text_is_limited_until_the_complete_one_arrives() -> None:
    store = opened()
    store.apply(sample.text("", state="streaming"))
    for _ in range(20):
        store.apply(sample.delta(MEGABYTE))
    assert len(outputs(store)[0]) == 8_000_000
    store.apply(sample.text(MEGABYTE * 15))
    assert len(outputs(store)[0]) == 15_000_000


def test_one_part_is_cut_from_a_size_on_however_new_it_is() -> None:
    store = opened()
    store.apply(sample.text(MEGABYTE * 20))
    assert outputs(store) == ["x" * 4_000_000 + "\n\n… 16,000,000 more characters are not kept in memory"]
    store.apply(sample.tool("prt_000", **{name: MEGABYTE * 5 for name in ("title", "output", "diff", "error")}))
    assert weighed(store) < 25_000_000


def test_removed_content_is_not_counted() -> None:
    store = opened()
    for number in range(100):
        message = f"msg_of_{number:03}"
        store.apply(e.MessageUpserted(Message(message, sample.SESSION, "assistant", created=3.0 + number)))
        part = ToolPart("prt", sample.SESSION, message, "call", "bash", "completed", output=MEGABYTE)
        store.apply(e.PartUpserted(part))
        if number < 99:
            store.apply(e.MessageRemoved(sample.SESSION, message))
    transcript = store.transcript(sample.SESSION)
    assert transcript is not None
    assert 0 < transcript._content._total < 2 * len(MEGABYTE)


def weighed(store: Store) -> int:
    transcript = store.transcript(sample.SESSION)
    assert transcript is not None
    parts = [part for parts in transcript.parts.values() for part in parts.values()]
    return sum(map(weight, parts)) + sum(map(weight, transcript.messages.values()))


def test_parts_of_unknown_messages_are_bounded() -> None:
    store = opened()
    for number in range(100):
        part = TextPart("prt", sample.SESSION, f"msg_unknown_{number}", MEGABYTE)
        store.apply(e.PartUpserted(part))
    assert weighed(store) <= MOST


def test_inputs_of_calls_are_limited_and_truncation_is_shown() -> None:
    store = opened()
    for number in range(100):
        part = ToolPart(
            f"prt_{number}", sample.SESSION, sample.ANSWER, "call", "x", "running", {"a": {"b": [MEGABYTE]}}
        )
        store.apply(e.PartUpserted(part))
    assert weighed(store) <= MOST
    transcript = store.transcript(sample.SESSION)
    assert transcript is not None
    oldest = transcript.part(sample.ANSWER, "prt_0")
    assert isinstance(oldest, ToolPart)
    assert oldest.input == {"a": "… not kept in memory: open the session again to read it"}


@pytest.mark.parametrize("given", [{"a": [0] * 20_000}, {str(key): 0 for key in range(20_000)}])
def test_input_of_too_many_values_is_cut_at_once(given: dict[str, object]) -> None:
    store = opened()
    store.apply(e.PartUpserted(ToolPart("prt", sample.SESSION, sample.ANSWER, "call", "x", "running", given)))
    transcript = store.transcript(sample.SESSION)
    assert transcript is not None
    part = transcript.part(sample.ANSWER, "prt")
    assert isinstance(part, ToolPart)
    assert weight(part) < 50_000
    assert any(isinstance(value, str) and "values" in value for value in part.input.values())


def test_texts_that_grow_at_the_same_time_are_bounded_together() -> None:
    store = opened()
    for number in range(12):
        store.apply(sample.text("", part_id=f"prt_{number}", state="streaming"))
        for _ in range(7):
            store.apply(sample.delta(MEGABYTE, part_id=f"prt_{number}"))
    found = outputs(store)
    assert sum(map(len, found)) <= MOST
    assert found[0].endswith("more characters are not kept in memory: open the session again to read them")
    assert len(found[-1]) == 7_000_000


def test_the_oldest_of_many_small_parts_are_dropped() -> None:
    store = opened()
    for number in range(4_000):
        store.apply(sample.tool(f"prt_{number}", output="x" * 15_000))
    assert weighed(store) <= MOST
    transcript = store.transcript(sample.SESSION)
    assert transcript is not None
    assert transcript.has_dropped
    assert transcript.part(sample.ANSWER, "prt_3999") is not None
    assert transcript.part(sample.ANSWER, "prt_0") is None


def test_the_oldest_of_many_messages_are_dropped_and_not_requested() -> None:
    store = opened()
    removed: set[str] = set()
    for number in range(4_000):
        message = Message(f"msg_of_{number}", sample.SESSION, "user", created=3.0 + number)
        part = TextPart("prt", sample.SESSION, message.id, "x" * 15_000)
        changes = [*store.apply(e.MessageUpserted(message)), *store.apply(e.PartUpserted(part))]
        removed |= {change.message_id for change in changes if isinstance(change, MessageRemoved)}
    assert weighed(store) <= MOST
    transcript = store.transcript(sample.SESSION)
    assert transcript is not None
    assert (transcript.has_dropped, transcript.cursor) == (True, None)
    assert removed.isdisjoint(transcript.messages)
    assert sample.PROMPT in removed
    assert transcript.messages.keys() | removed >= {f"msg_of_{number}" for number in range(4_000)}
    newest = list(transcript.messages.values())[-2:]
    page = tuple(FullMessage(message, tuple(transcript.parts_of(message.id))) for message in newest)
    transcript.loaded = True
    store.apply(e.MessagesLoaded(sample.SESSION, page, "older"))
    again = store.transcript(sample.SESSION)
    assert again is not None
    assert len(again.messages) > len(page)
    assert (again.has_dropped, again.cursor) == (True, None)
    page = (FullMessage(Message("msg_older", sample.SESSION, "user", created=0.1), ()),)
    store.apply(e.MessagesLoaded(sample.SESSION, page, "more", how="older"))
    assert transcript.cursor is None


def test_of_a_text_that_is_cut_no_more_is_streamed() -> None:
    text = TextPart("prt_1", sample.SESSION, sample.ANSWER, "x" * (CUT_TO + 1), "streaming", gaps=(1, CUT_TO))
    shorter = cut(text)
    assert isinstance(shorter, TextPart)
    assert (shorter.state, shorter.gaps) == ("done", (1,))
    short = replace(text, text="x", gaps=())
    assert cut(short) == short
