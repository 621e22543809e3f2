"""What the server has, asked directly and read as plain JSON: no relay and no code of the client between."""

from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """One session and its children."""

    session_id: str
    messages: dict[str, list[Json]] = field(default_factory=dict)
    """By session id, oldest first."""
    statuses: dict[str, str] = field(default_factory=dict)
    requests: dict[str, Json] = field(default_factory=dict)
    """By id: all that the server lists as open."""

    def busy(self, session_id: str) -> bool:
        return self.statuses.get(session_id, "idle") != "idle"

    def awaited(self) -> set[str]:
        """The open requests, but for ghosts: those for whose answer no tool call waits any more."""
        found = set()
        for request in self.requests.values():
            session_id, tool = request["sessionID"], request.get("tool") or {}
            call = self.call(session_id, tool.get("callID")) or {}
            if self.busy(session_id) and call.get("status") in ("pending", "running"):
                found.add(request["id"])
        return found

    def prompts(self, token: str) -> list[Json]:
        """The user messages that hold this token."""
        return [one for one in self.messages[self.session_id] if token in _words(one) and _is(one, "user")]

    def answers(self, prompt_id: str) -> list[Json]:
        """The infos of the assistant messages to a prompt, oldest first."""
        infos = [one["info"] for one in self.messages[self.session_id]]
        return [info for info in infos if info["role"] == "assistant" and info.get("parentID") == prompt_id]

    def later_answers(self, prompt_id: str) -> list[Json]:
        """The infos of the assistant messages to the first later prompt that was answered to an end."""
        infos = [one["info"] for one in self.messages[self.session_id]]
        users = [info["id"] for info in infos if info["role"] == "user"]
        for later in users[users.index(prompt_id) + 1 :]:
            answers = self.answers(later)
            if answers and ("error" in answers[-1] or answers[-1].get("finish") not in (None, "tool-calls")):
                return answers
        return []

    def call(self, session_id: str, call_id: str | None) -> Json | None:
        """The state of a tool call."""
        for message in self.messages.get(session_id, []):
            for part in message["parts"]:
                if part["type"] == "tool" and part["callID"] == call_id:
                    state: Json = part["state"]
                    return state
        return None


async def ask(http: httpx.AsyncClient, session_id: str) -> Truth:
    truth = Truth(session_id)
    waiting = [session_id]
    while waiting:
        one = waiting.pop()
        truth.messages[one] = (await http.get(f"/session/{one}/message")).json()
        waiting += [child["id"] for child in (await http.get(f"/session/{one}/children")).json()]
    for kind in ("question", "permission"):
        for request in (await http.get(f"/{kind}")).json():
            if request["sessionID"] in truth.messages:
                truth.requests[request["id"]] = request
    for name, status in (await http.get("/session/status")).json().items():
        truth.statuses[name] = status["type"]
    return truth


def _is(message: Json, role: str) -> bool:
    return bool(message["info"]["role"] == role)


def _words(message: Json) -> str:
    return " ".join(part.get("text", "") for part in message["parts"])
