from typing import Any

import pytest
from msgspec.structs import replace

from tui.core.changes import AbortProgress, AbortState
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.diagnosis import Diagnosis, Kind
from tui.core.model import Prompt, Retrying
from tui.core.poll_schedule import PollSchedule
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.widgets.status.turn_status import end_text, missing_session_text, quiet_text, turn_text

NOW = 1000.0
SERVER_NOW = 1_700_000_000.0
LIVE = ConnectionStatus(ConnectionState.LIVE, age=2.0)
LATE = ConnectionStatus(ConnectionState.QUIET, age=16.0)
LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=1, retry_in=1.0, reason="connection reset")
NO_SERVER = ConnectionStatus(ConnectionState.RECONNECTING, attempt=3, reason="cannot connect: connection refused")


def turn(state: TurnState = TurnState.RUNNING, **fields: Any) -> Turn:
    begun = Turn.begin(Prompt("ses_1", "words", "msg_1", "prt_1"), NOW - 724)
    post = {
        name: fields.pop(name)
        for name in ("held", "headers_at", "padding_bytes", "last_padding", "sent_at")
        if name in fields
    }
    return replace(begun, **({"state": state, "last_activity": NOW, "post": replace(begun.post, **post)} | fields))


def words(turn: Turn, line: ConnectionStatus = LIVE) -> str:
    return turn_text(turn, line, NOW, SERVER_NOW).plain


def amiss(kind: Kind, **fields: Any) -> str:
    return turn_text(turn(**fields), LIVE, NOW, SERVER_NOW, Diagnosis(kind, 370)).plain


def test_sending() -> None:
    assert words(turn(TurnState.SENDING, started=NOW - 3)) == "sending… 3s"


def test_padding_is_counted_as_heartbeats() -> None:
    assert (
        words(turn(padding_bytes=72, last_padding=NOW - 4)) == "turn 12:04 · request open, 72 heartbeats, last 4s ago"
    )
    assert words(turn(padding_bytes=1, last_padding=NOW)) == "turn 12:04 · request open, 1 heartbeat, last 0s ago"


def test_a_post_without_data_is_shown_as_such() -> None:
    """No claim about the rest of the turn: it may pad late, and headers may come with its first padding."""
    assert words(turn(started=NOW - 12, sent_at=NOW - 12)) == "turn 0:12 · request open, no heartbeat yet"
    assert words(turn()) == "turn 12:04 · request open, no data on it yet; connection live"


def test_the_turn_status_and_the_header_agree_on_a_quiet_connection() -> None:
    assert words(turn(), LATE) == "turn 12:04 · request open, no data on it yet; connection quiet"
    assert words(turn(held=False), LATE) == "turn 12:04 · tracked by events; connection quiet"
    still = turn_text(turn(), LATE, NOW, SERVER_NOW, Diagnosis(Kind.STALLED, 370)).plain
    assert "no progress for 6 min, and the connection is quiet" in still


def test_headers_without_a_heartbeat_yet() -> None:
    assert words(turn(headers_at=NOW - 5)) == "turn 12:04 · request open, no heartbeat yet"


def test_a_followed_turn() -> None:
    assert words(turn(held=False)) == "turn 12:04 · running on the server, tracked by events"


def test_waiting_for_the_user() -> None:
    waiting = turn(TurnState.WAITING, padding_bytes=2, last_padding=NOW, waiting_since=NOW - 190)
    assert words(waiting).endswith("· needs answer 3 min")


def test_a_provider_retry_counts_down_by_the_servers_clock() -> None:
    retrying = turn(TurnState.RETRYING, retry=Retrying(3, "429", SERVER_NOW + 8))
    assert words(retrying) == "model provider error (429) · the server retries in 8s (3rd)"
    assert words(turn(TurnState.RETRYING, retry=Retrying(1, "", None))).endswith("retries (1st)")
    assert words(turn(TurnState.RETRYING, retry=Retrying(0, "", None))).endswith("retries")


def test_a_stalled_turn_has_advice() -> None:
    still = amiss(Kind.STALLED, last_activity=NOW - 370)
    assert "no progress for 6 min, though connected" in still
    assert "a lost turn. Wait, or abort with Esc Esc" in still
    assert "a lost turn" not in amiss(Kind.STALLED, padding_bytes=9)


