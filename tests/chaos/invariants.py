"""What must hold once the faults are over and the system is at rest: a function each, a message a difference.

A weaker rule than the plain one stands here only with the reason in its docstring.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Any, TypeAlias, assert_never

from tests.chaos.evidence import BY_WHOM_UNKNOWN, Case, unfounded
from tests.chaos.families import Family
from tests.chaos.person import Given, Person, Sent
from tests.chaos.truth import Piece, Stored, Truth
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
"""Seconds for which an event stream may bring nothing until a client counts it as lost."""

Differences: TypeAlias = Iterator[str]
Runs: TypeAlias = Mapping[str, int]
"""How often the model began to answer the prompt with a token."""


def at_any_rest(person: Person, truth: Truth) -> Differences:
    """What holds while requests wait for the person, too."""
    yield from acknowledged_answers_are_the_servers(person, truth)
    yield from the_store_equals_the_server(person, truth)
    yield from requests_on_screen_are_the_servers(person, truth)
    yield from counts_are_the_servers(person, truth)
    yield from answers_elsewhere_are_somebody_s(person, truth)


def at_the_end(
    person: Person,
    truth: Truth,
    runs: Runs,
    family: Family,
    *,
    aborts: bool,
    others_abort: bool,
    deaths: bool,
    unheard: Set[tuple[str, str]],
) -> Differences:
    """What holds once everything is answered and no turn runs.

    `aborts`: somebody asked for one, `others_abort`: somebody else did; `deaths`: an agent died; `unheard`: the
    message and part of each text of which nobody was told some.
    """
    yield from prompts_arrived_once_or_are_shown_as_not_sent(person, truth)
    yield from the_model_ran_once(person, truth, runs, family)
    yield from turns_end_as_the_server_says(person, truth, family, aborts=aborts, deaths=deaths)
    yield from reasons_are_the_servers(person, truth, family, others_abort=others_abort)
    yield from no_words_were_shown_with_a_hole(person, truth, set() if family.numbers_events else unheard)
    yield from connections_keep_to_the_backoff(person)
    yield from nothing_is_sent_after_401(person)


def prompts_arrived_once_or_are_shown_as_not_sent(person: Person, truth: Truth) -> Differences:
    """a. One user message for each prompt, with its words once; or none, and on screen *not sent*, or waiting.

    A prompt that is aborted the moment it came may be cancelled there before its words are stored (measured on
    qwen): the screen says of it what the server does.
    """
    for sent in person.sent.values():
        found = truth.prompts(sent.token)
        texts = [words for message in found for words in message.words]
        if len(found) > 1 or len(texts) > 1:
            yield f"prompt {sent.token} is there {len(found)} times, with {len(texts)} texts"
        if sent.turn is not None and sent.turn.prompt_id in truth.dropped and sent.turn.state is TurnState.ABORTED:
            continue
        not_sent = sent.turn.state is TurnState.NOT_SENT if sent.turn is not None else person.waits(sent)
        if found and not_sent:
            yield f"prompt {sent.token} is on the server and shown as {_shown(sent)}"
        if not found and not not_sent:
            yield f"prompt {sent.token} is not on the server and shown as {_shown(sent)}"


def the_model_ran_once(person: Person, truth: Truth, runs: Runs, family: Family) -> Differences:
    """b. Once for each prompt that arrived.

    Not at all is right where the screen says so: it was aborted or interrupted before it began, or it went
    together with a later prompt (where only the newest is answered).
    """
    for sent in person.sent.values():
        count = runs.get(sent.token, 0)
        if count > 1:
            yield f"the model ran {count} times for prompt {sent.token}, shown as {_shown(sent)}"
        if count > 0 or not truth.prompts(sent.token) or sent.turn is None:
            continue
        if sent.turn.state not in _unbegun(sent, truth, family):
            yield f"the model never ran for prompt {sent.token}, shown as {_shown(sent)}"


def turns_end_as_the_server_says(
    person: Person, truth: Truth, family: Family, *, aborts: bool, deaths: bool
) -> Differences:
    """b, the other half: what a turn is shown as is what the server's messages say became of it.

    A prompt without an answer of its own ended like a later one that took it along, or it never began. An answer
    that ended between two steps does not say why: a dismissed question, a later prompt, an abort, a crash. A turn
    that the person aborted after a crash had ended it is shown as what they asked for. Where a turn dies with its
    POST, the server has it as aborted, and the line is to blame unless somebody asked for that; a half-open POST
    shows nothing of it, and then the turn may be shown as aborted by somebody else or by the server. Where a
    rejected request ended it, that is said of it by whoever heard of the rejection. That an agent's death ended it
    the server tells once; afterwards it has an error there, without a word.
    """
    for sent in person.sent.values():
        if sent.turn is None or not truth.prompts(sent.token):
            continue
        answers = truth.answers(_id_of(sent, truth))
        if not answers:
            due = _unbegun(sent, truth, family)
        elif answers[-1].between_steps:
            due = _unbegun(sent, truth, family) | answers[-1].fates
        else:
            due = _cut(answers[-1].fates, family) | answers[-1].fates
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


def _unbegun(sent: Sent, truth: Truth, family: Family) -> set[TurnState]:
    """What a turn may be shown as whose prompt the server left without an answer to its end."""
    told = {TurnState.ABORTED, TurnState.INTERRUPTED}
    told |= _cut(told, family)
    if family.newest_prompt_only:
        told |= {fate for answer in truth.later_answers(_id_of(sent, truth))[-1:] for fate in answer.fates}
    return told


def _cut(fates: Set[TurnState], family: Family) -> set[TurnState]:
    """Where a turn dies with its POST, an end that the server has no more to say of may be the line's doing.

    As interrupted it is shown where nothing tells that the line was lost.
    """
    unwanted = fates & {TurnState.ABORTED, TurnState.INTERRUPTED}
    due = {TurnState.CANCELLED, TurnState.INTERRUPTED}
    return due if unwanted and family.turn_dies_with_its_post else set()


def _id_of(sent: Sent, truth: Truth) -> str | None:
    return truth.prompts(sent.token)[0].id


def acknowledged_answers_are_the_servers(person: Person, truth: Truth) -> Differences:
    """c. What was acknowledged is what the server has; what it has of ours is not shown as lost.

    A server that crashed, or a turn that was aborted, after the acknowledgement may have no answer at all: then
    its tool call is not completed, and the turn is shown for what it is. qwen records a call that an abort ended
    with the words of a rejected one.
    """
    for given in person.given.values():
        call = truth.call(given.request.session_id, given.request.call_id)
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
            aborts = (sent.turn.stops.abort_requested for sent in person.sent.values() if sent.turn is not None)
            if given.permission == "once" and call is not None and call.rejected and not any(aborts):
                yield f"{_given(given)} was acknowledged as allowed, and the server has it as rejected"
            if given.permission in (None, "reject") and done:
                yield f"{_given(given)} was acknowledged as dismissed, and its tool went on: {call}"


def the_store_equals_the_server(person: Person, truth: Truth) -> Differences:
    """d. Messages, their parts and their order; and every status.

    Where the server stopped in the middle of a text it keeps none of it, and will never send it: what streamed is
    kept on screen, marked as partial, and must begin with what the server has.
    """
    store = person.client.store
    for session_id in truth.messages:
        shown, busy = store.status(session_id), session_id in truth.busy
        if isinstance(shown, Busy | Retrying) != busy:
            yield f"session {session_id} is {'busy' if busy else 'idle'}, shown as {shown}"
    transcript = store.transcript(truth.session_id)
    if transcript is None:
        yield "no transcript is kept"
        return
    here = [FullMessage(one, tuple(transcript.parts_of(one.id))) for one in transcript.ordered()]
    there = truth.messages[truth.session_id]
    pairs = list(zip(here, there, strict=False))
    if len(here) != len(there) or not all(_is_of(shown.message, stored) for shown, stored in pairs):
        yield f"messages {[_head(one) for one in there]} are shown as {[_head_here(one.message) for one in here]}"
        return
    for shown_one, stored in pairs:
        yield from _same_message(shown_one, stored)


def no_words_were_shown_with_a_hole(person: Person, truth: Truth, unknowable: Set[tuple[str, str]]) -> Differences:
    """d, in between: words that were not marked as partial were how the text begins, at every moment.

    What a server has forgotten, by a crash or because the provider broke off, tells nothing. Nor can a client know
    of words that the server drops in silence on a stream that lives, where its events have no numbers: such a text
    (`unknowable`) may lack them until it ends, though it has nothing else, and all in order.
    """
    transcript = person.client.store.transcript(person.session_id)
    assert transcript is not None
    pieces = {
        (one.id, part.id): piece
        for one, stored in zip(transcript.ordered(), truth.messages[truth.session_id], strict=False)
        for part, piece in zip(transcript.parts_of(one.id), stored.pieces, strict=False)
    }
    for place, shown in person.shown.items():
        piece = pieces.get(place)
        if piece is None:
            yield f"part {place} is not there, and was shown as {shown}"
            continue
        fits = _comes_in if place in unknowable else str.startswith
        if piece.ended and not all(fits(piece.text, words) for words in shown):
            yield f"text {piece.text!r} was shown meanwhile as {shown}"


def _comes_in(text: str, words: str) -> bool:
    """Whether `words` are `text` with nothing but pieces left out."""
    rest = iter(text)
    return all(char in rest for char in words)


def requests_on_screen_are_the_servers(person: Person, truth: Truth) -> Differences:
    """e. The same requests are open here and there, but for ghosts, which are not shown."""
    here = {request.id for request in person.client.store.requests_of(truth.session_id)}
    for request_id in sorted(here - truth.awaited):
        yield f"request {request_id} is on screen, and the server does not have it"
    for request_id in sorted(truth.awaited - here):
        yield f"request {request_id} is open at the server, and not on screen"


def connections_keep_to_the_backoff(person: Person) -> Differences:
    """f. Between two attempts at the event stream lies the backoff's delay, less its jitter.

    Not where a person (F5, a new start) or a clock asked for one at once. Tries are counted from the last proof of
    the line, or from the last stop: who acts on that begins anew.
    """
    proofs = [*person.proofs, *(at for relay in person.relays for at in relay.proofs)]
    failures = 0
    for before, after in pairwise(sorted(person.attempts)):
        fresh = any(before <= good <= after for good in (*proofs, *person.starts, *person.stops))
        failures = 0 if fresh else failures + 1
        due = min(CAP, BASE * 2 ** max(0, failures - 1)) * (1 - JITTER)
        asked = any(before <= act <= after for act in (*person.acts, *person.starts))
        if after - before < due - 1e-6 and not asked:
            yield f"attempt at {after:.2f} s follows {after - before:.2f} s after another; {due:.2f} s are due"


def nothing_is_sent_after_401(person: Person) -> Differences:
    """f, the other half: while the screen says that a person has to act first, only their acts send anything."""
    for one in person.exchanges:
        if one.stopped and not any(0 <= one.at - act < 0.01 for act in (*person.acts, *person.wishes)):
            yield f"{one.method} {one.path} at {one.at:.2f} s, though the line is stopped"


def no_aborted_turn_runs_on(person: Person, truth: Truth) -> Differences:
    """i. At rest the server waits in no turn that the person asked to abort."""
    messages = truth.messages[truth.session_id]
    answers = [one for one in messages if one.role == "assistant"]
    if truth.session_id not in truth.busy or not answers:
        return
    prompts = [one for one in messages if one.role == "user" and one.id == answers[-1].parent]
    words = "".join(words for one in prompts for words in one.words)
    for abort in person.aborts:
        if words and words in abort.prompts:
            yield f"the turn of {words!r} runs on, though it was to be aborted at {abort.at:.2f} s"


def reasons_are_the_servers(person: Person, truth: Truth, family: Family, *, others_abort: bool) -> Differences:
    """h. Why a turn ended as it is shown to have is in the server's record (`evidence`)."""
    users = [one for one in truth.messages[truth.session_id] if one.role == "user"]
    for sent in person.sent.values():
        if sent.turn is None or not sent.turn.over or sent.turn.prompt_id in truth.dropped:
            continue
        found = truth.prompts(sent.token)
        prompt_id = found[0].id if found else None
        case = Case(
            sent.turn,
            bool(found),
            tuple(truth.answers(prompt_id)) if found else (),
            tuple(truth.later_answers(prompt_id)) if found else (),
            later=len(users) > len(found),
            asked=any(sent.token in prompt for abort in person.aborts for prompt in abort.prompts),
            others_abort=others_abort,
            dies_with_its_post=family.turn_dies_with_its_post,
        )
        wrong = unfounded(case)
        if wrong is not None:
            yield f"the turn of {sent.token} {wrong}"


