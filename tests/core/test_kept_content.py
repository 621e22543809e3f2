"""The contents of a transcript take a bounded memory, and what is cut says so."""

import sys

from tests import sample_events as talk
from tui.core import events as e
from tui.core.changes import PartChanged
from tui.core.model import Message, TextPart, ToolPart
from tui.core.store import Store

MEGABYTE = "x" * 1_000_000
MOST = 34 << 20
"""Bytes of contents."""


def opened() -> Store:
    store = Store()
    store.open_transcript(talk.SESSION)
    for event in (*talk.prompt("do it " * 10_000), talk.answer_begins()):
        store.apply(event)
    return store


def outputs(store: Store) -> list[str]:
    transcript = store.transcript(talk.SESSION)
    assert transcript is not None
    parts = transcript.parts_of(talk.ANSWER)
    return [part.output if isinstance(part, ToolPart) else getattr(part, "text", "") for part in parts]


def test_of_many_large_outputs_the_oldest_are_cut() -> None:
    store = opened()
    for number in range(99):
        store.apply(talk.tool(f"prt_{number:03}", output=f"{number} {MEGABYTE}"))
    changes = store.apply(talk.tool("prt_099", output=f"99 {MEGABYTE}"))
    found = outputs(store)
    assert sum(map(sys.getsizeof, found)) <= MOST
    assert found[-1] == f"99 {MEGABYTE}"
    assert found[0].startswith("0 xxx")
    assert found[0].endswith("… 996,002 more characters are not kept in memory: open the session again to read them")
    assert len([change for change in changes if isinstance(change, PartChanged)]) == 2


def test_what_the_server_sends_again_is_whole_again() -> None:
    store = opened()
    for number in range(100):
        store.apply(talk.tool(f"prt_{number:03}", output=MEGABYTE))
    store.apply(talk.tool("prt_000", output=MEGABYTE))
    assert outputs(store)[0] == MEGABYTE
    assert sum(map(sys.getsizeof, outputs(store))) <= MOST


def test_text_is_cut_and_the_words_of_the_person_are_not() -> None:
    store = opened()
    for number in range(100):
        store.apply(talk.text(MEGABYTE, part_id=f"prt_{number:03}"))
    assert sum(map(sys.getsizeof, outputs(store))) <= MOST
    transcript = store.transcript(talk.SESSION)
    assert transcript is not None
    (prompt,) = transcript.parts_of(talk.PROMPT)
    assert isinstance(prompt, TextPart)
    assert prompt.text == "do it " * 10_000


def test_a_text_that_grows_without_end_is_kept_up_to_a_bound_until_the_whole_comes() -> None:
    store = opened()
    store.apply(talk.text("", state="streaming"))
    for _ in range(20):
        store.apply(talk.delta(MEGABYTE))
    assert len(outputs(store)[0]) == 8_000_000
    store.apply(talk.text(MEGABYTE * 20))
    assert len(outputs(store)[0]) == 20_000_000


def test_what_is_removed_counts_no_more() -> None:
    store = opened()
    for number in range(100):
        message = f"msg_of_{number:03}"
        store.apply(e.MessageUpserted(Message(message, talk.SESSION, "assistant", created=3.0 + number)))
        part = ToolPart("prt", talk.SESSION, message, "call", "bash", "completed", output=MEGABYTE)
        store.apply(e.PartUpserted(part))
        if number < 99:
            store.apply(e.MessageRemoved(talk.SESSION, message))
    transcript = store.transcript(talk.SESSION)
    assert transcript is not None
    assert 0 < transcript._content._total < 2 * len(MEGABYTE)
