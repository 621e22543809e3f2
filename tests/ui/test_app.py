import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events

from tests import sample_events as talk
from tests.app_harness import on_stage
from tests.fake_client import LIVE, FakeClient
from tui.backends.base import ServerInfo, Traits
from tui.core import events as e
from tui.core.changes import FailureSeen, Notice, ReplyStatusChanged
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Busy, Failure, Message, Prompt, Retrying
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.errors import ConnectFailed, HttpStatusError, NetError
from tui.storage.journal import Journal
from tui.ui.terminal_input import TextBurst
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.dialogs.help import Help
from tui.widgets.dialogs.session_picker import SessionPicker
from tui.widgets.requests.request_ui_state import RequestUiState

LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")
NO_SERVER = ConnectionStatus(
    ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="cannot connect: connection refused"
)
STOPPED = ConnectionStatus(ConnectionState.STOPPED, reason="password refused", hint="Set HOLDFAST_PASSWORD.")
CONNECTING = ConnectionStatus(ConnectionState.CONNECTING)


def journal_in(folder: Path) -> Journal:
    return Journal(folder, "127.0.0.1:4096", wall=lambda: 1.0)


async def test_a_prompt_is_sent_and_shown_at_once() -> None:
    async with on_stage() as stage:
        await stage.press(*"do it", "ctrl+j", *"now", "enter")
        assert stage.client.calls("send") == [(talk.SESSION, "do it\nnow")]
        assert stage.main.prompt.text == ""
        await stage.shows("do it", "now", "sending…")


@pytest.mark.parametrize("keys", [["enter"], ["space", "enter"], ["ctrl+j", "enter"]])
async def test_an_empty_prompt_is_not_sent(keys: list[str]) -> None:
    async with on_stage() as stage:
        await stage.press(*keys)
        assert stage.client.calls("send") == []


async def test_an_undelivered_prompt_returns_to_the_prompt_field() -> None:
    async with on_stage() as stage:
        await stage.press(*"do it", "enter")
        await stage.press(*"next")
        turn = stage.client.turn(talk.SESSION)
        assert turn is not None
        turn.state, turn.reason, turn.ended = TurnState.NOT_SENT, "connection refused", stage.client.now()
        stage.client.turn_moved(turn)
        await stage.until(lambda: stage.main.prompt.text == "next\n\ndo it")
        await stage.shows("↩ not sent: connection refused · “do it” went back to the prompt")


async def test_an_undelivered_prompt_returns_when_its_session_is_opened() -> None:
    async with on_stage() as stage:
        await stage.press(*"do it", "enter")
        turn = stage.client.turn(talk.SESSION)
        assert turn is not None
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "The other one")))
        await stage.press("f2", *"other", "enter")
        await stage.until(lambda: stage.app.presenter.session_id == "ses_2")
        turn.state = TurnState.NOT_SENT
        stage.client.turn_moved(turn)
        await stage.pilot.pause()
        assert stage.main.prompt.text == ""
        await stage.press("f2", *"SQLite", "enter")
        await stage.until(lambda: stage.main.prompt.text == "do it")


async def test_up_recalls_sent_prompts_and_down_restores_the_draft() -> None:
    async with on_stage() as stage:
        await stage.press(*"one", "enter", *"two", "enter", *"draft", "up")
        assert stage.main.prompt.text == "two"
        await stage.press("up", "up")
        assert stage.main.prompt.text == "one"
        await stage.press("down", "down")
        assert stage.main.prompt.text == "draft"


async def test_a_large_paste_is_sent_completely() -> None:
    async with on_stage() as stage:
        words = "\n".join(f"line {row} [/]" for row in range(5000))
        stage.main.prompt.insert(words)
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, words)]


async def test_the_first_prompt_creates_a_session() -> None:
    async with on_stage(session=None) as stage:
        await stage.shows("Type a prompt")
        await stage.press(*"do it", "enter")
        await stage.until(lambda: stage.client.calls("send"))
        assert stage.client.calls("send")[0][1] == "do it"


