"""What a session says of itself when it is loaded from disk: its stored messages, and how its prompts ended.

A session without a message is not on disk. What was not stored when the daemon was lost is gone: a text that was
still being streamed leaves nothing, a call that ran is said to have failed. Pure but for the ledger's record.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from server_stub.domain.state import Message, ServerState, Session
from server_stub.qwen import updates

Json = dict[str, Any]

MOST_RECORDS = 500
"""Records in one page, at most."""
RECORD = "qwen.session.recordId"
LEDGER = "promptLedger"
"""Field of the session's info: prompts that were admitted, and how they ended, in the order of these."""
ENDED = "turn"
"""Field of an end in it: the prompt as its turn's own route shows it."""

TURN = "backgroundTurn"
"""Field of a prompt's info, and of what is said of its turn: the turn that the daemon began by itself."""
NOTICES = "backgroundNotices"
"""Field of such a prompt's info: what is said of it instead of its words, when it came and when it was told."""


def transcript(session: Session) -> list[tuple[str, Json]]:
    """`(type, data)` of each event that a cold load is seeded with."""
    said = [update for message in session.ordered() for update in _message(message, _own_turn(session, message))]
    return [("session_update", {"sessionId": session.id, "update": update}) for update in said]


Record = tuple[str, list[tuple[str, Json]]]
"""Its id, and what it says."""


def records(session: Session) -> list[Record]:
    """The transcript by the records that it stands in."""
    found: list[Record] = []
    for kind, data in transcript(session):
        record_id = data["update"]["_meta"][RECORD]
        if not found or found[-1][0] != record_id:
            found.append((record_id, []))
        found[-1][1].append((kind, data))
    return found


def record_of(event: Json) -> str | None:
    """The stored record that an event comes from; those that happen live do not say."""
    found: str | None = event["data"].get("update", {}).get("_meta", {}).get(RECORD)
    return found


def record(world: ServerState, session: Session, entry: Json) -> None:
    """Add to the ledger an admission, `{promptId, at}`, or an end, which has a `terminal`; `at` is epoch ms."""
    world.update_session(session, **{LEDGER: [*session.info.get(LEDGER, []), {"v": 1, **entry}]})


def terminals(session: Session) -> list[Json]:
    """How prompts ended, as `load` gives it."""
    ends = (entry for entry in session.info.get(LEDGER, []) if "terminal" in entry)
    return [{name: value for name, value in entry.items() if name != ENDED} for entry in ends]


def turn(session: Session, prompt_id: str) -> Json | None:
    """How a prompt of an earlier life of the session ended; when it was queued is forgotten."""
    for entry in session.info.get(LEDGER, []):
        if entry["promptId"] == prompt_id and ENDED in entry:
            return {name: value for name, value in entry[ENDED].items() if name != "queuedAt"}
    return None


def reconcile(world: ServerState, session: Session) -> None:
    """Write down that a prompt was lost with the daemon, if it is certain which one.

    That is so when a single one had not ended and its words are stored. With another behind it in the queue
    nothing is written of either (`danglingInFlightPromptIds` in qwen 0.24.4, read and measured).
    """
    ended = {entry["promptId"] for entry in terminals(session)}
    admitted = {entry["promptId"] for entry in session.info.get(LEDGER, [])} - ended
    stored = {message.info.get("promptId") for message in session.messages.values()}
    if len(admitted) == 1 and admitted <= stored:
        [lost] = admitted
        now = world.clock.now()
        record(world, session, {"promptId": lost, "terminal": "interrupted", "code": "daemon_lost", "at": now})


def _own_turn(session: Session, message: Message) -> Json | None:
    """The turn that the daemon began by itself, should the message be of one."""
    asked = session.messages.get(str(message.info.get("parentID", message.info["id"])))
    return None if asked is None else asked.info.get(TURN)


def _message(message: Message, own: Json | None) -> Iterator[Json]:
    where = _Record(message, own)
    if own is not None and message.info["role"] == "user":
        completed, notice = message.info[NOTICES]
        yield _Record(message, None).stamped(completed)
        yield where.stamped({**notice, "sessionUpdate": "user_message_chunk"})
        return
    if message.info["role"] == "user":
        content = [{"type": "text", "text": part["text"]} for part in message.parts.values() if part["type"] == "text"]
        for block in content:
            yield where.stamped(updates.user_chunk(block), promptId=message.info.get("promptId"))
        return
    calls = [part for part in message.parts.values() if part["type"] == "tool"]
    for part in message.parts.values():
        if part["type"] in ("text", "reasoning") and part["text"]:
            yield where.stamped(updates.text_chunk(part["type"], part["text"]))
    if "finish" in message.info or calls:
        yield where.stamped(updates.usage(message.info["tokens"]["output"]))
    for part in calls:
        for update in _call(part):
            yield where.stamped(update)


def _call(part: Json) -> Iterator[Json]:
    status = part["state"]["status"]
    if part["tool"] == updates.PLAN:
        if status == "completed":
            yield updates.plan(part["state"]["input"]["todos"])
        return
    if status == "pending":
        part = {**part, "state": {**part["state"], "input": {}}}
        yield {**updates.tool_prepared(part), "status": "in_progress"}
    else:
        yield {**updates.tool_started(part), "sessionUpdate": "tool_call"}
    yield updates.tool_ended(part) if status in ("completed", "error") else updates.tool_lost(part)


class _Record:
    """The stored record that updates come from."""

    def __init__(self, message: Message, own: Json | None) -> None:
        self._own = {} if own is None else {TURN: own}
        self._id = str(uuid.uuid5(uuid.NAMESPACE_OID, message.info["id"]))
        self._created = message.info["time"]["created"]

    def stamped(self, update: Json, **meta: Any) -> Json:
        known = {name: value for name, value in meta.items() if value is not None}
        origin = {
            "timestamp": self._created,
            "qwenTranscript": {"sourceRecordIds": [self._id]},
            RECORD: self._id,
            **self._own,
        }
        return {**update, "_meta": {**update.get("_meta", {}), **known, **origin}, "timestamp": self._created}
