"""Puts the stub server together: one world, its routes, and what stands before every route."""

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from server_stub.agent import Agent
from server_stub.clients import Clients
from server_stub.clock import Clock, PacedClock
from server_stub.exchange import FaultMiddleware
from server_stub.faults import Faults, Flag
from server_stub.profiles import Profile
from server_stub.refusals import Refusal
from server_stub.routes import admin as faults_route
from server_stub.routes import daemon, events, messages, requests, sessions
from server_stub.scenarios import choose
from server_stub.wire import JsonResponse
from server_stub.world import World


def create_app(
    profile: Profile, *, scenario: str = "tour", admin: bool = False, clock: Clock | None = None
) -> Starlette:
    """An ASGI application with a world and faults of its own (`app.state.world`, `app.state.faults`).

    `scenario` is what the agent plays when a prompt holds none of its words; `admin` opens the faults' route.
    """
    world = World(profile, clock or PacedClock(), os.getcwd())
    agent = Agent(world, lambda text: choose(text, scenario))

    def switch(flag: Flag, on: bool) -> None:
        match flag:
            case "muted":
                world.bus.muted = on
            case "wedged":
                world.wedged = on

    faults = Faults(switch)
    app = Starlette(
        routes=[
            *events.routes(world),
            *sessions.routes(world, agent),
            *messages.routes(world, agent),
            *requests.routes(world),
            *daemon.routes(world, Clients(daemon.new_client_id)),
            *(faults_route.routes(faults) if admin else ()),
        ],
        middleware=[Middleware(FaultMiddleware, faults=faults)],
        exception_handlers={Refusal: _refuse},
    )
    app.state.world = world
    app.state.faults = faults
    app.state.agent = agent
    return app


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return JsonResponse(refusal.body, refusal.status)
