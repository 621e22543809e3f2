"""Options of a session of `qwen serve` (mode, model, commands, title), and the file search."""

import re
import time
from collections.abc import Collection
from fnmatch import fnmatch
from http import HTTPStatus
from itertools import islice

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.agent import COMMANDS
from server_stub.domain.api_errors import ApiError
from server_stub.domain.json_encoding import Json
from server_stub.http.file_listing import MAX_READ, paths_in
from server_stub.qwen import updates
from server_stub.qwen.daemon import MODEL, MODES, Daemon, state_of
from server_stub.qwen.live_session import LiveSession
from server_stub.qwen.routes.request import QwenJson, body_of, client_id_of, refusal

SESSION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
MAX_MATCHES = 50_000
MATCHES = 5_000
"""Default of `maxResults`."""


def routes(daemon: Daemon, workspace: Collection[str]) -> list[Route]:
    """`workspace` holds the names of the served directory: its id and its path."""

    async def context(request: Request) -> Response:
        """The available modes and models, and the current ones."""
        live = daemon.session(request.path_params["sid"])
        known = {"v": 1, "sessionId": live.id, "workspaceCwd": live.session.directory}
        return QwenJson({**known, "recovery": {"kind": "clean", "canContinue": False}, "state": state_of(live.mode)})

    async def commands(request: Request) -> Response:
        """The slash commands."""
        live = daemon.session(request.path_params["sid"])
        available = updates.commands(COMMANDS)["availableCommands"]
        none: Json = {"availableSkills": [], "workflowsEnabled": False, "savedWorkflows": []}
        return QwenJson({"v": 1, "sessionId": live.id, "availableCommands": available, **none})

    async def mode(request: Request) -> Response:
        """Set the approval mode."""
        body = await body_of(request)
        wanted, persist = body.get("mode"), body.get("persist")
        if wanted not in MODES:
            error = "`mode` is required and must be one of the allowed values"
            raise refusal(error, code="invalid_approval_mode", allowed=list(MODES))
        if not isinstance(persist, bool | None):
            raise refusal("`persist` must be a boolean when provided", code="invalid_persist_flag")
        live, client_id = _session_and_client(request)
        before = live.mode
        live.change_mode(wanted, client_id)
        planned = {"planExecutionMode": before} if wanted == "plan" else {}
        shown = {"sessionId": live.id, "mode": wanted, "previous": before, "persisted": persist is True}
        return QwenJson({**shown, **planned})

    async def model(request: Request) -> Response:
        """Set the model; there is only one."""
        wanted = (await body_of(request)).get("modelId")
        if not isinstance(wanted, str) or not wanted:
            raise refusal("`modelId` is required and must be a non-empty string")
        live, client_id = _session_and_client(request)
        if wanted != MODEL:
            why = f"Model '{wanted}' not found for authType 'openai'"
            failed = {"sessionId": live.id, "requestedModelId": wanted, "error": why}
            live.ring.publish("model_switch_failed", failed, originator=client_id)
            body = {"error": "Internal error", "code": -32603, "data": {"details": why}}
            raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, body)
        live.ring.publish("model_switched", {"sessionId": live.id, "modelId": wanted}, originator=client_id)
        return QwenJson({"_meta": {"qwenModelSwitch": {"authType": "openai", "modelId": wanted}}})

    async def named(request: Request) -> Response:
        """Set or get the session's title."""
        session_id = request.path_params["sid"]
        if not SESSION_ID.fullmatch(session_id):
            raise refusal("`sessionId` must be a valid session id", code="invalid_session_id")
        title = (await body_of(request)).get("displayName")
        if not isinstance(title, str | None):
            raise refusal("`displayName` must be a string", code="invalid_metadata", field="displayName")
        live, client_id = _session_and_client(request)
        if title is not None:
            daemon.server.update_session(live.session, title=title)
            shown = {"sessionId": live.id, "displayName": title, "titleSource": "manual"}
            live.ring.publish("session_metadata_updated", shown, originator=client_id)
        return QwenJson({"sessionId": live.id, "displayName": live.session.info["title"]})

    async def glob(request: Request) -> Response:
        """Files of the workspace that match a pattern."""
        if "workspace" in request.path_params and request.path_params["workspace"] not in workspace:
            error = "`:workspace` must decode to a workspace id or absolute path"
            raise refusal(error, code="workspace_mismatch")
        query = request.query_params
        pattern, most = query.get("pattern"), query.get("maxResults", str(MATCHES))
        if not pattern:
            raise _unparsed("pattern query parameter is required")
        if not most.isdecimal() or not 0 < int(most) <= MAX_MATCHES:
            raise _unparsed(f"`maxResults` must be a positive integer in [1, {MAX_MATCHES}]")
        began = time.monotonic()
        files = (path for path in paths_in(daemon.server.directory) if not path.endswith("/"))
        fitting = [path for path in islice(files, MAX_READ) if _fits(path, pattern)]
        found = fitting[: int(most)]
        shown: Json = {"kind": "glob", "pattern": pattern, "cwd": query.get("cwd", ""), "matches": found}
        took = round((time.monotonic() - began) * 1000)
        return QwenJson(
            {**shown, "count": len(found), "truncated": len(fitting) > len(found), "durationMs": took},
            headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
        )

    def _session_and_client(request: Request) -> tuple[LiveSession, str | None]:
        """The session and the client id. Raises ApiError, MalformedClientId or UnregisteredClient."""
        client_id = client_id_of(request)
        live = daemon.session(request.path_params["sid"])
        daemon.clients.check(live.id, client_id)
        return live, client_id

    base = "/session/{sid}"
    return [
        Route(f"{base}/context", context),
        Route(f"{base}/supported-commands", commands),
        Route(f"{base}/approval-mode", mode, methods=["POST"]),
        Route(f"{base}/model", model, methods=["POST"]),
        Route(f"{base}/metadata", named, methods=["PATCH"]),
        Route("/glob", glob),
        Route("/workspaces/{workspace:path}/glob", glob),
    ]


def _fits(path: str, pattern: str) -> bool:
    """`**/` matches any folders or none; unlike in qwen, `*` matches slashes, too."""
    return fnmatch(path, pattern) or fnmatch(path, pattern.replace("**/", ""))


def _unparsed(error: str) -> ApiError:
    body = {"errorKind": "parse_error", "error": error, "status": 400}
    return ApiError(HTTPStatus.BAD_REQUEST, body)
