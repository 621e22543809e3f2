"""Sessions of `qwen serve`: create, list, load, detach and close; and heartbeats of clients."""

import re
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.json_encoding import Json
from server_stub.domain.state import Session, default_title
from server_stub.qwen.daemon import MODES, Attached, Daemon
from server_stub.qwen.live_session import LiveSession
from server_stub.qwen.load_response import load_response
from server_stub.qwen.routes.request import QwenJson, body_of, client_id_of, refusal
from server_stub.qwen.stored_transcript import MAX_RECORDS
from server_stub.qwen.timestamps import iso

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
PAGE_SIZE = 50
"""Default page size of stored sessions; the first page also holds all live ones."""


def routes(daemon: Daemon, workspace: Collection[str]) -> list[Route]:
    """`workspace` holds the names of the served directory: its id and its path."""
    server = daemon.server

    async def created(request: Request) -> Response:
        """Create a session, or attach to the shared one."""
        client_id = client_id_of(request)
        body = await body_of(request)
        _check_folder(body.get("cwd"), server.directory)
        scope, mode, session_id = body.get("sessionScope"), body.get("approvalMode"), body.get("sessionId")
        if scope not in (None, "single", "thread"):
            known = '`sessionScope` must be "single" or "thread" when provided'
            raise refusal(known, code="invalid_session_scope")
        if mode is not None and mode not in MODES:
            known = "`approvalMode` must be a known approval mode when provided"
            raise refusal(known, code="invalid_approval_mode", allowed=list(MODES))
        if session_id is not None and not (isinstance(session_id, str) and UUID.fullmatch(session_id)):
            known = '`sessionId` must be an RFC UUID v1-v5 (e.g. "550e8400-e29b-41d4-a716-446655440000")'
            raise refusal(known, code="invalid_session_id")
        session_id = session_id and session_id.lower()
        attached = daemon.create(shared=scope != "thread", session_id=session_id, mode=mode, client_id=client_id)
        busy = {"hasActivePrompt": attached.live.prompts.busy} if attached.was_live else {}
        return QwenJson({**_identity(attached), **busy})

    async def listed(request: Request) -> Response:
        """Live and stored sessions, newest first."""
        name = request.path_params["workspace"]
        if name not in workspace:
            if name.startswith("/"):
                error = "Workspace mismatch: the requested workspace is not registered with this daemon."
                raise refusal(error, code="workspace_mismatch", workspaceCount=1)
            error = "`:workspace` must decode to a workspace id or absolute path"
            raise refusal(error, code="workspace_mismatch")
        return page(request)

    async def listed_bound(request: Request) -> Response:
        """The same for the daemon's own workspace."""
        name = request.path_params["workspace"]
        if name not in workspace:
            if not name.startswith("/"):
                raise refusal("`:id` must decode to a workspace id or absolute path")
            bound = {"boundWorkspace": server.directory, "requestedWorkspace": name}
            error = f'Workspace mismatch: daemon is bound to "{server.directory}"'
            raise refusal(error, code="workspace_mismatch", **bound)
        return page(request)

    def page(request: Request) -> Response:
        size = _number(request.query_params.get("size"), PAGE_SIZE)
        cursor = request.query_params.get("cursor")
        if cursor and not cursor.isdecimal():
            raise refusal(f'Invalid cursor: "{cursor}" is not a valid numeric cursor', code="invalid_cursor")
        before = _number(cursor, None)
        cold = [session for session in daemon.stored() if session.id not in daemon.live]
        cold.sort(key=_updated, reverse=True)
        if before is not None:
            cold = [session for session in cold if _updated(session) < before]
        stored = [_stored(session) for session in cold[:size]]
        known = [] if before is not None else list(daemon.live.values())
        alive = [_stored(live.session) | _summary(daemon, live) for live in known]
        sessions = [{**one, "isArchived": False} for one in [*alive, *stored]]
        sessions.sort(key=lambda one: str(one.get("updatedAt", one["createdAt"])), reverse=True)
        more = {"nextCursor": str(_updated(cold[size - 1]))} if size and len(cold) > size else {}
        return QwenJson({"sessions": sessions, **more})

    async def status(request: Request) -> Response:
        """One session, with its open requests."""
        return QwenJson(_summary(daemon, _live(request)))

    async def loaded(request: Request) -> Response:
        """Attach, loading from disk if needed, and return the history."""
        client_id = client_id_of(request)
        page_size = _page_size(await body_of(request))
        attached = daemon.load(request.path_params["sid"], client_id, page_size)
        return _restored(attached, load_response(attached.live, page_size if attached.was_live else None))

    async def resumed(request: Request) -> Response:
        """Attach without the history."""
        client_id = client_id_of(request)
        await body_of(request)
        return _restored(daemon.resume(request.path_params["sid"], client_id), {})

    async def closed(request: Request) -> Response:
        """Close a session; its transcript is kept."""
        client_id = client_id_of(request)
        await daemon.close_session(_live(request), client_id)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def detached(request: Request) -> Response:
        """Detach from a session."""
        client_id = client_id_of(request)
        await body_of(request)
        daemon.detach(request.path_params["sid"], client_id)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def heartbeat(request: Request) -> Response:
        """Send a heartbeat of a client, or an anonymous one."""
        client_id = client_id_of(request)
        await body_of(request)
        live, now = _live(request), server.clock.now()
        daemon.clients.record_heartbeat(live.id, client_id, now)
        identity = {} if client_id is None else {"clientId": client_id}
        return QwenJson({"sessionId": live.id, **identity, "lastSeenAt": now})

    def _live(request: Request) -> LiveSession:
        return daemon.session(request.path_params["sid"])

    base = "/session/{sid}"
    return [
        Route("/session", created, methods=["POST"]),
        Route("/workspaces/{workspace:path}/sessions", listed),
        Route("/workspace/{workspace:path}/sessions", listed_bound),
        Route(f"{base}/status", status),
        Route(f"{base}/load", loaded, methods=["POST"]),
        Route(f"{base}/resume", resumed, methods=["POST"]),
        Route(base, closed, methods=["DELETE"]),
        Route(f"{base}/detach", detached, methods=["POST"]),
        Route(f"{base}/heartbeat", heartbeat, methods=["POST"]),
    ]


