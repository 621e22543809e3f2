"""Reads one session directly from qwen serve by `load`, and acts there as another client."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx

from tests.chaos.server_record import Call, Json, Piece, ServerRecord, Stored
from tui.core.turn_state import TurnState

CLIENT_ID = "X-Qwen-Client-Id"
STATES = {"pending": "pending", "in_progress": "running", "completed": "completed", "failed": "error"}
KINDS = {"agent_message_chunk": "text", "agent_thought_chunk": "reasoning"}
REJECTED = re.compile("was canceled by the user|its output was discarded")
"""Of the call itself, or of a subagent's."""
ENDS = {
    "completed": TurnState.FINISHED,
    "cancelled": TurnState.ABORTED,
    "error": TurnState.FAILED,
    "interrupted": TurnState.INTERRUPTED,
}
FAILURES = {"cancelled": "aborted", "error": "other", "interrupted": "interrupted"}


async def ask(http: httpx.AsyncClient, session_id: str) -> ServerRecord:
    """Each reader uses `load` and detaches again. A session without a message does not survive its server."""
    loaded = await _come(http, session_id)
    if not loaded:
        return ServerRecord(session_id, {session_id: []})
    status = (await http.get(f"/session/{session_id}/status")).json()
    await _leave(http, session_id, loaded)
    runs = bool(loaded["hasActivePrompt"])
    ends = {one["promptId"]: one["terminal"] for one in loaded.get("promptTerminals", [])}
    turns = _turns([*loaded["compactedReplay"], *loaded["liveJournal"]])
    messages = [one for turn in turns for one in _messages(turn, ends, runs=runs and turn is turns[-1])]
    return ServerRecord(
        session_id,
        {session_id: messages},
        {session_id} if runs else set(),
        {one["requestId"] for one in status["pendingInteractions"]},
        {prompt_id for prompt_id, how in ends.items() if how == "cancelled"} - {turn.id for turn in turns},
    )


class SecondClient:
    """Another client on its own undisturbed connection, attached for each action only.

    Actions may raise `httpx.HTTPError`; nothing is retried.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def send(self, session_id: str, text: str) -> None:
        await self._act(session_id, "prompt", {"prompt": [{"type": "text", "text": text}]})

    async def abort(self, session_id: str) -> None:
        await self._act(session_id, "cancel", {})

    async def answer_oldest(self, session_id: str) -> None:
        status = await self._http.get(f"/session/{session_id}/status")
        for one in status.json()["pendingInteractions"] if status.is_success else []:
            await self.answer(session_id, one["requestId"], len(one.get("questions", [])))
            return

    async def answer(self, session_id: str, request_id: str, questions: int) -> None:
        """A question of this many parts, or (0) a permission."""
        if questions:
            answers = {str(number): "from elsewhere" for number in range(questions)}
            vote: Json = {"outcome": {"outcome": "selected", "optionId": "proceed_once"}, "answers": answers}
        else:
            vote = {"outcome": {"outcome": "selected", "optionId": "proceed_always_project"}}
        await self._act(session_id, f"permission/{request_id}", vote)

    async def _act(self, session_id: str, what: str, body: Json) -> None:
        loaded = await _come(self._http, session_id)
        if loaded:
            await self._http.post(f"/session/{session_id}/{what}", json=body, headers=_identity(loaded))
            await _leave(self._http, session_id, loaded)


async def _come(http: httpx.AsyncClient, session_id: str) -> Json:
    """By `load`: after a restart, a `resume` would hide the history from all clients. Empty if refused."""
    reply = await http.post(f"/session/{session_id}/load", json={})
    loaded: Json = reply.json() if reply.is_success else {}
    return loaded


async def _leave(http: httpx.AsyncClient, session_id: str, loaded: Json) -> None:
    await http.post(f"/session/{session_id}/detach", json={}, headers=_identity(loaded))


def _identity(loaded: Json) -> dict[str, str]:
    return {CLIENT_ID: loaded["clientId"]}


@dataclass(slots=True)
class _Turn:
    """A prompt and its result. `end` is the event that ended it, {} if none."""

    id: str
    prompt_chunks: list[str] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    calls: dict[str, Json] = field(default_factory=dict)
    end: Json = field(default_factory=dict)
    answered: bool = False


def _turns(events: Iterable[Json]) -> list[_Turn]:
    turns: list[_Turn] = []
    for event in events:
        update = event["data"].get("update", {}) if event["type"] == "session_update" else {}
        kind = update.get("sessionUpdate")
        if "promptCancelled" in update.get("_meta", {}):
            continue  # no text, and nothing before it if the prompt was cancelled before it was stored
        if kind == "user_message_chunk":
            prompt_id = event.get("promptId") or update["_meta"]["promptId"]
            if not turns or turns[-1].id != prompt_id:
                turns.append(_Turn(prompt_id))
            turns[-1].prompt_chunks.append(update["content"]["text"])
        elif kind in KINDS:
            _say(turns[-1], KINDS[kind], update)
        elif kind in ("tool_call", "tool_call_update"):
            _call(_caller(turns, update["toolCallId"]), update)
        elif event["type"] in ("turn_complete", "turn_error") and turns and turns[-1].id == event["data"]["promptId"]:
            turns[-1].end = event
    return turns


def _caller(turns: list[_Turn], call_id: str) -> _Turn:
    """A replay ends with failures of calls that a killed server left without a result, of earlier turns too."""
    return next((turn for turn in reversed(turns) if call_id in turn.calls), turns[-1])


def _say(turn: _Turn, kind: str, update: Json) -> None:
    """Text, without a subagent's own text (its call reports it) and without empty texts that only count tokens."""
    text = update["content"]["text"]
    if "parentToolCallId" in update.get("_meta", {}):
        return
    turn.answered = turn.answered or bool(text) or "usage" in update.get("_meta", {})
    if not text:
        return
    last = turn.pieces[-1] if turn.pieces else None
    if last is not None and last.kind == kind:
        turn.pieces[-1] = Piece(kind, text=last.text + text)
    else:
        turn.pieces.append(Piece(kind, text=text))


