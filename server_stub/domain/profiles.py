"""How each server family behaves, as data. Nothing here acts; nothing elsewhere asks for a family by name.

Sources: opencode 1.18.33, MiMo Code 0.1.15 and `qwen serve` 0.24.4 as measured; the padded-stream proposal for
opencode; an earlier MiMo Code as read in its source.
"""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class PaddingPolicy:
    """What a held `POST …/message` sends while its turn runs."""

    byte: bytes
    interval_ms: int  # HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS wins over it, read at each request
    headers: Literal["at once", "with the first byte"] = "at once"
    """With the first byte, which is the first of the padding, or of the answer where that is earlier."""
    commands: bool = True
    """`POST …/command` is padded too."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One family's answers to the questions on which the families differ."""

    name: str
    version: str
    ids: Literal["short", "long"]
    """The form of ids that it mints; see `ids.py`."""
    answered_by: Literal["parent", "id order"]
    """A prompt counts as answered if it is the newest answer's parent, or if its id sorts below that answer's."""
    protocol: Literal["opencode", "qwen"]
    """Whose routes it answers."""
    padding: PaddingPolicy | None
    """None: not one byte, not even headers, until the turn ends."""
    refuses_when_busy: frozenset[Literal["message", "command", "prompt_async"]]
    """The routes that answer a second prompt with 409; others store it, and it is answered next."""
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
    validation: Literal["effect", "zod"] = "effect"
    """What checks requests, and so the bodies of refusals, what ids may look like, and unknown paths."""
    provider_retry: Literal["status", "event"] = "status"
    """A retry of the provider is the session's status, or an event while the status stays busy."""
    gone_request: Literal["404", "true"] = "404"
    """The answer to a reply to a request that is not open."""
    abort_takes_permission: bool = False
    """An open permission of an aborted turn is taken back; else it stays listed, as its question does."""
    early_idle: bool = True
    """A turn that is aborted or fails is said to be idle before its message is closed, and again after."""
    closes_broken_off: bool = True
    """The message of a turn that was aborted or failed gets its time of completion."""
    finishes_rejected: bool = True
    """The message of a turn that a rejection ended has a finish and an end of its step."""
    foreign_directories: bool = True
    """Without a password too, directories outside that of the server are served; else they get 403."""
    revisions: bool = False
    """A title has a revision, which who renames must know; prompts and answers belong to an agent's slice."""
    routes_by: Literal["session", "header"] = "session"
    """Where what is done to a session happens: its own directory, or the one that the request names.

    Turns, requests, statuses and events of one session are then told apart by that directory.
    """
    metrics: bool = False
    """`metrics.*` and `actor.registered` are among the events."""
    bash_interactive: bool = False
    """Commands that need a person's terminal wait in routes of their own."""
    async_prompts_per_minute: int | None = None
    """More `prompt_async` within a minute get 429."""


OPENCODE = Profile(
    name="opencode",
    version="1.18.33",
    ids="short",
    answered_by="parent",
    protocol="opencode",
    padding=None,
    refuses_when_busy=frozenset(),
    when_client_leaves="go on",
    failed_turn="message",
    user="opencode",
    directory_header="x-opencode-directory",
    event_queue=None,
    event_ring=0,
    live_journal=0,
    heartbeat_ms=10_000,
    refused_subagent="answers",
    late_events=True,
    provider_attempts=None,
)

OPENCODE_PADDED = Profile(
    name="opencode-padded",
    version="1.18.33",
    ids="short",
    answered_by="parent",
    protocol="opencode",
    padding=PaddingPolicy(b"\n", 30_000),
    refuses_when_busy=frozenset(),
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
    version="0.1.15",
    ids="long",
    answered_by="id order",
    protocol="opencode",
    padding=PaddingPolicy(b" ", 10_000, "with the first byte", commands=False),
    refuses_when_busy=frozenset({"message"}),
    when_client_leaves="go on",
    failed_turn="message",
    user="mimocode",
    directory_header="x-mimocode-directory",
    event_queue=10_000,
    event_ring=0,
    live_journal=0,
    heartbeat_ms=10_000,
    refused_subagent="answers",
    late_events=True,
    provider_attempts=None,
    validation="zod",
    provider_retry="event",
    gone_request="true",
    abort_takes_permission=True,
    early_idle=False,
    closes_broken_off=False,
    finishes_rejected=False,
    foreign_directories=False,
    revisions=True,
    routes_by="header",
    metrics=True,
    bash_interactive=True,
    async_prompts_per_minute=20,
)

MIMO_CANCEL = replace(
    MIMO,
    name="mimo-cancel",
    version="0.1.0",
    ids="short",
    answered_by="parent",
    padding=PaddingPolicy(b" ", 10_000),
    refuses_when_busy=frozenset({"message", "command", "prompt_async"}),
    when_client_leaves="cancel",
    failed_turn="nothing",
    validation="effect",
    provider_retry="status",
    gone_request="404",
    abort_takes_permission=False,
    early_idle=True,
    closes_broken_off=True,
    finishes_rejected=True,
    foreign_directories=True,
    revisions=False,
    routes_by="session",
    metrics=False,
    bash_interactive=False,
    async_prompts_per_minute=None,
)
"""An earlier generation of MiMo Code: as read in a pull request and its source, and never seen to run."""

QWEN = Profile(
    name="qwen",
    version="0.24.4",
    ids="short",
    answered_by="parent",
    protocol="qwen",
    padding=None,
    refuses_when_busy=frozenset(),
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

PROFILES = {profile.name: profile for profile in (OPENCODE, OPENCODE_PADDED, MIMO, MIMO_CANCEL, QWEN)}
DEFAULT_PROFILE = OPENCODE_PADDED
