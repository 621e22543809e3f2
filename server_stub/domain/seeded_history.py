"""Stored messages of earlier turns, for a session that is already long when it is opened."""

from collections.abc import Sequence

from server_stub.domain.json_encoding import Json
from server_stub.domain.scripted_turn import ScriptedTurn
from server_stub.domain.state import no_tokens

MESSAGE_SPACING_MS = 1000
"""Milliseconds between two messages."""


def seed_history(turn: ScriptedTurn, texts: Sequence[str]) -> None:
    """Store `texts` before the turn's prompt, alternately as prompts and answers."""
    prompt = turn.prompt.info
    begun: int = prompt["time"]["created"] - MESSAGE_SPACING_MS * len(texts)
    asked = prompt
    for n, text in enumerate(texts):
        moment = begun + MESSAGE_SPACING_MS * n
        head: Json = {**prompt, "id": turn.server.ids.new("msg"), "time": {"created": moment}}
        if n % 2:
            _store(turn, _answer(head, asked["id"], moment), text)
        else:
            asked = head
            _store(turn, head, text)


def _answer(head: Json, prompt_id: str, moment: int) -> Json:
    model = head.pop("model")
    return {
        **head,
        **model,
        "role": "assistant",
        "parentID": prompt_id,
        "mode": head["agent"],
        "path": {"cwd": "/", "root": "/"},
        "cost": 0,
        "tokens": no_tokens(),
        "finish": "stop",
        "time": {"created": moment, "completed": moment},
    }


def _store(turn: ScriptedTurn, info: Json, text: str) -> None:
    turn.server.put_message(info)
    where = {"messageID": info["id"], "sessionID": info["sessionID"]}
    turn.server.put_part({"id": turn.server.ids.new("prt"), "type": "text", "text": text, **where})
