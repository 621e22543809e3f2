"""What must hold after the faults are over and the system is idle: one function each, one message per violation.

An invariant weaker than the plain one has the reason in its docstring.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Any, TypeAlias, assert_never

from tests.chaos.evidence import BY_WHOM_UNKNOWN, Case, unsupported_claim
from tests.chaos.families import Family
from tests.chaos.server_record import Piece, ServerRecord, Stored
from tests.chaos.user import GivenReply, Sent, SimulatedUser
from tui.core.backoff import BASE, CAP, JITTER
from tui.core.model import (
    Busy,
    FilePart,
    FullMessage,
    Message,
    NotePart,
    Part,
    ReasoningPart,
    Retrying,
    TextPart,
    ToolPart,
)
from tui.core.turn_state import TurnState

UNKNOWN_FOR = 25.0
"""Seconds without data after which a client counts an event stream as lost."""

Differences: TypeAlias = Iterator[str]
Runs: TypeAlias = Mapping[str, int]
"""How often the model started to answer the prompt with a token."""


def hold_when_idle(user: SimulatedUser, server_record: ServerRecord) -> Differences:
    """Invariants that hold even while requests wait for the user."""
    yield from acknowledged_answers_are_the_servers(user, server_record)
    yield from the_store_equals_the_server(user, server_record)
    yield from requests_on_screen_are_the_servers(user, server_record)
    yield from counts_are_the_servers(user, server_record)
    yield from answers_elsewhere_are_another_clients(user, server_record)


def at_the_end(
    user: SimulatedUser,
    server_record: ServerRecord,
    runs: Runs,
    family: Family,
    *,
    aborts: bool,
    others_abort: bool,
    deaths: bool,
    dropped_texts: Set[tuple[str, str]],
) -> Differences:
    """Invariants that hold once everything is answered and no turn runs.

    `aborts`: someone requested one, `others_abort`: another client did; `deaths`: an agent crashed; `dropped_texts`:
    message and part of each text of which the server dropped events.
    """
    yield from prompts_arrived_once_or_are_shown_as_not_sent(user, server_record)
    yield from the_model_ran_once(user, server_record, runs, family)
    yield from turn_ends_match_the_server(user, server_record, family, aborts=aborts, deaths=deaths)
    yield from reasons_are_the_servers(user, server_record, family, others_abort=others_abort)
    yield from no_words_were_shown_with_a_hole(user, server_record, set() if family.numbers_events else dropped_texts)
    yield from connections_keep_to_the_backoff(user)
    yield from nothing_is_sent_after_401(user)


def prompts_arrived_once_or_are_shown_as_not_sent(user: SimulatedUser, server_record: ServerRecord) -> Differences:
    """a. Each prompt has one user message with its text once; or none, and is shown as *not sent* or queued.

    A prompt that is aborted right after its arrival may be cancelled before its text is stored (measured on qwen): the
    screen shows what the server does.
    """
    for sent in user.sent.values():
        found = server_record.prompts(sent.token)
        texts = [words for message in found for words in message.words]
        if len(found) > 1 or len(texts) > 1:
            yield f"prompt {sent.token} is there {len(found)} times, with {len(texts)} texts"
        if (
            sent.turn is not None
            and sent.turn.prompt_id in server_record.dropped
            and sent.turn.state is TurnState.ABORTED
        ):
            continue
        not_sent = sent.turn.state is TurnState.NOT_SENT if sent.turn is not None else user.waits(sent)
        if found and not_sent:
            yield f"prompt {sent.token} is on the server and shown as {_shown(sent)}"
        if not found and not not_sent:
            yield f"prompt {sent.token} is not on the server and shown as {_shown(sent)}"


def the_model_ran_once(user: SimulatedUser, server_record: ServerRecord, runs: Runs, family: Family) -> Differences:
    """b. Each delivered prompt is answered once.

    No answer is valid if the screen says so: it was aborted or interrupted before its start, or merged with a later
    prompt (where only the newest is answered).
    """
    for sent in user.sent.values():
        count = runs.get(sent.token, 0)
        if count > 1:
            yield f"the model ran {count} times for prompt {sent.token}, shown as {_shown(sent)}"
        if count > 0 or not server_record.prompts(sent.token) or sent.turn is None:
            continue
        if sent.turn.state not in _unbegun(sent, server_record, family):
            yield f"the model never ran for prompt {sent.token}, shown as {_shown(sent)}"


def turn_ends_match_the_server(
    user: SimulatedUser, server_record: ServerRecord, family: Family, *, aborts: bool, deaths: bool
) -> Differences:
    """b, second half: the shown state of a turn agrees with the server's messages.

    A prompt without its own answer ended like the later one it was merged with, or never started. An answer that ended
    between two steps does not say why: a dismissed question, a later prompt, an abort, a crash. A turn aborted by the
    user after a crash had ended it is shown as aborted. If a turn is aborted when its POST breaks, the server has it as
    aborted, and the connection is the cause unless someone requested an abort; a half-open POST shows nothing of that,
    and then the turn may be shown as aborted by another client or by the server. If a rejected request ended the turn,
    clients that saw the rejection say so. The server reports an agent's crash once; afterwards its record has an error
    without a text.
    """
    for sent in user.sent.values():
        if sent.turn is None or not server_record.prompts(sent.token):
            continue
        answers = server_record.answers(_id_of(sent, server_record))
        if not answers:
            due = _unbegun(sent, server_record, family)
        elif answers[-1].between_steps:
            due = _unbegun(sent, server_record, family) | answers[-1].allowed_states
        else:
            due = _cut(answers[-1].allowed_states, family) | answers[-1].allowed_states
        if TurnState.INTERRUPTED in due and sent.turn.stops.abort_requested:
            due |= {TurnState.ABORTED}
        if family.turn_dies_with_its_post and not aborts and sent.turn.reason != BY_WHOM_UNKNOWN:
            due -= {TurnState.ABORTED}
        if answers and any(piece.call is not None and piece.call.rejected for piece in answers[-1].pieces):
            due |= {TurnState.ABORTED}
        if deaths and answers and answers[-1].unexplained:
            due |= {TurnState.INTERRUPTED}
        if sent.turn.state not in due:
            yield f"the turn of {sent.token} is shown as {_shown(sent)}; its last answer is {answers[-1:]}"


def _unbegun(sent: Sent, server_record: ServerRecord, family: Family) -> set[TurnState]:
    """The states that may be shown for a turn whose prompt has no complete answer on the server."""
    reported = {TurnState.ABORTED, TurnState.INTERRUPTED}
    reported |= _cut(reported, family)
    if family.newest_prompt_only:
        reported |= {
            allowed
            for answer in server_record.later_answers(_id_of(sent, server_record))[-1:]
            for allowed in answer.allowed_states
        }
    return reported


def _cut(allowed_states: Set[TurnState], family: Family) -> set[TurnState]:
    """If a turn is aborted when its POST breaks, an end without further record may be caused by the connection.

    It is shown as interrupted if nothing shows that the connection was lost.
    """
    unwanted = allowed_states & {TurnState.ABORTED, TurnState.INTERRUPTED}
    due = {TurnState.CANCELLED, TurnState.INTERRUPTED}
    return due if unwanted and family.turn_dies_with_its_post else set()


def _id_of(sent: Sent, server_record: ServerRecord) -> str | None:
    return server_record.prompts(sent.token)[0].id


def acknowledged_answers_are_the_servers(user: SimulatedUser, server_record: ServerRecord) -> Differences:
    """c. An acknowledged answer is the server's answer; an answer of ours that the server has is not shown as lost.

    After a crash or an abort that follows the acknowledgement there may be no answer: then its tool call is not
    completed, and the turn is shown accordingly. qwen records a call ended by an abort with the text of a rejected one.
    """
    for given in user.given.values():
        call = server_record.call(given.request.session_id, given.request.call_id)
        recorded = None if call is None else call.answers
        done = call is not None and call.state == "completed"
        if given.answers is not None:
            ours = [list(row) for row in given.answers]
            if given.state == "acknowledged" and recorded not in (None, ours):
                yield f"{_given(given)} was acknowledged, and the server has {recorded}"
            if given.state == "acknowledged" and recorded is None and done:
                yield f"{_given(given)} was acknowledged, and the server has none"
            if given.state in ("elsewhere", "expired", "refused", "stopped") and recorded == ours:
                yield f"{_given(given)} is shown as {given.state}, and the server has it"
        elif given.state == "acknowledged":
            aborts = (sent.turn.stops.abort_requested for sent in user.sent.values() if sent.turn is not None)
            if given.permission == "once" and call is not None and call.rejected and not any(aborts):
                yield f"{_given(given)} was acknowledged as allowed, and the server has it as rejected"
            if given.permission in (None, "reject") and done:
                yield f"{_given(given)} was acknowledged as dismissed, and its tool went on: {call}"


def the_store_equals_the_server(user: SimulatedUser, server_record: ServerRecord) -> Differences:
    """d. Messages, their parts and their order are the same; and every status.

    If the server stopped in the middle of a text, it keeps nothing of it and never sends it: the streamed text stays on
    screen, marked as partial, and must begin with the server's text.
    """
    store = user.client.store
    for session_id in server_record.messages:
        shown, busy = store.status(session_id), session_id in server_record.busy
        if isinstance(shown, Busy | Retrying) != busy:
            yield f"session {session_id} is {'busy' if busy else 'idle'}, shown as {shown}"
    transcript = store.transcript(server_record.session_id)
    if transcript is None:
        yield "no transcript is kept"
        return
    here = [FullMessage(one, tuple(transcript.parts_of(one.id))) for one in transcript.ordered()]
    there = server_record.messages[server_record.session_id]
    pairs = list(zip(here, there, strict=False))
    if len(here) != len(there) or not all(_is_of(shown.message, stored) for shown, stored in pairs):
        yield f"messages {[_head(one) for one in there]} are shown as {[_head_here(one.message) for one in here]}"
        return
    for shown_one, stored in pairs:
        yield from _same_message(shown_one, stored)


def no_words_were_shown_with_a_hole(
    user: SimulatedUser, server_record: ServerRecord, unknowable: Set[tuple[str, str]]
) -> Differences:
    """d, in between: text not marked as partial was a prefix of the final text at every moment.

    Text that a server has lost, by a crash or because the provider failed, cannot be compared. A client also cannot
    know of text that the server drops silently on a live stream whose events have no numbers: such a text
    (`unknowable`) may lack it until it ends, but has nothing else, all in order.
    """
    transcript = user.client.store.transcript(user.session_id)
    assert transcript is not None
    pieces = {
        (one.id, part.id): piece
        for one, stored in zip(transcript.ordered(), server_record.messages[server_record.session_id], strict=False)
        for part, piece in zip(transcript.parts_of(one.id), stored.pieces, strict=False)
    }
    for place, shown in user.shown.items():
        piece = pieces.get(place)
        if piece is None:
            yield f"part {place} is not there, and was shown as {shown}"
            continue
        fits = _comes_in if place in unknowable else str.startswith
        if piece.ended and not all(fits(piece.text, words) for words in shown):
            yield f"text {piece.text!r} was shown meanwhile as {shown}"


def _comes_in(text: str, words: str) -> bool:
    """Whether `words` is `text` with only pieces left out."""
    rest = iter(text)
    return all(char in rest for char in words)


def requests_on_screen_are_the_servers(user: SimulatedUser, server_record: ServerRecord) -> Differences:
    """e. The same requests are open in the client and on the server, except stale ones, which are not shown."""
    here = {request.id for request in user.client.store.requests_of(server_record.session_id)}
    for request_id in sorted(here - server_record.awaited):
        yield f"request {request_id} is on screen, and the server does not have it"
    for request_id in sorted(server_record.awaited - here):
        yield f"request {request_id} is open at the server, and not on screen"


def connections_keep_to_the_backoff(user: SimulatedUser) -> Differences:
    """f. Between two attempts at the event stream lies the backoff's delay, minus its jitter.

    Not if the user (F5, a new start) or a clock requested an immediate attempt. Attempts are counted from the last
    proof of the connection, or from the last stop: a manual retry restarts the count.
    """
    proofs = [*user.proofs, *(at for relay in user.relays for at in relay.proofs)]
    failures = 0
    for before, after in pairwise(sorted(user.attempts)):
        fresh = any(before <= good <= after for good in (*proofs, *user.starts, *user.stops))
        failures = 0 if fresh else failures + 1
        due = min(CAP, BASE * 2 ** max(0, failures - 1)) * (1 - JITTER)
        asked = any(before <= act <= after for act in (*user.acts, *user.starts))
        if after - before < due - 1e-6 and not asked:
            yield f"attempt at {after:.2f} s follows {after - before:.2f} s after another; {due:.2f} s are due"


def nothing_is_sent_after_401(user: SimulatedUser) -> Differences:
    """f, second half: while the screen says that the user must act first, only the user's actions send anything."""
    for one in user.exchanges:
        if one.stopped and not any(0 <= one.at - act < 0.01 for act in (*user.acts, *user.wishes)):
            yield f"{one.method} {one.path} at {one.at:.2f} s, though the line is stopped"


