"""Requests and turns that are compared between the stub and a real server, by family: one row each.

A row gives a fact without values that differ by nature (ids, times, paths): of a response its status, its type and the
shape of its JSON, of a refusal its whole body; of a turn its events, in order.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RequestCase:
    """A request. `{session}` in its path is a new session, `{message}` that session's answered prompt.

    `in_part`: the response depends on what is installed and configured; the real one has everything that the stub's
    has.
    """

    method: str
    path: str
    body: object = None
    content: bytes | None = None
    in_part: bool = False

    def __str__(self) -> str:
        content = self.content.decode() if self.content is not None else "" if self.body is None else str(self.body)
        return f"{self.method} {self.path} {content}".strip()


@dataclass(frozen=True, slots=True)
class TurnCase:
    """A turn, and an action during it: its request answered or rejected, or itself aborted."""

    prompt: str
    reply: Sequence[object] = ()
    """The path after the request's id, and the body of the POST."""
    aborts: bool = False

    def __str__(self) -> str:
        return f"{self.prompt}, {'abort' if self.aborts else ' '.join(map(str, self.reply)) or 'no act'}"


TEXT = {"type": "text", "text": "hello"}
OF_OPENCODE = (
    RequestCase("GET", "/global/health"),
    RequestCase("GET", "/config", in_part=True),
    RequestCase("GET", "/config/providers", in_part=True),
    RequestCase("GET", "/agent", in_part=True),
    RequestCase("GET", "/command", in_part=True),
    RequestCase("GET", "/session/status"),
    RequestCase("GET", "/question"),
    RequestCase("GET", "/permission"),
    RequestCase("GET", "/lsp"),
    RequestCase("GET", "/formatter"),
    RequestCase("GET", "/mcp"),
    RequestCase("GET", "/path"),
    RequestCase("GET", "/project/current"),
    RequestCase("GET", "/experimental/tool/ids"),
    RequestCase("GET", "/experimental/session?limit=1"),
    RequestCase("GET", "/session?limit=1"),
    RequestCase("POST", "/session", {}),
    RequestCase("GET", "/session/{session}"),
    RequestCase("GET", "/session/{session}/message"),
    RequestCase("GET", "/session/{session}/message/{message}"),
    RequestCase("GET", "/session/{session}/message?limit=1"),
    RequestCase("GET", "/session/{session}/message?limit=-1"),
    RequestCase("GET", "/session/{session}/message?before=x&limit=3"),
    RequestCase("GET", "/session/{session}/children"),
    RequestCase("GET", "/session/{session}/todo"),
    RequestCase("GET", "/session/{session}/diff"),
    RequestCase("GET", "/session/ses_nope"),
    RequestCase("GET", "/session/nope"),
    RequestCase("GET", "/session/ses_nope/message"),
    RequestCase("GET", "/session/nope/message"),
    RequestCase("GET", "/session/ses_nope/children"),
    RequestCase("GET", "/session/ses_nope/todo"),
    RequestCase("GET", "/session/ses_nope/diff"),
    RequestCase("GET", "/session/{session}/message/msg_nope"),
    RequestCase("GET", "/session/{session}/message/nope"),
    RequestCase("DELETE", "/session/ses_nope"),
    RequestCase("PATCH", "/session/ses_nope", {"title": "x", "expectedRevision": 0}),
    RequestCase("PATCH", "/session/{session}", {}),
    RequestCase("POST", "/session/{session}/abort"),
    RequestCase("POST", "/session/ses_nope/abort"),
    RequestCase("POST", "/session/nope/abort"),
    RequestCase("POST", "/session/{session}/message", {"parts": [TEXT]}),
    RequestCase("POST", "/session/{session}/message", {"parts": [TEXT], "noReply": True}),
    RequestCase("POST", "/session/{session}/message", {}),
    RequestCase("POST", "/session/{session}/message", {"parts": "x"}),
    RequestCase("POST", "/session/{session}/message", {"parts": [{"type": "text"}]}),
    RequestCase("POST", "/session/{session}/message", {"parts": [TEXT], "messageID": "nope"}),
    RequestCase("POST", "/session/{session}/message", {"parts": [{**TEXT, "id": "nope"}]}),
    RequestCase("POST", "/session/{session}/message", content=b"{"),
    RequestCase("POST", "/session/{session}/message", {"parts": [TEXT], "agent": "nope"}),
    RequestCase("POST", "/session/{session}/message", {"parts": [TEXT], "model": {"providerID": "x", "modelID": "y"}}),
    RequestCase("POST", "/session/ses_nope/message", {"parts": [TEXT]}),
    RequestCase("POST", "/session/nope/message", {"parts": [TEXT]}),
    RequestCase("POST", "/session/{session}/prompt_async", {}),
    RequestCase("POST", "/session/ses_nope/prompt_async", {"parts": [TEXT]}),
    RequestCase("POST", "/session/{session}/revert", {"messageID": "msg_nope"}),
    RequestCase("POST", "/session/{session}/fork", {}),
    RequestCase("POST", "/session/ses_nope/fork", {}),
    RequestCase("POST", "/session/{session}/shell", {"command": "ls"}),
    RequestCase("POST", "/question/que_nope/reply", {"answers": [["a"]]}),
    RequestCase("POST", "/question/que_nope/reply", {"answers": None}),
    RequestCase("POST", "/question/que_nope/reply", {}),
    RequestCase("POST", "/question/nope/reply", {"answers": []}),
    RequestCase("POST", "/question/que_nope/reject"),
    RequestCase("POST", "/permission/per_nope/reply", {"reply": "once"}),
    RequestCase("POST", "/permission/per_nope/reply", {"reply": "x"}),
    RequestCase("GET", "/find/file"),
    RequestCase("GET", "/nowhere"),
    RequestCase("POST", "/session/{session}/prompt_async", {"parts": [TEXT]}),
)
ACTS = (
    TurnCase("hello"),
    TurnCase("THINK"),
    TurnCase("ASK1", ("reply", {"answers": [["Postgres"]]})),
    TurnCase("ASK1", ("reject", {})),
    TurnCase("ASK1", aborts=True),
    TurnCase("SHELL made.txt", ("reply", {"reply": "once"})),
    TurnCase("SHELL made.txt", ("reply", {"reply": "reject"})),
    TurnCase("SHELL made.txt", ("reply", {"reply": "reject", "message": "no"})),
    TurnCase("SHELL made.txt", aborts=True),
    TurnCase("SLOW", aborts=True),
    TurnCase("FAIL 400"),
)
OF_MIMO = (
    RequestCase("GET", "/bash-interactive"),
    RequestCase("GET", "/question/never-ask"),
    RequestCase("GET", "/permission/skip-all"),
    RequestCase("POST", "/bash-interactive/nope/reply", {"output": "", "exitCode": 0}),
    RequestCase("POST", "/session/{session}/message", {"parts": []}),
    RequestCase("PATCH", "/session/{session}", {"title": "x"}),
    RequestCase("PATCH", "/session/{session}", {"title": "x", "expectedRevision": 99}),
    RequestCase("PATCH", "/session/{session}", {"x": 1}),
    RequestCase("GET", "/session?directory=/usr"),
)
OF_QWEN = (
    RequestCase("GET", "/health"),
    RequestCase("GET", "/nowhere"),
    RequestCase("POST", "/session", {"sessionScope": "thread"}),
    RequestCase("GET", "/session/nope/status"),
    RequestCase("POST", "/session/nope/load", {}),
    RequestCase("POST", "/session/nope/resume", {}),
    RequestCase("POST", "/session/nope/heartbeat"),
    RequestCase("POST", "/session/nope/cancel"),
    RequestCase("POST", "/session/nope/prompt", {"prompt": [TEXT]}),
    RequestCase("GET", "/session/{session}/status"),
    RequestCase("POST", "/session/{session}/heartbeat"),
    RequestCase("POST", "/session/{session}/prompt", {}),
    RequestCase("POST", "/session/{session}/prompt", {"prompt": []}),
    RequestCase("POST", "/session/{session}/prompt", content=b"{"),
    RequestCase("GET", "/session/{session}/pending-prompts"),
    RequestCase("GET", "/session/{session}/turns/nope"),
    RequestCase("POST", "/session/{session}/permission/nope", {"outcome": {"outcome": "cancelled"}}),
    RequestCase("POST", "/session/{session}/permission/nope", {"outcome": {"outcome": "selected", "optionId": ""}}),
    RequestCase("POST", "/session/{session}/permission/nope", {}),
    RequestCase("POST", "/permission/nope", {"outcome": {"outcome": "cancelled"}}),
    RequestCase("POST", "/session/nope/permission/nope", {"outcome": {"outcome": "cancelled"}}),
    RequestCase("POST", "/session/{session}/prompt", {"prompt": "hello"}),
    RequestCase("POST", "/session/{session}/prompt", {"prompt": ["hello"]}),
    RequestCase("POST", "/session/{session}/prompt", {"prompt": [TEXT], "deadlineMs": 0}),
    RequestCase("POST", "/session", {"sessionScope": "x"}),
    RequestCase("POST", "/session", {"approvalMode": "x"}),
    RequestCase("POST", "/session", {"sessionId": "x"}),
    RequestCase("POST", "/session", {"cwd": "x"}),
    RequestCase("POST", "/session", content=b"{"),
    RequestCase("GET", "/workspaces/nope/sessions"),
    RequestCase("GET", "/workspaces/%2Fnope/sessions"),
    RequestCase("GET", "/workspace/nope/sessions"),
    RequestCase("GET", "/daemon/status?detail=x"),
    RequestCase("GET", "/session/nope/pending-prompts"),
    RequestCase("GET", "/session/nope/turns/nope"),
    RequestCase("GET", "/session/nope/events"),
    RequestCase("GET", "/session/{session}/events?maxQueued=x"),
    RequestCase("GET", "/session/{session}/events?maxQueued=1"),
    RequestCase("POST", "/session/{session}/branch", {}),
    RequestCase("GET", "/session/{session}/transcript"),
    RequestCase("GET", "/session/{session}/transcript?limit=0"),
    RequestCase("GET", "/session/{session}/transcript?limit=501"),
    RequestCase("GET", "/session/{session}/transcript?cursor=x"),
    RequestCase("GET", "/session/{session}/transcript?direction=x"),
    RequestCase("GET", "/session/nope/transcript"),
    RequestCase("GET", "/session/{session}/turn-index"),
    RequestCase("GET", "/session/{session}/turn-index?start=0"),
    RequestCase("GET", "/session/{session}/turn-index?start=0&snapshot=x"),
    RequestCase("POST", "/session/{session}/load", {"historyPageSize": 0}),
    RequestCase("POST", "/session/{session}/approval-mode", {"mode": "x"}),
    RequestCase("POST", "/session/{session}/approval-mode", {"mode": "default", "persist": 1}),
    RequestCase("POST", "/session/{session}/approval-mode", {"mode": "default"}),
    RequestCase("POST", "/session/{session}/model", {}),
    RequestCase("PATCH", "/session/nope/metadata", {"displayName": "x"}),
    RequestCase("PATCH", "/session/11111111-1111-4111-8111-111111111111/metadata", {"displayName": "x"}),
    RequestCase("PATCH", "/session/{session}/metadata", {"displayName": 1}),
    RequestCase("PATCH", "/session/{session}/metadata", {"displayName": "x"}),
    RequestCase("POST", "/sessions/delete", {}),
    RequestCase("POST", "/sessions/delete", {"sessionIds": ["11111111-1111-4111-8111-111111111111"]}),
    RequestCase("GET", "/glob"),
    RequestCase("GET", "/glob?pattern=x&maxResults=0"),
    RequestCase("DELETE", "/session/{session}/pending-prompts/nope"),
    RequestCase("DELETE", "/session/nope"),
    RequestCase("POST", "/session/{session}/detach"),
    RequestCase("POST", "/session/{session}/cancel"),
)
ACTS_OF_QWEN = (
    TurnCase("hello"),
    TurnCase("THINK"),
    TurnCase("ASK1", ({"outcome": "selected", "optionId": "proceed_once"}, {"0": "Postgres"})),
    TurnCase("ASK1", ({"outcome": "cancelled"},)),
    TurnCase("ASK1", aborts=True),
    TurnCase("SHELL made.txt", ({"outcome": "selected", "optionId": "proceed_once"},)),
    TurnCase("SHELL made.txt", ({"outcome": "cancelled"},)),
    TurnCase("SHELL made.txt", aborts=True),
    TurnCase("SLOW", aborts=True),
    TurnCase("FAIL 400"),
)
"""A reply is the outcome of a vote, and its answers."""
QUESTIONS: Mapping[str, Sequence[RequestCase]] = {
    "opencode": OF_OPENCODE,
    "mimo": OF_OPENCODE + OF_MIMO,
    "qwen": OF_QWEN,
}