def _call(turn: _Turn, update: Json) -> None:
    call_id = update["toolCallId"]
    turn.answered = True
    if call_id not in turn.calls:
        turn.pieces.append(Piece("tool", call_id))
    given = {name: value for name, value in update.items() if value is not None}
    turn.calls[call_id] = turn.calls.get(call_id, {}) | given


def _messages(turn: _Turn, ends: dict[str, str], *, runs: bool) -> list[Stored]:
    """The prompt and its answer, which exists once it has started or ended."""
    prompt = Stored(turn.id, "user", pieces=tuple(Piece("text", text=text) for text in turn.prompt_chunks))
    if runs:
        pieces = [_piece(piece, turn, over=piece is not turn.pieces[-1], ended=False) for piece in turn.pieces]
        answer = Stored(None, "assistant", turn.id, pieces=tuple(pieces))
        return [prompt, answer] if turn.answered else [prompt]
    how = _how(turn, ends)
    failure = FAILURES.get(how)
    if how == "error" and turn.end.get("data", {}).get("message", "")[:3].isdecimal():
        failure = "provider"
    pieces = [_piece(piece, turn, over=True, ended=True) for piece in turn.pieces]
    allowed_states = frozenset({ENDS[how]})
    answer = Stored(
        None,
        "assistant",
        turn.id,
        completed=True,
        failure=failure,
        final=failure is None,
        pieces=tuple(pieces),
        allowed_states=allowed_states,
        unexplained=how == "error" and not turn.end,
    )
    return [prompt, answer]


def _how(turn: _Turn, ends: dict[str, str]) -> str:
    """By the event that ended it, by the server's record, or by where the transcript stops."""
    match turn.end:
        case {"type": "turn_error"}:
            return "error"
        case {"data": {"stopReason": "cancelled"}}:
            return "cancelled"
        case {"type": "turn_complete"}:
            return "completed"
    whole = bool(turn.pieces) and turn.pieces[-1].kind == "text"
    return ends.get(turn.id, "completed" if whole else "interrupted")


def _piece(piece: Piece, turn: _Turn, *, over: bool, ended: bool) -> Piece:
    """`over`: something follows it. `ended`: the turn did; what had not ended then never will."""
    if piece.kind != "tool":
        return Piece(piece.kind, text=piece.text, ended=over)
    assert piece.id is not None
    raw = turn.calls[piece.id]
    state, result = STATES[raw["status"]], raw.get("rawOutput")
    blocks = [block["content"]["text"] for block in raw.get("content") or [] if block["type"] == "content"]
    shown = "\n".join(blocks)
    error: str | None = ""
    if state == "error":
        shown, error = "", shown
    elif ended and state != "completed":
        state, shown, error = "error", "", None
    answers = None
    if isinstance(result, dict) and result.get("type") == "shell_result":
        shown = result["output"]
    elif isinstance(result, dict) and "answers" in result:
        answers = [[one["answer"]] for one in result["answers"]]
    call = Call(
        piece.id, raw["_meta"]["toolName"], state, shown, error, answers, REJECTED.search(error or "") is not None
    )
    return Piece("tool", call=call)