def no_aborted_turn_runs_on(user: SimulatedUser, server_record: ServerRecord) -> Differences:
    """i. When idle, the server is not waiting in a turn that the user asked to abort."""
    messages = server_record.messages[server_record.session_id]
    answers = [one for one in messages if one.role == "assistant"]
    if server_record.session_id not in server_record.busy or not answers:
        return
    prompts = [one for one in messages if one.role == "user" and one.id == answers[-1].parent]
    words = "".join(words for one in prompts for words in one.words)
    for abort in user.aborts:
        if words and words in abort.prompts:
            yield f"the turn of {words!r} runs on, though it was to be aborted at {abort.at:.2f} s"


def reasons_are_the_servers(
    user: SimulatedUser, server_record: ServerRecord, family: Family, *, others_abort: bool
) -> Differences:
    """h. The shown reason for a turn's end is in the server's record (`evidence`)."""
    users = [one for one in server_record.messages[server_record.session_id] if one.role == "user"]
    for sent in user.sent.values():
        if sent.turn is None or not sent.turn.over or sent.turn.prompt_id in server_record.dropped:
            continue
        found = server_record.prompts(sent.token)
        prompt_id = found[0].id if found else None
        case = Case(
            sent.turn,
            bool(found),
            tuple(server_record.answers(prompt_id)) if found else (),
            tuple(server_record.later_answers(prompt_id)) if found else (),
            later=len(users) > len(found),
            asked=any(sent.token in prompt for abort in user.aborts for prompt in abort.prompts),
            others_abort=others_abort,
            ends_on_disconnect=family.turn_dies_with_its_post,
        )
        wrong = unsupported_claim(case)
        if wrong is not None:
            yield f"the turn of {sent.token} {wrong}"


