"""What must hold once the faults are over and the system is at rest: a function each, a message a difference.

A weaker rule than the plain one stands here only with the reason in its docstring.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeAlias

from tests.chaos.person import Exchange, Given, Person, Sent
from tests.chaos.truth import Json, Truth
from tui.core.backoff import BASE, CAP, JITTER
from tui.core.model import Busy, FullMessage, Message, Part, ReasoningPart, Retrying, TextPart, ToolPart
from tui.core.turn import TurnState

Differences: TypeAlias = Iterator[str]
Runs: TypeAlias = Mapping[str, int]
"""How often the model began to answer the prompt with a token."""


def at_any_rest(person: Person, truth: Truth) -> Differences:
    """What holds while requests wait for the person, too."""
    yield from acknowledged_answers_are_the_servers(person, truth)
    yield from the_store_equals_the_server(person, truth)
    yield from requests_on_screen_are_the_servers(person, truth)


def at_the_end(person: Person, truth: Truth, runs: Runs) -> Differences:
    """What holds once everything is answered and no turn runs."""
    yield from prompts_arrived_once_or_are_shown_as_not_sent(person, truth)
    yield from the_model_ran_once(person, truth, runs)
    yield from turns_end_as_the_server_says(person, truth)
    yield from connections_keep_to_the_backoff(person)
    yield from nothing_is_sent_after_401(person)


def prompts_arrived_once_or_are_shown_as_not_sent(person: Person, truth: Truth) -> Differences:
    """a. One user message for each prompt, with its words once; or none, and *not sent* on screen."""
    for sent in person.sent.values():
        found = truth.prompts(sent.token)
        texts = [part["text"] for message in found for part in message["parts"] if part["type"] == "text"]
        if len(found) > 1 or len(texts) > 1:
            yield f"prompt {sent.token} is there {len(found)} times, with {len(texts)} texts"
        not_sent = sent.turn is not None and sent.turn.state is TurnState.NOT_SENT
        if found and not_sent:
            yield f"prompt {sent.token} is on the server and shown as {_shown(sent)}"
        if not found and not not_sent:
            yield f"prompt {sent.token} is not on the server and shown as {_shown(sent)}"


def the_model_ran_once(person: Person, truth: Truth, runs: Runs) -> Differences:
    """b. Once for each prompt that arrived.

    Not at all is right where the screen says so: it was aborted or interrupted before it began, or it went
    together with a later prompt (opencode answers the newest only).
    """
    for sent in person.sent.values():
        count = runs.get(sent.token, 0)
        if count > 1:
            yield f"the model ran {count} times for prompt {sent.token}, shown as {_shown(sent)}"
        if count == 0 and truth.prompts(sent.token) and sent.turn is not None:
            told = {TurnState.ABORTED, TurnState.INTERRUPTED} | _ends(truth.later_answers(_id_of(sent, truth)))
            if sent.turn.state not in told:
                yield f"the model never ran for prompt {sent.token}, shown as {_shown(sent)}"


def turns_end_as_the_server_says(person: Person, truth: Truth) -> Differences:
    """b, the other half: what a turn is shown as is what the server's messages say became of it.

    A prompt without an answer of its own ended like a later one that took it along, or it never began. An answer
    that ended between two steps does not say why: a dismissed question, a later prompt, an abort, a crash. A turn
    that the person aborted after a crash had ended it is shown as what they asked for.
    """
    for sent in person.sent.values():
        if sent.turn is None or not truth.prompts(sent.token):
            continue
        prompt_id = _id_of(sent, truth)
        answers = truth.answers(prompt_id)
        due = _ends(answers[-1:])
        if not answers:
            due = {TurnState.INTERRUPTED, TurnState.ABORTED} | _ends(truth.later_answers(prompt_id))
        elif answers[-1].get("finish") == "tool-calls":
            due |= {TurnState.ABORTED, TurnState.INTERRUPTED} | _ends(truth.later_answers(prompt_id))
        if due == {TurnState.INTERRUPTED} and sent.turn.abort_asked:
            due = {TurnState.INTERRUPTED, TurnState.ABORTED}
        if sent.turn.state not in due:
            ended = [{key: one.get(key) for key in ("finish", "error", "time")} for one in answers[-1:]]
            yield f"the turn of {sent.token} is shown as {_shown(sent)}; its last answer ended as {ended}"


def _ends(answers: list[Json]) -> set[TurnState]:
    """What a turn may be shown as for the last of these infos of assistant messages."""
    if not answers:
        return set()
    match answers[-1]:
        case {"error": {"name": "MessageAbortedError"}}:
            return {TurnState.ABORTED}
        case {"error": _}:
            return {TurnState.FAILED}
        case {"finish": _}:
            return {TurnState.FINISHED}
        case {"time": {"completed": _}}:  # an abort while the provider was tried again
            return {TurnState.ABORTED}
        case _:
            return {TurnState.INTERRUPTED}


def _id_of(sent: Sent, truth: Truth) -> str:
    return str(truth.prompts(sent.token)[0]["info"]["id"])


def acknowledged_answers_are_the_servers(person: Person, truth: Truth) -> Differences:
    """c. What was acknowledged is what the server has; what it has of ours is not shown as lost.

    A server that crashed, or a turn that was aborted, after the acknowledgement may have no answer at all: then
    its tool call is not completed, and the turn is shown for what it is.
    """
    for given in person.given.values():
        call = truth.call(given.request.session_id, given.request.call_id) or {}
        recorded = (call.get("metadata") or {}).get("answers")
        if given.answers is not None:
            ours = [list(row) for row in given.answers]
            if given.state == "acknowledged" and recorded not in (None, ours):
                yield f"{_given(given)} was acknowledged, and the server has {recorded}"
            if given.state == "acknowledged" and recorded is None and call.get("status") == "completed":
                yield f"{_given(given)} was acknowledged, and the server has none"
            if given.state in ("elsewhere", "expired", "refused", "stopped") and recorded == ours:
                yield f"{_given(given)} is shown as {given.state}, and the server has it"
        elif given.state == "acknowledged":
            done = call.get("status") == "completed"
            if given.permission == "once" and "rejected permission" in str(call.get("error")):
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
        shown, busy = store.status(session_id), truth.busy(session_id)
        if isinstance(shown, Busy | Retrying) != busy:
            yield f"session {session_id} is {truth.statuses.get(session_id, 'idle')}, shown as {shown}"
    transcript = store.transcript(truth.session_id)
    if transcript is None:
        yield "no transcript is kept"
        return
    here = [FullMessage(one, tuple(transcript.parts_of(one.id))) for one in transcript.ordered()]
    there = truth.messages[truth.session_id]
    if [one.message.id for one in here] != [one["info"]["id"] for one in there]:
        names, heads = [_name(one["info"]) for one in there], [_head(one.message) for one in here]
        yield f"messages {names} are shown as {heads}"
        return
    for shown_one, stored in zip(here, there, strict=True):
        yield from _same_message(shown_one, stored)


def requests_on_screen_are_the_servers(person: Person, truth: Truth) -> Differences:
    """e. The same requests are open here and there.

    But for ghosts: an aborted turn leaves its request in opencode's list, and a reply has no effect. They are not
    shown.
    """
    here = {request.id for request in person.client.store.requests_of(truth.session_id)}
    there = truth.awaited()
    for request_id in sorted(here - there):
        yield f"request {request_id} is on screen, and the server does not have it"
    for request_id in sorted(there - here):
        yield f"request {request_id} is open at the server, and not on screen"


def connections_keep_to_the_backoff(person: Person) -> Differences:
    """f. Between two attempts at the event stream lies the backoff's delay, less its jitter.

    Not where a person (F5, a new start) or a clock asked for one at once.
    """
    attempts = [
        now.at for before, now in pairwise([None, *person.exchanges]) if now and _begins_an_attempt(before, now)
    ]
    proofs = [at for relay in person.relays for at in relay.proofs]
    failures = 0
    for before, after in pairwise(attempts):
        fresh = any(before <= good <= after for good in (*proofs, *person.starts))
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


def nothing_broke(person: Person, broken: list[str]) -> Differences:
    """g. No part of the client stopped working, no error fell through a task or a callback."""
    yield from (f"shown: {notice}" for notice in person.trouble)
    yield from (f"fell through: {one}" for one in broken)


def _begins_an_attempt(before: Exchange | None, now: Exchange) -> bool:
    """Each begins by asking who is there: by the paths in use as long as that is not known, then by the health.

    With a line that is up, asking for the health is the ping.
    """
    if not now.known:
        return now.path == "/path" and (before is None or before.path != "/global/health")
    return now.path == "/global/health" and not now.line_up


def _shown(sent: Sent) -> str:
    return "nowhere" if sent.turn is None else f"{sent.turn.state.value} ({sent.turn.reason})"


def _given(given: Given) -> str:
    return f"answer {given.answers or given.permission or 'dismissed'} to {given.request.id}"


def _head(message: Message) -> tuple[Any, ...]:
    failure = None if message.failure is None else message.failure.kind
    return (message.id, message.role, message.parent_id, message.completed is not None, failure, message.final)


def _name(info: Json) -> tuple[Any, ...]:
    error = info.get("error")
    failure = None
    if error is not None:
        kinds = {"MessageAbortedError": "aborted", "APIError": "provider"}
        failure = kinds.get(error["name"], "other")
    return (
        info["id"],
        info["role"],
        info.get("parentID"),
        "completed" in info["time"],
        failure,
        info.get("finish") not in (None, "tool-calls"),
    )


SHOWN = ("text", "reasoning", "tool", "file", "patch", "subtask", "compaction")


def _same_message(shown: FullMessage, stored: Json) -> Differences:
    if _head(shown.message) != _name(stored["info"]):
        yield f"message {_name(stored['info'])} is shown as {_head(shown.message)}"
    parts = [part for part in stored["parts"] if part["type"] in SHOWN]
    if [part["id"] for part in parts] != [part.id for part in shown.parts]:
        there = [(part["type"], part["id"]) for part in parts]
        here = [(type(part).__name__, part.id) for part in shown.parts]
        yield f"parts {there} of {shown.message.id} are shown as {here}"
        return
    for here_one, there_one in zip(shown.parts, parts, strict=True):
        yield from _same_part(here_one, there_one)


def _same_part(shown: Part, stored: Json) -> Differences:
    match shown:
        case TextPart() | ReasoningPart():
            ended = "time" not in stored or "end" in stored["time"]
            if ended and (shown.text, shown.state) != (stored["text"], "done"):
                yield f"text {stored['text']!r} is shown as {shown.state}: {shown.text!r}"
            if not ended and (shown.state == "done" or not shown.text.startswith(stored["text"])):
                yield f"unfinished text {stored['text']!r} is shown as {shown.state}: {shown.text!r}"
        case ToolPart():
            state = stored["state"]
            there = (stored["tool"], state["status"], state.get("output") or "", state.get("error") or "")
            output = shown.output if shown.state == "completed" else ""
            if there != (shown.tool, shown.state, output, shown.error):
                yield f"tool call {there} is shown as {(shown.tool, shown.state, output, shown.error)}"
        case _:
            pass
