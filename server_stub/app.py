"""Puts the stub server together: one world, its routes, and what stands before every route."""

import os
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from server_stub import openapi
from server_stub.agent import Agent
from server_stub.clients import Clients
from server_stub.clock import Clock, PacedClock
from server_stub.exchange import FaultMiddleware
from server_stub.faults import Faults, Flag
from server_stub.gate import BasicAuth, LoopbackOnly
from server_stub.profiles import Profile
from server_stub.refusals import Refusal
from server_stub.routes import admin as faults_route
from server_stub.routes import config, daemon, events, messages, requests, sessions, startup
from server_stub.scenarios import choose
from server_stub.turn import Script
from server_stub.wire import JsonResponse
from server_stub.world import World

PASSWORD_VARIABLE = "HOLDFAST_STUB_PASSWORD"

WEB_PAGE = """<!doctype html>
<html lang="en"><head><title>holdfast-stub</title></head>
<body>A scripted agent server. Its routes are described at <a href="/doc">/doc</a>.</body></html>
"""


def create_app(
    profile: Profile,
    *,
    scenario: str = "tour",
    admin: bool = False,
    clock: Clock | None = None,
    world: World | None = None,
    model: Callable[[str], Script] | None = None,
) -> Starlette:
    """An ASGI application on a world of its own (`app.state.world`, `.agent` and `.faults`), or on `world`.

    `scenario` is what the agent plays when a prompt holds none of its words; `admin` opens the faults' route.
    `model` stands in for the words: it gives the script for a prompt's text, each time that the agent begins one.
    HOLDFAST_STUB_PASSWORD, read here, asks every request for HTTP Basic with the profile's user name.
    """
    world = world or World(profile, clock or PacedClock(), os.getcwd())
    agent = Agent(world, model or (lambda text: choose(text, scenario)))

    def switch(flag: Flag, on: bool) -> None:
        match flag:
            case "muted":
                world.bus.muted = on
            case "wedged":
                world.wedged = on

    faults = Faults(switch)
    routes = [
        *events.routes(world),
        *sessions.routes(world, agent),
        *messages.routes(world, agent),
        *requests.routes(world),
        *config.routes(world, agent),
        *startup.routes(world),
        *daemon.routes(world, Clients(daemon.new_client_id)),
    ]

    async def doc(request: Request) -> Response:
        """This document."""
        return JsonResponse(described)

    routes.append(Route("/doc", doc, methods=["GET"]))
    described = openapi.document(routes, world.profile.version)
    password = os.environ.get(PASSWORD_VARIABLE)
    app = Starlette(
        routes=[
            *routes,
            *(faults_route.routes(faults) if admin else ()),
            Route("/{path:path}", _web_page, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ],
        middleware=[
            Middleware(LoopbackOnly),
            Middleware(FaultMiddleware, faults=faults),
            *([Middleware(BasicAuth, profile.user, password)] if password else []),
        ],
        exception_handlers={Refusal: _refuse},
    )
    app.state.world = world
    app.state.agent = agent
    app.state.faults = faults
    return app


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return JsonResponse(refusal.body, refusal.status)


async def _web_page(request: Request) -> Response:
    """opencode answers every path that it does not know with its web page, and 200."""
    return HTMLResponse(WEB_PAGE)