def counts_are_the_servers(user: SimulatedUser, server_record: ServerRecord) -> Differences:
    """h. The screen shows as many open requests as the server has, and no queued prompt is already on the server."""
    requests = user.client.store.requests.values()
    here = {
        request.id for request in requests if request.session_id in server_record.messages
    }  # others may be there too
    if here != server_record.awaited:
        yield f"{len(here)} requests wait by the screen ({here}), and {len(server_record.awaited)} at the server"
    for sent in user.sent.values():
        if user.waits(sent) and server_record.prompts(sent.token):
            yield f"prompt {sent.token} is counted among those that wait, and the server has it"


def answers_elsewhere_are_another_clients(user: SimulatedUser, server_record: ServerRecord) -> Differences:
    """h. *Answered elsewhere* and *expired* are not shown for a request that is open on the server."""
    for given in user.given.values():
        if given.state in ("acknowledged", "elsewhere", "expired") and given.request.id in server_record.awaited:
            yield f"{_given(given)} is shown as {given.state}, and the server waits for it"


def aborts_end_only_their_turn(
    user: SimulatedUser, begun: Sequence[tuple[float, str]], aborted: Sequence[tuple[float, str]]
) -> Differences:
    """i, second half: no abort was sent while the client knew that the server was in another turn.

    Nor did one hit another turn, as far as the server's record shows (`begun`: when the model started to answer which
    prompt; `aborted`: when an abort was sent, and what it found): an abort names no turn. But a turn may have started
    so shortly before that a client on an apparently live connection could not know of it.
    """
    for sent, known in user.aborts_sent:
        if known not in (meant := _aborted_prompts(user, sent)):
            yield f"an abort was sent at {sent:.2f} s, and the client knew that {known!r} ran; meant: {meant}"
    for sent, found in aborted:
        since = next(at for at, prompt in reversed(begun) if prompt == found)
        if found not in (meant := _aborted_prompts(user, sent)) and since < sent - UNKNOWN_FOR:
            yield f"an abort sent at {sent:.2f} s ended {found!r}, running since {since:.2f} s; meant: {meant}"


