"""Stored sessions of `qwen serve`: transcript pages, turn index, branch and delete."""

import base64
import binascii
import json
from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.api_errors import ApiError
from server_stub.domain.json_encoding import Json
from server_stub.domain.state import Session
from server_stub.qwen.daemon import Daemon, session_not_found
from server_stub.qwen.routes.request import QwenJson, body_of, client_id_of, refusal
from server_stub.qwen.routes.sessions import restored_of
from server_stub.qwen.stored_transcript import MAX_RECORDS, Record, records
from server_stub.qwen.timestamps import iso

RECORDS = 100
"""Default page size of a transcript, in records."""
MAX_DELETED = 100
MAX_ANCHOR_CHARACTERS = 200


def routes(daemon: Daemon) -> list[Route]:
    server = daemon.server

    async def page(request: Request) -> Response:
        """A page of a transcript: from its start, its end, or a cursor."""
        limit = _limit(request.query_params.get("limit"))
        if request.query_params.get("direction") not in (None, "backward"):
            raise _misplaced("`direction` must be `backward`")
        found = records(_stored(request))
        start, stop, backward = _span(request, found, limit)
        target = request.query_params.get("atRecordId")
        anchored = {} if target is None else {"targetRecordId": target, "hasOlder": start > 0}
        more = start > 0 if backward else stop < len(found)
        events = [
            {"v": 1, "type": kind, "data": data["update"]} for _, said in found[start:stop] for kind, data in said
        ]
        session = _stored(request)
        place = {"at": start if backward else stop, "backward": backward}
        body: Json = {"v": 1, "sessionId": session.id, "events": events}
        if more:
            body["nextCursor"] = _opaque(place)
        return QwenJson({**body, "hasMore": more, **_times(session), **anchored}, headers={"cache-control": "no-store"})

    async def turns(request: Request) -> Response:
        """An index of turns: the last ones, or from `start` on in a snapshot."""
        limit = _limit(request.query_params.get("limit"))
        start, snapshot = request.query_params.get("start"), request.query_params.get("snapshot")
        if start is not None and snapshot is None:
            raise _misplaced("`start` requires `snapshot`")
        session = _stored(request)
        found = records(session)
        count = len(found) if snapshot is None else _records_in(snapshot)
        index = [_turn(number, *stored) for number, stored in enumerate(filter(_begins_turn, found[:count]))]
        first = max(0, len(index) - limit) if start is None else _place_of(start)
        return QwenJson(
            {
                "v": 1,
                "sessionId": session.id,
                "snapshot": _opaque({"records": count}),
                "totalTurns": len(index),
                "start": first,
                "turns": index[first : first + limit],
                **_times(session),
            }
        )

    async def branched(request: Request) -> Response:
        """Fork an idle session, and attach to the copy."""
        client_id = client_id_of(request)
        name = (await body_of(request)).get("name")
        live = daemon.session(request.path_params["sid"])
        daemon.clients.check(live.id, client_id)
        if live.prompts.busy:
            error = f"Cannot branch session {live.id}: a prompt is currently active"
            where = {"code": "branch_while_prompt_active", "sessionId": live.id}
            raise ApiError(HTTPStatus.CONFLICT, {"error": error, **where})
        if live.session not in daemon.stored():
            why = f"Source session not found or empty: {live.id}"
            body = {"error": "Internal error", "code": -32603, "data": {"details": why}}
            raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, body)
        attached = daemon.branch(live, name if isinstance(name, str) else None)
        known = restored_of(attached, {"compactedReplay": attached.live.ring.replay.compacted_replay()})
        title = attached.live.session.info["title"]
        origin = {"sessionId": live.id, "displayName": live.session.info["title"]}
        branch = {**known, "liveJournal": [], "displayName": title, "forkedFrom": origin}
        return QwenJson(branch, HTTPStatus.CREATED)

    async def deleted(request: Request) -> Response:
        """Close and delete stored sessions; lists those not found."""
        ids = (await body_of(request)).get("sessionIds")
        if not isinstance(ids, list) or not 0 < len(ids) <= MAX_DELETED or not all(_is_text(one) for one in ids):
            error = f"`sessionIds` must be a non-empty string array (max {MAX_DELETED})"
            raise refusal(error, code="invalid_request")
        ids = [session_id.lower() for session_id in ids]
        stored = {session.id: session for session in daemon.stored()}
        for session_id in ids:
            if session_id in daemon.live:
                await daemon.close_session(daemon.live[session_id], None)
            if session_id in stored:
                server.delete_session(stored[session_id])
        removed = [one for one in ids if one in stored]
        return QwenJson({"removed": removed, "notFound": [one for one in ids if one not in stored], "errors": []})

    def _stored(request: Request) -> Session:
        """The stored session. Raises ApiError 404 if there is none, or 409 for a cursor or snapshot of it."""
        session_id = request.path_params["sid"]
        found = next((session for session in daemon.stored() if session.id == session_id), None)
        if found is not None:
            return found
        if not {"cursor", "snapshot"} & set(request.query_params):
            raise session_not_found(session_id)
        where = {"code": "transcript_snapshot_unavailable", "sessionId": session_id}
        raise refusal("Transcript snapshot is unavailable", HTTPStatus.CONFLICT, **where)

    return [
        Route("/session/{sid}/transcript", page),
        Route("/session/{sid}/turn-index", turns),
        Route("/session/{sid}/branch", branched, methods=["POST"]),
        Route("/sessions/delete", deleted, methods=["POST"]),
    ]


