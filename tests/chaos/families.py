"""Facts about each server family that the suite needs. No other module of the suite tests a family's name."""

from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Protocol

import httpx

from tests.chaos import server_record_opencode, server_record_qwen
from tests.chaos.server_record import ServerRecord


class SecondClient(Protocol):
    """A second client. Each action may raise `httpx.HTTPError`; nothing is retried."""

    async def send(self, session_id: str, text: str) -> None: ...
    async def abort(self, session_id: str) -> None: ...
    async def answer_oldest(self, session_id: str) -> None: ...
    async def answer(self, session_id: str, request_id: str, questions: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Family:
    """`ask` reads the server's state; `second_client` is a second client."""

    ask: Callable[[httpx.AsyncClient, str], Awaitable[ServerRecord]]
    second_client: Callable[[httpx.AsyncClient], SecondClient]
    who: str
    """The first request of a client that knows the server, sent only when it connects."""
    proof_without_stream: str = "-"
    """Prefix of the path whose response proves the connection as long as no followed session has a stream."""
    turn_dies_with_its_post: bool = False
    """The server aborts a turn whose POST breaks, so an abort may be caused by a cut connection."""
    numbers_events: bool = False
    """The server numbers its events without gaps, so a client detects dropped ones."""
    newest_prompt_only: bool = True
    """Only the newest of several queued prompts is answered; otherwise each has its own answer."""
    unsupported_faults: Set[str] = frozenset()
    """Faults of the stub that a server of this family cannot have."""


OPENCODE = Family(
    server_record_opencode.ask,
    server_record_opencode.SecondClient,
    who="/global/health",
    unsupported_faults={"agent-crash"},
)
MIMO = OPENCODE
MIMO_CANCEL = replace(OPENCODE, turn_dies_with_its_post=True)
QWEN = Family(
    server_record_qwen.ask,
    server_record_qwen.SecondClient,
    who="/capabilities",
    proof_without_stream="/workspaces/",
    numbers_events=True,
    newest_prompt_only=False,
    unsupported_faults={"torn-write"},
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
"""The profiles of the schedules, unless others are selected."""
