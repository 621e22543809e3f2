"""Assembles the routes, middleware and error handlers of `qwen serve`."""

from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import Scope

from server_stub.domain.agent import Agent
from server_stub.domain.state import ServerState
from server_stub.http.auth import BearerAuth, LoopbackOnly, LowerCaseSessionIds, SameOrigin
from server_stub.protocols import Protocol
from server_stub.qwen.daemon import Daemon
from server_stub.qwen.routes import root
from server_stub.qwen.routes.request import unknown_route


def protocol(
    server: ServerState, agent: Agent, password: str | None, abort_connection: Callable[[Scope], None]
) -> Protocol:
    daemon = Daemon(server, agent)
    return Protocol(
        root.routes(daemon, abort_connection),
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
