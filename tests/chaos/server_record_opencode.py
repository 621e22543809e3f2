"""Reads one session directly from opencode and its forks, and acts there as another client."""

import re

import httpx

from tests.chaos.server_record import Call, Json, Piece, ServerRecord, Stored
from tui.core.turn_state import TurnState

REJECTED = re.compile("rejected permission|dismissed this question")
KINDS = {"text": "text", "reasoning": "reasoning", "tool": "tool", "file": "file"}
KINDS |= dict.fromkeys(("patch", "subtask", "compaction"), "note")
"""The kinds of parts that are shown, and as what."""


async def ask(http: httpx.AsyncClient, session_id: str) -> ServerRecord:
    server_record = ServerRecord(session_id)
    waiting = [session_id]
    while waiting:
        one = waiting.pop()
        server_record.messages[one] = [_message(raw) for raw in (await http.get(f"/session/{one}/message")).json()]
        waiting += [child["id"] for child in (await http.get(f"/session/{one}/children")).json()]
    for name, status in (await http.get("/session/status")).json().items():
        if status["type"] != "idle":
            server_record.busy.add(name)
    for kind in ("question", "permission"):
        for request in (await http.get(f"/{kind}")).json():
            if _is_awaited(server_record, request):
                server_record.awaited.add(request["id"])
    return server_record


class SecondClient:
    """Another client on its own undisturbed connection. Actions may raise `httpx.HTTPError`; nothing is retried."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def send(self, session_id: str, text: str) -> None:
        body = {"parts": [{"type": "text", "text": text}]}
        await self._http.post(f"/session/{session_id}/prompt_async", json=body)

    async def abort(self, session_id: str) -> None:
        await self._http.post(f"/session/{session_id}/abort")

    async def answer_oldest(self, session_id: str) -> None:
        """The oldest request of the session itself; a subagent's is left to the user."""
        questions = await self._http.get("/question")
        permissions = await self._http.get("/permission")
        if not (questions.is_success and permissions.is_success):
            return
        for one in (*questions.json(), *permissions.json()):
            if one["sessionID"] == session_id:
                await self.answer(session_id, one["id"], len(one.get("questions", [])))
                return

    async def answer(self, session_id: str, request_id: str, questions: int) -> None:
        """A question of this many parts, or (0) a permission."""
        if questions:
            answers = [["from elsewhere"]] * questions
            await self._http.post(f"/question/{request_id}/reply", json={"answers": answers})
        else:
            await self._http.post(f"/permission/{request_id}/reply", json={"reply": "always"})


def _is_awaited(server_record: ServerRecord, request: Json) -> bool:
    """False for a stale request: an aborted turn leaves it in the list, and a reply has no effect."""
    session_id = request["sessionID"]
    call = server_record.call(session_id, (request.get("tool") or {}).get("callID"))
    return session_id in server_record.busy and call is not None and call.state in ("pending", "running")


def _message(raw: Json) -> Stored:
    info = raw["info"]
    error = info.get("error")
    aborted = "interrupted" if _is_abandoned(info) else "aborted"
    kinds = {"MessageAbortedError": aborted, "APIError": "provider"}
    return Stored(
        id=info["id"],
        role=info["role"],
        parent=info.get("parentID"),
        completed="completed" in info["time"],
        failure=None if error is None else kinds.get(error["name"], "other"),
        final=info.get("finish") not in (None, "tool-calls"),
        pieces=tuple(_piece(part) for part in raw["parts"] if part["type"] in KINDS),
        allowed_states=frozenset({_allowed_states(info)}),
        between_steps=info.get("finish") == "tool-calls",
    )


def _is_abandoned(info: Json) -> bool:
    """MiMo Code reports this at the start of a turn, about an earlier turn left unfinished by a killed server."""
    return str(((info.get("error") or {}).get("data") or {}).get("message")).startswith("Abandoned: ")


def _allowed_states(info: Json) -> TurnState:
    if _is_abandoned(info):
        return TurnState.INTERRUPTED
    match info:
        case {"error": {"name": "MessageAbortedError"}}:
            return TurnState.ABORTED
        case {"error": _}:
            return TurnState.FAILED
        case {"finish": _}:
            return TurnState.FINISHED
        case {"time": {"completed": _}}:  # an abort during a provider retry
            return TurnState.ABORTED
        case _:
            return TurnState.INTERRUPTED


def _piece(part: Json) -> Piece:
    if part["type"] == "tool":
        return Piece("tool", part["id"], call=_call(part))
    ended = "time" not in part or "end" in part["time"]
    return Piece(KINDS[part["type"]], part["id"], part.get("text", ""), ended)


def _call(part: Json) -> Call:
    state = part["state"]
    return Call(
        id=part["callID"],
        tool=part["tool"],
        state=state["status"],
        output=state.get("output") or "",
        error=state.get("error") or "",
        answers=(state.get("metadata") or {}).get("answers"),
        rejected=REJECTED.search(str(state.get("error"))) is not None,
    )