async def test_without_a_connection_text_stays_in_the_prompt_field() -> None:
    async with on_stage(session=None, client=FakeClient(line=CONNECTING)) as stage:
        await stage.press(*"do it", "enter")
        assert stage.main.prompt.text == "do it"
        await stage.shows("nothing was sent")


async def test_a_prompt_before_the_first_connection_is_queued_in_a_known_session() -> None:
    client = FakeClient(line=CONNECTING)
    async with on_stage(client=client) as stage:
        await stage.press(*"do it", "enter")
        await stage.shows("1 prompt · waiting until connected", "1 do it")
        await stage.hides("nothing was sent")
        client.set_line(LIVE)
        client.prompts.dispatch_ready()
        await stage.until(lambda: client.calls("send") == [(talk.SESSION, "do it")])


async def test_the_not_sent_notice_disappears_on_connecting() -> None:
    client = FakeClient(line=CONNECTING)
    async with on_stage(session=None, client=client) as stage:
        await stage.press(*"do it", "enter")
        await stage.shows("nothing was sent")
        client.set_line(LIVE)
        await stage.hides("nothing was sent")


async def test_the_checking_notice_disappears_once_the_state_is_known() -> None:
    client = FakeClient()
    client.turns.recover(Prompt(talk.SESSION, "do it", "msg_1", "prt_1"))
    async with on_stage(client=client) as stage:
        await stage.shows("Checking its status…")
        [turn] = client.turns.of(talk.SESSION)
        turn.state, turn.ended = TurnState.FINISHED, client.now()
        client.turn_moved(turn)
        await stage.hides("Checking its status…")


async def test_a_failed_session_creation_returns_the_text() -> None:
    async with on_stage(session=None) as stage:
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press(*"do it", "enter")
        await stage.shows("cannot connect: connection refused")
        await stage.until(lambda: stage.main.prompt.text == "do it")


async def test_continue_opens_the_newest_session() -> None:
    client = FakeClient()
    client.feed(e.SessionUpserted(talk.session("ses_9", "Newest", updated=9.0)))
    async with on_stage(session=None, client=client, resume=True) as stage:
        await stage.until(lambda: stage.app.presenter.session_id == "ses_9")


async def test_the_demo_starts_with_a_tour() -> None:
    async with on_stage(session=None, demo=True) as stage:
        await stage.until(lambda: stage.client.calls("send"))
        assert "tour" in stage.client.calls("send")[0][1]


async def test_opening_a_session_is_retried_on_reconnecting() -> None:
    client = FakeClient(line=CONNECTING)
    client.fails = ConnectFailed("connection refused")
    async with on_stage(client=client) as stage:
        stage.client.set_line(LIVE)
        await stage.until(lambda: len(stage.client.calls("open_session")) == 1)
        stage.client.fails = None
        await stage.until(lambda: stage.app.presenter.session_id is None)
        stage.client.set_line(LOST)
        await stage.shows("lost: connection reset")
        stage.client.set_line(LIVE)
        await stage.until(lambda: stage.app.presenter.session_id == talk.SESSION)


async def test_opening_a_session_is_not_retried_every_second() -> None:
    client = FakeClient(line=CONNECTING)
    client.fails = HttpStatusError(400)
    async with on_stage(client=client) as stage:
        stage.client.set_line(LIVE)
        await stage.until(lambda: stage.client.calls("open_session") and stage.app.presenter.session_id is None)
        for _ in range(3):
            stage.second()
            await stage.settled()
        assert len(stage.client.calls("open_session")) == 1


@pytest.mark.parametrize("failure", [None, ConnectFailed("connection refused")])
async def test_a_session_that_opens_late_does_not_replace_a_newer_one(
    failure: NetError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrives = asyncio.Event()

    async def open_late(session_id: str) -> None:
        await arrives.wait()
        if failure is not None:
            raise failure

    async with on_stage() as stage:
        monkeypatch.setattr(stage.client, "open_session", open_late)
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "The other one")))
        await stage.press("f2", *"other", "enter")
        await stage.until(lambda: stage.app.presenter.session_id == "ses_2")
        stage.app.action_new_session()
        arrives.set()
        await stage.until(lambda: not list(stage.app.workers))
        assert stage.app.presenter.session_id is None


