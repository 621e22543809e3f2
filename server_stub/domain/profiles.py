"""The server families, each as one row of `PROFILES`. Other modules test its fields, never a family's name.

The defaults are opencode's: a row says where a family differs.

Sources: opencode 1.18.33, MiMo Code 0.1.15 and `qwen serve` 0.24.4 as measured; the padded-stream proposal for
opencode; an earlier MiMo Code from its source.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class PaddingPolicy:
    """The padding that a held `POST …/message` sends while its turn runs."""

    byte: bytes
    interval_ms: int  # HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS overrides it, read at each request
    headers: Literal["at once", "with the first byte"] = "at once"
    """With the first byte of the padding or of the answer, whichever is earlier."""
    commands: bool = True
    """`POST …/command` is padded too."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One family's behaviour where the families differ."""

    name: str
    version: str
    protocol: str = "opencode"
    """The package of `server_stub` with its routes, which `protocol` of the module `protocol` in it assembles."""
    ids: Literal["short", "long"] = "short"
    """The form of generated ids; see `ids.py`."""
    answered_by: Literal["parent", "id order"] = "parent"
    """A prompt is answered if it is the newest answer's parent, or if its id sorts below that answer's."""
    padding: PaddingPolicy | None = None
    """None: no byte, not even headers, until the turn ends."""
    refuses_when_busy: frozenset[Literal["message", "command", "prompt_async"]] = frozenset()
    """Routes that answer 409 to a prompt while a turn runs; other routes store it, to be answered next."""
    when_client_leaves: Literal["go on", "cancel"] = "go on"
    """What happens to the turn when the connection of its POST breaks."""
    failed_turn: Literal["message", "nothing"] = "message"
    """The response of a failed turn: its message with `info.error`, or no JSON."""
    user: str = "opencode"
    """The HTTP Basic user name, and the program's name in its paths."""
    directory_header: str = "x-opencode-directory"
    event_queue: int | None = None
    """Events queued for a slow reader of the event stream, the oldest dropped silently; None: unlimited."""
    event_ring: int = 0
    """Events of a session kept for reconnecting clients, where streams can be resumed."""
    live_journal: int = 0
    """Entries of the running turn kept for clients that load its session, where load returns more than messages."""
    heartbeat_ms: int = 10_000
    """The default heartbeat interval of an event stream."""
    refused_subagent: Literal["answers", "ends the turn"] = "answers"
    """What happens to the parent turn when the user refuses a request of its subagent."""
    late_events: bool = True
    """Events are sent some ms after their change, so that responses arrive before them."""
    provider_attempts: int | None = None
    """Attempts at the model's provider while its errors are temporary; None: unlimited."""
    validation: Literal["effect", "zod"] = "effect"
    """The library that validates requests. It decides the error bodies, the id formats and unknown paths."""
    provider_retry: Literal["status", "event"] = "status"
    """A provider retry is shown as the session's status, or as an event while the status stays busy."""
    gone_request: Literal["404", "true"] = "404"
    """The answer to a reply to a request that is not open."""
    abort_takes_permission: bool = False
    """An abort removes an open permission of its turn; else it stays listed, as questions do."""
    early_idle: bool = True
    """An aborted or failed turn publishes idle before its message is closed, and again after."""
    closes_broken_off: bool = True
    """The message of an aborted or failed turn gets its completion time."""
    finishes_rejected: bool = True
    """The message of a turn that a rejection ended has a finish and a step-finish part."""
    foreign_directories: bool = True
    """Without a password too, directories outside the server's own are served; else they get 403."""
    revisions: bool = False
    """A title has a revision, which a rename must name; prompts and answers belong to an agent's slice."""
    routes_by: Literal["session", "header"] = "session"
    """The directory in which a request acts: the session's own, or the one that the request names.

    Turns, requests, statuses and events of one session are then kept apart by that directory.
    """
    metrics: bool = False
    """`metrics.*` and `actor.registered` are among the events."""
    bash_interactive: bool = False
    """Commands that need the user's terminal have routes of their own."""
    async_prompts_per_minute: int | None = None
    """Further `prompt_async` requests within a minute get 429."""


OPENCODE = Profile("opencode", "1.18.33")

OPENCODE_PADDED = Profile("opencode-padded", "1.18.33", padding=PaddingPolicy(b"\n", 30_000), late_events=False)

MIMO = Profile(
    "mimo",
    "0.1.15",
    ids="long",
    answered_by="id order",
    padding=PaddingPolicy(b" ", 10_000, "with the first byte", commands=False),
    refuses_when_busy=frozenset({"message"}),
    user="mimocode",
    directory_header="x-mimocode-directory",
    event_queue=10_000,
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

MIMO_CANCEL = Profile(
    "mimo-cancel",
    "0.1.0",
    padding=PaddingPolicy(b" ", 10_000),
    refuses_when_busy=frozenset({"message", "command", "prompt_async"}),
    when_client_leaves="cancel",
    failed_turn="nothing",
    user="mimocode",
    directory_header="x-mimocode-directory",
    event_queue=10_000,
)
"""An earlier MiMo Code, from a pull request and its source; never measured."""

QWEN = Profile(
    "qwen",
    "0.24.4",
    protocol="qwen",
    user="qwen",
    directory_header="x-qwen-directory",
    event_ring=8000,
    live_journal=10_000,
    heartbeat_ms=15_000,
    refused_subagent="ends the turn",
    late_events=False,
    provider_attempts=7,
)

PROFILES = {profile.name: profile for profile in (OPENCODE, OPENCODE_PADDED, MIMO, MIMO_CANCEL, QWEN)}
DEFAULT_PROFILE = OPENCODE_PADDED
