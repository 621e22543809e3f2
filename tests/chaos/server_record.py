"""The server's state when idle, in a neutral form that each family is translated to.

`server_record_opencode.py` and `server_record_qwen.py` read it: directly from the server, as plain JSON, without a
relay and without code of the client.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from tui.core.turn_state import TurnState

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. `state` is the client's name for it; `error` is None if the server gives no text."""

    id: str
    tool: str
    state: str
    output: str = ""
    error: str | None = ""
    answers: list[list[str]] | None = None
    rejected: bool = False
    """It failed because the user did not allow it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a message. `id` is None if the server gives none; `ended`: no more text follows."""

    kind: str
    id: str | None = None
    text: str = ""
    ended: bool = True
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A message. `id` is None if the server gives none."""

    id: str | None
    role: Literal["user", "assistant"]
    parent: str | None = None
    completed: bool = False
    failure: str | None = None
    final: bool = False
    pieces: tuple[Piece, ...] = ()
    allowed_states: frozenset[TurnState] = frozenset()
    """The states that may be shown for a turn with this last answer, once nothing runs."""
    between_steps: bool = False
    """It ended where the model would have continued, without a reason."""
    unexplained: bool = False
    """It ended with an error, of which the server has stored nothing more."""

    @property
    def words(self) -> list[str]:
        return [piece.text for piece in self.pieces if piece.kind == "text"]


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """One session and its children."""

    session_id: str
    messages: dict[str, list[Stored]] = field(default_factory=dict)
    """By session id, oldest first."""
    busy: set[str] = field(default_factory=set)
    """The sessions with a running turn."""
    awaited: set[str] = field(default_factory=set)
    """The ids of open requests whose answer a turn waits for."""

    dropped: set[str] = field(default_factory=set)
    """The ids of prompts that the server remembers as cancelled, without any stored text."""

    def prompts(self, token: str) -> list[Stored]:
        """The user messages that contain this token."""
        mine = self.messages[self.session_id]
        return [one for one in mine if one.role == "user" and any(token in words for words in one.words)]

    def answers(self, prompt_id: str | None) -> list[Stored]:
        """The assistant messages to a prompt, oldest first."""
        return [one for one in self.messages[self.session_id] if one.role == "assistant" and one.parent == prompt_id]

    def later_answers(self, prompt_id: str | None) -> list[Stored]:
        """The assistant messages to the first later prompt with a complete answer."""
        users = [one.id for one in self.messages[self.session_id] if one.role == "user"]
        for later in users[users.index(prompt_id) + 1 :]:
            answers = self.answers(later)
            if answers and (answers[-1].failure is not None or answers[-1].final):
                return answers
        return []

    def call(self, session_id: str, call_id: str | None) -> Call | None:
        pieces = [piece for message in self.messages.get(session_id, []) for piece in message.pieces]
        return next((piece.call for piece in pieces if piece.call is not None and piece.call.id == call_id), None)