async def test_a_prompt_returned_while_quitting_is_saved(tmp_path: Path) -> None:
    async with on_stage(client=FakeClient(journal=journal_in(tmp_path))) as stage:
        await stage.press(*"do it", "enter", *"next")
        turn = stage.client.turn(talk.SESSION)
        assert turn is not None
        turn.state = TurnState.NOT_SENT
        stage.client.turn_moved(turn)
        stage.app.exit()
    with closing(journal_in(tmp_path)) as journal:
        assert journal.draft(talk.SESSION) == "next\n\ndo it"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (LIVE, ["● live 2s", "11 ms", "▂▂▂"]),
        (ConnectionStatus(ConnectionState.QUIET, age=14.0), ["◐ quiet 14s"]),
        (LOST, ["↻ lost: connection reset · try 3 in 4s · F5 now", "not connected: connection reset"]),
        (STOPPED, ["■ stopped: password refused · fix it, then F5", "Set HOLDFAST_PASSWORD."]),
    ],
)
@pytest.mark.parametrize("size", [(120, 40), (80, 24), (200, 60)])
async def test_the_connection_state_is_always_visible(
    line: ConnectionStatus, words: list[str], size: tuple[int, int]
) -> None:
    async with on_stage(size=size) as stage:
        stage.client.set_line(line)
        await stage.shows(*words, "127.0.0.1:4096", "holdfast")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_turn_status_is_always_visible(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        stage.client.feed(*talk.at_work())
        turn = stage.run_turn()
        await stage.shows("turn 12:04 · request open, 72 heartbeats, last 4s ago")
        stage.second()
        await stage.shows("turn 12:05 · request open, 72 heartbeats, last 5s ago")
        turn.last_activity = stage.client.now() - 370
        stage.second()
        await stage.shows("no progress for 6 min, though connected", "abort with Esc Esc")
        turn.last_activity, turn.post.last_padding = stage.client.now(), None
        stage.client.set_line(LOST)
        await stage.shows("unknown while disconnected; it continues if the server is up")


async def test_a_provider_retry_counts_down_by_the_servers_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 5000.0)
    client = FakeClient()
    client.server = ServerInfo("1.0.0", 0.01, clock_skew=100.0)
    async with on_stage(client=client) as stage:
        stage.run_turn(TurnState.RETRYING, retry=Retrying(3, "429", 5108.0))
        await stage.shows("model provider error (429) · the server retries in 8s (3rd)")


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        (TurnState.FINISHED, "", "✓ finished in 12:04"),
        (TurnState.FAILED, "no [/] model", "✗ failed: no [/] model"),
        (TurnState.INTERRUPTED, "the server stopped", "! interrupted: the server stopped"),
        (TurnState.CANCELLED, "", "! cancelled: the server aborted it when its connection broke"),
    ],
)
async def test_a_turn_ends_with_one_line(state: TurnState, reason: str, words: str) -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt())
        turn = stage.run_turn()
        turn.state, turn.reason, turn.ended = state, reason, stage.client.now()
        stage.client.turn_moved(turn)
        stage.client.turn_moved(turn)
        await stage.shows(words, "ready")
        assert stage.text.count(words) == 1


async def test_a_failure_in_the_message_is_not_shown_twice() -> None:
    async with on_stage() as stage:
        failed = Message(
            talk.ANSWER, talk.SESSION, "assistant", 2.0, 3.0, talk.PROMPT, Failure("overloaded", "provider")
        )
        stage.client.feed(*talk.prompt(), e.MessageUpserted(failed))
        turn = stage.run_turn()
        turn.state, turn.reason, turn.ended = TurnState.FAILED, "overloaded", stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("✗ failed: overloaded", "ready")
        assert stage.text.count("overloaded") == 1


