"""The journal across crashes, concurrent clients and invalid files."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tui.core.model import Prompt, Queued
from tui.storage.database import VERSION
from tui.storage.journal import MAX_HISTORY, Journal

SERVER = "http://127.0.0.1:4096"
PROMPT = Prompt("ses_1", "do it", "msg_1", "prt_1")

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


def killed(folder: Path, program: str) -> None:
    """Run `program` with `journal` in a process that is killed by SIGKILL at its end."""
    code = f"""
import os, signal
from pathlib import Path
from tui.core.model import Prompt, Queued
from tui.storage.journal import Journal
journal = Journal(Path({str(folder)!r}), {SERVER!r}, wall=lambda: 5.0)
assert journal.problem is None
{program}
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another client holds a write lock."""
    other = sqlite3.connect(folder / "state" / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def test_a_draft_survives_a_restart_and_is_deleted_when_empty(start: Start) -> None:
    first = start()
    first.save_draft("ses_1", "half a sen")
    first.save_draft("ses_2", "other")
    first.close()
    second = start()
    assert start("http://elsewhere").draft("ses_2") == ""
    assert second.draft("ses_1") == "half a sen"
    second.save_draft("ses_1", "")
    second.close()
    assert start().draft("ses_1") == ""


def test_the_draft_of_a_running_client_is_not_shared(start: Start) -> None:
    first, second = start(), start()
    first.save_draft("ses_1", "mine")
    assert second.draft("ses_1") == ""
    second.save_draft("ses_1", "theirs")
    assert first.draft("ses_1") == "mine"
    first.close()
    assert second.draft("ses_1").splitlines() in (["mine", "theirs"], ["theirs", "mine"])
    second.close()
    assert sorted(start().draft("ses_1").splitlines()) == ["mine", "theirs"]


def test_an_edit_of_a_queued_prompt_survives_a_restart(start: Start) -> None:
    first, other = start(), start()
    first.save_draft("ses_1", "aside", "a", "do it twice")
    first.return_to_draft(PROMPT)
    other.save_draft("ses_1", "", "b", "or not")
    first.close()
    other.close()
    heir = start()
    assert heir.has_draft("ses_1")
    texts, change = heir.draft("ses_1").splitlines(), heir.change("ses_1")
    assert change in (("a", "do it twice"), ("b", "or not"))
    assert sorted([*texts, change[1]]) == sorted(["aside", PROMPT.text, "do it twice", "or not"])
    assert heir.change("ses_1") == change
    heir.archive_draft("ses_1")
    assert (heir.draft("ses_1"), heir.change("ses_1"), heir.history(1)) == ("", ("", ""), [change[1]])


def test_a_draft_becomes_an_in_flight_prompt_atomically(start: Start) -> None:
    journal = start()
    journal.save_draft("ses_1", "do it")
    journal.mark_in_flight(PROMPT)
    assert journal.draft("ses_1") == ""


def test_a_queued_prompt_becomes_in_flight_atomically(start: Start) -> None:
    first = start()
    first.save_draft("ses_1", "something else")
    first.enqueue([Queued("a", "ses_1", "do it")], 1)
    first.mark_in_flight(PROMPT, queued_id="a")
    first.close()
    heir = start()
    assert (heir.adopt_queue(), heir.adopt_flights(), heir.draft("ses_1")) == ([], [PROMPT], "something else")


def test_an_undelivered_prompt_is_a_draft_again(start: Start) -> None:
    journal = start()
    journal.mark_in_flight(PROMPT)
    journal.save_draft("ses_1", "meanwhile")
    journal.return_to_draft(PROMPT)
    assert journal.draft("ses_1") == "meanwhile\ndo it"
    journal.close()
    assert start().adopt_flights() == []


def test_abnormal_turn_ends_survive_a_restart_until_replaced(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start()
    first.save_turn_end("ses_1", "msg_1", "interrupted", "the server stopped")
    first.save_turn_end("ses_2", "msg_2", "failed", "no model")
    first.close()
    second = start()
    assert second.turn_ends("ses_1") == [("msg_1", "interrupted", "the server stopped")]
    assert start("http://elsewhere").turn_ends("ses_1") == []
    second.save_turn_end("ses_1", "msg_3", "cancelled", "")
    second.save_turn_end("ses_1", "msg_1", "failed", "now it failed")
    assert sorted(second.turn_ends("ses_1")) == [("msg_1", "failed", "now it failed"), ("msg_3", "cancelled", "")]
    second.forget_end("ses_1", "msg_1")
    assert second.turn_ends("ses_1") == [("msg_3", "cancelled", "")]
    monkeypatch.setattr("tui.storage.journal._MAX_ENDS", 2)
    third = start()
    for number in range(5):
        monkeypatch.setattr(third, "_wall", lambda number=number: 9000.0 + number)
        third.save_turn_end("ses_9", f"msg_{number}", "failed", "")
    assert [prompt for prompt, _, _ in third.turn_ends("ses_9")] == ["msg_3", "msg_4"]


def test_the_draft_of_a_deleted_session_is_in_the_history(start: Start) -> None:
    journal, gone = start(), start()
    gone.save_draft("ses_1", "theirs")
    gone.close()
    journal.save_draft("ses_1", "mine")
    journal.archive_draft("ses_1")
    journal.archive_draft("ses_2")
    assert (journal.sessions_with_drafts(), journal.has_draft("ses_1")) == ([], False)
    assert [sorted(text.splitlines()) for text in journal.history()] == [["mine", "theirs"]]


def test_a_returned_prompt_does_not_adopt_an_exited_clients_draft(start: Start) -> None:
    journal, gone = start(), start()
    gone.save_draft("ses_1", "theirs")
    gone.close()
    journal.mark_in_flight(PROMPT)
    journal.return_to_draft(PROMPT)
    journal.save_draft("ses_1", "do it, please")  # the prompt field has only the returned text
    assert sorted(journal.draft("ses_1").splitlines()) == ["do it, please", "theirs"]


def test_has_draft_does_not_adopt_the_draft(start: Start) -> None:
    journal, neighbour = start(), start()
    assert not journal.has_draft("ses_1")
    neighbour.save_draft("ses_1", "theirs")
    assert not journal.has_draft("ses_1")
    neighbour.close()
    assert journal.has_draft("ses_1")
    journal.save_draft("ses_1", "mine")
    assert sorted(journal.draft("ses_1").splitlines()) == ["mine", "theirs"]
    assert journal.has_draft("ses_1")


def test_a_refused_answer_leaves_its_draft(start: Start) -> None:
    journal = start()
    journal.save_answer_draft("que_1", b"half")
    journal.post_answer("que_1", b"body")
    journal.settle_answer("que_1", keep_draft=True)
    assert journal.answer_draft("que_1") == b"half"


def test_items_of_a_killed_client_are_adopted_once(tmp_path: Path, start: Start) -> None:
    killed(
        tmp_path / "state",
        """
