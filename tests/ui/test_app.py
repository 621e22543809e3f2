import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events

from tests import sample_events as sample
from tests.app_harness import app_harness
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
    async with app_harness() as harness:
        await harness.press(*"do it", "ctrl+j", *"now", "enter")
        assert harness.client.calls("send") == [(sample.SESSION, "do it\nnow")]
        assert harness.main.prompt.text == ""
        await harness.shows("do it", "now", "sending…")


@pytest.mark.parametrize("keys", [["enter"], ["space", "enter"], ["ctrl+j", "enter"]])
async def test_an_empty_prompt_is_not_sent(keys: list[str]) -> None:
    async with app_harness() as harness:
        await harness.press(*keys)
        assert harness.client.calls("send") == []


async def test_an_undelivered_prompt_returns_to_the_prompt_field() -> None:
    async with app_harness() as harness:
        await harness.press(*"do it", "enter")
        await harness.press(*"next")
        turn = harness.client.turn(sample.SESSION)
        assert turn is not None
        turn.state, turn.reason, turn.ended = TurnState.NOT_SENT, "connection refused", harness.client.now()
        harness.client.turn_moved(turn)
        await harness.until(lambda: harness.main.prompt.text == "next\n\ndo it")
        await harness.shows("↩ not sent: connection refused · “do it” went back to the prompt")


async def test_an_undelivered_prompt_returns_when_its_session_is_opened() -> None:
    async with app_harness() as harness:
        await harness.press(*"do it", "enter")
        turn = harness.client.turn(sample.SESSION)
        assert turn is not None
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "The other one")))
        await harness.press("f2", *"other", "enter")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_2")
        turn.state = TurnState.NOT_SENT
        harness.client.turn_moved(turn)
        await harness.pilot.pause()
        assert harness.main.prompt.text == ""
        await harness.press("f2", *"SQLite", "enter")
        await harness.until(lambda: harness.main.prompt.text == "do it")


async def test_up_recalls_sent_prompts_and_down_restores_the_draft() -> None:
    async with app_harness() as harness:
        await harness.press(*"one", "enter", *"two", "enter", *"draft", "up")
        assert harness.main.prompt.text == "two"
        await harness.press("up", "up")
        assert harness.main.prompt.text == "one"
        await harness.press("down", "down")
        assert harness.main.prompt.text == "draft"


async def test_a_large_paste_is_sent_completely() -> None:
    async with app_harness() as harness:
        words = "\n".join(f"line {row} [/]" for row in range(5000))
        harness.main.prompt.insert(words)
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, words)]


async def test_the_first_prompt_creates_a_session() -> None:
    async with app_harness(session=None) as harness:
        await harness.shows("Type a prompt")
        await harness.press(*"do it", "enter")
        await harness.until(lambda: harness.client.calls("send"))
        assert harness.client.calls("send")[0][1] == "do it"


async def test_without_a_connection_text_stays_in_the_prompt_field() -> None:
    async with app_harness(session=None, client=FakeClient(line=CONNECTING)) as harness:
        await harness.press(*"do it", "enter")
        assert harness.main.prompt.text == "do it"
        await harness.shows("nothing was sent")


async def test_a_prompt_before_the_first_connection_is_queued_in_a_known_session() -> None:
    client = FakeClient(line=CONNECTING)
    async with app_harness(client=client) as harness:
        await harness.press(*"do it", "enter")
        await harness.shows("1 prompt · waiting until connected", "1 do it")
        await harness.hides("nothing was sent")
        client.set_line(LIVE)
        client.prompts.dispatch_ready()
        await harness.until(lambda: client.calls("send") == [(sample.SESSION, "do it")])


async def test_the_not_sent_notice_disappears_on_connecting() -> None:
    client = FakeClient(line=CONNECTING)
    async with app_harness(session=None, client=client) as harness:
        await harness.press(*"do it", "enter")
        await harness.shows("nothing was sent")
        client.set_line(LIVE)
        await harness.hides("nothing was sent")