async def test_an_abort_reported_as_a_failure_too_is_shown_once() -> None:
    async with on_stage() as stage:
        aborted = Failure("Aborted", "aborted")
        message = Message(talk.ANSWER, talk.SESSION, "assistant", 2.0, 3.0, talk.PROMPT, aborted)
        stage.client.feed(*talk.prompt(), e.MessageUpserted(message))
        turn = stage.run_turn()
        turn.state, turn.ended = TurnState.ABORTED, stage.client.now()
        stage.client.turn_moved(turn)
        stage.client.tell(FailureSeen(talk.SESSION, aborted))
        await stage.shows("■ aborted", "ready")
        assert stage.text.casefold().count("aborted") == 1


@pytest.mark.parametrize("first", ["the turn", "the message"])
async def test_the_reason_of_a_cancelled_turn_replaces_aborted(first: str) -> None:
    async with on_stage() as stage:
        aborted = Failure("Aborted", "aborted")
        answer = Message(talk.ANSWER, talk.SESSION, "assistant", 2.0, 3.0, talk.PROMPT)
        stage.client.feed(*talk.prompt(), e.MessageUpserted(answer), talk.text("so far"))
        turn = stage.run_turn()
        turn.state, turn.ended = TurnState.CANCELLED, stage.client.now()
        if first == "the turn":
            stage.client.turn_moved(turn)
            await stage.shows("! cancelled")
        stage.client.feed(e.MessageUpserted(replace(answer, failure=aborted)), talk.text("its last", "prt_9"))
        await stage.shows("its last")
        if first == "the message":
            await stage.shows("■ aborted")
            stage.client.turn_moved(turn)
        await stage.shows("! cancelled", "ready")
        await stage.hides("■ aborted")


async def test_a_question_of_a_child_session_names_its_agent() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins())
        stage.client.feed(e.SessionUpserted(replace(talk.child("ses_2"), agent="general")))
        stage.client.feed(e.SessionUpserted(talk.child("ses_3")))
        stage.client.feed(e.RequestOpened(talk.asked_in("ses_2")))
        await stage.shows("? general needs your answer")
        stage.client.feed(e.RequestOpened(talk.asked_in("ses_3", "que_10")), e.RequestRemoved("ses_2", "que_9"))
        await stage.shows("? Look around needs your answer")


async def test_a_session_without_a_title_is_called_new() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session(title="")))
        await stage.shows(" holdfast  new session ")


@pytest.mark.parametrize(
    ("columns", "named"), [(160, True), (120, True), (119, False), (80, False)], ids=["160", "120", "119", "80"]
)
async def test_a_wide_header_names_the_server(columns: int, named: bool) -> None:
    async with on_stage(size=(columns, 30)) as stage:
        await stage.shows("● live", "127.0.0.1:4096")
        stage.second()
        await stage.pilot.pause()
        assert ("opencode 1.0.0 · 127.0.0.1:4096" in stage.text) is named


async def test_a_failure_outside_a_turn_is_shown() -> None:
    async with on_stage() as stage:
        stage.client.tell(FailureSeen(talk.SESSION, Failure("the model [x] is gone")))
        await stage.shows("✗ the model [x] is gone")


@pytest.mark.parametrize("turns_known", [True, False])
async def test_a_late_failure_event_is_not_drawn_below_later_turns(turns_known: bool) -> None:
    """The event stream was silent; polling found the answers before the event of the first one's error."""
    async with on_stage() as stage:
        error = Failure("scripted 401", "provider")
        failed = Message(talk.ANSWER, talk.SESSION, "assistant", 2.0, 3.0, talk.PROMPT, error)
        later = Message("msg_7", talk.SESSION, "user", 4.0)
        answer = Message("msg_8", talk.SESSION, "assistant", 5.0, 6.0, "msg_7", final=True)
        stage.client.feed(*talk.prompt(), *map(e.MessageUpserted, (failed, later, answer)))
        if turns_known:
            for prompt_id, state in ((talk.PROMPT, TurnState.FAILED), ("msg_7", TurnState.FINISHED)):
                turn = Turn.follow(talk.SESSION, prompt_id, stage.client.now())
                turn.state, turn.took = state, 1.0
                turn.reason = error.message if state is TurnState.FAILED else ""
                stage.client.turn_moved(turn)
            await stage.shows("✓ finished in 0:01")
        stage.client.tell(FailureSeen(talk.SESSION, error))
        stage.client.tell(FailureSeen(talk.SESSION, Failure("another error")))
        await stage.shows("✗ failed: scripted 401", "✗ another error")
        assert stage.text.count("scripted 401") == 1


