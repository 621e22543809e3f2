"""The responses of a healthy server of each family: one idle session with one finished turn, by route.

Every attack replaces the response of one route, or items of these documents; everything else stays as here.
"""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

JSON = Any
PLACE = "/srv/project"
SESSION = "ses_dde403349ffeTl0EqsQdlq1zjF"
PROMPT = "msg_221bfcce60014I1brQbtmtIjNJ"
ANSWER = "msg_221bfcce6008XYZ33YCItduP1v"
QWEN_SESSION = "ddd23160-7806-441a-8351-1e89f7b25fcc"
EPOCH = "8c8bb483-cf36-471c-bf8a-d0707a5cd9a0"
AT = 1795862547686
"""Epoch milliseconds of all times in these documents."""
STAMP = "2026-11-28T10:42:35.429Z"

ROUTES = ("health", "events", "lists", "prompt")
"""The kinds of routes that an attack may replace; `messages`, `requests` and others belong to the lists."""


def session_of(family: str) -> str:
    """The id of the session that the client opens."""
    return QWEN_SESSION if family == "qwen" else SESSION


def session(number: int = 0, **changed: JSON) -> dict[str, JSON]:
    """A session of opencode; the client opens number 0."""
    return {
        "id": SESSION if not number else f"ses_{number:026d}",
        "directory": PLACE,
        "title": "a session" if not number else f"session {number}",
        "version": "1.18.33",
        "cost": 0,
        "tokens": {"input": 0, "output": 0},
        "time": {"created": AT - number, "updated": AT - number},
        **changed,
    }


def text_part(text: str, number: int = 0, message: str = ANSWER) -> dict[str, JSON]:
    return {
        "id": f"prt_{number:026d}",
        "type": "text",
        "text": text,
        "time": {"start": AT, "end": AT + 100},
        "messageID": message,
        "sessionID": SESSION,
    }


def tool_part(number: int = 0, **state: JSON) -> dict[str, JSON]:
    done = {
        "status": "completed",
        "input": {"filePath": "src/store.py"},
        "output": "1: import json",
        "title": "src/store.py",
        "metadata": {},
        "time": {"start": AT, "end": AT + 100},
    }
    return {
        "id": f"prt_{number:026d}",
        "type": "tool",
        "tool": "read",
        "callID": f"call_{number}",
        "state": done | state,
        "messageID": ANSWER,
        "sessionID": SESSION,
    }


def prompt(number: int = 0, **changed: JSON) -> dict[str, JSON]:
    """A stored prompt with its text."""
    name = PROMPT if not number else f"msg_{number:026d}"
    info = {"id": name, "role": "user", "sessionID": SESSION, "time": {"created": AT + number}, "agent": "build"}
    return {"info": info | changed, "parts": [text_part("a prompt", number + 10**6, name)]}


def answer(parts: list[JSON] | None = None, **changed: JSON) -> dict[str, JSON]:
    """The finished answer to the prompt."""
    info = {
        "id": ANSWER,
        "parentID": PROMPT,
        "role": "assistant",
        "mode": "build",
        "agent": "build",
        "cost": 0,
        "tokens": {"input": 1, "output": 1},
        "modelID": "scripted",
        "providerID": "holdfast",
        "time": {"created": AT + 1, "completed": AT + 1000},
        "sessionID": SESSION,
        "finish": "stop",
    }
    return {"info": info | changed, "parts": [text_part("all is well")] if parts is None else parts}


def permission(number: int = 0, **changed: JSON) -> dict[str, JSON]:
    return {
        "id": f"per_{number:026d}",
        "sessionID": SESSION,
        "permission": "bash",
        "patterns": ["make test"],
        "always": ["make *"],
        "metadata": {"command": "make test"},
        **changed,
    }


def question(number: int = 0, *, label: str = "Yes", **changed: JSON) -> dict[str, JSON]:
    asked = {"question": "Go on?", "header": "Go on", "options": [{"label": label, "description": "it goes on"}]}
    return {"id": f"que_{number:026d}", "sessionID": SESSION, "questions": [asked | changed]}


def frame(kind: str, **properties: JSON) -> dict[str, JSON]:
    """An event of `/global/event`."""
    return {"directory": PLACE, "payload": {"id": "evt_1", "type": kind, "properties": properties}}


def sse(*frames: JSON) -> bytes:
    """Events encoded as in an event stream."""
    return b"".join(b"data: " + encode(one) + b"\n\n" for one in frames)


def encode(value: JSON) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def qwen_event(number: int, update: Mapping[str, JSON], kind: str = "session_update") -> dict[str, JSON]:
    data = {"sessionId": QWEN_SESSION, "update": dict(update)} if kind == "session_update" else dict(update)
    return {"id": number, "v": 1, "type": kind, "promptId": "p1", "data": data, "_meta": {"serverTimestamp": AT}}


def qwen_sse(*events: JSON) -> bytes:
    return b"".join(
        f"id: {one['id']}\nevent: {one['type']}\n".encode() + b"data: " + encode(one) + b"\n\n" for one in events
    )


