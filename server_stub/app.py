"""Puts the stub server together: one world, its routes, and what stands before every route."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from server_stub.agent import Agent
from server_stub.clock import Clock, PacedClock
from server_stub.profiles import Profile
from server_stub.refusals import Refusal
from server_stub.routes import events, messages, requests, sessions
from server_stub.scenarios import choose
from server_stub.wire import JsonResponse
from server_stub.world import World


def create_app(
    profile: Profile, *, scenario: str = "tour", admin: bool = False, clock: Clock | None = None
) -> Starlette:
    """An ASGI application with a world of its own (`app.state.world`).

    `scenario` is what the agent plays when a prompt holds none of its words; `admin` opens the faults' route.
    """
    world = World(profile, clock or PacedClock(), os.getcwd())
    agent = Agent(world, lambda text: choose(text, scenario))
    app = Starlette(
        routes=[
            *events.routes(world),
            *sessions.routes(world, agent),
            *messages.routes(world, agent),
            *requests.routes(world),
        ],
        exception_handlers={Refusal: _refuse},
    )
    app.state.world = world
    app.state.agent = agent
    return app


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return JsonResponse(refusal.body, refusal.status)
