"""The rounds of a turn, as of a real model: each is one assistant message, whose text precedes its tool calls.

Text after a tool call opens the next round. A text part is streamed, and stored when it ends: as in opencode, when
another text begins, the round closes, or a later tool call has begun to run.
"""

from typing import Any, Literal

from server_stub.domain.json_encoding import Json
from server_stub.domain.state import BUSY, Message, ServerState, Session, no_tokens
from server_stub.domain.tool_call import ToolCall


class Superseded(Exception):
    """The round has ended and a newer prompt waits, which the model answers next."""


class Rounds:
    """The open round of a turn. `stepless`: no model is involved, and rounds have no steps."""

    def __init__(self, server: ServerState, session: Session, prompt: Message, *, stepless: bool = False) -> None:
        self.server = server
        self.clock = server.clock
        self.session = session
        self.prompt = prompt
        self.used = (0, 0)
        """Input and output tokens."""
        self._message: Json | None = None
        self._stepless = stepless
        self._stepped = False
        self._unstored: Json | None = None
        """The part whose text has been streamed, as it will be stored."""
        self._calls: list[ToolCall] = []
        self._words = 0

    @property
    def _place(self) -> str:
        return self.server.directory_of(self.session)

    def begin(self) -> Json:
        """The open round's assistant message, opened if there is none. Raises Superseded between two rounds."""
        if self._calls and all(call.is_over for call in self._calls):
            self.end("tool-calls")
            if self.is_superseded():
                raise Superseded
        if self._message is None:
            compacts = any(part["type"] == "compaction" for part in self.prompt.parts.values())
            agent = "compaction" if compacts else self.prompt.info["agent"]
            self.server.set_status(self.session, BUSY)
            self._message = {
                "id": self.server.ids.new("msg"),
                "parentID": self.prompt.info["id"],
                "role": "assistant",
                "mode": agent,
                "agent": agent,
                "path": {"cwd": self._place, "root": "/"},
                **({"summary": True} if compacts else {}),
                "cost": 0,
                "tokens": no_tokens(),
                "modelID": self.prompt.info["model"]["modelID"],
                "providerID": self.prompt.info["model"]["providerID"],
                "time": {"created": self.clock.now()},
                "sessionID": self.session.id,
                **({"agentID": "main"} if self.server.profile.revisions else {}),
            }
            self.server.put_message(self._message)
        return self._message

    def end(self, reason: Literal["stop", "tool-calls"]) -> None:
        """Close the open round as a model does."""
        if self._message is None:
            return
        used = {"input": 1200 + 40 * len(self.session.messages), "output": self._words, "reasoning": 0}
        tokens = {"total": used["input"] + used["output"], **used, "cache": {"write": 0, "read": 0}}
        self._step()
        self._store_text()
        self._put_part({"reason": reason, "type": "step-finish", "tokens": tokens, "cost": 0})
        self._measure(reason, used)
        self._close(tokens=tokens, finish=reason)

    def _measure(self, reason: str, used: Json) -> None:
        model = self.prompt.info["model"]
        self.used = (self.used[0] + used["input"], self.used[1] + used["output"])
        figures = {"total_tokens_in": used["input"], "total_tokens_out": used["output"], "cached_read_tokens": 0}
        which = {"model_id": model["modelID"], "provider": model["providerID"]}
        times = {"ttft_ms": 2, "latency_ms": 169}
        self.server.measure(self.session, "model_call", {"finish_reason": reason, **times, **which, **figures})

    def interrupt(self, error: Json | None) -> None:
        """Close the open round without a finish: aborted or failed with `error`, or without one."""
        if self._message is not None:
            closes = error is None or self.server.profile.closes_broken_off
            self._close(**({} if error is None else {"error": error}), closes=closes)

    def is_superseded(self) -> bool:
        created = self.prompt.info["time"]["created"]
        return any(
            message.info["role"] == "user" and message.info["time"]["created"] > created
            for message in self.session.messages.values()
        )

    def _step(self) -> None:
        if not self._stepped and not self._stepless:
            self._stepped = True
            self._put_part({"type": "step-start"})

    def _store_text(self) -> None:
        if self._unstored is not None:
            self.server.put_part(self._unstored)
            self._unstored = None

    def _put_part(self, part: Json) -> Json:
        assert self._message is not None, "a part needs an open round"
        where = {"messageID": self._message["id"], "sessionID": self.session.id}
        part = {"id": self.server.ids.new("prt"), **part, **where}
        self.server.put_part(part)
        return part

    def _close(self, *, closes: bool = True, **changes: Any) -> None:
        assert self._message is not None
        self._store_text()
        time = {**self._message["time"], **({"completed": self.clock.now()} if closes else {})}
        put = self.server.put_ended if changes.get("finish") == "stop" else self.server.put_message
        put({**self._message, "time": time, **changes})
        if "tokens" in changes and "tokens" in self.session.info:
            total = self.session.info["tokens"]
            spent = {kind: total[kind] + changes["tokens"][kind] for kind in ("input", "output", "reasoning")}
            self.server.update_session(self.session, tokens={**total, **spent})
        self._message = None
        self._stepped = False
        self._calls = []
        self._words = 0