async def test_the_checking_notice_disappears_once_the_state_is_known() -> None:
    client = FakeClient()
    client.turns.recover(Prompt(sample.SESSION, "do it", "msg_1", "prt_1"))
    async with app_harness(client=client) as harness:
        await harness.shows("Checking its status…")
        [turn] = client.turns.of(sample.SESSION)
        turn.state, turn.ended = TurnState.FINISHED, client.now()
        client.turn_moved(turn)
        await harness.hides("Checking its status…")


async def test_a_failed_session_creation_returns_the_text() -> None:
    async with app_harness(session=None) as harness:
        harness.client.fails = ConnectFailed("connection refused")
        await harness.press(*"do it", "enter")
        await harness.shows("cannot connect: connection refused")
        await harness.until(lambda: harness.main.prompt.text == "do it")


async def test_continue_opens_the_newest_session() -> None:
    client = FakeClient()
    client.feed(e.SessionUpserted(sample.session("ses_9", "Newest", updated=9.0)))
    async with app_harness(session=None, client=client, resume=True) as harness:
        await harness.until(lambda: harness.app.presenter.session_id == "ses_9")


async def test_the_demo_starts_with_a_tour() -> None:
    async with app_harness(session=None, demo=True) as harness:
        await harness.until(lambda: harness.client.calls("send"))
        assert "tour" in harness.client.calls("send")[0][1]


async def test_opening_a_session_is_retried_on_reconnecting() -> None:
    client = FakeClient(line=CONNECTING)
    client.fails = ConnectFailed("connection refused")
    async with app_harness(client=client) as harness:
        harness.client.set_line(LIVE)
        await harness.until(lambda: len(harness.client.calls("open_session")) == 1)
        harness.client.fails = None
        await harness.until(lambda: harness.app.presenter.session_id is None)
        harness.client.set_line(LOST)
        await harness.shows("lost: connection reset")
        harness.client.set_line(LIVE)
        await harness.until(lambda: harness.app.presenter.session_id == sample.SESSION)


async def test_opening_a_session_is_not_retried_every_second() -> None:
    client = FakeClient(line=CONNECTING)
    client.fails = HttpStatusError(400)
    async with app_harness(client=client) as harness:
        harness.client.set_line(LIVE)
        await harness.until(lambda: harness.client.calls("open_session") and harness.app.presenter.session_id is None)
        for _ in range(3):
            harness.second()
            await harness.settled()
        assert len(harness.client.calls("open_session")) == 1


@pytest.mark.parametrize("failure", [None, ConnectFailed("connection refused")])
async def test_a_session_that_opens_late_does_not_replace_a_newer_one(
    failure: NetError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrives = asyncio.Event()

    async def open_late(session_id: str) -> None:
        await arrives.wait()
        if failure is not None:
            raise failure

    async with app_harness() as harness:
        monkeypatch.setattr(harness.client, "open_session", open_late)
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "The other one")))
        await harness.press("f2", *"other", "enter")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_2")
        harness.app.action_new_session()
        arrives.set()
        await harness.until(lambda: not list(harness.app.workers))
        assert harness.app.presenter.session_id is None


async def test_a_prompt_returned_while_quitting_is_saved(tmp_path: Path) -> None:
    async with app_harness(client=FakeClient(journal=journal_in(tmp_path))) as harness:
        await harness.press(*"do it", "enter", *"next")
        turn = harness.client.turn(sample.SESSION)
        assert turn is not None
        turn.state = TurnState.NOT_SENT
        harness.client.turn_moved(turn)
        harness.app.exit()
    with closing(journal_in(tmp_path)) as journal:
        assert journal.draft(sample.SESSION) == "next\n\ndo it"


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
    async with app_harness(size=size) as harness:
        harness.client.set_line(line)
        await harness.shows(*words, "127.0.0.1:4096", "holdfast")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_turn_status_is_always_visible(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        harness.client.feed(*sample.at_work())
        turn = harness.run_turn()
        await harness.shows("turn 12:04 · request open, 72 heartbeats, last 4s ago")
        harness.second()
        await harness.shows("turn 12:05 · request open, 72 heartbeats, last 5s ago")
        turn.last_activity = harness.client.now() - 370
        harness.second()
        await harness.shows("no progress for 6 min, though connected", "abort with Esc Esc")
        turn.last_activity, turn.post.last_padding = harness.client.now(), None
        harness.client.set_line(LOST)
        await harness.shows("unknown while disconnected; it continues if the server is up")


async def test_a_provider_retry_counts_down_by_the_servers_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 5000.0)
    client = FakeClient()
    client.server = ServerInfo("1.0.0", 0.01, clock_skew=100.0)
    async with app_harness(client=client) as harness:
        harness.run_turn(TurnState.RETRYING, retry=Retrying(3, "429", 5108.0))
        await harness.shows("model provider error (429) · the server retries in 8s (3rd)")


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
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt())
        turn = harness.run_turn()
        turn.state, turn.reason, turn.ended = state, reason, harness.client.now()
        harness.client.turn_moved(turn)
        harness.client.turn_moved(turn)
        await harness.shows(words, "ready")
        assert harness.text.count(words) == 1