def _span(request: Request, stored: Sequence[Record], limit: int) -> tuple[int, int, bool]:
    """First and last record (exclusive) of the page, and whether it is read backward. Raises ApiError 400."""
    query = request.query_params
    direction, cursor, before = query.get("direction"), query.get("cursor"), query.get("beforeRecordId")
    anchor, snapshot = query.get("atRecordId"), query.get("snapshot")
    if anchor is not None and not 0 < len(anchor.strip()) <= MAX_ANCHOR_CHARACTERS:
        raise refusal("`atRecordId` must be a non-empty record id", code="invalid_turn_anchor")
    ways = sum(one is not None for one in (direction, cursor, before, anchor))
    by_record = before is not None or anchor is not None
    if ways > 1 or (anchor is not None and snapshot is None) or (snapshot is not None and not by_record):
        raise _misplaced("Invalid transcript cursor and anchor combination")
    if snapshot is not None:
        stored = stored[: _records_in(snapshot)]
    if cursor is not None:
        place = _place(cursor)
    elif anchor is not None:
        turns = [record_id for record_id, said in stored if _begins_turn((record_id, said))]
        if anchor not in turns:
            raise refusal("Invalid transcript turn anchor", code="invalid_turn_anchor")
        place = {"at": [record_id for record_id, _ in stored].index(anchor), "backward": False}
    elif before is not None:
        ids = [record_id for record_id, _ in stored]
        if before not in ids:
            raise _misplaced("Invalid transcript cursor")
        place = {"at": ids.index(before), "backward": True}
    else:
        place = {"at": len(stored) if direction else 0, "backward": direction is not None}
    at = place["at"]
    return (max(0, at - limit), at, True) if place["backward"] else (at, min(len(stored), at + limit), False)


def _begins_turn(stored: Record) -> bool:
    kind = stored[1][0][1]["update"]["sessionUpdate"]
    return bool(kind == "user_message_chunk")


def _turn(number: int, record_id: str, said: list[tuple[str, Json]]) -> Json:
    """One entry of the index. The real server adds the start of the answer as `detail`."""
    update = said[0][1]["update"]
    prompt = {"promptId": update["_meta"]["promptId"]} if "promptId" in update["_meta"] else {}
    known = {"ordinal": number, "turnId": record_id, "kind": "prompt", **prompt}
    return {**known, "timestamp": iso(update["timestamp"]), "label": update["content"]["text"]}


def _times(session: Session) -> Json:
    times = session.info["time"]
    return {"startTime": iso(times["created"]), "lastUpdated": iso(times["updated"])}


def _opaque(place: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _records_in(snapshot: str) -> int:
    """The number of records in a snapshot."""
    match _read(snapshot):
        case {"records": int(count)}:
            return count
    raise _misplaced("Invalid transcript cursor")


def _place_of(start: str) -> int:
    if not start.isdecimal():
        raise _misplaced("`start` must be a non-negative integer")
    return int(start)


def _read(opaque: str) -> object:
    try:
        return json.loads(base64.urlsafe_b64decode(opaque + "=" * (-len(opaque) % 4)))
    except (ValueError, binascii.Error):
        return None


def _place(cursor: str) -> Json:
    match _read(cursor):
        case {"at": int(at), "backward": bool(backward)}:
            return {"at": at, "backward": backward}
    raise _misplaced("Invalid transcript cursor")


def _limit(text: str | None) -> int:
    if text is None:
        return RECORDS
    if not text.isdecimal():
        raise refusal("`limit` must be a positive integer", code="invalid_transcript_limit")
    if not 0 < int(text) <= MAX_RECORDS:
        error = f"`limit` must be between 1 and {MAX_RECORDS}"
        raise refusal(error, code="invalid_transcript_limit", maxLimit=MAX_RECORDS)
    return int(text)


def _misplaced(error: str) -> ApiError:
    return refusal(error, code="invalid_transcript_cursor")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
