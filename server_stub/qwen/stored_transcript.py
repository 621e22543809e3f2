"""The stored transcript of a session, as a load from disk replays it: its messages, and how its prompts ended.

A session without a message is not stored. State that was not stored when the daemon was lost is missing: a text that
was still streamed has no record, a running tool call is reported as failed. Only `record` and `reconcile` write.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from server_stub.domain.json_encoding import Json
from server_stub.domain.state import Message, ServerState, Session
from server_stub.qwen import updates

MAX_RECORDS = 500
"""Maximum page size in records."""
RECORD = "qwen.session.recordId"
LEDGER = "promptLedger"
"""Field of the session's info: admissions and ends of prompts, in order."""
ENDED = "turn"
"""Field of an end: the prompt as the turn's route shows it."""

TURN = "backgroundTurn"
"""Field of a prompt's info and of its updates: the turn that the daemon started by itself."""
NOTICES = "backgroundNotices"
"""Field of such a prompt's info: the updates that replace its text."""


def transcript(session: Session) -> list[tuple[str, Json]]:
    """`(type, data)` of each event that a load from disk replays."""
    said = [update for message in session.ordered() for update in _message(message, _own_turn(session, message))]
    return [("session_update", {"sessionId": session.id, "update": update}) for update in said]


Record = tuple[str, list[tuple[str, Json]]]
"""A record's id and its events."""


def records(session: Session) -> list[Record]:
    """The transcript, by record."""
    found: list[Record] = []
    for kind, data in transcript(session):
        record_id = data["update"]["_meta"][RECORD]
        if not found or found[-1][0] != record_id:
            found.append((record_id, []))
        found[-1][1].append((kind, data))
    return found


def record_of(event: Json) -> str | None:
    """The record id of a replayed event; None for a live one."""
    found: str | None = event["data"].get("update", {}).get("_meta", {}).get(RECORD)
    return found


def record(server: ServerState, session: Session, entry: Json) -> None:
    """Add to the ledger an admission, `{promptId, at}`, or an end, which has a `terminal`; `at` is epoch ms."""
    server.update_session(session, **{LEDGER: [*session.info.get(LEDGER, []), {"v": 1, **entry}]})


def terminals(session: Session) -> list[Json]:
    """How prompts ended, in the form of `load`."""
    ends = (entry for entry in session.info.get(LEDGER, []) if "terminal" in entry)
    return [{name: value for name, value in entry.items() if name != ENDED} for entry in ends]


def turn(session: Session, prompt_id: str) -> Json | None:
    """A prompt that ended in an earlier process; its `queuedAt` is not stored."""
    for entry in session.info.get(LEDGER, []):
        if entry["promptId"] == prompt_id and ENDED in entry:
            return {name: value for name, value in entry[ENDED].items() if name != "queuedAt"}
    return None


def reconcile(server: ServerState, session: Session) -> None:
    """Record that a prompt was lost with the daemon, if it is certain which one.

    That is the case if exactly one had not ended and its text is stored. With another queued behind it nothing is
    recorded of either (`danglingInFlightPromptIds` in qwen 0.24.4, read and measured).
    """
    ended = {entry["promptId"] for entry in terminals(session)}
    admitted = {entry["promptId"] for entry in session.info.get(LEDGER, [])} - ended
    stored = {message.info.get("promptId") for message in session.messages.values()}
    if len(admitted) == 1 and admitted <= stored:
        [lost] = admitted
        now = server.clock.now()
        record(server, session, {"promptId": lost, "terminal": "interrupted", "code": "daemon_lost", "at": now})


def _own_turn(session: Session, message: Message) -> Json | None:
    """The turn of the daemon that the message belongs to, if any."""
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
    yield updates.tool_ended(part) if status in ("completed", "error") else updates.unfinished_tool_call(part)


class _Record:
    """The stored record of a message's updates."""

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
