"""The configuration; changing it disposes instances (all that runs in one directory)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.agent import Agent
from server_stub.domain.json_encoding import Json, JsonResponse
from server_stub.domain.state import ServerState
from server_stub.http.directory import directory_of
from server_stub.http.validation import field, read_object, wrong_value

SCHEMA = {"$schema": "https://opencode.ai/config.json"}
HEARTBEAT_MS = range(1_000, 60_001)
LEVELS = ("debug", "info", "error", "warn")


def routes(server: ServerState, agent: Agent) -> list[Route]:
    async def health(request: Request) -> Response:
        """Whether the server is up, and its version."""
        return JsonResponse({"healthy": True, "version": server.profile.version})

    async def global_config(request: Request) -> Response:
        """The configuration of all directories."""
        return JsonResponse({**SCHEMA, **server.config})

    async def global_changed(request: Request) -> Response:
        """Change the configuration; any change except to the heartbeat of event streams disposes every instance."""
        patch = _known(await read_object(request))
        before = server.config
        server.configure(patch)
        if _of_instances(server.config) != _of_instances(before):
            await agent.dispose()
        return JsonResponse({**SCHEMA, **server.config})

    async def config(request: Request) -> Response:
        """The configuration of the directory, with its defaults."""
        return JsonResponse({**SCHEMA, "command": {}, "plugin": [], **MODELS, **NOTHING, **server.config})

    async def changed(request: Request) -> Response:
        """Change the configuration; the directory's instance is disposed even without a change.

        A change of the heartbeat of event streams alone does not dispose it.
        """
        patch = _known(await read_object(request))
        server.configure(patch)
        if not patch or _of_instances(patch):
            await agent.dispose(directory_of(request, server))
        return JsonResponse(patch)

    async def instance_disposed(request: Request) -> Response:
        """Dispose the directory's instance."""
        await agent.dispose(directory_of(request, server))
        return JsonResponse(True)

    async def all_disposed(request: Request) -> Response:
        """Dispose every instance."""
        await agent.dispose()
        return JsonResponse(True)

    async def logged(request: Request) -> Response:
        """Accept a log line; the stub discards it."""
        body = await read_object(request)
        field(body, "service", str)
        level = field(body, "level", str)
        if level not in LEVELS:
            raise wrong_value(" | ".join(f'"{known}"' for known in LEVELS), level, '["level"]')
        field(body, "message", str)
        return JsonResponse(True)

    return [
        Route("/global/health", health, methods=["GET"]),
        Route("/global/config", global_config, methods=["GET"]),
        Route("/global/config", global_changed, methods=["PATCH"]),
        Route("/global/dispose", all_disposed, methods=["POST"]),
        Route("/config", config, methods=["GET"]),
        Route("/config", changed, methods=["PATCH"]),
        Route("/instance/dispose", instance_disposed, methods=["POST"]),
        Route("/log", logged, methods=["POST"]),
    ]


MODELS = {"model": "holdfast/scripted", "small_model": "holdfast/scripted", "username": "unknown"}
NOTHING: Json = {"mode": {}, "agent": {}}


def _known(body: Json) -> Json:
    """The settings that the stub knows; others are ignored, as in opencode. Raises ApiError 400."""
    known: Json = {}
    if "username" in body:
        if not isinstance(body["username"], str | None):
            raise wrong_value("string | null", body["username"], '["username"]')
        known["username"] = body["username"]
    server = field(body, "server", dict, optional=True) or {}
    stream = field(server, "event_stream", dict, at='["server"]', optional=True) or {}
    if "heartbeat_ms" in stream:
        interval = stream["heartbeat_ms"]
        if interval not in HEARTBEAT_MS:
            span = f"{HEARTBEAT_MS.start} to {HEARTBEAT_MS.stop - 1}"
            raise wrong_value(f"an integer from {span}", interval, '["server"]["event_stream"]["heartbeat_ms"]')
        known["server"] = {"event_stream": {"heartbeat_ms": interval}}
    return known


def _of_instances(config: Json) -> Json:
    """The settings that an instance reads once, when it starts."""
    return {name: value for name, value in config.items() if name != "server"}