journal.mark_in_flight(Prompt("ses_1", "do it", "msg_1", "prt_1"))
journal.enqueue([Queued("b", "ses_1", "second")], 2)
journal.enqueue([Queued("a", "ses_1", "first")], 1)
journal.post_answer("que_1", b"body")
journal.save_draft("ses_1", "half")
""",
    )
    heir, late = start(), start()
    assert heir.adopt_flights() == [PROMPT]
    assert heir.adopt_queue() == [Queued("a", "ses_1", "first"), Queued("b", "ses_1", "second")]
    assert heir.adopt_answers() == [b"body"]
    assert heir.draft("ses_1") == "half"
    assert late.adopt_flights() == []
    assert late.adopt_queue() == []
    assert late.adopt_answers() == []


def test_items_of_a_running_client_are_not_adopted(start: Start) -> None:
    first, second = start(), start()
    first.mark_in_flight(PROMPT)
    assert second.adopt_flights() == []
    first.close()
    assert second.adopt_flights() == [PROMPT]


def test_prompts_for_another_server_are_not_adopted(start: Start) -> None:
    first = start()
    first.mark_in_flight(PROMPT)
    first.close()
    assert start("http://elsewhere").adopt_flights() == []
    assert start().adopt_flights() == [PROMPT]


def test_finished_items_are_not_restored(start: Start) -> None:
    first = start()
    first.mark_in_flight(PROMPT)
    first.clear_in_flight("msg_1")
    first.enqueue([Queued("a", "ses_1", "x")], 1)
    first.dequeue("a")
    first.save_answer_draft("que_1", b"half")
    first.post_answer("que_1", b"body")
    first.settle_answer("que_1")
    first.close()
    second = start()
    assert (second.adopt_flights(), second.adopt_queue(), second.adopt_answers()) == ([], [], [])
    assert second.answer_draft("que_1") is None


def test_a_submitted_draft_is_queued_atomically(start: Start) -> None:
    first = start()
    first.save_draft("ses_1", "do it")
    first.submit(Queued("a", "ses_1", "do it"), 1)
    first.close()
    heir = start()
    assert (heir.draft("ses_1"), heir.adopt_queue()) == ("", [Queued("a", "ses_1", "do it")])


def test_an_edited_queued_prompt_keeps_its_position(start: Start) -> None:
    first = start()
    first.enqueue([Queued("a", "ses_1", "one")], 1)
    first.enqueue([Queued("b", "ses_1", "two")], 2)
    first.enqueue([Queued("a", "ses_1", "one, better")], 1)
    first.close()
    assert [q.text for q in start().adopt_queue()] == ["one, better", "two"]


def test_answer_drafts_survive_a_restart(start: Start) -> None:
    start().save_answer_draft("que_1", b"half")
    assert start().answer_draft("que_1") == b"half"
    start().save_answer_draft("que_1", None)
    assert start().answer_draft("que_1") is None


def test_the_history_is_newest_first_unique_and_bounded(start: Start) -> None:
    journal = start()
    for place, text in enumerate(("a", "b", "a")):
        journal.submit(Queued(str(place), "ses_1", text), place)
    assert start().history() == ["a", "b"]
    for number in range(MAX_HISTORY + 5):
        journal.submit(Queued("same", "ses_1", f"n{number}"), 9)
    assert len(journal.history(2 * MAX_HISTORY)) == MAX_HISTORY


BLANK = ["", " ", "\n\n", "\t \u3000"]


@pytest.mark.parametrize("blank", BLANK)
def test_no_blank_text_enters_the_history(start: Start, tmp_path: Path, blank: str) -> None:
    journal = start()
    journal.remember(blank)
    journal.submit(Queued("q1", "ses_1", blank), 0)
    journal.mark_in_flight(Prompt("ses_1", blank, "msg_1", "prt_1"))
    journal.save_draft("ses_2", blank, "q2", blank)
    journal.archive_draft("ses_2")
    with sqlite3.connect(tmp_path / "state" / "journal.sqlite") as database:
        assert database.execute("SELECT count(*) FROM history").fetchone() == (0,)


def test_blank_texts_of_an_earlier_version_are_not_read_from_the_history(start: Start, tmp_path: Path) -> None:
    journal = start()
    journal.remember("first")
    with sqlite3.connect(tmp_path / "state" / "journal.sqlite") as database:
        database.executemany("INSERT INTO history (text, at) VALUES (?, 0)", [(blank,) for blank in BLANK])
    assert journal.history() == ["first"]
    assert journal.history(1) == ["first"]


def test_the_last_session_is_stored_per_server(start: Start) -> None:
    start().save_last_session("ses_1")
    start().save_last_session("ses_2")
    assert start().last_session() == "ses_2"
    assert start("http://elsewhere").last_session() is None


def test_only_the_owner_may_read_the_journal(tmp_path: Path, start: Start) -> None:
    start().save_draft("ses_1", "secret plan")
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_two_clients_write_at_once(tmp_path: Path, start: Start) -> None:
    code = f"""