async def test_a_failure_in_the_message_is_not_shown_twice() -> None:
    async with app_harness() as harness:
        failed = Message(
            sample.ANSWER, sample.SESSION, "assistant", 2.0, 3.0, sample.PROMPT, Failure("overloaded", "provider")
        )
        harness.client.feed(*sample.prompt(), e.MessageUpserted(failed))
        turn = harness.run_turn()
        turn.state, turn.reason, turn.ended = TurnState.FAILED, "overloaded", harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("✗ failed: overloaded", "ready")
        assert harness.text.count("overloaded") == 1


async def test_an_abort_reported_as_a_failure_too_is_shown_once() -> None:
    async with app_harness() as harness:
        aborted = Failure("Aborted", "aborted")
        message = Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, 3.0, sample.PROMPT, aborted)
        harness.client.feed(*sample.prompt(), e.MessageUpserted(message))
        turn = harness.run_turn()
        turn.state, turn.ended = TurnState.ABORTED, harness.client.now()
        harness.client.turn_moved(turn)
        harness.client.tell(FailureSeen(sample.SESSION, aborted))
        await harness.shows("■ aborted", "ready")
        assert harness.text.casefold().count("aborted") == 1


@pytest.mark.parametrize("first", ["the turn", "the message"])
async def test_the_reason_of_a_cancelled_turn_replaces_aborted(first: str) -> None:
    async with app_harness() as harness:
        aborted = Failure("Aborted", "aborted")
        answer = Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, 3.0, sample.PROMPT)
        harness.client.feed(*sample.prompt(), e.MessageUpserted(answer), sample.text("so far"))
        turn = harness.run_turn()
        turn.state, turn.ended = TurnState.CANCELLED, harness.client.now()
        if first == "the turn":
            harness.client.turn_moved(turn)
            await harness.shows("! cancelled")
        harness.client.feed(e.MessageUpserted(replace(answer, failure=aborted)), sample.text("its last", "prt_9"))
        await harness.shows("its last")
        if first == "the message":
            await harness.shows("■ aborted")
            harness.client.turn_moved(turn)
        await harness.shows("! cancelled", "ready")
        await harness.hides("■ aborted")


async def test_a_question_of_a_child_session_names_its_agent() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins())
        harness.client.feed(e.SessionUpserted(replace(sample.child("ses_2"), agent="general")))
        harness.client.feed(e.SessionUpserted(sample.child("ses_3")))
        harness.client.feed(e.RequestOpened(sample.asked_in("ses_2")))
        await harness.shows("? general needs your answer")
        harness.client.feed(e.RequestOpened(sample.asked_in("ses_3", "que_10")), e.RequestRemoved("ses_2", "que_9"))
        await harness.shows("? Look around needs your answer")


async def test_a_session_without_a_title_is_called_new() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session(title="")))
        await harness.shows(" holdfast  new session ")


@pytest.mark.parametrize(
    ("columns", "named"), [(160, True), (120, True), (119, False), (80, False)], ids=["160", "120", "119", "80"]
)
async def test_a_wide_header_names_the_server(columns: int, named: bool) -> None:
    async with app_harness(size=(columns, 30)) as harness:
        await harness.shows("● live", "127.0.0.1:4096")
        harness.second()
        await harness.pilot.pause()
        assert ("opencode 1.0.0 · 127.0.0.1:4096" in harness.text) is named


