"""The session list, used with keys."""

import itertools
import time

import pytest

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.fake_client import LIVE, FakeClient
from tui.backends.base import Traits
from tui.core import events as e
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Busy, Failure, Idle, Retrying
from tui.core.turn_state import TurnState
from tui.net.errors import ConnectFailed
from tui.widgets.dialogs.session_picker import SessionPicker

LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")


async def open_list(harness: AppHarness) -> None:
    await harness.press("f2")
    await harness.until(lambda: isinstance(harness.app.screen, SessionPicker))


def know(client: FakeClient, *titles: str) -> None:
    """Sessions ses_2 and so on, each older than the previous one."""
    now = time.time()
    for at, title in enumerate(titles):
        client.feed(e.SessionUpserted(sample.session(f"ses_{at + 2}", title, updated=now - 60 * (at + 1))))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_each_session_has_a_glyph_and_a_state(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        know(harness.client, "asks", "tries again", "works", "broke", "was lost", "is done", "rests")
        for session_id in ("ses_4", "ses_5", "ses_6", "ses_7"):
            harness.client.feed(e.StatusChanged(session_id, Busy()))
        harness.client.feed(
            e.RequestOpened(sample.asked_in("ses_2")),
            e.StatusChanged("ses_3", Retrying(2, "429", None)),
            e.SessionFailed("ses_5", Failure("overloaded", "provider")),
            e.SessionFailed("ses_6", Failure("gone", "interrupted")),
        )
        await harness.pilot.pause()
        harness.client.feed(*(e.StatusChanged(session_id, Idle()) for session_id in ("ses_5", "ses_6", "ses_7")))
        await open_list(harness)
        await harness.shows(
            "? needs your answer", "↻ provider retry", "● running",
            "✗ failed", "! interrupted", "✓ done, unread", "· idle",
        )  # fmt: skip
        rows = {title: line for line in harness.text.split("\n") for title in ("asks", "is done") if title in line}
        assert "? needs your answer" in rows["asks"]
        assert "✓ done, unread" in rows["is done"]


async def test_a_waiting_time_counts_from_the_question() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session(updated=time.time() - 500)))
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.shows("needs your answer · 0s")
        harness.client.advance(22.0)
        harness.app.presenter.tick()
        await harness.shows("needs your answer · 22s")
        await open_list(harness)
        [row] = [line for line in harness.text.split("\n") if "? needs your answer" in line]
        assert row.split("? needs your answer")[1].split()[0] == "22s"


async def test_the_list_is_updated_and_keeps_its_selection() -> None:
    async with app_harness() as harness:
        know(harness.client, "one", "two", "three")
        await open_list(harness)
        await harness.press("up")
        harness.client.feed(e.SessionUpserted(sample.session("ses_9", "brand new", updated=time.time() + 60)))
        await harness.shows("brand new")
        await harness.press("enter")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_4")


async def test_a_session_without_progress_is_shown_as_stalled() -> None:
    async with app_harness() as harness:
        know(harness.client, "works")
        harness.client.feed(e.StatusChanged("ses_2", Busy()))
        await harness.settled()
        harness.client.advance(301)
        await open_list(harness)
        await harness.shows("◐ stalled")


async def test_text_and_states_filter() -> None:
    async with app_harness() as harness:
        know(harness.client, "fix the parser", "write the docs")
        harness.client.feed(e.StatusChanged("ses_3", Busy()))
        await open_list(harness)
        await harness.press(*"docs run")
        await harness.hides("fix the parser")
        assert "write the docs" in harness.text


async def test_an_empty_list_has_a_reason() -> None:
    async with app_harness(session=None) as harness:
        harness.client.feed(e.SessionDeleted(sample.SESSION))
        await open_list(harness)
        await harness.shows("Sessions · not loaded yet")
        know(harness.client, "the first")
        await harness.shows("the first")
        assert "not loaded" not in harness.text
        await harness.press(*"zebra")
        await harness.shows("Sessions · no matches")


async def test_child_sessions_are_listed_below_their_parent() -> None:
    async with app_harness() as harness:
        know(harness.client, "the parent", "another")
        harness.client.feed(e.SessionUpserted(sample.child("ses_c", "ses_2", "explore the code")))
        await open_list(harness)
        await harness.shows("└ explore the code")
        lines = harness.text.split("\n")
        above = next(line for line, below in itertools.pairwise(lines) if "explore the code" in below)
        assert "the parent" in above
        await harness.press(*"explore", "enter")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_c")


async def test_a_session_is_renamed() -> None:
    async with app_harness() as harness:
        await open_list(harness)
        await harness.press("ctrl+r")
        await harness.shows("Rename the session")
        await harness.press("ctrl+u", *"Other words", "enter")
        await harness.until(lambda: harness.client.calls("rename") == [(sample.SESSION, "Other words")])
        await harness.shows("Other words", "filter")


async def test_an_unchanged_name_is_not_sent() -> None:
    async with app_harness() as harness:
        await open_list(harness)
        await harness.press("ctrl+r", "enter", "ctrl+r", "escape")
        assert harness.client.calls("rename") == []


async def test_a_copy_is_made_and_opened() -> None:
    async with app_harness() as harness:
        await open_list(harness)
        await harness.press("ctrl+o")
        await harness.until(lambda: harness.app.presenter.session_id == f"{sample.SESSION}_copy")
        await harness.shows("(copy)")
        assert not isinstance(harness.app.screen, SessionPicker)


async def test_the_list_is_marked_as_last_known_while_disconnected() -> None:
    async with app_harness(size=(80, 24)) as harness:
        await open_list(harness)
        await harness.shows("Sessions   ›")
        harness.client.set_line(LOST)
        await harness.shows("Sessions · as last known   ›")
        await harness.press("escape")
        harness.client.fails = ConnectFailed("connection refused")
        await open_list(harness)
        await harness.shows("Sessions · as last known   ›")
        assert "Check that the server is running" not in harness.text
        harness.client.set_line(LIVE)
        await harness.hides("as last known")