from pathlib import Path
from tui.storage.journal import Journal
journal = Journal(Path({str(tmp_path / "state")!r}), {SERVER!r}, wall=lambda: 1.0)
for number in range(200):
    journal.save_draft(f"other_{{number}}", "x")
assert journal.problem is None, journal.problem
"""
    other = subprocess.Popen([sys.executable, "-c", code])
    journal = start()
    for number in range(200):
        journal.save_draft(f"mine_{number}", "x")
    assert other.wait(30) == 0
    assert journal.problem is None
    journal.close()
    fresh = start()
    assert all(fresh.draft(f"{who}_{n}") == "x" for who in ("mine", "other") for n in range(200))


@pytest.mark.parametrize(
    "content", [b"this is no database, but it is somebody's file" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_file_is_set_aside_and_not_deleted(tmp_path: Path, start: Start, content: bytes) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.sqlite").write_bytes(content)
    journal = start()
    assert journal.problem is not None
    assert "damaged" in journal.problem
    (aside,) = (tmp_path / "state").glob("journal.damaged-*.sqlite")
    assert aside.read_bytes() == content
    journal.save_draft("ses_1", "x")
    journal.close()
    assert start().draft("ses_1") == "x"


def test_a_damaged_page_in_the_middle_is_noticed(tmp_path: Path, start: Start) -> None:
    journal = start()
    for number in range(300):
        journal.submit(Queued("same", "ses_1", f"{number} " * 50), 1)
    journal.close()
    path = tmp_path / "state" / "journal.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 12] = b"\xff" * 4096 * 7
    path.write_bytes(content)
    assert "damaged" in str(start().problem)


def test_an_unusable_folder_disables_the_journal_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    journal = Journal(tmp_path / "state", SERVER, wall=lambda: 1.0)
    assert "state is not saved" in str(journal.problem)
    journal.save_draft("ses_1", "x")
    assert journal.draft("ses_1") == "x"
    journal.close()


def test_a_read_only_file_disables_the_journal_with_a_warning(tmp_path: Path, start: Start) -> None:
    start().close()
    path = tmp_path / "state" / "journal.sqlite"
    journal = start()
    reported: list[str] = []
    journal.subscribe(reported.append)
    journal._file.connection.execute("PRAGMA query_only = ON")
    journal.save_draft("ses_1", "x")
    assert reported == [journal.problem]
    assert "state is not saved" in reported[0]
    journal.save_draft("ses_1", "y")
    assert journal.draft("ses_1") == "y"
    assert len(reported) == 1
    assert path.exists()


def test_a_full_disk_disables_the_journal_without_an_exception(start: Start) -> None:
    journal = start()
    reported: list[str] = []
    journal.subscribe(reported.append)
    (pages,) = journal._file.connection.execute("PRAGMA page_count").fetchone()
    journal._file.connection.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(50):
        journal.save_draft(f"ses_{number}", "x" * 4000)
    assert len(reported) == 1
    assert "full" in reported[0]
    assert journal.draft("ses_49") == "x" * 4000


def test_a_file_of_a_newer_version_is_not_changed(tmp_path: Path, start: Start) -> None:
    start().close()
    path = tmp_path / "state" / "journal.sqlite"
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    before = path.read_bytes()
    journal = start()
    assert "newer version" in str(journal.problem)
    journal.save_draft("ses_1", "x")
    assert path.read_bytes() == before


def test_a_locked_file_is_reported(tmp_path: Path, start: Start) -> None:
    journal = start()
    reported: list[str] = []
    journal.subscribe(reported.append)
    with held(tmp_path):
        journal.submit(Queued("q_1", "ses_1", "do it"), 1)
        journal.save_last_session("ses_1")
        assert reported == []
        journal.catch_up()
    assert len(reported) == 1
    assert "another program has locked" in reported[0]
    assert "lost if Holdfast exits" in reported[0]
    journal.save_draft("ses_1", "y")
    journal.close()
    assert start().draft("ses_1") == "y"


def test_entries_delayed_by_a_lock_are_written_before_the_next_entry(tmp_path: Path, start: Start) -> None:
    journal = start()
    queued = Queued("q_1", "ses_1", "do it")
    journal.submit(queued, 1)
    with held(tmp_path):
        assert not journal.mark_in_flight(PROMPT, queued.id)
        journal.set_server_id(PROMPT)
    assert journal.mark_in_flight(PROMPT, queued.id)
    journal.close()
    following = start()
    assert following.adopt_queue() == []
    assert following.adopt_flights() == [PROMPT]


def test_entries_delayed_by_a_lock_are_written_on_closing(tmp_path: Path, start: Start) -> None:
    journal = start()
    with held(tmp_path):
        journal.save_draft("ses_1", "x")
    journal.close()
    assert start().draft("ses_1") == "x"


def test_a_draft_is_read_while_another_client_locks_the_file(tmp_path: Path, start: Start) -> None:
    journal = start()
    journal.save_draft("ses_1", "half a sen")
    with held(tmp_path):
        assert journal.draft("ses_1") == "half a sen"
    assert "is not read" in str(journal.problem)


def test_items_of_a_client_with_an_unreadable_lock_are_not_adopted(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbour, second = start(), start()
    neighbour.mark_in_flight(PROMPT)
    open_file = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if neighbour._owner_lock.name in str(path):
            raise PermissionError(errno.EACCES, "not yours", str(path))
        return open_file(path, flags, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert second.adopt_flights() == []


@pytest.mark.parametrize("row", [b"{", b"{}", b'{"session_id": 1}'])
def test_an_unreadable_prompt_is_reported_and_the_others_are_adopted(tmp_path: Path, start: Start, row: bytes) -> None:
    journal = start()
    journal.mark_in_flight(replace(PROMPT, message_id="msg_0"))
    journal._file.connection.execute("UPDATE flights SET prompt = ?", (row,))
    journal.mark_in_flight(PROMPT)
    journal.close()
    following = start()
    assert following.adopt_flights() == [PROMPT]
    assert "cannot be read" in str(following.problem)


def test_without_a_folder_the_journal_is_in_memory() -> None:
    journal = Journal(None, SERVER, wall=lambda: 1.0)
    journal.mark_in_flight(PROMPT)
    assert journal.history() == ["do it"]
    assert journal.problem is None
    journal.close()


def test_closing_removes_the_lock(tmp_path: Path, start: Start) -> None:
    start().close()
    assert list((tmp_path / "state").glob("client-*.lock")) == []
    assert not [fd for fd in os.listdir("/proc/self/fd") if "client-" in _target(fd)]


def _target(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return ""


def test_an_accepted_prompt_is_adopted_by_the_servers_id(start: Start) -> None:
    journal = start()
    journal.mark_in_flight(PROMPT)
    taken = Prompt("ses_1", "do it", "msg_1", "prt_1", server_id="theirs")
    journal.set_server_id(taken)
    journal.close()
    assert start().adopt_flights() == [taken]


def test_a_client_identity_survives_a_restart_but_is_not_shared(start: Start) -> None:
    first, second = start(), start()
    first.save_identity("ses_1", "client_1")
    first.save_identity("ses_1", "client_2")
    first.save_identity("ses_2", "client_3")
    assert first.identities("ses_1") == ["client_2", "client_1"]
    assert second.identities("ses_1") == []
    first.close()
    assert second.identities("ses_1") == ["client_2", "client_1"]
    second.forget_identities("ses_1")
    assert second.identities("ses_1") == []
    assert second.identities("ses_2") == ["client_3"]


def test_client_identities_are_stored_per_server(start: Start) -> None:
    start().save_identity("ses_1", "client_1")
    other = start("http://127.0.0.1:5000")
    assert other.identities("ses_1") == []


def test_a_file_of_the_first_version_is_migrated(tmp_path: Path, start: Start) -> None:
    journal = start()
    journal.save_draft("ses_1", "half a thought")
    journal.close()
    with sqlite3.connect(tmp_path / "state" / "journal.sqlite") as database:
        database.execute("DROP TABLE identities")
        database.execute("DROP TABLE ends")
        database.execute("DROP TABLE aborts")
        database.execute("DROP TABLE prompt_keys")
        database.execute("ALTER TABLE drafts DROP COLUMN queued")
        database.execute("ALTER TABLE drafts DROP COLUMN changed")
        database.execute("PRAGMA user_version = 1")
    database.close()
    journal = start()
    journal.save_identity("ses_1", "client_1")
    assert journal.problem is None
    assert (journal.draft("ses_1"), journal.identities("ses_1")) == ("half a thought", ["client_1"])
