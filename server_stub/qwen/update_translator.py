"""Translates events of a session and its subagents into qwen's updates.

Each live session has one, fed by the event bus whether or not a client listens.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from server_stub.domain.json_encoding import Json
from server_stub.domain.state import ServerState
from server_stub.qwen import updates

Asked = Callable[[str, Json, Json], None]
"""`question` or `permission`, the info of the request, and the input of its tool call."""

SUBAGENT = "general-purpose"


class UpdateTranslator:
    def __init__(
        self, server: ServerState, update: Callable[[Json], None], asked: Asked, settled: Callable[[str], None]
    ):
        """`settled` is called with the id of a request that is no longer open."""
        self._server = server
        self._update = update
        self._asked = asked
        self._settled = settled
        self._texts: dict[str, str] = {}
        """Part id → text or reasoning."""
        self._parents: dict[str, str] = {}
        """Subagent's session → its tool call."""
        self._words: Counter[str] = Counter()
        """Number of chunks by message."""
        self._counted: set[str] = set()
        """Messages whose usage has been sent."""
        self._starting: dict[str, Json] = {}
        """Calls that may still ask for permission."""

    def on_event(self, payload: Json) -> None:
        what = payload["properties"]
        match payload["type"]:
            case "message.part.updated":
                self._part(what["part"])
            case "message.part.delta":
                self._words[what["messageID"]] += 1
                self._send(what["sessionID"], updates.text_chunk(self._kind(what["partID"]), what["delta"]))
            case "question.asked":
                self._ask("question", what)
            case "permission.asked":
                self._ask("permission", what)
            case "question.replied" | "question.rejected" | "permission.replied":
                self._settled(what["requestID"])

    def _part(self, part: Json) -> None:
        match part["type"]:
            case "text" | "reasoning":
                self._texts[part["id"]] = part["type"]
            case "tool" if part["tool"] == updates.PLAN:
                if part["state"]["status"] == "completed":
                    self._send(part["sessionID"], updates.plan(part["state"]["input"]["todos"]))
            case "tool":
                self._tool(part)
            case "step-finish":
                self._send_usage(part)

    def _tool(self, part: Json) -> None:
        match part["state"]["status"]:
            case "pending":
                self._send(part["sessionID"], updates.tool_prepared(part))
            case "running" if "metadata" in part["state"]:
                self._note_subagent(part)
            case "running":
                self._send_usage(part)
                self._starting[part["callID"]] = part
                asyncio.get_running_loop().call_soon(self._start, part["callID"])
            case _:
                self._start(part["callID"])
                self._send(part["sessionID"], updates.tool_ended(part))

    def _start(self, call_id: str) -> None:
        part = self._starting.pop(call_id, None)
        if part is not None and part["tool"] != "question":
            self._send(part["sessionID"], updates.tool_started(part))

    def _note_subagent(self, part: Json) -> None:
        child = part["state"]["metadata"].get("sessionId")
        if child is not None and child not in self._parents:
            self._send_usage(part)
            self._send(part["sessionID"], updates.tool_started(part))
            self._parents[child] = part["callID"]

    def _ask(self, kind: str, request: Json) -> None:
        reference = request["tool"]
        part = self._call(request["sessionID"], reference)
        self._send_usage(part)
        self._starting.pop(reference["callID"], None)
        self._asked(kind, request, part["state"]["input"])

    def _send_usage(self, part: Json) -> None:
        """Send the usage once per round: with its first tool call, or else at its end."""
        message = part["messageID"]
        if message not in self._counted:
            self._counted.add(message)
            began = self._server.sessions[part["sessionID"]].messages[message].info["time"]["created"]
            took = self._server.clock.now() - began
            self._send(part["sessionID"], updates.usage(self._words[message], took))

    def _call(self, session_id: str, reference: Json) -> Json:
        message = self._server.sessions[session_id].messages[reference["messageID"]]
        [part] = [part for part in message.parts.values() if part.get("callID") == reference["callID"]]
        return part

    def _kind(self, part_id: str) -> Any:
        return self._texts[part_id]

    def _send(self, session_id: str, update: Json) -> None:
        parent = self._parents.get(session_id)
        if parent is not None:
            of_child = {"parentToolCallId": parent, "subagentType": SUBAGENT}
            update = {**update, "_meta": {**update.get("_meta", {}), **of_child}}
        self._update(update)
