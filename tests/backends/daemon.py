"""A scripted qwen serve, whose event streams the test controls."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.backends.scripted import Scripted
from tests.listening import listening
from tui.net.http_client import Http

CAPABILITIES = {
    "v": 1,
    "qwenCodeVersion": "0.24.4",
    "features": ["client_heartbeat", "client_identity"],
    "workspaceCwd": "/srv",
    "workspaces": [{"id": "w", "cwd": "/srv", "primary": True, "trusted": True}],
}
LIST = "GET /workspaces//srv/sessions"
"""The decoded path."""
LOAD, DETACH = "POST /session/s1/load", "POST /session/s1/detach"
NOT_FOUND = JSONResponse({"error": "No session", "code": "session_not_found"}, 404)
FORGOTTEN = JSONResponse({"error": "not registered", "code": "invalid_client_id"}, 400)
NO_CONTENT = Response(status_code=204)


def loaded(*events: dict[str, Any], last: int = 0, epoch: str = "e1", busy: bool = False, **more: Any) -> Any:
    return {
        "sessionId": "s1",
        "workspaceCwd": "/srv",
        "clientId": "client_1",
        "createdAt": "2026-11-20T10:00:00.000Z",
        "hasActivePrompt": busy,
        "compactedReplay": list(events),
        "liveJournal": [],
        "lastEventId": last,
        "eventEpoch": epoch,
        **more,
    }


def update(number: int, kind: str, prompt: str = "p1", author: str = "client_1", **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "v": 1,
        "type": "session_update",
        "promptId": prompt,
        "originatorClientId": author,
        "data": {"sessionId": "s1", "update": {"sessionUpdate": kind, **fields}},
        "_meta": {"serverTimestamp": 1_000 * number},
    }


def echo(number: int, text: str, prompt: str = "p1", author: str = "client_1") -> dict[str, Any]:
    return update(number, "user_message_chunk", prompt, author, content={"type": "text", "text": text})


def answer_chunk(number: int, text: str, prompt: str = "p1") -> dict[str, Any]:
    return update(number, "agent_message_chunk", prompt, content={"type": "text", "text": text})


def ended(number: int, prompt: str = "p1") -> dict[str, Any]:
    return {
        "id": number,
        "type": "turn_complete",
        "promptId": prompt,
        "data": {"stopReason": "end_turn"},
        "_meta": {"serverTimestamp": 1_000 * number},
    }


def listed(session: str = "s1", *, title: str = "", busy: bool = False, waiting: list[Any] | None = None) -> Any:
    return {
        "sessionId": session,
        "workspaceCwd": "/srv",
        "createdAt": "2026-11-20T10:00:00.000Z",
        "displayName": title,
        "hasActivePrompt": busy,
        "pendingInteractions": waiting or [],
    }


ASKED: dict[str, Any] = {
    "id": 1,
    "type": "permission_request",
    "promptId": "p1",
    "data": {
        "requestId": "r1",
        "toolCall": {
            "toolCallId": "call_1",
            "_meta": {
                "qwenInteractionKind": "user_question",
                "qwenQuestions": [{"question": "Which?", "options": [{"label": "a"}], "multiSelect": True}],
            },
        },
        "options": [
            {"kind": "allow_once", "optionId": "submit", "name": "Submit"},
            {"kind": "reject_once", "optionId": "no", "name": "Cancel"},
        ],
    },
}
"""A question, as sent on the stream."""

PERMISSION = {
    "requestId": "r1",
    "kind": "permission",
    "action": {"type": "execute", "title": "touch x", "input": {"command": "touch x"}},
    "options": [{"optionId": "proceed_once", "label": "Allow", "kind": "allow_once"}],
}
"""A permission, as in the list of sessions."""


@dataclass
class Stream:
    """One event stream opened by a client."""

    session: str
    headers: dict[str, str]
    _bytes: "asyncio.Queue[bytes | None]" = field(default_factory=asyncio.Queue)

    def send(self, *frames: dict[str, Any]) -> None:
        for frame in frames:
            lines = [f"id: {frame['id']}"] if "id" in frame else []
            lines += [f"event: {frame['type']}", f"data: {json.dumps(frame)}", "", ""]
            self._bytes.put_nowait("\n".join(lines).encode())

    def beat(self) -> None:
        self._bytes.put_nowait(b": heartbeat\n\n")

    def end(self) -> None:
        self._bytes.put_nowait(None)

    async def pour(self, receive: Receive, send: Send) -> None:
        """Send frames until the end, or until the client disconnects."""
        self._bytes.put_nowait(b"retry: 3000\n\n")
        watching = asyncio.create_task(self._watch(receive))
        while (chunk := await self._bytes.get()) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        watching.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end()


@dataclass(slots=True)
class Daemon(Scripted):
    """`refuse_streams`: responses to the next event stream requests."""

    streams: list[Stream] = field(default_factory=list)
    refuse_streams: list[Response] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if not request.url.path.endswith("/events"):
            await Scripted.__call__(self, scope, receive, send)
            return
        if self.refuse_streams:
            await self.refuse_streams.pop(0)(scope, receive, send)
            return
        stream = Stream(request.url.path.split("/")[2], dict(request.headers))
        self.streams.append(stream)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await stream.pour(receive, send)

    def sent(self, call: str) -> list[Any]:
        """The bodies received with this call."""
        return [asked.body for asked in self.asked if asked.call == call]

    def identities(self, call: str) -> list[str | None]:
        return [asked.headers.get("x-qwen-client-id") for asked in self.asked if asked.call == call]


@asynccontextmanager
async def daemon(**answers: Any) -> AsyncIterator[tuple[Daemon, Http]]:
    """The daemon with one session `s1`, and a client for it; `answers` by call."""
    known: dict[str, Any] = {
        "GET /capabilities": CAPABILITIES,
        LIST: {"sessions": [listed()]},
        "GET /session/s1/status": listed(),
        "POST /session/s1/load": loaded(),
        "POST /session/s1/resume": loaded(),
        "POST /session/s1/detach": NO_CONTENT,
        "POST /session/s1/cancel": NO_CONTENT,
        "POST /session/s1/prompt": JSONResponse({"promptId": "p1", "lastEventId": 0, "eventEpoch": "e1"}, 202),
        "POST /session/s1/heartbeat": {"sessionId": "s1", "lastSeenAt": 1},
    }
    server = Daemon({**known, **answers})
    async with listening(server) as served:
        http = Http(served.url)
        try:
            yield server, http
        finally:
            await http.close()
