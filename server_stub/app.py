"""Puts the stub server together: one world, its routes, and what stands before every route."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server_stub.clock import Clock, PacedClock
from server_stub.profiles import Profile
from server_stub.refusals import Refusal
from server_stub.routes import events
from server_stub.world import World


def create_app(
    profile: Profile, *, scenario: str = "tour", admin: bool = False, clock: Clock | None = None
) -> Starlette:
    """An ASGI application with a world of its own (`app.state.world`).

    `scenario` is what the agent plays when a prompt holds none of its words; `admin` opens the faults' route.
    """
    world = World(profile, clock or PacedClock(), os.getcwd())
    app = Starlette(
        routes=[*events.routes(world)],
        exception_handlers={Refusal: _refuse},
    )
    app.state.world = world
    return app


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return JSONResponse(refusal.body, refusal.status)
