"""What `qwen serve` keeps on disk of its sessions: read page by page, copied, deleted.

Of the ways to name a place in a transcript the turn's anchor is not here (`atRecordId`, `snapshot`).
"""

import base64
import binascii
import json
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.qwen.daemon import Daemon, not_found
from server_stub.qwen.moments import iso
from server_stub.qwen.transcript import MOST_RECORDS, Record, records
from server_stub.refusals import Refusal
from server_stub.routes.qwen_http import QwenJson, body_of, client_id_of, refusal
from server_stub.routes.qwen_sessions import restored_of
from server_stub.world import Session

Json = dict[str, Any]

RECORDS = 100
"""Records in one page of a transcript where no limit is given."""
MOST_DELETED = 100


def routes(daemon: Daemon) -> list[Route]:
    world = daemon.world

    async def page(request: Request) -> Response:
        """Some records of a transcript: from its beginning, from its end, or from where the last page ended."""
        limit = _limit(request.query_params.get("limit"))
        found = records(_stored(request.path_params["sid"]))
        start, stop, backward = _span(request, found, limit)
        more = start > 0 if backward else stop < len(found)
        events = [
            {"v": 1, "type": kind, "data": data["update"]} for _, said in found[start:stop] for kind, data in said
        ]
        session = _stored(request.path_params["sid"])
        place = {"at": start if backward else stop, "backward": backward}
        body: Json = {"v": 1, "sessionId": session.id, "events": events}
        if more:
            body["nextCursor"] = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
        times = session.info["time"]
        said = {"hasMore": more, "startTime": iso(times["created"]), "lastUpdated": iso(times["updated"])}
        return QwenJson({**body, **said}, headers={"cache-control": "no-store"})

    async def branched(request: Request) -> Response:
        """Copy all of an idle session into a new one, and come to it."""
        client_id = client_id_of(request)
        name = (await body_of(request)).get("name")
        live = daemon.session(request.path_params["sid"])
        daemon.clients.check(live.id, client_id)
        if live.prompts.pending:
            error = f"Cannot branch session {live.id}: a prompt is currently active"
            where = {"code": "branch_while_prompt_active", "sessionId": live.id}
            raise Refusal(HTTPStatus.CONFLICT, {"error": error, **where})
        if live.session not in daemon.stored():
            why = f"Source session not found or empty: {live.id}"
            body = {"error": "Internal error", "code": -32603, "data": {"details": why}}
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, body)
        attached = daemon.branch(live, name if isinstance(name, str) else None)
        known = restored_of(attached, {"compactedReplay": attached.live.ring.replay.compacted_replay()})
        title = attached.live.session.info["title"]
        origin = {"sessionId": live.id, "displayName": live.session.info["title"]}
        branch = {**known, "liveJournal": [], "displayName": title, "forkedFrom": origin}
        return QwenJson(branch, HTTPStatus.CREATED)

    async def deleted(request: Request) -> Response:
        """End and delete stored sessions; of one that is not stored it is said that it was not found."""
        ids = (await body_of(request)).get("sessionIds")
        if not isinstance(ids, list) or not 0 < len(ids) <= MOST_DELETED or not all(_is_text(one) for one in ids):
            error = f"`sessionIds` must be a non-empty string array (max {MOST_DELETED})"
            raise refusal(error, code="invalid_request")
        stored = {session.id: session for session in daemon.stored()}
        for session_id in ids:
            if session_id in daemon.live:
                await daemon.close(daemon.live[session_id], None)
            if session_id in stored:
                world.delete_session(stored[session_id])
        removed = [one for one in ids if one in stored]
        return QwenJson({"removed": removed, "notFound": [one for one in ids if one not in stored], "errors": []})

    def _stored(session_id: str) -> Session:
        found = next((session for session in daemon.stored() if session.id == session_id), None)
        if found is None:
            raise not_found(session_id)
        return found

    return [
        Route("/session/{sid}/transcript", page),
        Route("/session/{sid}/branch", branched, methods=["POST"]),
        Route("/sessions/delete", deleted, methods=["POST"]),
    ]


def _span(request: Request, stored: Collection[Record], limit: int) -> tuple[int, int, bool]:
    """First and last record (exclusive) of the page, and whether it is read backward. Raises Refusal 400."""
    query = request.query_params
    direction, cursor, before = query.get("direction"), query.get("cursor"), query.get("beforeRecordId")
    if direction not in (None, "backward"):
        raise _misplaced("`direction` must be `backward`")
    if sum(one is not None for one in (direction, cursor, before)) > 1:
        raise _misplaced("Invalid transcript cursor and anchor combination")
    if cursor is not None:
        place = _place(cursor)
    elif before is not None:
        ids = [record_id for record_id, _ in stored]
        if before not in ids:
            raise _misplaced("Invalid transcript cursor")
        place = {"at": ids.index(before), "backward": True}
    else:
        place = {"at": len(stored) if direction else 0, "backward": direction is not None}
    at = place["at"]
    return (max(0, at - limit), at, True) if place["backward"] else (at, min(len(stored), at + limit), False)


def _place(cursor: str) -> Json:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        place = None
    match place:
        case {"at": int(), "backward": bool()}:
            found: Json = place
            return found
    raise _misplaced("Invalid transcript cursor")


def _limit(text: str | None) -> int:
    if text is None:
        return RECORDS
    if not text.isdecimal():
        raise refusal("`limit` must be a positive integer", code="invalid_transcript_limit")
    if not 0 < int(text) <= MOST_RECORDS:
        error = f"`limit` must be between 1 and {MOST_RECORDS}"
        raise refusal(error, code="invalid_transcript_limit", maxLimit=MOST_RECORDS)
    return int(text)


def _misplaced(error: str) -> Refusal:
    return refusal(error, code="invalid_transcript_cursor")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