async def test_a_failure_outside_a_turn_is_shown() -> None:
    async with app_harness() as harness:
        harness.client.tell(FailureSeen(sample.SESSION, Failure("the model [x] is gone")))
        await harness.shows("✗ the model [x] is gone")


@pytest.mark.parametrize("turns_known", [True, False])
async def test_a_late_failure_event_is_not_drawn_below_later_turns(turns_known: bool) -> None:
    """The event stream was silent; polling found the answers before the event of the first one's error."""
    async with app_harness() as harness:
        error = Failure("scripted 401", "provider")
        failed = Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, 3.0, sample.PROMPT, error)
        later = Message("msg_7", sample.SESSION, "user", 4.0)
        answer = Message("msg_8", sample.SESSION, "assistant", 5.0, 6.0, "msg_7", final=True)
        harness.client.feed(*sample.prompt(), *map(e.MessageUpserted, (failed, later, answer)))
        if turns_known:
            for prompt_id, state in ((sample.PROMPT, TurnState.FAILED), ("msg_7", TurnState.FINISHED)):
                turn = Turn.follow(sample.SESSION, prompt_id, harness.client.now())
                turn.state, turn.took = state, 1.0
                turn.reason = error.message if state is TurnState.FAILED else ""
                harness.client.turn_moved(turn)
            await harness.shows("✓ finished in 0:01")
        harness.client.tell(FailureSeen(sample.SESSION, error))
        harness.client.tell(FailureSeen(sample.SESSION, Failure("another error")))
        await harness.shows("✗ failed: scripted 401", "✗ another error")
        assert harness.text.count("scripted 401") == 1


async def test_two_escapes_abort_and_the_first_shows_a_hint() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press("escape")
        await harness.shows("Esc once more aborts the turn")
        assert harness.client.calls("abort") == []
        await harness.press("escape")
        await harness.until(lambda: harness.client.calls("abort") == [(sample.SESSION,)])


@pytest.mark.parametrize("between", ["x", "backspace", "left", "enter", "a paste", "a burst"])
async def test_two_escapes_with_input_between_do_not_abort(between: str) -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press("escape")
        await harness.shows("Esc once more aborts the turn")
        if between == "a paste":
            harness.app.post_message(events.Paste("words"))
        elif between == "a burst":
            harness.app.post_message(TextBurst("words"))
        else:
            await harness.press(between)
        await harness.hides("Esc once more")
        await harness.press("escape")
        assert harness.client.calls("abort") == []
        await harness.press("escape")
        await harness.until(lambda: harness.client.calls("abort") == [(sample.SESSION,)])


SEVERAL_LINES = "Pasted several lines: press Enter to send."


async def test_several_lines_in_a_burst_show_that_they_are_not_sent() -> None:
    async with app_harness() as harness:
        harness.app.post_message(TextBurst("one\rtwo"))
        await harness.shows(SEVERAL_LINES)
        assert (harness.main.prompt.text, harness.client.calls("send")) == ("one\ntwo", [])


async def test_a_paste_shows_no_such_notice() -> None:
    async with app_harness() as harness:
        harness.app.post_message(events.Paste("one\ntwo"))
        harness.app.post_message(TextBurst("x" * 80))
        await harness.until(lambda: harness.main.prompt.text.endswith("x"))
        assert SEVERAL_LINES not in harness.text


async def test_two_escapes_far_apart_do_not_abort() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press("escape")
        harness.client.advance(3.5)
        harness.second()
        await harness.hides("Esc once more")
        await harness.press("escape")
        assert harness.client.calls("abort") == []


async def test_the_second_escape_does_not_abort_a_newer_turn() -> None:
    async with app_harness() as harness:
        first = harness.run_turn()
        await harness.press("escape")
        await harness.shows("Esc once more aborts the turn")
        first.state, first.ended = TurnState.FINISHED, harness.client.now()
        harness.client.turn_moved(first)
        harness.run_turn()
        await harness.hides("Esc once more")
        await harness.press("escape")
        await harness.shows("That turn ended before the second Esc. Nothing was aborted.")
        assert harness.client.calls("abort") == []
        await harness.press("escape")
        await harness.shows("Esc once more aborts the turn")
        await harness.press("escape")
        await harness.until(lambda: harness.client.calls("abort") == [(sample.SESSION,)])