@pytest.mark.parametrize(
    ("kind", "shown", "advice"),
    [
        (Kind.NO_EVENTS, "heartbeats but no events for 6 min; polling the server instead", "doctor"),
        (Kind.NO_ANSWERS, "answers its health check, but nothing about this session, for 6 min", "restart it"),
        (Kind.SILENT, "answered nothing for 6 min, not even its health check", "the network is stalled"),
        (Kind.NO_RESPONSE, "the server has the prompt, but no answer has started for 6 min", "abort with Esc Esc"),
    ],
)
def test_each_diagnosis_has_advice(kind: Kind, shown: str, advice: str) -> None:
    first, then = amiss(kind).split("\n")
    assert shown in first
    assert advice in then


def test_no_diagnosis_is_shown_while_disconnected() -> None:
    shown = turn_text(turn(), LOST, NOW, SERVER_NOW, Diagnosis(Kind.NO_ANSWERS, 370)).plain
    assert "unknown while disconnected" in shown
    assert "health check" not in shown


def test_a_turn_with_an_unknown_start_shows_a_lower_bound() -> None:
    seen = turn(start_unknown=True, held=False)
    assert words(seen).startswith("turn at least 12:04 · running on the server")
    seen.state, seen.ended = TurnState.FINISHED, NOW
    assert end_text(seen).plain == "✓ finished in at least 12:04"


def test_no_duration_is_shown_if_the_end_was_missed() -> None:
    """Without a record of its end, the outage would be counted as part of the turn."""
    assert end_text(turn(TurnState.FINISHED)).plain == "✓ finished"
    assert end_text(turn(TurnState.FINISHED, reason="with a later prompt")).plain == "✓ finished: with a later prompt"
    assert end_text(turn(TurnState.ABORTED, reason="elsewhere", start_unknown=True)).plain == "■ aborted: elsewhere"
    assert end_text(turn(TurnState.FINISHED, took=0.3)).plain == "✓ finished in 0:00"


def test_a_turn_in_an_idle_session_shows_a_status_check() -> None:
    idle = turn(held=False, _polls=PollSchedule(idle_since=NOW - 1))
    assert words(idle) == "turn 12:04 · checking its status…"
    assert words(turn(held=True, padding_bytes=1, last_padding=NOW, _polls=PollSchedule(idle_since=NOW))).endswith(
        "request open, 1 heartbeat, last 0s ago"
    )
    assert "unknown while disconnected" in words(idle, LOST)


@pytest.mark.parametrize("state", [TurnState.RUNNING, TurnState.WAITING])
def test_after_an_outage_a_turn_shows_a_status_check_until_polled(state: TurnState) -> None:
    missed = turn(state, held=False, unwatched=True, waiting_since=NOW - 190)
    assert words(missed) == "turn 12:04 · checking its status…"
    assert words(replace(missed, unwatched=False)) != words(missed)


def test_a_turn_is_unknown_while_disconnected() -> None:
    for state in (TurnState.RUNNING, TurnState.WAITING, TurnState.RETRYING):
        shown = words(turn(state), LOST)
        assert shown == "turn 12:04 · unknown while disconnected; it continues if the server is up"


def test_cancellation_on_disconnect_is_shown_while_disconnected() -> None:
    shown = words(turn(cancels_on_disconnect=True), LOST)
    assert shown.endswith("this server ends a turn when its client disconnects")
    shown = words(turn(cancels_on_disconnect=None), LOST)
    assert shown.endswith("this server may end a turn when its client disconnects")


def test_heartbeats_of_the_post_count_while_disconnected() -> None:
    assert "request open, 9 heartbeats, last 4s ago" in words(turn(padding_bytes=9, last_padding=NOW - 4), LOST)
    assert "unknown" in words(turn(padding_bytes=9, last_padding=NOW - 90), LOST)