async def test_two_escapes_abort_and_the_first_shows_a_hint() -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press("escape")
        await stage.shows("Esc once more aborts the turn")
        assert stage.client.calls("abort") == []
        await stage.press("escape")
        await stage.until(lambda: stage.client.calls("abort") == [(talk.SESSION,)])


@pytest.mark.parametrize("between", ["x", "backspace", "left", "enter", "a paste", "a burst"])
async def test_two_escapes_with_input_between_do_not_abort(between: str) -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press("escape")
        await stage.shows("Esc once more aborts the turn")
        if between == "a paste":
            stage.app.post_message(events.Paste("words"))
        elif between == "a burst":
            stage.app.post_message(TextBurst("words"))
        else:
            await stage.press(between)
        await stage.hides("Esc once more")
        await stage.press("escape")
        assert stage.client.calls("abort") == []
        await stage.press("escape")
        await stage.until(lambda: stage.client.calls("abort") == [(talk.SESSION,)])


SEVERAL_LINES = "Pasted several lines: press Enter to send."


async def test_several_lines_in_a_burst_show_that_they_are_not_sent() -> None:
    async with on_stage() as stage:
        stage.app.post_message(TextBurst("one\rtwo"))
        await stage.shows(SEVERAL_LINES)
        assert (stage.main.prompt.text, stage.client.calls("send")) == ("one\ntwo", [])


async def test_a_paste_shows_no_such_notice() -> None:
    async with on_stage() as stage:
        stage.app.post_message(events.Paste("one\ntwo"))
        stage.app.post_message(TextBurst("x" * 80))
        await stage.until(lambda: stage.main.prompt.text.endswith("x"))
        assert SEVERAL_LINES not in stage.text


async def test_two_escapes_far_apart_do_not_abort() -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press("escape")
        stage.client.advance(3.5)
        stage.second()
        await stage.hides("Esc once more")
        await stage.press("escape")
        assert stage.client.calls("abort") == []


async def test_the_second_escape_does_not_abort_a_newer_turn() -> None:
    async with on_stage() as stage:
        first = stage.run_turn()
        await stage.press("escape")
        await stage.shows("Esc once more aborts the turn")
        first.state, first.ended = TurnState.FINISHED, stage.client.now()
        stage.client.turn_moved(first)
        stage.run_turn()
        await stage.hides("Esc once more")
        await stage.press("escape")
        await stage.shows("That turn ended before the second Esc. Nothing was aborted.")
        assert stage.client.calls("abort") == []
        await stage.press("escape")
        await stage.shows("Esc once more aborts the turn")
        await stage.press("escape")
        await stage.until(lambda: stage.client.calls("abort") == [(talk.SESSION,)])


async def test_a_turn_ended_between_two_escapes_is_reported() -> None:
    async with on_stage() as stage:
        turn = stage.run_turn()
        await stage.press("escape")
        turn.state, turn.ended = TurnState.FINISHED, stage.client.now()
        stage.client.turn_moved(turn)
        await stage.press("escape")
        await stage.shows("That turn ended before the second Esc. Nothing was aborted.")
        assert stage.client.calls("abort") == []


async def test_escape_without_a_turn_aborts_nothing() -> None:
    async with on_stage() as stage:
        await stage.press("escape", "escape")
        assert stage.client.calls("abort") == []