async def test_a_turn_ended_between_two_escapes_is_reported() -> None:
    async with app_harness() as harness:
        turn = harness.run_turn()
        await harness.press("escape")
        turn.state, turn.ended = TurnState.FINISHED, harness.client.now()
        harness.client.turn_moved(turn)
        await harness.press("escape")
        await harness.shows("That turn ended before the second Esc. Nothing was aborted.")
        assert harness.client.calls("abort") == []


async def test_escape_without_a_turn_aborts_nothing() -> None:
    async with app_harness() as harness:
        await harness.press("escape", "escape")
        assert harness.client.calls("abort") == []


async def test_an_open_dialog_blocks_others_but_allows_reconnecting() -> None:
    async with app_harness() as harness:
        for dialog, *others in (("f1", "f2", "f3"), ("f2", "f3"), ("f3", "f2")):
            await harness.press(dialog)
            [_, opened] = harness.app.screen_stack
            await harness.press("ctrl+p", *others)
            assert harness.app.screen_stack[1:] == [opened]
            await harness.press("escape")
        await harness.press("f3")
        tried = len(harness.client.calls("restart_line"))
        await harness.press("f5")
        assert len(harness.client.calls("restart_line")) == tried + 1


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
    async with app_harness() as harness:
        for key in keys:
            await harness.press(key)
            await harness.until(lambda: harness.app.screen is not harness.main)
        dialog = harness.app.screen
        await harness.press("f1")
        await harness.shows(words, "Everywhere")
        await harness.press("f1")
        await harness.until(lambda: harness.app.screen is dialog)


async def test_f5_reconnects_and_focus_changes_are_passed_to_the_client() -> None:
    async with app_harness() as harness:
        await harness.press("f5")
        assert len(harness.client.calls("restart_line")) == 1
        harness.app.on_app_blur()
        harness.app.on_app_focus()
        assert harness.client.calls("looked_at") == [(False,), (True,)]
        assert harness.client.calls("on_user_input")


async def test_the_session_picker_filters_opens_and_creates() -> None:
    async with app_harness() as harness:
        harness.client.feed(
            e.SessionUpserted(sample.session("ses_2", "Second [/] thing", updated=2.0)),
            e.StatusChanged("ses_2", Busy()),
        )
        await harness.press("f2")
        await harness.until(lambda: isinstance(harness.app.screen, SessionPicker))
        await harness.shows("Second [/] thing", "● running", "· idle")
        await harness.press(*"second")
        await harness.hides("· idle")
        await harness.press("enter")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_2")
        await harness.press("f2")
        await harness.until(lambda: isinstance(harness.app.screen, SessionPicker))
        await harness.press("ctrl+n")
        await harness.until(lambda: harness.app.presenter.session_id is None)
        await harness.shows("Type a prompt")


async def test_older_messages_are_loaded_at_the_top() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(*sample.at_work(), sample.text("word\n\n" * 40, part_id="prt_9"))
        await harness.until(lambda: harness.main.transcript.max_scroll_y > 20)
        await harness.press("pageup")
        await harness.shows("End")
        for _ in range(8):
            await harness.press("pageup")
        await harness.until(lambda: harness.client.calls("load_older") == [(sample.SESSION,)])
        await harness.press("end")
        await harness.until(lambda: harness.main.transcript.following)


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
    async with app_harness(client=client) as harness:
        harness.run_turn()
        await harness.press("ctrl+q")
        await harness.until(lambda: isinstance(harness.app.screen, Confirm))
        await harness.shows(words)
        await harness.press("escape")
        await harness.until(lambda: not isinstance(harness.app.screen, Confirm))
        await harness.press("ctrl+c")
        await harness.until(lambda: isinstance(harness.app.screen, Confirm))
        await harness.press("enter")
        await harness.until(lambda: harness.app._exit)