async def test_the_mark_of_the_current_session_is_explained() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "Fix the parser")))
        await open_list(harness)
        await harness.shows("› current", "› Move the store")
        await harness.press(*"parser")
        await harness.shows("Fix the parser")
        await harness.hides("› current")


async def test_deleting_is_confirmed_and_closes_the_session() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.child("ses_c", sample.SESSION)))
        await harness.pilot.pause()
        await open_list(harness)
        await harness.press("ctrl+x")
        await harness.shows("Delete this session?", "and its 1 child session")
        await harness.press("escape")
        assert harness.client.calls("delete") == []
        await harness.press("ctrl+x", "enter")
        await harness.until(lambda: harness.client.calls("delete") == [(sample.SESSION,)])
        await harness.until(lambda: harness.app.presenter.session_id is None)


async def test_unsupported_actions_have_no_key() -> None:
    client = FakeClient()
    client.traits = Traits("any", edits_sessions=False)
    async with app_harness(client=client) as harness:
        await open_list(harness)
        assert "rename" not in harness.text
        await harness.press("ctrl+x", "ctrl+r", "ctrl+o")
        assert isinstance(harness.app.screen, SessionPicker)
        assert [call for call in client.asked if call[0] in ("delete", "rename", "fork")] == []


async def test_a_refused_action_is_reported() -> None:
    async with app_harness() as harness:
        await open_list(harness)
        harness.client.fails = ConnectFailed("connection refused")
        await harness.press("ctrl+o")
        await harness.shows("connection refused")


GONE = "this session no longer exists on the server"


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_a_session_missing_on_the_server_stays_shown_with_a_notice(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        harness.client.feed(e.SessionUpserted(sample.session(title="Known")), *sample.prompt())
        await harness.press(*"half a thought")
        harness.client.feed(e.SessionDeleted(sample.SESSION))
        await harness.shows(GONE, "sending starts a new session", "Known", "Move the session store")
        harness.second()
        await harness.shows(GONE)
        await harness.press("enter")
        await harness.until(lambda: harness.client.calls("send"))
        [(session_id, words)] = harness.client.calls("send")
        assert words == "half a thought"
        assert session_id not in (sample.SESSION, None)
        await harness.hides(GONE)


async def test_queued_prompts_of_a_deleted_session_are_sent_in_a_new_one() -> None:
    async with app_harness() as harness:
        turn = harness.run_turn()
        await harness.press(*"one", "enter", *"two", "enter", *"draft")
        harness.client.feed(e.SessionDeleted(sample.SESSION))
        turn.state, turn.ended = TurnState.INTERRUPTED, harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows(GONE, "2 prompts · paused", "F8 resume queue")
        await harness.press("f8")
        await harness.until(lambda: harness.client.calls("send"))
        [(session_id, words)] = harness.client.calls("send")
        assert (words, harness.main.prompt.text) == ("one", "draft")
        assert [queued.text for queued in harness.client.prompts.waiting(session_id)] == ["two"]
        assert not harness.client.prompts.waiting(sample.SESSION)
        assert harness.client.journal.draft(sample.SESSION) == ""


async def test_one_queued_prompt_of_a_deleted_session_is_sent_alone() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press(*"one", "enter", *"two", "enter")
        harness.client.turns.turns.clear()
        harness.client.feed(e.SessionDeleted(sample.SESSION))
        harness.client.prompts.dispatch_ready()
        await harness.shows("2 prompts · paused: its session no longer exists on the server")
        await harness.press("shift+tab", "down", "ctrl+s")
        await harness.until(lambda: [words for _, words in harness.client.calls("send")] == ["two"])
        await harness.shows("1 prompt · paused: its session no longer exists", "1 one")


async def test_a_deleted_session_with_unsent_text_is_listed() -> None:
    async with app_harness() as harness:
        know(harness.client, "lost with words", "lost without")
        harness.client.journal.save_draft("ses_2", "do not lose me")
        harness.client.feed(e.SessionDeleted("ses_2"), e.SessionDeleted("ses_3"))
        await open_list(harness)
        await harness.shows("lost with words", "■ gone")
        await harness.hides("lost without")
        await harness.press(*"words", "enter")
        await harness.until(lambda: harness.main.prompt.text == "do not lose me")
        await harness.shows(GONE)


async def test_a_deleted_session_is_closed_unless_it_has_unsent_text() -> None:
    async with app_harness() as harness:
        await harness.press(*"hm")
        await open_list(harness)
        await harness.press("ctrl+x", "enter", "escape")
        await harness.shows(GONE)
    async with app_harness() as harness:
        await open_list(harness)
        await harness.press("ctrl+x", "enter", "escape")
        await harness.until(lambda: harness.app.presenter.session_id is None)


async def test_the_draft_of_a_hidden_deleted_session_is_in_the_history() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "Weather bot", updated=9e9)))
        harness.client.journal.save_draft("ses_2", "half a prompt")
        await open_list(harness)
        await harness.press(*"Weather", "ctrl+x", "enter")
        await harness.until(lambda: harness.client.calls("delete") == [("ses_2",)])
        await harness.until(lambda: harness.client.journal.history() == ["half a prompt"])
        assert harness.client.journal.sessions_with_drafts() == []
        assert harness.app.presenter.session_id == sample.SESSION


async def test_a_restored_session_is_listed_normally_again() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionDeleted(sample.SESSION))
        await harness.shows(GONE)
        harness.client.feed(e.SessionsListed((sample.session(),)))
        await harness.hides(GONE)