def _aborted_prompts(user: SimulatedUser, sent: float) -> set[str]:
    """The prompts whose turns the user had asked to abort by then."""
    return {prompt for abort in user.aborts if abort.at <= sent for prompt in abort.prompts}


def nothing_broke(user: SimulatedUser, broken: list[str]) -> Differences:
    """g. No part of the client stopped working, and no task or callback had an unhandled error."""
    yield from (f"shown: {notice}" for notice in user.trouble)
    yield from (f"fell through: {one}" for one in broken)


def _shown(sent: Sent) -> str:
    return "nowhere" if sent.turn is None else f"{sent.turn.state.value} ({sent.turn.reason})"


def _given(given: GivenReply) -> str:
    return f"answer {given.answers or given.permission or 'dismissed'} to {given.request.id}"


def _is_of(message: Message, stored: Stored) -> bool:
    """The same message, by all names that the server gives it."""
    same = (message.role, message.parent_id) == (stored.role, stored.parent)
    return same and stored.id in (None, message.id)


def _head_here(message: Message) -> tuple[Any, ...]:
    failure = None if message.failure is None else message.failure.kind
    return (message.id, message.role, message.parent_id, message.completed is not None, failure, message.final)


def _head(stored: Stored) -> tuple[Any, ...]:
    return (stored.id, stored.role, stored.parent, stored.completed, stored.failure, stored.final)