def counts_are_the_servers(person: Person, truth: Truth) -> Differences:
    """h. As many requests wait by the screen as at the server, and no prompt waits here that is there already."""
    requests = person.client.store.requests.values()
    here = {request.id for request in requests if request.session_id in truth.messages}  # others may be there too
    if here != truth.awaited:
        yield f"{len(here)} requests wait by the screen ({here}), and {len(truth.awaited)} at the server"
    for sent in person.sent.values():
        if person.waits(sent) and truth.prompts(sent.token):
            yield f"prompt {sent.token} is counted among those that wait, and the server has it"


def answers_elsewhere_are_somebody_s(person: Person, truth: Truth) -> Differences:
    """h. *Answered elsewhere* and *expired* are not said of a request that the server still has."""
    for given in person.given.values():
        if given.state in ("acknowledged", "elsewhere", "expired") and given.request.id in truth.awaited:
            yield f"{_given(given)} is shown as {given.state}, and the server waits for it"


def aborts_end_the_turn_they_were_meant_for(
    person: Person, begun: Sequence[tuple[float, str]], aborted: Sequence[tuple[float, str]]
) -> Differences:
    """i, the other half: none was sent while the client knew that the server was in another turn.

    Nor did one hit another turn, as far as the server tells (`begun`: when the model began to answer which prompt;
    `aborted`: when an abort was sent, and what it found): an abort names no turn. But one may have begun so
    shortly before that a client on a connection that seems alive could not know of it.
    """
    for sent, known in person.aborts_sent:
        if known not in (meant := _meant(person, sent)):
            yield f"an abort was sent at {sent:.2f} s, and the client knew that {known!r} ran; meant: {meant}"
    for sent, found in aborted:
        since = next(at for at, prompt in reversed(begun) if prompt == found)
        if found not in (meant := _meant(person, sent)) and since < sent - UNKNOWN_FOR:
            yield f"an abort sent at {sent:.2f} s ended {found!r}, running since {since:.2f} s; meant: {meant}"


def _meant(person: Person, sent: float) -> set[str]:
    """The prompts whose turns the person had asked to abort by then."""
    return {prompt for abort in person.aborts if abort.at <= sent for prompt in abort.prompts}


def nothing_broke(person: Person, broken: list[str]) -> Differences:
    """g. No part of the client stopped working, no error fell through a task or a callback."""
    yield from (f"shown: {notice}" for notice in person.trouble)
    yield from (f"fell through: {one}" for one in broken)


def _shown(sent: Sent) -> str:
    return "nowhere" if sent.turn is None else f"{sent.turn.state.value} ({sent.turn.reason})"


def _given(given: Given) -> str:
    return f"answer {given.answers or given.permission or 'dismissed'} to {given.request.id}"


def _is_of(message: Message, stored: Stored) -> bool:
    """The same message, by all that the server names it with."""
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
    """`all_there`: the message is complete; nothing more comes to words that had not ended."""
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