def _page_size(body: Json) -> int | None:
    """Raises ApiError 400."""
    if "historyPageSize" not in body:
        return None
    size = body["historyPageSize"]
    if type(size) is not int or not 0 < size <= MAX_RECORDS:
        error = f"`historyPageSize` must be between 1 and {MAX_RECORDS}"
        raise refusal(error, code="invalid_transcript_limit", maxLimit=MAX_RECORDS)
    return size


def _check_folder(cwd: object, directory: str) -> None:
    if cwd is None:
        return
    if not isinstance(cwd, str) or not cwd.startswith("/"):
        raise refusal("`cwd` must be an absolute path when provided")
    if cwd != directory:
        error = (
            f'Workspace mismatch: runtime is bound to "{directory}" but request asked for "{cwd}". '
            f'Select a registered runtime for "{cwd}" or register it before retrying; this bridge will not fall '
            "back to the primary workspace."
        )
        raise refusal(error, code="workspace_mismatch", boundWorkspace=directory, requestedWorkspace=cwd)


def _identity(attached: Attached) -> Json:
    live = attached.live
    return {
        "sessionId": live.id,
        "workspaceCwd": live.session.directory,
        "attached": attached.was_live,
        "clientId": attached.client_id,
        "createdAt": iso(live.created_at),
    }


def _restored(attached: Attached, shown: Json) -> Response:
    response = QwenJson(restored_of(attached, shown))
    if not attached.was_live:
        attached.live.publish_commands()
    return response


def restored_of(attached: Attached, shown: Json) -> Json:
    """The response for an attached session; `shown` is its history."""
    live = attached.live
    return {
        **_identity(attached),
        "state": live.state,
        "hasRunningBackgroundTasks": False,
        "hasActivePrompt": live.prompts.busy,
        **shown,
        "lastEventId": live.ring.last_id,
        "eventEpoch": live.ring.epoch,
    }


def _summary(daemon: Daemon, live: LiveSession) -> Json:
    """A live session in lists and status, without the fields of its transcript."""
    waiting = live.interactions
    busy = live.prompts.busy
    ended = {} if live.turn_ended_at is None else {"updatedAt": iso(live.turn_ended_at)}
    failed = {} if live.turn_error is None else {"turnError": live.turn_error}
    return {
        "sessionId": live.id,
        "workspaceCwd": live.session.directory,
        "createdAt": iso(live.created_at),
        **ended,
        "clientCount": len(daemon.clients.client_activity(live.id).attachments),
        "hasActivePrompt": busy,
        "activeWorkState": "active" if busy else "idle",
        "hasRunningBackgroundTasks": False,
        "isWaitingForPermission": any(one.kind == "permission" for one in waiting),
        "isWaitingForUserQuestion": any(one.kind == "user_question" for one in waiting),
        "pendingInteractionCount": len(waiting),
        "hasTurnError": bool(failed),
        **failed,
        "pendingInteractions": [one.pending() for one in waiting],
    }


def _stored(session: Session) -> Json:
    """A stored session in lists."""
    created, title = session.info["time"]["created"], session.info["title"]
    begun = {"updatedAt": iso(_updated(session))} if session.messages else {}
    named = {} if title == default_title(created, child=False) else {"displayName": title}
    return {
        "sessionId": session.id,
        "workspaceCwd": session.directory,
        "createdAt": iso(created),
        **begun,
        **named,
        "clientCount": 0,
        "hasActivePrompt": False,
    }


def _updated(session: Session) -> int:
    updated: int = session.info["time"]["updated"]
    return updated


def _number(text: str | None, otherwise: Any) -> Any:
    """The number, or `otherwise` if it is absent or invalid."""
    return int(text) if text is not None and text.isdecimal() else otherwise
