"""Turn status: the line above the prompt, with what is known about the turn.

The connection and the turn have separate texts, as a live connection says nothing about a turn. While disconnected,
what cannot be known is shown as unknown.
"""

from typing import assert_never

from textual.content import Content

from tui.config.key_lookup import key
from tui.core.changes import AbortProgress
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.diagnosis import Diagnosis, Kind
from tui.core.recorded_end import RecordedEnd
from tui.core.sanitize import excerpt, single_line
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.widgets.base.format import clock, ordinal, span
from tui.widgets.base.static_text import ACCENT, ERROR, MUTED, PLAIN, SUCCESS, WARNING, StaticText, bounded

PADDING_FRESH_SECONDS = 60.0
"""Seconds. Padding newer than this proves that the prompt's request is still connected."""
FIRST_PADDING_TIMEOUT = 35.0
"""Seconds within which the first padding arrives: servers that pad do so every 10 or 30 s; MiMo Code sends even its
headers with the first padding. Without padding, nothing arrives before the turn ends."""

PROMPT_QUOTED = 40
"""Characters quoted of a prompt that was not sent."""


def turn_text(
    turn: Turn,
    line: ConnectionStatus,
    now: float,
    server_now: float,
    trouble: Diagnosis | None = None,
    abort: AbortProgress | None = None,
) -> Content:
    """Return the state of a running turn and possible problems; `abort`: the progress of a requested abort.

    `now` is the turn's clock, `server_now` the server's time in epoch seconds.
    """
    elapsed = Content.styled(f"turn {_lasted(turn, now)}", PLAIN)
    if abort is not None:
        return Content.assemble(elapsed, (f" · {_aborting(abort, line)}", WARNING))
    if turn.state is TurnState.SENDING:
        return Content.assemble("sending… ", (span(now - turn.started), MUTED))
    if trouble is not None and line.up:
        return _amiss(trouble, turn, line, elapsed)
    if turn.state is TurnState.UNKNOWN and line.up:
        why = f" ({single_line(turn.reason)})" if turn.reason else ""
        return Content.assemble(elapsed, (f" · unknown: its request failed{why} · checking its status…", WARNING))
    held = _held(turn, line, now)
    if not line.up:
        return Content.assemble(elapsed, _while_down(turn, now, held))
    match turn.state:
        case TurnState.WAITING if not turn.unwatched:
            lasts = "" if turn.waiting_since is None else f" {span(now - turn.waiting_since)}"
            return Content.assemble(elapsed, (held, MUTED), (f" · needs answer{lasts}", ACCENT))
        case TurnState.RETRYING:
            return _retrying(turn, server_now)
        case TurnState.RUNNING | TurnState.WAITING:
            return Content.assemble(elapsed, (held, MUTED))
        case _:
            return Content(turn.state.value)


def _aborting(abort: AbortProgress, line: ConnectionStatus) -> str:
    match abort.state:
        case "unsent":
            return f"abort not sent yet: {single_line(abort.reason)}"
        case "sending":
            return "sending the abort…"
        case "retrying":
            return f"abort not confirmed: {single_line(abort.reason)} · trying again"
        case "stopped":
            return f"abort not sent: {single_line(abort.reason)} · fix it, then {key('retry')}"
        case "delivered" if line.up:
            return "aborting: waiting for the server to end it"
        case "delivered":
            return "the server has the abort · not connected, so its effect is unknown"
        case _:
            assert_never(abort.state)


def _lasted(turn: Turn, until: float) -> str:
    """Return the turn's duration until then; a lower bound if its start is unknown."""
    return f"{'at least ' if turn.start_unknown else ''}{clock(until - turn.started)}"


def _held(turn: Turn, line: ConnectionStatus, now: float) -> str:
    late = line.state is ConnectionState.QUIET
    if not turn.post.held:
        if (turn.checking or turn.unwatched) and line.up:
            return " · checking its status…"
        if late:
            return " · tracked by events; connection quiet"
        return " · running on the server, tracked by events"
    if turn.post.padding_bytes:
        beats = "1 heartbeat" if turn.post.padding_bytes == 1 else f"{turn.post.padding_bytes} heartbeats"
        last = "" if turn.post.last_padding is None else f", last {span(now - turn.post.last_padding)} ago"
        return f" · request open, {beats}{last}"
    if turn.post.headers_at is not None or now - turn.post.sent_at < FIRST_PADDING_TIMEOUT:
        return " · request open, no heartbeat yet"
    return f" · request open, no data on it yet; connection {'quiet' if late else 'live'}"