async def test_an_open_dialog_blocks_others_but_allows_reconnecting() -> None:
    async with on_stage() as stage:
        for dialog, *others in (("f1", "f2", "f3"), ("f2", "f3"), ("f3", "f2")):
            await stage.press(dialog)
            [_, opened] = stage.app.screen_stack
            await stage.press("ctrl+p", *others)
            assert stage.app.screen_stack[1:] == [opened]
            await stage.press("escape")
        await stage.press("f3")
        tried = len(stage.client.calls("restart_line"))
        await stage.press("f5")
        assert len(stage.client.calls("restart_line")) == tried + 1


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["f2"], "In the sessions"),
        (["f3"], "In the inbox"),
        (["ctrl+r"], "In the earlier prompts"),
        (["ctrl+t"], "In the list"),
        (["ctrl+p"], "In the command list"),
        (["f2", "ctrl+x"], "In the confirmation"),
        (["f2", "ctrl+r"], "In the text field"),
    ],
)
async def test_f1_lists_the_keys_of_every_dialog_and_returns_to_it(keys: list[str], words: str) -> None:
    async with on_stage() as stage:
        for key in keys:
            await stage.press(key)
            await stage.until(lambda: stage.app.screen is not stage.main)
        dialog = stage.app.screen
        await stage.press("f1")
        await stage.shows(words, "Everywhere")
        await stage.press("f1")
        await stage.until(lambda: stage.app.screen is dialog)


async def test_f5_reconnects_and_focus_changes_are_passed_to_the_client() -> None:
    async with on_stage() as stage:
        await stage.press("f5")
        assert len(stage.client.calls("restart_line")) == 1
        stage.app.on_app_blur()
        stage.app.on_app_focus()
        assert stage.client.calls("looked_at") == [(False,), (True,)]
        assert stage.client.calls("on_user_input")


async def test_the_session_picker_filters_opens_and_creates() -> None:
    async with on_stage() as stage:
        stage.client.feed(
            e.SessionUpserted(talk.session("ses_2", "Second [/] thing", updated=2.0)),
            e.StatusChanged("ses_2", Busy()),
        )
        await stage.press("f2")
        await stage.until(lambda: isinstance(stage.app.screen, SessionPicker))
        await stage.shows("Second [/] thing", "● running", "· idle")
        await stage.press(*"second")
        await stage.hides("· idle")
        await stage.press("enter")
        await stage.until(lambda: stage.app.presenter.session_id == "ses_2")
        await stage.press("f2")
        await stage.until(lambda: isinstance(stage.app.screen, SessionPicker))
        await stage.press("ctrl+n")
        await stage.until(lambda: stage.app.presenter.session_id is None)
        await stage.shows("Type a prompt")


async def test_older_messages_are_loaded_at_the_top() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.at_work(), talk.text("word\n\n" * 40, part_id="prt_9"))
        await stage.until(lambda: stage.main.transcript.max_scroll_y > 20)
        await stage.press("pageup")
        await stage.shows("End")
        for _ in range(8):
            await stage.press("pageup")
        await stage.until(lambda: stage.client.calls("load_older") == [(talk.SESSION,)])
        await stage.press("end")
        await stage.until(lambda: stage.main.transcript.following)


@pytest.mark.parametrize(
    ("cancels", "words"),
    [
        (False, "continues on the server without you"),
        (True, "ends a turn when you quit"),
        (None, "may or may not end a turn when you quit"),
    ],
)
async def test_quitting_during_a_turn_says_what_happens_to_it(cancels: bool | None, words: str) -> None:
    client = FakeClient()
    client.traits = Traits("any", cancels_on_disconnect=cancels)
    async with on_stage(client=client) as stage:
        stage.run_turn()
        await stage.press("ctrl+q")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.shows(words)
        await stage.press("escape")
        await stage.until(lambda: not isinstance(stage.app.screen, Confirm))
        await stage.press("ctrl+c")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press("enter")
        await stage.until(lambda: stage.app._exit)


async def test_quitting_without_a_turn_closes_the_client() -> None:
    client = FakeClient()
    async with on_stage(client=client) as stage:
        await stage.press("ctrl+q")
        await stage.until(lambda: stage.app._exit)
    assert client.closed


async def test_ctrl_c_copies_the_selection() -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press(*"words")
        stage.main.prompt.select_all()
        await stage.press("ctrl+c")
        assert stage.app.clipboard == "words"
        assert not isinstance(stage.app.screen, Confirm)


async def test_help_lists_the_keys_of_the_focused_part() -> None:
    async with on_stage() as stage:
        await stage.press("f1")
        await stage.until(lambda: isinstance(stage.app.screen, Help))
        await stage.shows("In the prompt", "newline", "Everywhere", "F5")
        await stage.press("escape", "tab", "f1")
        await stage.shows("In the transcript")


