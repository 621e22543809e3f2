"""What a family's package provides: its routes, middleware and error handlers."""

import typing
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import get_args

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from server_stub.domain.agent import Agent
from server_stub.domain.state import ServerState
from server_stub.faults.kinds import Flag

Endpoint = Callable[[Request], Awaitable[Response]]
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


class Daemon(typing.Protocol):
    def kill_agent(self) -> None:
        """End the agent process of all live sessions."""


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
    """The owner of live sessions, in families that have one."""
    supported_flags: Collection[Flag] = get_args(Flag)


def protocol_of(
    server: ServerState, agent: Agent, password: str | None, abort_connection: Callable[[Scope], None]
) -> Protocol:
    """The protocol of the state's profile. `abort_connection` aborts the connection of a request."""
    package = import_module(f"server_stub.{server.profile.protocol}.protocol")
    made: Protocol = package.protocol(server, agent, password, abort_connection)
    return made
