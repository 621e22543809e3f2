"""Keys of jobs in the journal: bound once, taken over from a client that has ended."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from tui.core.model import Prompt
from tui.storage.database import FILE
from tui.storage.job_prompts import BoundPrompt, KeyTaken, KeyUnreadable
from tui.storage.journal import Journal

SERVER = "http://127.0.0.1:4096"
PROMPT = Prompt("ses_1", "do it", "msg_1", "prt_1", agent="build")
OTHER = replace(PROMPT, message_id="msg_2", text="do that")

Start = Callable[..., Journal]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Open a client's journal, always in the same folder."""
    started: list[Journal] = []

    def begin(server: str = SERVER) -> Journal:
        started.append(Journal(tmp_path / "state", server, wall=lambda: 1000.0 + len(started)))
        return started[-1]

    yield begin
    for journal in started:
        journal.close()


def test_key_is_bound_with_its_flight(start: Start) -> None:
    journal = start()
    assert journal.jobs.claim("job") is None
    assert journal.jobs.mark_in_flight(PROMPT, "job")
    assert journal.jobs.claim("job") == BoundPrompt(PROMPT, owned_here=True)
    journal.close()
    assert start().adopt_flights() == [PROMPT]


def test_key_of_a_running_client_is_not_taken_over(start: Start) -> None:
    first, second = start(), start()
    first.jobs.mark_in_flight(PROMPT, "job")
    assert second.jobs.claim("job") == BoundPrompt(PROMPT, owned_here=False)
    assert second.jobs.claim("job") == BoundPrompt(PROMPT, owned_here=False)
    first.close()
    assert second.jobs.claim("job") == BoundPrompt(PROMPT, owned_here=True)
    third = start()
    assert third.jobs.claim("job") == BoundPrompt(PROMPT, owned_here=False)
    assert third.adopt_flights() == []


def test_second_prompt_is_refused_and_not_put_in_flight(start: Start) -> None:
    first, second = start(), start()
    first.jobs.mark_in_flight(PROMPT, "job")
    with pytest.raises(KeyTaken):
        second.jobs.mark_in_flight(OTHER, "job")
    second.close()
    assert start().adopt_flights() == []


def test_key_belongs_to_one_server(start: Start) -> None:
    start().jobs.mark_in_flight(PROMPT, "job")
    assert start("http://127.0.0.1:1").jobs.claim("job") is None


def test_bound_prompt_gets_the_server_s_id(start: Start) -> None:
    journal = start()
    journal.jobs.mark_in_flight(PROMPT, "job")
    accepted = replace(PROMPT, server_id="srv_1")
    journal.set_server_id(accepted)
    journal.clear_in_flight(PROMPT.message_id)
    journal.close()
    assert start().jobs.claim("job") == BoundPrompt(accepted, owned_here=True)


def test_sending_again_replaces_the_returned_draft(start: Start) -> None:
    journal = start()
    journal.jobs.mark_in_flight(PROMPT, "job")
    journal.return_to_draft(PROMPT)
    assert journal.draft("ses_1") == "do it"
    assert journal.jobs.mark_in_flight(PROMPT)
    assert (journal.draft("ses_1"), journal.history()) == ("", [])
    assert journal.jobs.claim("job") == BoundPrompt(PROMPT, owned_here=True)


@pytest.mark.parametrize("column", ["prompt", "owner", "name", "the file", "all of it"])
def test_key_is_not_free_after_damage(start: Start, tmp_path: Path, column: str) -> None:
    journal = start()
    journal.jobs.mark_in_flight(PROMPT, "job")
    journal.close()
    file = tmp_path / "state" / FILE
    if column in ("the file", "all of it"):
        file.write_bytes(b"damaged" * 1000 if column == "the file" else b"")
    else:
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute(f"UPDATE prompt_keys SET {column} = x'ff00'")
    for _ in range(2):  # also at the next start, when nothing is damaged any more
        journal = start()
        with pytest.raises(KeyUnreadable, match="the journal was damaged"):
            journal.jobs.claim("job")
        journal.close()
    assert start().jobs.claim("other") is None


def test_key_is_not_free_while_the_disk_is_full(start: Start) -> None:
    journal = start()
    journal.history()
    journal._file.connection.execute("PRAGMA query_only = ON")  # as a full disk: reads work
    with pytest.raises(KeyUnreadable, match="cannot be read and written"):
        journal.jobs.claim("job")
    assert not journal.jobs.mark_in_flight(PROMPT, "job")
    assert journal.in_memory_only


def test_write_that_fails_after_pending_writes_goes_to_memory(start: Start) -> None:
    journal = start()
    database, full = journal._file.connection, sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    def work(connection: sqlite3.Connection) -> None:
        if connection is database:
            raise full

    journal._file._use_memory(full)
    journal._file.write(work)
    assert journal.in_memory_only