async def test_the_palette_lists_our_commands() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+p")
        for name in ("Reconnect", "New session", "Theme", "Inbox", "Copy code", "Editor"):
            await stage.press("ctrl+u", *name)
            await stage.shows(f"  {name}  ")


async def test_the_family_is_named_on_the_start_page_and_in_help() -> None:
    client = FakeClient()
    client.server, client.traits = ServerInfo("0.24.4\x1b[2J", 0.011), Traits("qwen")
    async with on_stage(client=client, session=None, size=(80, 24)) as stage:
        await stage.shows("Connected to 127.0.0.1:4096: qwen serve 0.24.4")
        await stage.press("f1")
        await stage.shows("qwen serve 0.24.4", "at 127.0.0.1:4096")


async def test_the_palette_says_that_aborting_needs_confirmation() -> None:
    async with on_stage() as stage:
        about = {command.title: command.help for command in stage.app.get_system_commands(stage.app.screen)}
        assert about["Abort the turn"] == "Asks once more: Esc within 3 seconds aborts (Esc Esc)"


async def test_the_footer_shows_the_keys_that_work_now() -> None:
    async with on_stage() as stage:
        await stage.shows("Enter send", "^J newline", "F1 help")
        await stage.hides("Esc Esc")
        stage.run_turn()
        await stage.shows("Enter send after the turn  ^S send now", "Esc Esc abort", "F1 help")
        await stage.press(*"more")
        await stage.shows("Enter send after the turn  ^S send now")
        await stage.press("tab")
        await stage.shows("j k tool calls")


async def test_each_cut_is_reported_and_can_be_pasted() -> None:
    async with on_stage(size=(80, 24)) as stage:
        for words in ("one", "two"):
            await stage.press(*words, "ctrl+x")
            assert stage.main.prompt.text == ""
            await stage.shows("1 line cut, and sent to the terminal's clipboard. ^V pastes it")
            await stage.pilot.click(stage.main.notices)
            await stage.hides("1 line cut")
        await stage.press("ctrl+x")
        assert "cut" not in stage.text
        await stage.press("ctrl+v")
        assert stage.main.prompt.text.strip() == "two", "nothing was cut the third time"


async def test_the_abort_key_is_shown_while_prompts_are_queued() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.run_turn()
        await stage.press(*"more", "enter")
        await stage.shows("⇧Tab queue  Esc Esc abort", "F1 help")
        await stage.hides("Enter send")
        await stage.press("a")
        await stage.shows("Enter send after these  ^S send now  ⇧Tab queue  Esc Esc abort", "F1 help")


@pytest.mark.parametrize("word", ["/zz", "see @READ"])
async def test_the_tab_hint_is_shown_for_a_completable_name(word: str) -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.run_turn()
        await stage.press(*word)
        await stage.shows(" Tab complete  Enter send after the turn", "F1 help")
        await stage.press("home")
        await stage.hides("Tab complete")
        await stage.press("end")
        await stage.shows(" Tab complete")
        await stage.press("space", "x")
        await stage.shows(" Enter send after the turn")


async def test_letters_typed_in_the_transcript_go_to_the_prompt() -> None:
    async with on_stage() as stage:
        await stage.press("tab", "h", "i")
        assert stage.main.prompt.text == "hi"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (CONNECTING, ["◌ connecting…", "127.0.0.1:4096"]),
        (NO_SERVER, ["No server at 127.0.0.1:4096 yet", "opencode serve", "holdfast --demo", "holdfast doctor"]),
        (NO_SERVER, ["holdfast http://host:port", "↻ not connected: connection refused · try 3 in 4s"]),
        (LOST, ["↻ not connected: connection reset", "try 3 in 4s"]),
        (replace(LOST, answers=True), ["127.0.0.1:4096 responds, but cannot be used yet", "connection reset"]),
        (STOPPED, ["■ stopped: password refused", "Set HOLDFAST_PASSWORD.", "F5 retries"]),
        (LIVE, ["Type a prompt"]),
    ],
)
@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_start_page_says_what_to_do(line: ConnectionStatus, words: list[str], size: tuple[int, int]) -> None:
    async with on_stage(session=None, client=FakeClient(line=line), size=size) as stage:
        await stage.shows(*words)
        assert "lost" not in stage.text


