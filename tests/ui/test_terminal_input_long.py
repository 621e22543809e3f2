"""Text of any length from the terminal or the journal and to the clipboard: limited, reported, and never lost."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from textual import events
from textual.message import Message

from tests import sample_events as sample
from tests.app_harness import app_harness
from tests.ui.test_prompt_controller import another_run, waiting
from tui.client.prompt_queue import PromptQueue
from tui.storage.database import FILE
from tui.ui.terminal_input import CHUNK, Burst, InputParser

MOST = 200_000
"""Characters of one text."""
TIMES = 8
"""Factor by which an input is made longer; quadratic work takes 64 times as long."""


def chunks(text: str) -> Iterator[str]:
    return (text[at : at + CHUNK] for at in range(0, len(text), CHUNK))


def spent(text: str) -> float:
    """Seconds of processor time that the parser takes for text in pieces."""
    parser, burst = InputParser(now=lambda: 0.0), Burst(lambda message: None)
    began = time.thread_time()
    for chunk in chunks(text):
        for message in parser.feed(chunk):
            burst.take(message)
    burst.end()
    return time.thread_time() - began


@pytest.mark.parametrize("begins", ["\x1b]52;c;", "\x1bP", "\x1b[", "\x1b[200~"], ids=["OSC", "DCS", "CSI", "paste"])
def test_an_endless_sequence_takes_linear_time(begins: str) -> None:
    short, long = (min(spent(begins + "1" * length) for _ in range(3)) for length in (250_000, 250_000 * TIMES))
    assert long < short * TIMES * 3


def came(*pieces: str) -> list[Message]:
    got: list[Message] = []
    parser, burst = InputParser(now=lambda: 0.0), Burst(got.append)
    for piece in pieces:
        for message in parser.feed(piece):
            burst.take(message)
    burst.end()
    return got


@pytest.mark.parametrize(
    ("begins", "ends"),
    [("\x1b]52;c;", "\x07"), ("\x1b]52;c;", "\x1b\\"), ("\x1bP", "\x1b\\"), ("\x1b[", "m")],
)
def test_keys_after_an_oversized_sequence_are_keys(begins: str, ends: str) -> None:
    whole = begins + "1" * 20_000 + ends
    for pieces in ([whole, "a"], [*chunks(whole + "a")], [*chunks(whole[:-1]), whole[-1], "a"]):
        assert [getattr(one, "key", one) for one in came(*pieces)] == ["a"]


def test_an_oversized_unterminated_sequence_is_dropped() -> None:
    now = 0.0
    parser = InputParser(now=lambda: now)
    assert [*parser.feed("\x1b]52;c;" + "1" * 20_000)] == []
    now = 10.0
    assert [*parser.tick()] == []
    assert [getattr(one, "key", one) for one in parser.feed("a")] == ["a"]


@pytest.mark.parametrize("size", [1, CHUNK - 3, CHUNK])
def test_the_end_of_a_paste_may_arrive_in_pieces(size: int) -> None:
    whole = "\x1b[200~" + "x" * 9_000 + "\x1b[201~a"
    paste, key = came(*(whole[at : at + size] for at in range(0, len(whole), size)))
    assert isinstance(paste, events.Paste)
    assert isinstance(key, events.Key)
    assert (paste.text, key.key) == ("x" * 9_000, "a")


def test_an_oversized_paste_is_counted_and_dropped() -> None:
    bracketed, key = came(*chunks("\x1b[200~" + "word " * 200_000 + "\x1b[201~a"))
    assert (type(bracketed).__name__, getattr(bracketed, "characters", 0)) == ("PasteTooLong", 1_000_000)
    assert isinstance(key, events.Key)
    (lines,) = came(*chunks("line\r" * 200_000))
    assert (type(lines).__name__, getattr(lines, "characters", 0)) == ("PasteTooLong", 1_000_000)


@pytest.mark.parametrize("text", ["x" * (MOST + 1), "x" * 100_001, "x\n" * 10_000], ids=["all", "one line", "lines"])
async def test_an_oversized_paste_does_not_change_the_prompt(text: str) -> None:
    async with app_harness() as harness:
        await harness.press(*"mine")
        harness.app.post_message(events.Paste(text))
        await harness.shows("characters were not inserted", "Name a file with the text")
        assert harness.main.prompt.text == "mine"


async def test_several_pastes_cannot_exceed_the_limit() -> None:
    async with app_harness() as harness:
        for _ in range(5):
            harness.app.post_message(events.Paste(("x" * 999 + "\n") * 100))
            await harness.settled()
        await harness.shows("100,000 characters were not inserted")
        assert len(harness.main.prompt.text) == MOST


async def test_a_one_line_field_refuses_a_long_paste() -> None:
    async with app_harness() as harness:
        await harness.press("ctrl+f", *"so")
        harness.app.post_message(events.Paste("x" * 10_001))
        await harness.shows("10,001 characters were not inserted: this field takes at most 10,000 at once.")


async def test_an_oversized_stored_draft_is_moved_to_a_file(tmp_path: Path) -> None:
    text = "line of a draft\n" * 30_000
    client = another_run(tmp_path)
    client.journal.save_draft(sample.SESSION, text)
    async with app_harness(client=client) as harness:
        await harness.press(*"mine")
        await harness.shows("too long for the prompt (480,000 characters)", "draft-0.txt")
        assert harness.main.prompt.text == "mine"
        assert (tmp_path / "draft-0.txt").read_text() == text
    async with app_harness(client=another_run(tmp_path)) as harness:
        await harness.until(lambda: harness.main.prompt.text == "mine")
    assert [name for name in os.listdir(tmp_path) if "draft" in name] == ["draft-0.txt"]


async def test_a_long_draft_stays_in_the_prompt_if_no_file_can_be_written() -> None:
    async with app_harness() as harness:
        text = "x\n" * 10_001
        harness.main.prompt.load_draft(text)
        assert harness.main.prompt.text == text


async def test_a_long_undelivered_prompt_is_saved_beside_the_draft(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        await harness.press(*"mine")
        harness.main.prompt.append_returned("y\n" * 10_001)
        await harness.shows("draft-0.txt")
        assert harness.main.prompt.text == "mine"
        assert (tmp_path / "draft-0.txt").read_text() == "y\n" * 10_001


async def test_an_oversized_queued_prompt_cannot_be_edited() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        harness.client.prompts.submit(sample.SESSION, "z\n" * 10_001)
        (queued,) = harness.client.prompts.waiting(sample.SESSION)
        harness.app.writing.edit(queued)
        await harness.shows("too long to be changed here")
        assert (harness.main.prompt.edited, waiting(harness)) == (None, ["z\n" * 10_001])


async def test_the_size_of_the_loaded_history_is_bounded(tmp_path: Path) -> None:
    client = another_run(tmp_path)
    for number in range(20):
        client.journal.remember(f"{number} " + "word " * 199_999)
    client.journal.remember("short")
    earlier = client.journal.history()
    assert [text[:5] for text in earlier] == ["short", "19 wo", "18 wo", "17 wo", "16 wo", "15 wo"]
    async with app_harness(client=client) as harness:
        await harness.press("up", "up")
        assert harness.main.prompt.text == "short"  # the others are too long for the prompt field


async def test_an_oversized_text_is_not_sent_to_the_clipboard() -> None:
    async with app_harness() as harness:
        harness.app.copy_to_clipboard("x" * 1_000_001)
        await harness.shows("1,000,001 characters are too many for the terminal's clipboard")
        assert harness.app.clipboard == ""


def test_an_oversized_row_is_set_aside_unread(tmp_path: Path) -> None:
    another_run(tmp_path).journal.close()
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as database:
        insert = "INSERT INTO drafts (server, session, owner, text) VALUES ('server', 'ses_1', '', ?)"
        database.execute(insert, ("x" * (17 << 20),))
    journal = another_run(tmp_path).journal
    assert "1 damaged row" in str(journal.problem)
    assert journal.draft("ses_1") == ""
    journal.close()


def test_a_long_queue_is_adopted_in_one_transaction(tmp_path: Path) -> None:
    another_run(tmp_path).journal.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        rows = (("server", f"q{n}", "ses_1", str(n), "gone", n) for n in range(2_000))
        database.executemany("INSERT INTO queue (server, id, session, text, owner, place) VALUES (?,?,?,?,?,?)", rows)
        database.commit()
    client = another_run(tmp_path)
    steps: list[str] = []
    client.journal._file.connection.set_trace_callback(steps.append)

    taken = PromptQueue(client.journal)
    taken.restore()
    assert len(taken.of("ses_1")) == 2_000
    assert sum(step.startswith("BEGIN") for step in steps) <= 2
