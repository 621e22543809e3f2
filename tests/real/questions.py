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
class Ask:
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
        said = self.content.decode() if self.content is not None else "" if self.body is None else str(self.body)
        return f"{self.method} {self.path} {said}".strip()


@dataclass(frozen=True, slots=True)
class Act:
    """A turn, and an action during it: its request answered or rejected, or itself aborted."""

    prompt: str
    reply: Sequence[object] = ()
    """The path after the request's id, and the body of the POST."""
    aborts: bool = False

    def __str__(self) -> str:
        return f"{self.prompt}, {'abort' if self.aborts else ' '.join(map(str, self.reply)) or 'no act'}"


TEXT = {"type": "text", "text": "hello"}
OF_OPENCODE = (
    Ask("GET", "/global/health"),
    Ask("GET", "/config", in_part=True),
    Ask("GET", "/config/providers", in_part=True),
    Ask("GET", "/agent", in_part=True),
    Ask("GET", "/command", in_part=True),
    Ask("GET", "/session/status"),
    Ask("GET", "/question"),
    Ask("GET", "/permission"),
    Ask("GET", "/lsp"),
    Ask("GET", "/formatter"),
    Ask("GET", "/mcp"),
    Ask("GET", "/path"),
    Ask("GET", "/project/current"),
    Ask("GET", "/experimental/tool/ids"),
    Ask("GET", "/experimental/session?limit=1"),
    Ask("GET", "/session?limit=1"),
    Ask("POST", "/session", {}),
    Ask("GET", "/session/{session}"),
    Ask("GET", "/session/{session}/message"),
    Ask("GET", "/session/{session}/message/{message}"),
    Ask("GET", "/session/{session}/message?limit=1"),
    Ask("GET", "/session/{session}/message?limit=-1"),
    Ask("GET", "/session/{session}/message?before=x&limit=3"),
    Ask("GET", "/session/{session}/children"),
    Ask("GET", "/session/{session}/todo"),
    Ask("GET", "/session/{session}/diff"),
    Ask("GET", "/session/ses_nope"),
    Ask("GET", "/session/nope"),
    Ask("GET", "/session/ses_nope/message"),
    Ask("GET", "/session/nope/message"),
    Ask("GET", "/session/ses_nope/children"),
    Ask("GET", "/session/ses_nope/todo"),
    Ask("GET", "/session/ses_nope/diff"),
    Ask("GET", "/session/{session}/message/msg_nope"),
    Ask("GET", "/session/{session}/message/nope"),
    Ask("DELETE", "/session/ses_nope"),
    Ask("PATCH", "/session/ses_nope", {"title": "x", "expectedRevision": 0}),
    Ask("PATCH", "/session/{session}", {}),
    Ask("POST", "/session/{session}/abort"),
    Ask("POST", "/session/ses_nope/abort"),
    Ask("POST", "/session/nope/abort"),
    Ask("POST", "/session/{session}/message", {"parts": [TEXT]}),
    Ask("POST", "/session/{session}/message", {"parts": [TEXT], "noReply": True}),
    Ask("POST", "/session/{session}/message", {}),
    Ask("POST", "/session/{session}/message", {"parts": "x"}),
    Ask("POST", "/session/{session}/message", {"parts": [{"type": "text"}]}),
    Ask("POST", "/session/{session}/message", {"parts": [TEXT], "messageID": "nope"}),
    Ask("POST", "/session/{session}/message", {"parts": [{**TEXT, "id": "nope"}]}),
    Ask("POST", "/session/{session}/message", content=b"{"),
    Ask("POST", "/session/{session}/message", {"parts": [TEXT], "agent": "nope"}),
    Ask("POST", "/session/{session}/message", {"parts": [TEXT], "model": {"providerID": "x", "modelID": "y"}}),
    Ask("POST", "/session/ses_nope/message", {"parts": [TEXT]}),
    Ask("POST", "/session/nope/message", {"parts": [TEXT]}),
    Ask("POST", "/session/{session}/prompt_async", {}),
    Ask("POST", "/session/ses_nope/prompt_async", {"parts": [TEXT]}),
    Ask("POST", "/session/{session}/revert", {"messageID": "msg_nope"}),
    Ask("POST", "/session/{session}/fork", {}),
    Ask("POST", "/session/ses_nope/fork", {}),
    Ask("POST", "/session/{session}/shell", {"command": "ls"}),
    Ask("POST", "/question/que_nope/reply", {"answers": [["a"]]}),
    Ask("POST", "/question/que_nope/reply", {"answers": None}),
    Ask("POST", "/question/que_nope/reply", {}),
    Ask("POST", "/question/nope/reply", {"answers": []}),
    Ask("POST", "/question/que_nope/reject"),
    Ask("POST", "/permission/per_nope/reply", {"reply": "once"}),
    Ask("POST", "/permission/per_nope/reply", {"reply": "x"}),
    Ask("GET", "/find/file"),
    Ask("GET", "/nowhere"),
    Ask("POST", "/session/{session}/prompt_async", {"parts": [TEXT]}),
)
ACTS = (
    Act("hello"),
    Act("THINK"),
    Act("ASK1", ("reply", {"answers": [["Postgres"]]})),
    Act("ASK1", ("reject", {})),
    Act("ASK1", aborts=True),
    Act("SHELL made.txt", ("reply", {"reply": "once"})),
    Act("SHELL made.txt", ("reply", {"reply": "reject"})),
    Act("SHELL made.txt", ("reply", {"reply": "reject", "message": "no"})),
    Act("SHELL made.txt", aborts=True),
    Act("SLOW", aborts=True),
    Act("FAIL 400"),
)
OF_MIMO = (
    Ask("GET", "/bash-interactive"),
    Ask("GET", "/question/never-ask"),
    Ask("GET", "/permission/skip-all"),
    Ask("POST", "/bash-interactive/nope/reply", {"output": "", "exitCode": 0}),
    Ask("POST", "/session/{session}/message", {"parts": []}),
    Ask("PATCH", "/session/{session}", {"title": "x"}),
    Ask("PATCH", "/session/{session}", {"title": "x", "expectedRevision": 99}),
    Ask("PATCH", "/session/{session}", {"x": 1}),
    Ask("GET", "/session?directory=/usr"),
)
OF_QWEN = (
    Ask("GET", "/health"),
    Ask("GET", "/nowhere"),
    Ask("POST", "/session", {"sessionScope": "thread"}),
    Ask("GET", "/session/nope/status"),
    Ask("POST", "/session/nope/load", {}),
    Ask("POST", "/session/nope/resume", {}),
    Ask("POST", "/session/nope/heartbeat"),
    Ask("POST", "/session/nope/cancel"),
    Ask("POST", "/session/nope/prompt", {"prompt": [TEXT]}),
    Ask("GET", "/session/{session}/status"),
    Ask("POST", "/session/{session}/heartbeat"),
    Ask("POST", "/session/{session}/prompt", {}),
    Ask("POST", "/session/{session}/prompt", {"prompt": []}),
    Ask("POST", "/session/{session}/prompt", content=b"{"),
    Ask("GET", "/session/{session}/pending-prompts"),
    Ask("GET", "/session/{session}/turns/nope"),
    Ask("POST", "/session/{session}/permission/nope", {"outcome": {"outcome": "cancelled"}}),
    Ask("POST", "/session/{session}/permission/nope", {"outcome": {"outcome": "selected", "optionId": ""}}),
    Ask("POST", "/session/{session}/permission/nope", {}),
    Ask("POST", "/permission/nope", {"outcome": {"outcome": "cancelled"}}),
    Ask("POST", "/session/nope/permission/nope", {"outcome": {"outcome": "cancelled"}}),
    Ask("POST", "/session/{session}/prompt", {"prompt": "hello"}),
    Ask("POST", "/session/{session}/prompt", {"prompt": ["hello"]}),
    Ask("POST", "/session/{session}/prompt", {"prompt": [TEXT], "deadlineMs": 0}),
    Ask("POST", "/session", {"sessionScope": "x"}),
    Ask("POST", "/session", {"approvalMode": "x"}),
    Ask("POST", "/session", {"sessionId": "x"}),
    Ask("POST", "/session", {"cwd": "x"}),
    Ask("POST", "/session", content=b"{"),
    Ask("GET", "/workspaces/nope/sessions"),
    Ask("GET", "/workspaces/%2Fnope/sessions"),
    Ask("GET", "/workspace/nope/sessions"),
    Ask("GET", "/daemon/status?detail=x"),
    Ask("GET", "/session/nope/pending-prompts"),
    Ask("GET", "/session/nope/turns/nope"),
    Ask("GET", "/session/nope/events"),
    Ask("GET", "/session/{session}/events?maxQueued=x"),
    Ask("GET", "/session/{session}/events?maxQueued=1"),
    Ask("POST", "/session/{session}/branch", {}),
    Ask("GET", "/session/{session}/transcript"),
    Ask("GET", "/session/{session}/transcript?limit=0"),
    Ask("GET", "/session/{session}/transcript?limit=501"),
    Ask("GET", "/session/{session}/transcript?cursor=x"),
    Ask("GET", "/session/{session}/transcript?direction=x"),
    Ask("GET", "/session/nope/transcript"),
    Ask("GET", "/session/{session}/turn-index"),
    Ask("GET", "/session/{session}/turn-index?start=0"),
    Ask("GET", "/session/{session}/turn-index?start=0&snapshot=x"),
    Ask("POST", "/session/{session}/load", {"historyPageSize": 0}),
    Ask("POST", "/session/{session}/approval-mode", {"mode": "x"}),
    Ask("POST", "/session/{session}/approval-mode", {"mode": "default", "persist": 1}),
    Ask("POST", "/session/{session}/approval-mode", {"mode": "default"}),
    Ask("POST", "/session/{session}/model", {}),
    Ask("PATCH", "/session/nope/metadata", {"displayName": "x"}),
    Ask("PATCH", "/session/11111111-1111-4111-8111-111111111111/metadata", {"displayName": "x"}),
    Ask("PATCH", "/session/{session}/metadata", {"displayName": 1}),
    Ask("PATCH", "/session/{session}/metadata", {"displayName": "x"}),
    Ask("POST", "/sessions/delete", {}),
    Ask("POST", "/sessions/delete", {"sessionIds": ["11111111-1111-4111-8111-111111111111"]}),
    Ask("GET", "/glob"),
    Ask("GET", "/glob?pattern=x&maxResults=0"),
    Ask("DELETE", "/session/{session}/pending-prompts/nope"),
    Ask("DELETE", "/session/nope"),
    Ask("POST", "/session/{session}/detach"),
    Ask("POST", "/session/{session}/cancel"),
)
ACTS_OF_QWEN = (
    Act("hello"),
    Act("THINK"),
    Act("ASK1", ({"outcome": "selected", "optionId": "proceed_once"}, {"0": "Postgres"})),
    Act("ASK1", ({"outcome": "cancelled"},)),
    Act("ASK1", aborts=True),
    Act("SHELL made.txt", ({"outcome": "selected", "optionId": "proceed_once"},)),
    Act("SHELL made.txt", ({"outcome": "cancelled"},)),
    Act("SHELL made.txt", aborts=True),
    Act("SLOW", aborts=True),
    Act("FAIL 400"),
)
"""A reply is the outcome of a vote, and its answers."""
QUESTIONS: Mapping[str, Sequence[Ask]] = {"opencode": OF_OPENCODE, "mimo": OF_OPENCODE + OF_MIMO, "qwen": OF_QWEN}

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