async def test_a_server_that_was_connected_is_shown_as_lost() -> None:
    async with on_stage(session=None) as stage:
        stage.client.set_line(NO_SERVER)
        await stage.shows("↻ lost: cannot connect: connection refused", "try 3 in 4s")


NASTY = "[/] [bold red]x[/bold red] [@click=app.exit]y[/]"


@pytest.mark.parametrize(
    "tell",
    [
        lambda client: client.tell(Notice(NASTY)),
        lambda client: client.feed(e.SessionUpserted(talk.session(title=NASTY))),
        lambda client: client.feed(*talk.prompt(NASTY)),
        lambda client: client.feed(*talk.prompt(), talk.answer_begins(), talk.text(NASTY)),
        lambda client: client.feed(*talk.prompt(), talk.answer_begins(), talk.tool(tool="[x]", title=NASTY)),
        lambda client: client.set_line(ConnectionStatus(ConnectionState.RECONNECTING, reason=NASTY)),
        lambda client: client.set_line(ConnectionStatus(ConnectionState.STOPPED, reason="no", hint=NASTY)),
    ],
)
async def test_server_text_is_never_read_as_markup(tell: Callable[[FakeClient], None]) -> None:
    async with on_stage(size=(200, 40)) as stage:
        tell(stage.client)
        await stage.shows(NASTY)


async def test_a_burst_of_changes_is_shown_in_order() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("", state="streaming"))
        stage.client.feed(*[talk.delta(f"w{row} ") for row in range(500)])
        await stage.shows("w498 w499")
        assert "w0 w1 w2" in stage.text


async def test_changes_of_another_session_are_not_shown() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "Elsewhere")))
        stage.client.store.open_transcript("ses_2")
        stage.client.feed(e.MessageUpserted(Message("msg_x", "ses_2", "user", 1.0)))
        stage.client.feed(*talk.prompt())
        await stage.shows("Move the session store")
        assert len(stage.main.transcript.query("MessageView")) == 1


async def test_the_outcome_of_an_earlier_runs_answer_is_shown_in_its_session() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "Weather bot")))
        stage.client.tell(ReplyStatusChanged(talk.asked_in("ses_2", "que_9"), "acknowledged"))
        stage.client.tell(ReplyStatusChanged(talk.asked_in(talk.SESSION, "que_10"), "expired"))
        await stage.shows("Weather bot", "the server has your answer")
        assert "the server has your answer" not in stage.main.transcript.text
        assert "expired" in stage.main.transcript.text


async def test_ui_state_of_requests_is_removed_when_they_close() -> None:
    async with on_stage() as stage:
        for number in range(6):
            request = talk.asked_in(talk.SESSION, f"que_{number}")
            stage.client.feed(e.RequestOpened(request))
            stage.client.tell(ReplyStatusChanged(request, "sending"))
            await stage.pilot.pause(0)
            stage.client.feed(e.QuestionAnswered(talk.SESSION, request.id, (("5432",),)))
            stage.client.tell(ReplyStatusChanged(request, "acknowledged"))
        await stage.settled()
        book = stage.app.presenter.panel.book
        assert book == RequestUiState(book.saved)


async def test_only_a_chosen_theme_is_saved() -> None:
    chosen: list[str] = []
    async with on_stage(keep_theme=chosen.append) as stage:
        assert chosen == []
        await stage.press("ctrl+p", *"theme", "enter")
        await stage.shows("nord")
        await stage.press(*"nord", "enter")
        await stage.until(lambda: stage.app.theme == "nord")
        assert chosen == ["nord"]


async def test_warnings_of_the_settings_are_shown() -> None:
    async with on_stage(warnings=["Others can read it.\nchmod 600 it"]) as stage:
        await stage.shows("Others can read it. · chmod 600 it")