def _while_down(turn: Turn, now: float, held: str) -> tuple[str, str]:
    if turn.post.held and turn.post.last_padding is not None and now - turn.post.last_padding < PADDING_FRESH_SECONDS:
        return f"{held} · text will arrive after reconnecting", WARNING
    if turn.cancels_on_disconnect is not False:
        does = "ends" if turn.cancels_on_disconnect else "may end"
        return f" · unknown while disconnected; this server {does} a turn when its client disconnects", WARNING
    return " · unknown while disconnected; it continues if the server is up", WARNING


def _retrying(turn: Turn, server_now: float) -> Content:
    retry = turn.retry
    if retry is None:
        return Content.styled("model provider error · the server retries", WARNING)
    message = single_line(retry.message)
    why = f": {message}" if "(" in message else f" ({message})" if message else ""
    wait = "" if retry.next_at is None else f" in {span(retry.next_at - server_now)}"
    attempt = f" ({ordinal(retry.attempt)})" if retry.attempt else ""
    return Content.styled(f"model provider error{why} · the server retries{wait}{attempt}", WARNING)


def _amiss(trouble: Diagnosis, turn: Turn, line: ConnectionStatus, elapsed: Content) -> Content:
    """Return a possible problem while connected, and advice."""
    lasted = span(trouble.since)
    match trouble.kind:
        case Kind.NO_EVENTS:
            what = f"heartbeats but no events for {lasted}; polling the server instead"
            advice = "This may be some seconds old. A proxy may be buffering events: run holdfast doctor."
        case Kind.NO_ANSWERS:
            what = f"the server answers its health check, but nothing about this session, for {lasted}"
            advice = "It may be stuck. Wait, or restart it: what it has stored is kept."
        case Kind.SILENT:
            what = f"the server has answered nothing for {lasted}, not even its health check"
            advice = f"The server or the network is stalled; the turn is checked on recovery. {key('retry')} retry now."
        case Kind.NO_RESPONSE:
            what = f"the server has the prompt, but no answer has started for {lasted}"
            advice = "The model may be slow or stuck. Wait, or abort with Esc Esc and send it again."
        case Kind.STALLED:
            held = turn.post.padding_bytes or turn.post.headers_at is not None
            lost = "long reasoning or a hanging command"
            lost += "" if held else ", or a lost turn"
            although = "and the connection is quiet" if line.state is ConnectionState.QUIET else "though connected"
            what = f"no progress for {lasted}, {although}"
            advice = f"Perhaps {lost}. Wait, or abort with Esc Esc."
        case _:
            assert_never(trouble.kind)
    return Content.assemble(elapsed, (f" · {what}", WARNING), (f"\n{advice}", MUTED))


def end_text(turn: Turn, *, begun: bool = True) -> Content:
    """Return the end of a turn for the transcript: outcome, reason, and duration if known.

    `begun`: an answer has at least started.
    """
    took = clock(turn.took) if turn.took is not None else ""
    if not took and turn.ended is not None:
        took = _lasted(turn, turn.ended)
    because = f": {excerpt(turn.reason)}" if turn.reason else ""
    match turn.state:
        case TurnState.FINISHED:
            return Content.assemble(("✓ finished", SUCCESS), (f"{took and f' in {took}'}{because}", MUTED))
        case TurnState.FAILED:
            return Content.styled(f"✗ failed{because}", ERROR)
        case TurnState.ABORTED if not begun:
            return Content.assemble(("■ aborted before it began", WARNING), (because, MUTED))
        case TurnState.ABORTED:
            return Content.assemble(("■ aborted", WARNING), (f"{took and f' after {took}'}{because}", MUTED))
        case TurnState.INTERRUPTED:
            return Content.assemble((f"! interrupted{because}", ERROR), (" · send again to continue", MUTED))
        case TurnState.CANCELLED:
            why = "the server aborted it when its connection broke"
            if turn.cancels_on_disconnect:
                why = "this server ends a turn when its client disconnects"
            reason = f" ({single_line(turn.reason)})" if turn.reason else ""
            return Content.assemble((f"! cancelled: {why}", ERROR), (f"{reason} · send again to continue", MUTED))
        case TurnState.NOT_SENT:
            what = "it" if turn.prompt is None else f"“{single_line(turn.prompt.text, PROMPT_QUOTED)}”"
            if turn.arrival_unknown:
                advice = f" · {what} went back to the prompt; sending it again may double it"
                return Content.assemble((f"? unknown whether the server has it{because}", ERROR), (advice, MUTED))
            return Content.assemble((f"↩ not sent{because}", ERROR), (f" · {what} went back to the prompt", MUTED))
        case TurnState.SENDING | TurnState.UNKNOWN | TurnState.RUNNING | TurnState.WAITING | TurnState.RETRYING:
            return Content("")
        case _:
            assert_never(turn.state)


