"""Routes of `qwen serve`: health, capabilities and status of the daemon, and all other route modules."""

import hashlib
import os
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from server_stub.domain.api_errors import ApiError
from server_stub.domain.client_registry import MalformedClientId, UnregisteredClient
from server_stub.domain.json_encoding import Json
from server_stub.qwen.daemon import MAX_SESSIONS, Daemon
from server_stub.qwen.live_session import LiveSession
from server_stub.qwen.prompts import MAX_PENDING
from server_stub.qwen.routes import events, permissions, prompts, session_options, sessions, stored_sessions
from server_stub.qwen.routes.request import QwenJson, refusal, refuse
from server_stub.qwen.timestamps import iso

Handler = Callable[[Request, Exception], Awaitable[Response]]

FEATURES = [
    "health",
    "daemon_status",
    "capabilities",
    "session_create",
    "session_id_override",
    "session_scope_override",
    "session_load",
    "session_resume",
    "session_list",
    "session_prompt",
    "session_turn_status",
    "session_cancel",
    "session_events",
    "slow_client_warning",
    "typed_event_schema",
    "client_identity",
    "client_heartbeat",
    "session_permission_vote",
    "permission_vote",
    "session_set_model",
    "session_context",
    "session_supported_commands",
    "session_approval_mode_control",
    "session_metadata",
    "session_branch",
    "session_transcript",
    "session_transcript_pagination",
    "session_turn_navigation",
    "session_status",
    "session_close",
    "permission_mediation",
    "non_blocking_prompt",
]
"""The features of qwen 0.24.4 that the stub implements."""

PROTOCOLS: Json = {"current": "v1", "supported": ["v1"]}
POLICY = {"permission": "first-responder"}
LIMITS: Json = {"maxPendingPromptsPerSession": MAX_PENDING, "maxSessionsPerWorkspace": MAX_SESSIONS}

ERRORS: dict[type[Exception], Handler] = {kind: refuse for kind in (ApiError, MalformedClientId, UnregisteredClient)}


def routes(daemon: Daemon, abort_connection: Callable[[Scope], None]) -> list[Route]:
    """`abort_connection` aborts the connection of a request. Errors are handled by ERRORS."""
    server = daemon.server
    workspace = Workspace(server.directory)

    async def health(request: Request) -> Response:
        """Whether the daemon is up."""
        return QwenJson({"status": "ok"})

    async def capabilities(request: Request) -> Response:
        """The features of the daemon."""
        return QwenJson(
            {
                "v": 1,
                "protocolVersions": PROTOCOLS,
                "qwenCodeVersion": server.profile.version,
                "mode": "http-bridge",
                "features": FEATURES,
                "modelServices": [],
                "workspaceCwd": server.directory,
                "transports": ["rest"],
                "policy": POLICY,
                "limits": LIMITS,
                "workspaces": [workspace.document()],
            }
        )

    async def status(request: Request) -> Response:
        """Status of the daemon and its sessions."""
        detail = request.query_params.get("detail", "summary")
        if detail not in ("summary", "full"):
            raise refusal("detail must be one of: summary, full", code="invalid_detail")
        now = server.clock.now()
        sessions = list(daemon.live.values())
        pending = sum(len(live.interactions) for live in sessions)
        summary: Json = {
            "v": 1,
            "detail": detail,
            "generatedAt": iso(now),
            "status": "ok",
            "issues": [],
            "daemon": {
                "pid": os.getpid(),
                "uptimeMs": now - daemon.started_at,
                "mode": "http-bridge",
                "workspaceCwd": server.directory,
                "qwenCodeVersion": server.profile.version,
            },
            "limits": {**LIMITS, "eventRingSize": server.profile.event_ring},
            "capabilities": {"protocolVersions": PROTOCOLS, "features": FEATURES},
            "runtime": {
                "sessions": {"active": len(sessions), "admissionInFlight": 0},
                "permissions": {"pending": pending, "policy": POLICY["permission"]},
                "channel": {"live": True},
                "transport": {"restSseActive": sum(live.ring.readers for live in sessions)},
            },
        }
        full = {"full": {"sessions": [_described(daemon, live) for live in sessions]}}
        return QwenJson(summary | full if detail == "full" else summary)

    return [
        Route("/health", health),
        Route("/capabilities", capabilities),
        Route("/daemon/status", status),
        *sessions.routes(daemon, workspace.names),
        *prompts.routes(daemon),
        *events.routes(daemon, abort_connection),
        *permissions.routes(daemon),
        *session_options.routes(daemon, workspace.names),
        *stored_sessions.routes(daemon),
    ]


class Workspace:
    """The directory that this daemon serves."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._id = hashlib.sha256(directory.encode()).hexdigest()[:16]

    @property
    def names(self) -> tuple[str, str]:
        """The names of the workspace in paths: its id and its directory."""
        return self._id, self._directory

    def document(self) -> Json:
        known = {"id": self._id, "cwd": self._directory, "primary": True, "trusted": True}
        return {**known, "workflowsEnabled": False, "removable": False}


def _described(daemon: Daemon, live: LiveSession) -> Json:
    client_activity = daemon.clients.client_activity(live.id)
    seen = {} if client_activity.last_seen_at is None else {"lastSeenAt": client_activity.last_seen_at}
    prompts = live.prompts.pending
    return {
        "sessionId": live.id,
        "workspaceCwd": live.session.directory,
        "createdAt": iso(live.created_at),
        "clientCount": len(client_activity.attachments),
        "subscriberCount": live.ring.readers,
        "attachCount": max(0, sum(client_activity.attachments.values()) - 1),
        "pendingPromptCount": len(prompts),
        "pendingPermissionCount": len(live.interactions),
        "hasActivePrompt": live.prompts.busy,
        "hasRunningBackgroundTasks": False,
        "lastEventId": live.ring.last_id,
        **seen,
        "currentModelId": "scripted",
        "currentApprovalMode": live.mode,
    }
