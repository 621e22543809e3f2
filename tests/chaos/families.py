"""What the suite must know of a server's family, as named facts. Nothing elsewhere asks for a family by name."""

from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Protocol

import httpx

from tests.chaos import truth_opencode, truth_qwen
from tests.chaos.truth import Truth


class Somebody(Protocol):
    """Somebody else at the server. Each act may raise `httpx.HTTPError`; nothing is tried twice."""

    async def send(self, session_id: str, text: str) -> None: ...
    async def abort(self, session_id: str) -> None: ...
    async def answer_oldest(self, session_id: str) -> None: ...
    async def answer(self, session_id: str, request_id: str, questions: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Family:
    """`ask` reads what the server has; `somebody` is a second client."""

    ask: Callable[[httpx.AsyncClient, str], Awaitable[Truth]]
    somebody: Callable[[httpx.AsyncClient], Somebody]
    who: str
    """What a client that knows the server asks first when it connects, and at no other time while it does not."""
    proof_without_stream: str = "-"
    """How the path begins whose answer proves the line, as long as nothing is followed that has a stream."""
    turn_dies_with_its_post: bool = False
    """The server ends a turn whose POST breaks: an abort there may be a cut here."""
    numbers_events: bool = False
    """The server numbers its events without gaps: a client sees where some were left out."""
    newest_prompt_only: bool = True
    """Of prompts that wait together only the newest is answered; else each has an answer of its own."""
    spared: Set[str] = frozenset()
    """The faults of the stub that this family's server cannot have."""


OPENCODE = Family(
    truth_opencode.ask,
    truth_opencode.Somebody,
    who="/global/health",
    spared={"agent-crash"},
)
MIMO = OPENCODE
MIMO_CANCEL = replace(OPENCODE, turn_dies_with_its_post=True)
QWEN = Family(
    truth_qwen.ask,
    truth_qwen.Somebody,
    who="/capabilities",
    proof_without_stream="/workspaces/",
    numbers_events=True,
    newest_prompt_only=False,
    spared={"torn-write"},
)

FAMILIES: Mapping[str, Family] = {
    "opencode": OPENCODE,
    "opencode-padded": OPENCODE,
    "mimo": MIMO,
    "mimo-cancel": MIMO_CANCEL,
    "qwen": QWEN,
}
"""By the stub's profile."""
IN_TURN = (
    *("opencode", "opencode-padded", "mimo", "qwen"),
    *("opencode", "opencode-padded", "mimo-cancel", "qwen"),
)
"""The profiles of the schedules, unless others are chosen."""
