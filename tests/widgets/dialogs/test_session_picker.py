"""The session list, used with keys."""

import itertools
import time

import pytest

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.fake_client import LIVE, FakeClient
from tui.backends.base import Traits
from tui.core import events as e
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Busy, Failure, Idle, Retrying
from tui.core.turn_state import TurnState
from tui.net.errors import ConnectFailed
from tui.widgets.dialogs.session_picker import SessionPicker

LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")


async def open_list(stage: Stage) -> None:
    await stage.press("f2")
    await stage.until(lambda: isinstance(stage.app.screen, SessionPicker))


def know(client: FakeClient, *titles: str) -> None:
    """Sessions ses_2 and so on, each older than the previous one."""
    now = time.time()
    for at, title in enumerate(titles):
        client.feed(e.SessionUpserted(talk.session(f"ses_{at + 2}", title, updated=now - 60 * (at + 1))))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_each_session_has_a_glyph_and_a_state(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        know(stage.client, "asks", "tries again", "works", "broke", "was lost", "is done", "rests")
        for session_id in ("ses_4", "ses_5", "ses_6", "ses_7"):
            stage.client.feed(e.StatusChanged(session_id, Busy()))
        stage.client.feed(
            e.RequestOpened(talk.asked_in("ses_2")),
            e.StatusChanged("ses_3", Retrying(2, "429", None)),
            e.SessionFailed("ses_5", Failure("overloaded", "provider")),
            e.SessionFailed("ses_6", Failure("gone", "interrupted")),
        )
        await stage.pilot.pause()
        stage.client.feed(*(e.StatusChanged(session_id, Idle()) for session_id in ("ses_5", "ses_6", "ses_7")))
        await open_list(stage)
        await stage.shows(
            "? needs your answer", "↻ provider retry", "● running",
            "✗ failed", "! interrupted", "✓ done, unread", "· idle",
        )  # fmt: skip
        rows = {title: line for line in stage.text.split("\n") for title in ("asks", "is done") if title in line}
        assert "? needs your answer" in rows["asks"]
        assert "✓ done, unread" in rows["is done"]


async def test_a_waiting_time_counts_from_the_question() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session(updated=time.time() - 500)))
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.shows("needs your answer · 0s")
        stage.client.advance(22.0)
        stage.app.presenter.tick()
        await stage.shows("needs your answer · 22s")
        await open_list(stage)
        [row] = [line for line in stage.text.split("\n") if "? needs your answer" in line]
        assert row.split("? needs your answer")[1].split()[0] == "22s"


async def test_the_list_is_updated_and_keeps_its_selection() -> None:
    async with on_stage() as stage:
        know(stage.client, "one", "two", "three")
        await open_list(stage)
        await stage.press("up")
        stage.client.feed(e.SessionUpserted(talk.session("ses_9", "brand new", updated=time.time() + 60)))
        await stage.shows("brand new")
        await stage.press("enter")
        await stage.until(lambda: stage.app.presenter.session_id == "ses_4")


async def test_a_session_without_progress_is_shown_as_stalled() -> None:
    async with on_stage() as stage:
        know(stage.client, "works")
        stage.client.feed(e.StatusChanged("ses_2", Busy()))
        await stage.settled()
        stage.client.advance(301)
        await open_list(stage)
        await stage.shows("◐ stalled")


async def test_text_and_states_filter() -> None:
    async with on_stage() as stage:
        know(stage.client, "fix the parser", "write the docs")
        stage.client.feed(e.StatusChanged("ses_3", Busy()))
        await open_list(stage)
        await stage.press(*"docs run")
        await stage.hides("fix the parser")
        assert "write the docs" in stage.text


async def test_an_empty_list_has_a_reason() -> None:
    async with on_stage(session=None) as stage:
        stage.client.feed(e.SessionDeleted(talk.SESSION))
        await open_list(stage)
        await stage.shows("Sessions · not loaded yet")
        know(stage.client, "the first")
        await stage.shows("the first")
        assert "not loaded" not in stage.text
        await stage.press(*"zebra")
        await stage.shows("Sessions · no matches")