async def test_quitting_without_a_turn_closes_the_client() -> None:
    client = FakeClient()
    async with app_harness(client=client) as harness:
        await harness.press("ctrl+q")
        await harness.until(lambda: harness.app._exit)
    assert client.closed


async def test_ctrl_c_copies_the_selection() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press(*"words")
        harness.main.prompt.select_all()
        await harness.press("ctrl+c")
        assert harness.app.clipboard == "words"
        assert not isinstance(harness.app.screen, Confirm)


async def test_help_lists_the_keys_of_the_focused_part() -> None:
    async with app_harness() as harness:
        await harness.press("f1")
        await harness.until(lambda: isinstance(harness.app.screen, Help))
        await harness.shows("In the prompt", "newline", "Everywhere", "F5")
        await harness.press("escape", "tab", "f1")
        await harness.shows("In the transcript")


async def test_the_palette_lists_our_commands() -> None:
    async with app_harness() as harness:
        await harness.press("ctrl+p")
        for name in ("Reconnect", "New session", "Theme", "Inbox", "Copy code", "Editor"):
            await harness.press("ctrl+u", *name)
            await harness.shows(f"  {name}  ")


async def test_the_family_is_named_on_the_start_page_and_in_help() -> None:
    client = FakeClient()
    client.server, client.traits = ServerInfo("0.24.4\x1b[2J", 0.011), Traits("qwen")
    async with app_harness(client=client, session=None, size=(80, 24)) as harness:
        await harness.shows("Connected to 127.0.0.1:4096: qwen serve 0.24.4")
        await harness.press("f1")
        await harness.shows("qwen serve 0.24.4", "at 127.0.0.1:4096")


async def test_the_palette_says_that_aborting_needs_confirmation() -> None:
    async with app_harness() as harness:
        about = {command.title: command.help for command in harness.app.get_system_commands(harness.app.screen)}
        assert about["Abort the turn"] == "Asks once more: Esc within 3 seconds aborts (Esc Esc)"


async def test_the_footer_shows_the_keys_that_work_now() -> None:
    async with app_harness() as harness:
        await harness.shows("Enter send", "^J newline", "F1 help")
        await harness.hides("Esc Esc")
        harness.run_turn()
        await harness.shows("Enter send after the turn  ^S send now", "Esc Esc abort", "F1 help")
        await harness.press(*"more")
        await harness.shows("Enter send after the turn  ^S send now")
        await harness.press("tab")
        await harness.shows("j k tool calls")


async def test_each_cut_is_reported_and_can_be_pasted() -> None:
    async with app_harness(size=(80, 24)) as harness:
        for words in ("one", "two"):
            await harness.press(*words, "ctrl+x")
            assert harness.main.prompt.text == ""
            await harness.shows("1 line cut, and sent to the terminal's clipboard. ^V pastes it")
            await harness.pilot.click(harness.main.notices)
            await harness.hides("1 line cut")
        await harness.press("ctrl+x")
        assert "cut" not in harness.text
        await harness.press("ctrl+v")
        assert harness.main.prompt.text.strip() == "two", "nothing was cut the third time"


async def test_the_abort_key_is_shown_while_prompts_are_queued() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.run_turn()
        await harness.press(*"more", "enter")
        await harness.shows("⇧Tab queue  Esc Esc abort", "F1 help")
        await harness.hides("Enter send")
        await harness.press("a")
        await harness.shows("Enter send after these  ^S send now  ⇧Tab queue  Esc Esc abort", "F1 help")


@pytest.mark.parametrize("word", ["/zz", "see @READ"])
async def test_the_tab_hint_is_shown_for_a_completable_name(word: str) -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.run_turn()
        await harness.press(*word)
        await harness.shows(" Tab complete  Enter send after the turn", "F1 help")
        await harness.press("home")
        await harness.hides("Tab complete")
        await harness.press("end")
        await harness.shows(" Tab complete")
        await harness.press("space", "x")
        await harness.shows(" Enter send after the turn")


