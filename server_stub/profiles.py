"""How each server family behaves, as data. Nothing here acts; nothing elsewhere asks for a family by name.

Sources: opencode 1.18.33 as measured; the padded-stream proposal for it; MiMo Code generation B as read in
its source; `qwen serve` 0.24.4 as measured.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Padding:
    """What a held `POST …/message` sends while its turn runs, after its headers have gone out at once."""

    byte: bytes
    interval_ms: int  # HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS wins over it, read at each request


@dataclass(frozen=True, slots=True)
class Profile:
    """One family's answers to the questions on which the families differ."""

    name: str
    version: str
    protocol: Literal["opencode", "qwen"]
    """Whose routes it answers."""
    padding: Padding | None
    """None: not one byte, not even headers, until the turn ends."""
    when_busy: Literal["queue", "refuse"]
    """A second prompt is stored and answered next, or answered 409."""
    when_client_leaves: Literal["go on", "cancel"]
    """What becomes of the turn when the connection of its POST breaks."""
    failed_turn: Literal["message", "nothing"]
    """A turn that ended in an error gives its message with `info.error`, or no JSON at all."""
    user: str
    """User name of HTTP Basic, and the program's name for its folders."""
    directory_header: str
    event_queue: int | None
    """Events kept for a slow reader of the event stream, the oldest dropped silently; None keeps all."""
    event_ring: int
    """Events of a session kept for those who come back, where streams can be taken up again."""
    live_journal: int
    """Entries of a turn that runs kept for those who load its session, where that gives more than messages."""
    heartbeat_ms: int
    """How often an event stream beats unless it is configured otherwise."""
    refused_subagent: Literal["answers", "ends the turn"]
    """What becomes of the turn that sent it, once a person has refused what it cannot do without."""
    late_events: bool
    """Events are sent some ms after what they report: answers to requests arrive before them."""
    provider_attempts: int | None
    """How often the model's provider is asked while its errors may pass; None: for ever."""


OPENCODE = Profile(
    name="opencode",
    version="1.18.33",
    protocol="opencode",
    padding=None,
    when_busy="queue",
    when_client_leaves="go on",
    failed_turn="message",
    user="opencode",
    directory_header="x-opencode-directory",
    event_queue=None,
    event_ring=0,
    live_journal=0,
    heartbeat_ms=10_000,
    refused_subagent="answers",
    late_events=False,
    provider_attempts=None,
)

OPENCODE_PADDED = Profile(
    name="opencode-padded",
    version="1.18.33",
    protocol="opencode",
    padding=Padding(b"\n", 30_000),
    when_busy="queue",
    when_client_leaves="go on",
    failed_turn="message",
    user="opencode",
    directory_header="x-opencode-directory",
    event_queue=None,
    event_ring=0,
    live_journal=0,
    heartbeat_ms=10_000,
    refused_subagent="answers",
    late_events=False,
    provider_attempts=None,
)

MIMO = Profile(
    name="mimo",
    version="0.1.0",
    protocol="opencode",
    padding=Padding(b" ", 10_000),
    when_busy="refuse",
    when_client_leaves="cancel",
    failed_turn="nothing",
    user="mimocode",
    directory_header="x-mimocode-directory",
    event_queue=10_000,
    event_ring=0,
    live_journal=0,
    heartbeat_ms=10_000,
    refused_subagent="answers",
    late_events=False,
    provider_attempts=None,
)

QWEN = Profile(
    name="qwen",
    version="0.24.4",
    protocol="qwen",
    padding=None,
    when_busy="queue",
    when_client_leaves="go on",
    failed_turn="message",
    user="qwen",
    directory_header="x-qwen-directory",
    event_queue=None,
    event_ring=8000,
    live_journal=10_000,
    heartbeat_ms=15_000,
    refused_subagent="ends the turn",
    late_events=False,
    provider_attempts=7,
)

PROFILES = {profile.name: profile for profile in (OPENCODE, OPENCODE_PADDED, MIMO, QWEN)}
DEFAULT_PROFILE = OPENCODE_PADDED
