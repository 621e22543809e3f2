"""The queue in memory equals the queue in the journal."""

from pathlib import Path

import pytest

from tui.client.prompt_queue import PromptQueue
from tui.storage.journal import Journal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def journal_in(folder: Path) -> Journal:
    return Journal(folder, "http://127.0.0.1:4096", wall=lambda: 1.0)


def texts(queue: PromptQueue, session_id: str = "ses_1") -> list[str]:
    return [queued.text for queued in queue.of(session_id)]


def after_a_restart(journal: Journal, folder: Path) -> PromptQueue:
    """The queue as the next client finds it."""
    journal.close()
    queue = PromptQueue(journal_in(folder))
    queue.restore()
    return queue


def test_prompts_are_queued_in_order_by_session(folder: Path) -> None:
    journal = journal_in(folder)
    queue = PromptQueue(journal)
    for session_id, text in (("ses_1", "one"), ("ses_2", "other"), ("ses_1", "two")):
        queue.add(session_id, text)
    assert texts(queue) == ["one", "two"]
    assert set(queue.sessions()) == {"ses_1", "ses_2"}
    again = after_a_restart(journal, folder)
    assert (texts(again), texts(again, "ses_2")) == (["one", "two"], ["other"])


def test_an_edited_prompt_keeps_its_position(folder: Path) -> None:
    journal = journal_in(folder)
    queue = PromptQueue(journal)
    first = queue.add("ses_1", "one")
    queue.add("ses_1", "two")
    assert queue.edit(first.id, "one, better") is not None
    assert texts(queue) == ["one, better", "two"]
    assert texts(after_a_restart(journal, folder)) == ["one, better", "two"]


def test_a_prompt_moved_to_another_session_is_appended_to_its_queue(folder: Path) -> None:
    journal = journal_in(folder)
    queue = PromptQueue(journal)
    for session_id, text in (("ses_1", "one"), ("ses_2", "here before"), ("ses_1", "two")):
        queue.add(session_id, text)
    queue.hold("ses_1", "its session is gone")
    queue.move("ses_1", "ses_2")
    assert (texts(queue), texts(queue, "ses_2")) == ([], ["here before", "one", "two"])
    assert queue.next("ses_2") == queue.of("ses_2")[0]
    assert texts(after_a_restart(journal, folder), "ses_2") == ["here before", "one", "two"]


def test_a_removed_prompt_does_not_come_back(folder: Path) -> None:
    journal = journal_in(folder)
    queue = PromptQueue(journal)
    queued = queue.add("ses_1", "one")
    assert queue.remove(queued.id) == queued
    assert queue.remove(queued.id) is None
    assert queue.edit(queued.id, "x") is None
    assert queue.sessions() == ()
    assert texts(after_a_restart(journal, folder)) == []


def test_a_paused_queue_has_a_reason_until_it_is_resumed(folder: Path) -> None:
    queue = PromptQueue(journal_in(folder))
    queue.hold("ses_1", "nothing waits: nothing is held")
    assert (queue.held("ses_1"), queue.next("ses_1")) == ("", None)
    queue.add("ses_1", "one")
    queue.hold("ses_1", "an earlier turn failed")
    assert queue.held("ses_1") == "an earlier turn failed"
    queue.release("ses_1")
    assert queue.held("ses_1") == ""


def test_prompts_of_an_earlier_run_are_paused(folder: Path) -> None:
    journal = journal_in(folder)
    PromptQueue(journal).add("ses_1", "one")
    assert after_a_restart(journal, folder).held("ses_1") == "from an earlier run"


def test_a_new_prompt_is_before_paused_ones_even_after_a_restart(folder: Path) -> None:
    journal = journal_in(folder)
    queue = PromptQueue(journal)
    for text in ("one", "two"):
        queue.add("ses_1", text)
    queue.hold("ses_1", "an earlier turn failed")
    for text in ("three", "four"):
        queue.add("ses_1", text)
    assert texts(queue) == ["three", "four", "one", "two"]
    queue.release("ses_1")
    queue.add("ses_1", "five")
    order = ["three", "four", "one", "two", "five"]
    assert texts(queue) == order
    assert texts(after_a_restart(journal, folder)) == order