async def test_child_sessions_are_listed_below_their_parent() -> None:
    async with on_stage() as stage:
        know(stage.client, "the parent", "another")
        stage.client.feed(e.SessionUpserted(talk.child("ses_c", "ses_2", "explore the code")))
        await open_list(stage)
        await stage.shows("└ explore the code")
        lines = stage.text.split("\n")
        above = next(line for line, below in itertools.pairwise(lines) if "explore the code" in below)
        assert "the parent" in above
        await stage.press(*"explore", "enter")
        await stage.until(lambda: stage.app.presenter.session_id == "ses_c")


async def test_a_session_is_renamed() -> None:
    async with on_stage() as stage:
        await open_list(stage)
        await stage.press("ctrl+r")
        await stage.shows("Rename the session")
        await stage.press("ctrl+u", *"Other words", "enter")
        await stage.until(lambda: stage.client.calls("rename") == [(talk.SESSION, "Other words")])
        await stage.shows("Other words", "filter")


async def test_an_unchanged_name_is_not_sent() -> None:
    async with on_stage() as stage:
        await open_list(stage)
        await stage.press("ctrl+r", "enter", "ctrl+r", "escape")
        assert stage.client.calls("rename") == []


async def test_a_copy_is_made_and_opened() -> None:
    async with on_stage() as stage:
        await open_list(stage)
        await stage.press("ctrl+o")
        await stage.until(lambda: stage.app.presenter.session_id == f"{talk.SESSION}_copy")
        await stage.shows("(copy)")
        assert not isinstance(stage.app.screen, SessionPicker)


async def test_the_list_is_marked_as_last_known_while_disconnected() -> None:
    async with on_stage(size=(80, 24)) as stage:
        await open_list(stage)
        await stage.shows("Sessions   ›")
        stage.client.set_line(LOST)
        await stage.shows("Sessions · as last known   ›")
        await stage.press("escape")
        stage.client.fails = ConnectFailed("connection refused")
        await open_list(stage)
        await stage.shows("Sessions · as last known   ›")
        assert "Check that the server is running" not in stage.text
        stage.client.set_line(LIVE)
        await stage.hides("as last known")


async def test_the_mark_of_the_current_session_is_explained() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "Fix the parser")))
        await open_list(stage)
        await stage.shows("› current", "› Move the store")
        await stage.press(*"parser")
        await stage.shows("Fix the parser")
        await stage.hides("› current")


async def test_deleting_is_confirmed_and_closes_the_session() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.child("ses_c", talk.SESSION)))
        await stage.pilot.pause()
        await open_list(stage)
        await stage.press("ctrl+x")
        await stage.shows("Delete this session?", "and its 1 child session")
        await stage.press("escape")
        assert stage.client.calls("delete") == []
        await stage.press("ctrl+x", "enter")
        await stage.until(lambda: stage.client.calls("delete") == [(talk.SESSION,)])
        await stage.until(lambda: stage.app.presenter.session_id is None)


async def test_unsupported_actions_have_no_key() -> None:
    client = FakeClient()
    client.traits = Traits("any", edits_sessions=False)
    async with on_stage(client=client) as stage:
        await open_list(stage)
        assert "rename" not in stage.text
        await stage.press("ctrl+x", "ctrl+r", "ctrl+o")
        assert isinstance(stage.app.screen, SessionPicker)
        assert [call for call in client.asked if call[0] in ("delete", "rename", "fork")] == []


async def test_a_refused_action_is_reported() -> None:
    async with on_stage() as stage:
        await open_list(stage)
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press("ctrl+o")
        await stage.shows("connection refused")