def _same_message(shown: FullMessage, stored: Stored) -> Differences:
    if _head_here(shown.message)[1:] != _head(stored)[1:]:
        yield f"message {_head(stored)} is shown as {_head_here(shown.message)}"
    there = [(piece.kind, piece.id) for piece in stored.pieces]
    here = [(_kind(part), part.id) for part in shown.parts]
    if len(here) != len(there) or not all(
        kind == kind_here and part_id in (None, id_here)
        for (kind, part_id), (kind_here, id_here) in zip(there, here, strict=True)
    ):
        yield f"parts {there} of {shown.message.id} are shown as {here}"
        return
    for here_one, there_one in zip(shown.parts, stored.pieces, strict=True):
        yield from _same_part(here_one, there_one, all_there=stored.completed)


def _kind(part: Part) -> str:
    match part:
        case TextPart():
            return "text"
        case ReasoningPart():
            return "reasoning"
        case ToolPart():
            return "tool"
        case FilePart():
            return "file"
        case NotePart():
            return "note"
        case _:
            assert_never(part)


def _same_part(shown: Part, stored: Piece, *, all_there: bool) -> Differences:
    """`all_there`: the message is complete; no more text follows."""
    match shown:
        case TextPart() | ReasoningPart():
            if all_there and (shown.text, shown.state) == (stored.text, "done"):
                return
            if stored.ended and (shown.text, shown.state) != (stored.text, "done"):
                yield f"text {stored.text!r} is shown as {shown.state}: {shown.text!r}"
            if not stored.ended and (shown.state == "done" or not shown.text.startswith(stored.text)):
                yield f"unfinished text {stored.text!r} is shown as {shown.state}: {shown.text!r}"
        case ToolPart() if stored.call is not None:
            call = stored.call
            there = (call.tool, call.state, call.output, shown.error if call.error is None else call.error)
            output = shown.output if shown.state == "completed" else ""
            here = (shown.tool, shown.state, output, shown.error)
            if there != here:
                yield f"tool call {there} is shown as {here}"
        case _:
            pass