ID = re.compile(r"\b(?:ses|msg|prt|que|per|err|evt|client)_[0-9A-Za-z-]{6,}|[0-9a-f]{8}-[0-9a-f-]{27}")


def shape(value: object) -> object:
    """The keys and types of a JSON value; a list has the set of its items' shapes."""
    match value:
        case dict():
            return {name: shape(inner) for name, inner in sorted(value.items())}
        case list():
            shapes: list[object] = []
            for inner in value:
                if shape(inner) not in shapes:
                    shapes.append(shape(inner))
            return shapes
        case bool() | None:
            return value
        case _:
            return type(value).__name__.replace("float", "int")


def refusal(value: object) -> object:
    """The whole body, without ids."""
    match value:
        case dict():
            return {name: refusal(inner) for name, inner in sorted(value.items())}
        case list():
            return [refusal(inner) for inner in value]
        case str():
            return ID.sub("ID", value)
        case _:
            return value


def excess(part: object, whole: object, at: str = "") -> list[str]:
    """Where a shape has something that another lacks; for maps by name any value may match."""
    match part, whole:
        case dict(), dict():
            if part and not part.keys() & whole.keys():
                return [] if all(_in_any(one, whole.values()) for one in part.values()) else [f"{at}/*"]
            return [
                found
                for name, inner in part.items()
                for found in (excess(inner, whole[name], f"{at}/{name}") if name in whole else [f"{at}/{name}"])
            ]
        case list(), list():
            return [f"{at}[{row}]" for row, one in enumerate(part) if not _in_any(one, whole)]
        case tuple(), tuple():
            return [found for one, other in zip(part, whole, strict=True) for found in excess(one, other, at)]
        case _:
            return [] if part == whole else [at or "status"]


def _in_any(part: object, wholes: Iterable[object]) -> bool:
    return any(not excess(part, whole) for whole in wholes)