def qwen_session(number: int = 0, **changed: JSON) -> dict[str, JSON]:
    return {
        "sessionId": QWEN_SESSION if not number else f"00000000-0000-0000-0000-{number:012d}",
        "workspaceCwd": PLACE,
        "createdAt": STAMP,
        "updatedAt": STAMP,
        "displayName": "a session" if not number else f"session {number}",
        "clientCount": 1,
        "hasActivePrompt": False,
        "pendingInteractions": [],
        **changed,
    }


def qwen_loaded(**changed: JSON) -> dict[str, JSON]:
    words = {"type": "text", "text": "a prompt"}
    content = {"type": "text", "text": "all is well"}
    replay = [
        qwen_event(1, {"sessionUpdate": "user_message_chunk", "content": words}),
        qwen_event(2, {"sessionUpdate": "agent_message_chunk", "content": content}),
        qwen_event(3, {"sessionId": QWEN_SESSION, "stopReason": "end_turn", "promptId": "p1"}, "turn_complete"),
    ]
    return {
        "sessionId": QWEN_SESSION,
        "workspaceCwd": PLACE,
        "attached": True,
        "clientId": "client_1",
        "createdAt": STAMP,
        "hasActivePrompt": False,
        "compactedReplay": replay,
        "liveJournal": [],
        "promptTerminals": [{"v": 1, "promptId": "p1", "terminal": "completed", "at": AT}],
        "lastEventId": 3,
        "eventEpoch": EPOCH,
        **changed,
    }


_OPENCODE: Mapping[str, tuple[str, JSON]] = {
    "GET /global/health": ("health", {"healthy": True, "version": "1.18.33"}),
    "GET /path": ("path", {"home": "/srv", "state": "/srv/.local/state/opencode", "directory": PLACE}),
    "GET /capabilities": ("capabilities", {"v": 1, "features": []}),
    "GET /experimental/session": ("sessions", [session()]),
    "GET /session": ("sessions", [session()]),
    f"GET /session/{SESSION}": ("session", session()),
    f"GET /session/{SESSION}/message": ("messages", [prompt(), answer()]),
    f"GET /session/{SESSION}/todo": ("todos", []),
    f"GET /session/{SESSION}/children": ("children", []),
    "GET /session/status": ("statuses", {}),
    "GET /question": ("questions", []),
    "GET /permission": ("permissions", []),
    "GET /bash-interactive": ("terminals", []),
    "GET /agent": ("agents", [{"name": "build", "mode": "primary"}]),
    "GET /command": ("commands", []),
    "GET /config": ("config", {}),
    "GET /config/providers": ("providers", {"providers": [], "default": {}}),
    f"POST /session/{SESSION}/message": ("prompt", answer()),
    "POST /session": ("create", session(1)),
    "GET /global/event": ("events", None),
    "GET /event": ("events", None),
}
_QWEN: Mapping[str, tuple[str, JSON]] = {
    "GET /health": ("ping", {"status": "ok"}),
    "GET /capabilities": (
        "health",
        {
            "v": 1,
            "qwenCodeVersion": "0.24.4",
            "features": ["session_load", "client_identity"],
            "workspaceCwd": PLACE,
            "workspaces": [{"id": "1", "cwd": PLACE, "primary": True, "trusted": True}],
        },
    ),
    "GET /workspaces/%2Fsrv%2Fproject/sessions": ("sessions", {"sessions": [qwen_session()]}),
    f"GET /session/{QWEN_SESSION}/status": ("session", qwen_session()),
    f"POST /session/{QWEN_SESSION}/load": ("messages", qwen_loaded()),
    f"POST /session/{QWEN_SESSION}/resume": ("resume", qwen_loaded()),
    f"GET /session/{QWEN_SESSION}/context": ("context", {"state": {}}),
    f"GET /session/{QWEN_SESSION}/supported-commands": ("commands", {"availableCommands": []}),
    f"POST /session/{QWEN_SESSION}/prompt": (
        "prompt",
        {"promptId": "p2", "lastEventId": 3, "eventEpoch": EPOCH},
    ),
    "POST /session": ("create", qwen_loaded(compactedReplay=[])),
    f"GET /session/{QWEN_SESSION}/events": ("events", None),
}
_OF_THE_LISTS = {
    "sessions", "session", "messages", "todos", "children", "statuses", "questions", "permissions", "terminals",
}  # fmt: skip


def look_up(family: str, method: str, path: str) -> tuple[str, JSON] | None:
    """The name of a route and a copy of its healthy document, or None. The query is ignored."""
    known = (_QWEN if family == "qwen" else _OPENCODE).get(f"{method} {path}")
    if known is None and method == "POST" and re.search(r"/(detach|heartbeat|abort|cancel|reply|reject)$", path):
        return "told", True
    if known is None and method == "DELETE":
        return "told", True
    if known is None or (known[0] == "terminals" and family != "mimo"):
        return None
    name, document = known
    document = copy.deepcopy(document)
    if family == "mimo" and name == "health":
        document["version"] = "0.1.15"
    if family == "mimo" and name == "path":
        document |= {"state": "/srv/.local/state/mimocode"}
    return name, document


def kind(name: str) -> str:
    """The kind of route (in ROUTES) of the route of this name, "" for none."""
    return "lists" if name in _OF_THE_LISTS else name if name in ROUTES else ""