async def test_letters_typed_in_the_transcript_go_to_the_prompt() -> None:
    async with app_harness() as harness:
        await harness.press("tab", "h", "i")
        assert harness.main.prompt.text == "hi"


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
    async with app_harness(session=None, client=FakeClient(line=line), size=size) as harness:
        await harness.shows(*words)
        assert "lost" not in harness.text


async def test_a_server_that_was_connected_is_shown_as_lost() -> None:
    async with app_harness(session=None) as harness:
        harness.client.set_line(NO_SERVER)
        await harness.shows("↻ lost: cannot connect: connection refused", "try 3 in 4s")


MARKUP_TEXT = "[/] [bold red]x[/bold red] [@click=app.exit]y[/]"


@pytest.mark.parametrize(
    "tell",
    [
        lambda client: client.tell(Notice(MARKUP_TEXT)),
        lambda client: client.feed(e.SessionUpserted(sample.session(title=MARKUP_TEXT))),
        lambda client: client.feed(*sample.prompt(MARKUP_TEXT)),
        lambda client: client.feed(*sample.prompt(), sample.answer_begins(), sample.text(MARKUP_TEXT)),
        lambda client: client.feed(
            *sample.prompt(), sample.answer_begins(), sample.tool(tool="[x]", title=MARKUP_TEXT)
        ),
        lambda client: client.set_line(ConnectionStatus(ConnectionState.RECONNECTING, reason=MARKUP_TEXT)),
        lambda client: client.set_line(ConnectionStatus(ConnectionState.STOPPED, reason="no", hint=MARKUP_TEXT)),
    ],
)
async def test_server_text_is_never_read_as_markup(tell: Callable[[FakeClient], None]) -> None:
    async with app_harness(size=(200, 40)) as harness:
        tell(harness.client)
        await harness.shows(MARKUP_TEXT)


async def test_a_burst_of_changes_is_shown_in_order() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("", state="streaming"))
        harness.client.feed(*[sample.delta(f"w{row} ") for row in range(500)])
        await harness.shows("w498 w499")
        assert "w0 w1 w2" in harness.text


async def test_changes_of_another_session_are_not_shown() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "Elsewhere")))
        harness.client.store.open_transcript("ses_2")
        harness.client.feed(e.MessageUpserted(Message("msg_x", "ses_2", "user", 1.0)))
        harness.client.feed(*sample.prompt())
        await harness.shows("Move the session store")
        assert len(harness.main.transcript.query("MessageView")) == 1


async def test_the_outcome_of_an_earlier_runs_answer_is_shown_in_its_session() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "Weather bot")))
        harness.client.tell(ReplyStatusChanged(sample.asked_in("ses_2", "que_9"), "acknowledged"))
        harness.client.tell(ReplyStatusChanged(sample.asked_in(sample.SESSION, "que_10"), "expired"))
        await harness.shows("Weather bot", "the server has your answer")
        assert "the server has your answer" not in harness.main.transcript.text
        assert "expired" in harness.main.transcript.text


async def test_ui_state_of_requests_is_removed_when_they_close() -> None:
    async with app_harness() as harness:
        for number in range(6):
            request = sample.asked_in(sample.SESSION, f"que_{number}")
            harness.client.feed(e.RequestOpened(request))
            harness.client.tell(ReplyStatusChanged(request, "sending"))
            await harness.pilot.pause(0)
            harness.client.feed(e.QuestionAnswered(sample.SESSION, request.id, (("5432",),)))
            harness.client.tell(ReplyStatusChanged(request, "acknowledged"))
        await harness.settled()
        ui_state = harness.app.presenter.panel.ui_state
        assert ui_state == RequestUiState(ui_state.saved)


async def test_only_a_chosen_theme_is_saved() -> None:
    chosen: list[str] = []
    async with app_harness(keep_theme=chosen.append) as harness:
        assert chosen == []
        await harness.press("ctrl+p", *"theme", "enter")
        await harness.shows("nord")
        await harness.press(*"nord", "enter")
        await harness.until(lambda: harness.app.theme == "nord")
        assert chosen == ["nord"]


async def test_warnings_of_the_settings_are_shown() -> None:
    async with app_harness(warnings=["Others can read it.\nchmod 600 it"]) as harness:
        await harness.shows("Others can read it. · chmod 600 it")
