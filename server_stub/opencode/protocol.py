"""Assembles the routes, middleware and error handlers of opencode and MiMo Code."""

from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from server_stub.domain.agent import Agent
from server_stub.domain.api_errors import ApiError, MalformedJson
from server_stub.domain.client_registry import ClientRegistry
from server_stub.domain.json_encoding import JsonResponse
from server_stub.domain.state import ServerState
from server_stub.http import openapi
from server_stub.http.auth import BasicAuth, JsonOnly, LoopbackOnly, SameOrigin
from server_stub.http.directory import OwnDirectory, RequestDirectory
from server_stub.http.validation import zod_body
from server_stub.opencode.routes import (
    bash_interactive,
    config,
    events,
    files,
    messages,
    requests,
    sessions,
    static_documents,
)
from server_stub.protocols import Protocol
from server_stub.qwen.daemon import new_client_id
from server_stub.qwen.routes import identity

ZOD_DOC = {"/auth/{providerID}": ["PUT", "DELETE"], "/log": ["POST"]}
"""The only routes in MiMo Code 0.1.15's own OpenAPI document."""
WEB_PAGE = """<!doctype html>
<html lang="en"><head><title>holdfast-stub</title></head>
<body>A scripted agent server. Its routes are described at <a href="/doc">/doc</a>.</body></html>
"""


def protocol(
    server: ServerState, agent: Agent, password: str | None, abort_connection: Callable[[Scope], None]
) -> Protocol:
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
        auth.append(Middleware(RequestDirectory, server))
    return Protocol(
        routes,
        _no_web_page if zods else _web_page,
        [Middleware(LoopbackOnly), Middleware(SameOrigin), Middleware(JsonOnly)],  # stricter than the real servers
        auth,
        {ApiError: _refuse_with_zod if zods else _refuse},
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
