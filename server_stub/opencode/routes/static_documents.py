"""Minimal responses to the requests that opencode's official clients send at startup.

One agent family, one provider with one model, two commands; no language servers, no MCP, no accounts.
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.agent import COMMANDS, MODEL
from server_stub.domain.json_encoding import Json, JsonResponse
from server_stub.domain.state import ServerState
from server_stub.http.directory import directory_of

PROVIDER_ID, MODEL_ID = MODEL["providerID"], MODEL["modelID"]
COST: Json = {"input": 0, "output": 0, "cache": {"read": 0, "write": 0}}
TEXT_ONLY = {"text": True, "audio": False, "image": False, "video": False, "pdf": False}
LIMIT = {"context": 200_000, "output": 32_000}

MODEL_INFO: Json = {
    "id": MODEL_ID,
    "providerID": PROVIDER_ID,
    "api": {"id": MODEL_ID, "url": "", "npm": ""},
    "name": "Scripted",
    "family": "",
    "capabilities": {
        "temperature": False,
        "reasoning": True,
        "attachment": False,
        "toolcall": True,
        "input": TEXT_ONLY,
        "output": TEXT_ONLY,
        "interleaved": False,
    },
    "cost": COST,
    "limit": LIMIT,
    "status": "active",
    "options": {},
    "headers": {},
    "release_date": "",
    "variants": {},
}
PROVIDER: Json = {
    "id": PROVIDER_ID,
    "name": "Holdfast stub",
    "source": "config",
    "env": [],
    "options": {},
    "models": {MODEL_ID: MODEL_INFO},
}
DEFAULT = {PROVIDER_ID: MODEL_ID}
AGENTS: list[Json] = [
    {"name": name, "description": description, "mode": mode, "native": True, "permission": [], "options": {}}
    for name, mode, description in (
        ("build", "primary", "Plays the scenario that the words of the prompt choose."),
        ("explore", "subagent", "The same, as a child session."),
        ("general", "subagent", "The same, as a child session."),
        ("plan", "primary", "The same; it plans nothing."),
    )
]
API_MODEL: Json = {
    "id": MODEL_ID,
    "providerID": PROVIDER_ID,
    "name": "Scripted",
    "api": {"id": MODEL_ID, "type": "aisdk", "package": "", "url": "", "settings": {}},
    "capabilities": {"tools": True, "input": ["text"], "output": ["text"]},
    "request": {"headers": {}, "body": {}},
    "variants": [],
    "time": {"released": 0},
    "cost": [COST],
    "status": "active",
    "enabled": True,
    "limit": LIMIT,
}
API_PROVIDER: Json = {
    "id": PROVIDER_ID,
    "name": "Holdfast stub",
    "api": {"type": "aisdk", "package": "", "url": "", "settings": {}},
    "request": {"headers": {}, "body": {}},
}
API_AGENTS: list[Json] = [
    {
        "id": agent["name"],
        "request": {"headers": {}, "body": {}},
        "system": "",
        "description": agent["description"],
        "mode": agent["mode"],
        "hidden": False,
        "permissions": [],
    }
    for agent in AGENTS
]

TOOLS = (
    "invalid",
    "question",
    "bash",
    "read",
    "glob",
    "grep",
    "edit",
    "write",
    "task",
    "webfetch",
    "todowrite",
    "skill",
)

RESERVED: dict[str, object] = {
    "/agent": AGENTS,
    "/command": [
        {
            "name": name,
            "description": description,
            "source": "command",
            "template": template,
            "hints": ["$ARGUMENTS"],
        }
        for name, (description, template) in COMMANDS.items()
    ],
    "/config/providers": {"providers": [PROVIDER], "default": DEFAULT},
    "/provider": {"all": [PROVIDER], "default": DEFAULT, "connected": [PROVIDER_ID]},
    "/provider/auth": {},
    "/experimental/capabilities": {"backgroundSubagents": False},
    "/experimental/tool/ids": TOOLS,
    "/experimental/console": {"consoleManagedProviders": [], "switchableOrgCount": 0},
    "/experimental/resource": {},
    "/experimental/workspace": [],
    "/experimental/workspace/status": [],
    "/formatter": [],
    "/lsp": [],
    "/mcp": {},
    "/skill": [],
    "/vcs": {"branch": None, "default_branch": None},
    "/project/{pid}/directories": [],
}
LOCATED: dict[str, list[Json]] = {
    "/api/agent": API_AGENTS,
    "/api/command": [
        {"name": name, "template": template, "description": description}
        for name, (description, template) in COMMANDS.items()
    ],
    "/api/integration": [],
    "/api/model": [API_MODEL],
    "/api/provider": [API_PROVIDER],
    "/api/reference": [],
    "/api/skill": [],
}


def routes(server: ServerState) -> list[Route]:
    project: Json = {
        "id": "global",
        "worktree": "/",
        "time": {"created": server.clock.now(), "updated": server.clock.now()},
        "sandboxes": [],
    }

    def answering(value: Callable[[str], object]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            """Requested by official clients at startup."""
            return JsonResponse(value(directory_of(request, server)))

        return answer

    documents: dict[str, Callable[[str], object]] = {
        **{path: _constant(value) for path, value in RESERVED.items()},
        **{path: _located(data) for path, data in LOCATED.items()},
        "/api/location": _location,
        "/path": _paths(server.profile.user),
        "/project": lambda directory: [project],
        "/project/current": lambda directory: project,
    }
    return [Route(path, answering(value), methods=["GET"]) for path, value in documents.items()]


def _constant(value: object) -> Callable[[str], object]:
    return lambda directory: value


def _located(data: list[Json]) -> Callable[[str], object]:
    return lambda directory: {"location": _location(directory), "data": data}


def _location(directory: str) -> Json:
    return {"directory": directory, "project": {"id": "global", "directory": "/"}}


def _paths(program: str) -> Callable[[str], object]:
    """The paths of `program`'s files, below its working directory; the stub writes none."""
    return lambda directory: {
        "home": directory,
        "state": f"{directory}/.local/state/{program}",
        "config": f"{directory}/.config/{program}",
        "worktree": "/",
        "directory": directory,
    }