GONE = "this session no longer exists on the server"


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_a_session_missing_on_the_server_stays_shown_with_a_notice(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        stage.client.feed(e.SessionUpserted(talk.session(title="Known")), *talk.prompt())
        await stage.press(*"half a thought")
        stage.client.feed(e.SessionDeleted(talk.SESSION))
        await stage.shows(GONE, "sending starts a new session", "Known", "Move the session store")
        stage.second()
        await stage.shows(GONE)
        await stage.press("enter")
        await stage.until(lambda: stage.client.calls("send"))
        [(session_id, words)] = stage.client.calls("send")
        assert words == "half a thought"
        assert session_id not in (talk.SESSION, None)
        await stage.hides(GONE)


async def test_queued_prompts_of_a_deleted_session_are_sent_in_a_new_one() -> None:
    async with on_stage() as stage:
        turn = stage.run_turn()
        await stage.press(*"one", "enter", *"two", "enter", *"draft")
        stage.client.feed(e.SessionDeleted(talk.SESSION))
        turn.state, turn.ended = TurnState.INTERRUPTED, stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows(GONE, "2 prompts · paused", "F8 resume queue")
        await stage.press("f8")
        await stage.until(lambda: stage.client.calls("send"))
        [(session_id, words)] = stage.client.calls("send")
        assert (words, stage.main.prompt.text) == ("one", "draft")
        assert [queued.text for queued in stage.client.prompts.waiting(session_id)] == ["two"]
        assert not stage.client.prompts.waiting(talk.SESSION)
        assert stage.client.journal.draft(talk.SESSION) == ""


async def test_one_queued_prompt_of_a_deleted_session_is_sent_alone() -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press(*"one", "enter", *"two", "enter")
        stage.client.turns.turns.clear()
        stage.client.feed(e.SessionDeleted(talk.SESSION))
        stage.client.prompts.dispatch_ready()
        await stage.shows("2 prompts · paused: its session no longer exists on the server")
        await stage.press("shift+tab", "down", "ctrl+s")
        await stage.until(lambda: [words for _, words in stage.client.calls("send")] == ["two"])
        await stage.shows("1 prompt · paused: its session no longer exists", "1 one")


async def test_a_deleted_session_with_unsent_text_is_listed() -> None:
    async with on_stage() as stage:
        know(stage.client, "lost with words", "lost without")
        stage.client.journal.save_draft("ses_2", "do not lose me")
        stage.client.feed(e.SessionDeleted("ses_2"), e.SessionDeleted("ses_3"))
        await open_list(stage)
        await stage.shows("lost with words", "■ gone")
        await stage.hides("lost without")
        await stage.press(*"words", "enter")
        await stage.until(lambda: stage.main.prompt.text == "do not lose me")
        await stage.shows(GONE)


async def test_a_deleted_session_is_closed_unless_it_has_unsent_text() -> None:
    async with on_stage() as stage:
        await stage.press(*"hm")
        await open_list(stage)
        await stage.press("ctrl+x", "enter", "escape")
        await stage.shows(GONE)
    async with on_stage() as stage:
        await open_list(stage)
        await stage.press("ctrl+x", "enter", "escape")
        await stage.until(lambda: stage.app.presenter.session_id is None)


async def test_the_draft_of_a_hidden_deleted_session_is_in_the_history() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "Weather bot", updated=9e9)))
        stage.client.journal.save_draft("ses_2", "half a prompt")
        await open_list(stage)
        await stage.press(*"Weather", "ctrl+x", "enter")
        await stage.until(lambda: stage.client.calls("delete") == [("ses_2",)])
        await stage.until(lambda: stage.client.journal.history() == ["half a prompt"])
        assert stage.client.journal.sessions_with_drafts() == []
        assert stage.app.presenter.session_id == talk.SESSION


async def test_a_restored_session_is_listed_normally_again() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionDeleted(talk.SESSION))
        await stage.shows(GONE)
        stage.client.feed(e.SessionsListed((talk.session(),)))
        await stage.hides(GONE)