def test_a_failed_request_is_not_shown_as_disconnected() -> None:
    failed = turn(TurnState.UNKNOWN, reason="502 Bad Gateway", held=False)
    assert words(failed) == "turn 12:04 · unknown: its request failed (502 Bad Gateway) · checking its status…"
    assert words(failed, LATE) == words(failed)


def test_no_status_check_is_shown_while_disconnected() -> None:
    failed = turn(TurnState.UNKNOWN, reason="connection reset", held=False)
    assert "asking" not in words(failed, LOST)
    assert "unknown while disconnected" in words(failed, LOST)
    stopped = ConnectionStatus(ConnectionState.STOPPED, reason="password refused")
    assert "unknown while disconnected" in words(failed, stopped)


@pytest.mark.parametrize(
    ("state", "reason", "line", "shown"),
    [
        ("unsent", "no connection", LOST, "abort not sent yet: no connection"),
        ("sending", "", LIVE, "sending the abort…"),
        ("retrying", "the server closed the connection", LIVE, "abort not confirmed: the server closed the"),
        ("delivered", "", LIVE, "aborting: waiting for the server to end it"),
        ("delivered", "", LOST, "the server has the abort · not connected, so its effect is unknown"),
        ("stopped", "password refused", LOST, "abort not sent: password refused · fix it, then F5"),
    ],
)
def test_an_abort_under_way(state: AbortState, reason: str, line: ConnectionStatus, shown: str) -> None:
    for one in (turn(), turn(TurnState.SENDING), turn(TurnState.UNKNOWN)):
        assert shown in turn_text(one, line, NOW, SERVER_NOW, abort=AbortProgress(state, reason)).plain


@pytest.mark.parametrize(
    ("state", "reason", "shown"),
    [
        (TurnState.FINISHED, "", "✓ finished in 12:04"),
        (TurnState.FAILED, "the model is gone", "✗ failed: the model is gone"),
        (TurnState.ABORTED, "aborted elsewhere", "■ aborted after 12:04: aborted elsewhere"),
        (TurnState.INTERRUPTED, "the server stopped", "! interrupted: the server stopped · send again to continue"),
        (TurnState.NOT_SENT, "refused", "↩ not sent: refused · “words” went back to the prompt"),
    ],
)
def test_the_end_of_a_turn(state: TurnState, reason: str, shown: str) -> None:
    assert end_text(turn(state, reason=reason, ended=NOW)).plain == shown


def test_a_cancelled_turn_names_the_servers_behaviour() -> None:
    ended = turn(TurnState.CANCELLED, reason="connection reset", ended=NOW, cancels_on_disconnect=True)
    shown = end_text(ended).plain
    assert shown.startswith("! cancelled: this server ends a turn when its client disconnects (connection reset)")


def test_a_cancelled_turn_names_no_unknown_behaviour() -> None:
    ended = turn(TurnState.CANCELLED, reason="connection reset", ended=NOW, cancels_on_disconnect=None)
    shown = end_text(ended).plain
    assert shown.startswith("! cancelled: the server aborted it when its connection broke (connection reset)")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (LIVE, "ready"),
        (ConnectionStatus(ConnectionState.CONNECTING), "connecting…"),
        (LOST, "not connected: connection reset · prompts wait here"),
        (NO_SERVER, "not connected: connection refused · prompts wait here"),
        (ConnectionStatus(ConnectionState.STOPPED, hint="Set HOLDFAST_PASSWORD."), "Set HOLDFAST_PASSWORD."),
    ],
)
def test_without_a_turn(line: ConnectionStatus, shown: str) -> None:
    assert quiet_text(line).plain == shown


def test_an_unknown_session_is_not_shown_as_deleted() -> None:
    shown = missing_session_text(ConnectionStatus(ConnectionState.LIVE), readable=False, unknown="ses_typo").plain
    assert "no session ses_typo on this server" in shown
    assert "deleted" not in shown


@pytest.mark.parametrize(("readable", "message"), [(True, "It can still be read here; sending"), (False, "\nSending")])
def test_a_deleted_session_is_readable_only_if_loaded(readable: bool, message: str) -> None:
    shown = missing_session_text(ConnectionStatus(ConnectionState.LIVE), readable=readable).plain
    assert f"{message} starts a new session." in shown
