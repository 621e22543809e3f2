"""Assembles the stub server: one state, the routes of its protocol, and the middleware before every route."""

import os
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import Scope

from server_stub.domain.agent import Agent
from server_stub.domain.clock import Clock, PacedClock
from server_stub.domain.profiles import Profile
from server_stub.domain.scripted_turn import Script
from server_stub.domain.state import ServerState
from server_stub.faults import routes as faults_route
from server_stub.faults.fault_middleware import FaultMiddleware
from server_stub.faults.kinds import Faults, Flag
from server_stub.protocols import protocol_of
from server_stub.scenarios.catalog import choose

PASSWORD_VARIABLE = "HOLDFAST_STUB_PASSWORD"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(
    profile: Profile,
    *,
    scenario: str = "tour",
    admin: bool = False,
    clock: Clock | None = None,
    server: ServerState | None = None,
    model: Callable[[str], Script] | None = None,
) -> Starlette:
    """An ASGI application on `server`, or on a new state; `app.state` holds `server`, `agent`, `faults`, `daemon`.

    `scenario` is played when a prompt contains none of the scenario words; `admin` serves the fault route.
    `model` replaces the choice by words: it returns the script for a prompt's text, each time the agent begins one.
    If HOLDFAST_STUB_PASSWORD is set, every request must carry it, as the protocol's password or bearer token.
    """
    server = server or ServerState(profile, clock or PacedClock(), os.getcwd())
    agent = Agent(server, model or (lambda text: choose(text, scenario)))

    def switch(flag: Flag, on: bool) -> None:
        match flag:
            case "mute-events":
                server.bus.muted = on
            case "wedged":
                server.wedged = on
            case "torn-write":
                server.torn_write = on
            case "late-events":
                server.late = on
            case "early-events":
                server.early = on

    faults = Faults(switch)

    def abort_connection(scope: Scope) -> None:
        transport = faults.transport_of(scope["client"])
        if transport is not None:
            transport.abort()

    protocol = protocol_of(server, agent, os.environ.get(PASSWORD_VARIABLE), abort_connection)
    faults.supported_flags = protocol.supported_flags
    if protocol.daemon is not None:
        faults.kill_agent = protocol.daemon.kill_agent
    app = Starlette(
        routes=[
            *protocol.routes,
            *(faults_route.routes(faults) if admin else ()),
            Route("/{path:path}", protocol.unknown, methods=METHODS),
        ],
        middleware=[*protocol.gates, Middleware(FaultMiddleware, faults=faults), *protocol.auth],
        exception_handlers=dict(protocol.errors),
    )
    app.state.server = server
    app.state.agent = agent
    app.state.faults = faults
    app.state.daemon = protocol.daemon
    return app
