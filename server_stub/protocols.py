"""Routes, middleware and error handlers of each protocol."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import assert_never, get_args

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from server_stub.domain.agent import Agent
from server_stub.domain.api_errors import ApiError, MalformedJson
from server_stub.domain.client_registry import ClientRegistry
from server_stub.domain.json_encoding import JsonResponse
from server_stub.domain.state import ServerState
from server_stub.faults.kinds import Flag
from server_stub.http import openapi
from server_stub.http.auth import BasicAuth, BearerAuth, JsonOnly, LoopbackOnly, LowerCaseSessionIds, SameOrigin
from server_stub.http.directory import OwnDirectory, PlaceOfRequest
from server_stub.http.validation import zod_body
from server_stub.opencode import (
    bash_interactive,
    config,
    events,
    files,
    messages,
    requests,
    sessions,
    static_documents,
)
from server_stub.qwen.daemon import Daemon, new_client_id
from server_stub.qwen.routes import identity, root
from server_stub.qwen.routes.request import unknown_route

Endpoint = Callable[[Request], Awaitable[Response]]
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]

ZOD_DOC = {"/auth/{providerID}": ["PUT", "DELETE"], "/log": ["POST"]}
"""The only routes in MiMo Code 0.1.15's own OpenAPI document."""
WEB_PAGE = """<!doctype html>
<html lang="en"><head><title>holdfast-stub</title></head>
<body>A scripted agent server. Its routes are described at <a href="/doc">/doc</a>.</body></html>
"""


@dataclass(frozen=True, slots=True)
class Protocol:
    routes: list[Route]
    unknown: Endpoint
    """Answers unknown paths."""
    gates: list[Middleware]
    """Middleware before the faults."""
    auth: list[Middleware]
    """Middleware after the faults; empty without a password."""
    errors: Mapping[type[Exception], ErrorHandler]
    daemon: Daemon | None = None
    """The owner of live sessions, in qwen."""
    supported_flags: Collection[Flag] = get_args(Flag)


def family_of(server: ServerState, agent: Agent, password: str | None, hang_up: Callable[[Scope], None]) -> Protocol:
    """The protocol of the state's profile. `hang_up` aborts the connection of a request."""
    match server.profile.protocol:
        case "opencode":
            return _opencode(server, agent, password)
        case "qwen":
            return _qwen(server, agent, password, hang_up)
        case never:
            assert_never(never)


def _opencode(server: ServerState, agent: Agent, password: str | None) -> Protocol:
    clients = ClientRegistry(new_client_id)
    routes = [
        *events.routes(server),
        *sessions.routes(server, agent, clients),
        *messages.routes(server, agent),
        *requests.routes(server),
        *config.routes(server, agent),
        *static_documents.routes(server),
        *files.routes(server),
        *identity.routes(server, clients),
    ]

    async def doc(request: Request) -> Response:
        """This document."""
        return JsonResponse(described)

    if server.profile.bash_interactive:
        routes += bash_interactive.routes(server)
    routes.append(Route("/doc", doc, methods=["GET"]))
    documented = (
        routes
        if server.profile.validation == "effect"
        else [Route(path, doc, methods=methods) for path, methods in ZOD_DOC.items()]
    )
    described = openapi.document(documented, server.profile.version)
    zods = server.profile.validation == "zod"
    auth = [Middleware(BasicAuth, server.profile.user, password)] if password else []
    if not password and not server.profile.foreign_directories:
        auth.append(Middleware(OwnDirectory, server))
    if server.profile.routes_by == "header":
        auth.append(Middleware(PlaceOfRequest, server))
    return Protocol(
        routes,
        _no_web_page if zods else _web_page,
        [Middleware(LoopbackOnly), Middleware(SameOrigin), Middleware(JsonOnly)],  # stricter than the real servers
        auth,
        {ApiError: _refuse_with_zod if zods else _refuse},
    )


def _qwen(server: ServerState, agent: Agent, password: str | None, hang_up: Callable[[Scope], None]) -> Protocol:
    daemon = Daemon(server, agent)
    return Protocol(
        root.routes(daemon, hang_up),
        unknown_route,
        [
            Middleware(LoopbackOnly, JSONResponse({"error": "Invalid Host header"}, 403), own_port=True),
            Middleware(SameOrigin),
            Middleware(LowerCaseSessionIds),
        ],
        [Middleware(BearerAuth, password)] if password else [],
        root.ERRORS,
        daemon,
        supported_flags=("mute-events", "wedged"),  # the others do not apply: a prompt is one transcript line
    )


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, ApiError)
    return JsonResponse(refusal.body, refusal.status, headers=dict(refusal.headers))


async def _refuse_with_zod(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, ApiError)
    if isinstance(refusal, MalformedJson):
        return Response("Malformed JSON in request body", 400, media_type="application/octet-stream")
    if refusal.issue is None:
        return await _refuse(request, refusal)
    return JsonResponse(await zod_body(request, refusal), 400)


async def _no_web_page(request: Request) -> Response:
    """MiMo Code fetches its web page from the internet; offline it answers this."""
    return JsonResponse({"error": "Web UI is temporarily unavailable."}, 503)


async def _web_page(request: Request) -> Response:
    """opencode answers unknown paths with its web page and 200."""
    return HTMLResponse(WEB_PAGE)
