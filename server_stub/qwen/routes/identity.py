"""Client identity and heartbeats, by the routes of `qwen serve` 0.24.4, for the opencode profiles.

They know only the sessions of the state, not prompts and events: `/capabilities` lists only what is implemented, and
cursors stay at 0. Unlike in `qwen serve`, the last detach closes no session.
"""

import os
import uuid
from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server_stub.domain.api_errors import ApiError
from server_stub.domain.client_registry import ClientRegistry, MalformedClientId, UnregisteredClient
from server_stub.domain.state import IDLE, ServerState, Session
from server_stub.qwen.routes.request import body_of, client_id_of, refuse
from server_stub.qwen.timestamps import iso

Json = dict[str, Any]

FEATURES = [
    "health",
    "daemon_status",
    "capabilities",
    "session_resume",
    "client_identity",
    "client_heartbeat",
]


def routes(server: ServerState, clients: ClientRegistry) -> list[Route]:
    daemon = _Daemon(server, clients)
    return [
        Route("/health", daemon.health),
        Route("/capabilities", daemon.capabilities),
        Route("/daemon/status", daemon.status),
        Route("/session/{session_id}/resume", daemon.resume, methods=["POST"]),
        Route("/session/{session_id}/detach", daemon.detach, methods=["POST"]),
        Route("/session/{session_id}/heartbeat", daemon.heartbeat, methods=["POST"]),
    ]


Handler = Callable[["_Daemon", Request], Awaitable[Response]]


def _checked(handler: Handler) -> Handler:
    """Answer 400 to an invalid body, a malformed client id and an unregistered one."""

    @wraps(handler)
    async def checked(daemon: "_Daemon", request: Request) -> Response:
        try:
            await body_of(request)
            return await handler(daemon, request)
        except (ApiError, MalformedClientId, UnregisteredClient) as error:
            return await refuse(request, error)

    return checked


class _Daemon:
    def __init__(self, server: ServerState, clients: ClientRegistry) -> None:
        self._server = server
        self._clients = clients
        self._epoch = str(uuid.uuid4())
        self._started = server.clock.now()

    async def health(self, request: Request) -> Response:
        """Whether the daemon is up."""
        return JSONResponse({"status": "ok"})

    async def capabilities(self, request: Request) -> Response:
        """The features of the daemon."""
        return JSONResponse(
            {
                "v": 1,
                "protocolVersions": {"current": "v1", "supported": ["v1"]},
                "mode": "http-bridge",
                "features": FEATURES,
                "workspaceCwd": self._server.directory,
                "transports": ["rest"],
                "policy": {"permission": "first-responder"},
                "limits": {},
            }
        )

    @_checked
    async def resume(self, request: Request) -> Response:
        """Attach to a session, with the client id of the header or a new one."""
        client_id = client_id_of(request)
        session = self._session(request)
        if session is None:
            return _session_not_found(request)
        return JSONResponse(
            {
                "sessionId": session.id,
                "workspaceCwd": session.directory,
                "attached": True,
                "clientId": self._clients.attach(session.id, client_id),
                "createdAt": iso(session.info["time"]["created"]),
                "state": {},
                "hasActivePrompt": session.status != IDLE,
                "lastEventId": 0,
                "eventEpoch": self._epoch,
            }
        )

    @_checked
    async def detach(self, request: Request) -> Response:
        """Detach from a session."""
        self._clients.detach(request.path_params["session_id"], client_id_of(request))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @_checked
    async def heartbeat(self, request: Request) -> Response:
        """Send a heartbeat of a client, or an anonymous one."""
        client_id = client_id_of(request)
        session = self._session(request)
        if session is None:
            return _session_not_found(request)
        now = self._server.clock.now()
        self._clients.beat(session.id, client_id, now)
        identity = {} if client_id is None else {"clientId": client_id}
        return JSONResponse({"sessionId": session.id, **identity, "lastSeenAt": now})

    async def status(self, request: Request) -> Response:
        """Status of the daemon and its sessions."""
        detail = request.query_params.get("detail", "summary")
        if detail not in ("summary", "full"):
            error = "detail must be one of: summary, full"
            return _refused(HTTPStatus.BAD_REQUEST, error, code="invalid_detail")
        now = self._server.clock.now()
        sessions = list(self._server.sessions.values())
        summary = {
            "v": 1,
            "detail": detail,
            "generatedAt": iso(now),
            "status": "ok",
            "issues": [],
            "daemon": {
                "pid": os.getpid(),
                "uptimeMs": now - self._started,
                "mode": "http-bridge",
                "workspaceCwd": self._server.directory,
            },
            "runtime": {"sessions": {"active": len(sessions)}},
        }
        full = {"full": {"sessions": [self._described(session) for session in sessions]}}
        return JSONResponse(summary | full if detail == "full" else summary)

    def _described(self, session: Session) -> Json:
        attendance = self._clients.attendance(session.id)
        seen = {} if attendance.last_seen_at is None else {"lastSeenAt": attendance.last_seen_at}
        return {
            "sessionId": session.id,
            "workspaceCwd": session.directory,
            "createdAt": iso(session.info["time"]["created"]),
            "clientCount": len(attendance.attachments),
            "subscriberCount": 0,
            "hasActivePrompt": session.status != IDLE,
            "lastEventId": 0,
            **seen,
        }

    def _session(self, request: Request) -> Session | None:
        return self._server.sessions.get(request.path_params["session_id"])


def _session_not_found(request: Request) -> Response:
    session_id = request.path_params["session_id"]
    error = f'No session with id "{session_id}"'
    return _refused(HTTPStatus.NOT_FOUND, error, code="session_not_found", sessionId=session_id)


def _refused(status: HTTPStatus, error: str, **more: str) -> Response:
    return JSONResponse({"error": error, **more}, status)