def recorded_text(end: RecordedEnd) -> Content:
    """Return the end, from the server's record, of a turn that this client did not follow."""
    match end.how:
        case "finished":
            took = "" if end.took is None else f" in {clock(end.took)}"
            return Content.assemble(("✓ finished", SUCCESS), (took, MUTED))
        case "together":
            return Content.assemble(("✓ finished", SUCCESS), (": answered together with a later prompt", MUTED))
        case "rejected":
            return Content.assemble(("■ aborted", WARNING), (": a request was rejected", MUTED))
        case "between steps":
            return Content.styled("! interrupted: it ended between two steps; the server gives no reason", ERROR)
        case "early":
            return Content.styled("· ended early: the server does not say why", MUTED)
        case "stopped":
            return Content.styled("! interrupted: the server stopped during the answer", ERROR)
        case "unanswered":
            return Content.styled("· no answer: the server has none on record", MUTED)
        case "undated":
            return Content.styled("· the server does not say how it ended", MUTED)
        case _:
            assert_never(end.how)


def missing_session_text(line: ConnectionStatus, *, readable: bool = True, unknown: str = "") -> Content:
    """Return the text for a session that the server does not have; `readable`: its messages are loaded here.

    `unknown`: the id of a session that this server never listed, so it may not have been deleted.
    """
    what = (
        f"■ no session {unknown} on this server: check the id and the address"
        if unknown
        else "■ this session no longer exists on the server: deleted, or its storage was lost"
    )
    lost = Content.styled(what, ERROR)
    then = "sending starts a new session" if line.up else "what you write is kept until the connection is back"
    here = f"It can still be read here; {then}" if readable else then[0].upper() + then[1:]
    return Content.assemble(lost, (f"\n{here}.", MUTED))


def undone_text(prompts: int) -> Content:
    """Return the text for a session whose newest messages are undone on the server; they are not drawn."""
    what = "1 prompt and what followed is" if prompts == 1 else f"{prompts} prompts and what followed are"
    return Content.assemble(
        (f"↩ {what} undone", WARNING),
        ("\nThe next prompt removes them for good; Redo (^P) brings them back.", MUTED),
    )


def quiet_text(line: ConnectionStatus) -> Content:
    """Return the text shown while no turn runs."""
    match line.state:
        case ConnectionState.LIVE | ConnectionState.QUIET:
            return Content.styled("ready", MUTED)
        case ConnectionState.CONNECTING:
            return Content.styled("connecting…", MUTED)
        case ConnectionState.RECONNECTING:
            why = f": {single_line(line.reason).removeprefix('cannot connect: ')}" if line.reason else ""
            return Content.styled(f"not connected{why} · prompts wait here", WARNING)
        case ConnectionState.STOPPED:
            return Content.styled(single_line(line.hint) or f"Fix it, then press {key('retry')}.", ERROR)
        case _:
            assert_never(line.state)


class TurnStatus(StaticText):
    """Widget of the turn status: one line, or two if there is advice."""

    def show_turn(
        self,
        turn: Turn | None,
        trouble: Diagnosis | None,
        line: ConnectionStatus,
        now: float,
        server_now: float,
        abort: AbortProgress | None = None,
    ) -> None:
        if turn is None or turn.over:
            self.show_text(quiet_text(line))
            return
        words = turn_text(turn, line, now, server_now, trouble, abort)
        stopped = line.state is ConnectionState.STOPPED
        self.show_text(Content("\n").join([words, quiet_text(line)]) if stopped else words)

    def show_text(self, words: Content) -> None:
        words = bounded(words)
        self.show(words, layout=self._rows(words) != self._rows(self._shown))

    def _rows(self, words: Content) -> int:
        width = max(1, self.size.width)
        return sum(-(-max(1, line.cell_length) // width) for line in words.split("\n"))
