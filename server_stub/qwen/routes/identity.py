"""Client identity and heartbeats, by the routes of `qwen serve` 0.24.4, for the opencode profiles.

They know only the sessions of the state, not prompts and events: `/capabilities` lists only what is implemented, and
cursors stay at 0. Unlike in `qwen serve`, the last detach closes no session.
"""

import uuid
from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server_stub.domain.api_errors import ApiError
from server_stub.domain.client_registry import ClientRegistry, MalformedClientId, UnregisteredClient
from server_stub.domain.state import IDLE, ServerState, Session
from server_stub.qwen.routes.request import body_of, client_id_of, refuse
from server_stub.qwen.timestamps import iso

FEATURES = ["capabilities", "session_resume", "client_identity", "client_heartbeat"]


def routes(server: ServerState, clients: ClientRegistry) -> list[Route]:
    daemon = _Daemon(server, clients)
    return [
        Route("/capabilities", daemon.capabilities),
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
        self._clients.record_heartbeat(session.id, client_id, now)
        identity = {} if client_id is None else {"clientId": client_id}
        return JSONResponse({"sessionId": session.id, **identity, "lastSeenAt": now})

    def _session(self, request: Request) -> Session | None:
        return self._server.sessions.get(request.path_params["session_id"])


def _session_not_found(request: Request) -> Response:
    session_id = request.path_params["session_id"]
    error = f'No session with id "{session_id}"'
    body = {"error": error, "code": "session_not_found", "sessionId": session_id}
    return JSONResponse(body, HTTPStatus.NOT_FOUND)
