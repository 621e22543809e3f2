"""The table of faults, and which ones are armed. `fault_middleware.py` applies them to bytes.

A fault has a target, a place in the response where it strikes, and a number of strikes. The admin route or the
command line arms it; it strikes open exchanges as well as later ones, and stays listed until it is disarmed.
"""

import asyncio
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol, assert_never, get_args

import msgspec


class InsertAt(StrEnum):
    """Where in an exchange a fault strikes; `after_bytes` and `after_seconds` count from there."""

    REQUEST = "request"
    """The request has arrived and no route has seen it: nothing is stored."""
    HEADERS = "headers"
    """The route has done its work; no byte of the response is sent."""
    BODY = "body"
    """The headers are sent, and nothing else."""
    PADDING = "padding"
    """Whitespace is sent, and nothing else of the body."""
    JSON = "json"
    """A byte of the body other than whitespace is sent: of JSON, or of an event."""


@dataclass(frozen=True, slots=True)
class Break:
    """Breaks the connection.

    `close` ends it in the middle of the response (FIN), `reset` aborts it (RST), `stall` leaves it open and sends
    nothing until the fault is disarmed, `exit` ends the whole process.
    """

    how: Literal["close", "reset", "stall", "exit"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Answers in place of the server, as a proxy does; no route sees the request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Changes the JSON of a response (not its padding), which then ends normally."""

    change: Callable[[bytes], bytes]


Flag = Literal["mute-events", "wedged", "torn-write", "late-events", "early-events"]


@dataclass(frozen=True, slots=True)
class Switch:
    """Changes the server's behaviour while the fault is armed.

    `mute-events` sends heartbeats and no events; `wedged` passes health checks and stores prompts, but begins no turn;
    `torn-write` holds the server between two writes that belong together, a prompt and its parts, or the finish of an
    answer and its completion time: if killed then, it never does the second. `late-events` sends events some ms after
    the responses to requests, `early-events` before them, whatever the profile says; `early-events` wins.
    """

    flag: Flag


@dataclass(frozen=True, slots=True)
class KillAgent:
    """Ends the process in which the agents run, at once; the server goes on."""


Act = Break | Answer | Rewrite | Switch | KillAgent


@dataclass(frozen=True, slots=True)
class Kind:
    """The act of a named fault, and its default options."""

    act: Act
    target: str | None = None
    times: int | None = None
    at: InsertAt | None = None
    retry_after: int | None = None

    def defaults(self) -> dict[str, Any]:
        return {"target": self.target, "times": self.times, "at": self.at, "retry_after": self.retry_after}


_BAD_GATEWAY = b"""<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body>
</html>
"""

KINDS: Mapping[str, Kind] = {
    "cut": Kind(Break("close"), "events", 1, InsertAt.BODY),
    "reset": Kind(Break("reset"), "events", 1, InsertAt.BODY),
    "stall": Kind(Break("stall"), "events", 1, InsertAt.BODY),
    "hang": Kind(Break("stall"), "all", 1, InsertAt.REQUEST),
    "crash": Kind(Break("exit"), None, 1, InsertAt.REQUEST),
    "401": Kind(Answer(401, {"www-authenticate": 'Basic realm="Secure Area"'}), "all"),
    "429": Kind(Answer(429, {"content-type": "text/plain"}, b"Too Many Requests"), "all", 1, retry_after=1),
    "502": Kind(Answer(502, {"content-type": "text/html"}, _BAD_GATEWAY), "all", 1),
    "truncated": Kind(Rewrite(lambda whole: whole[: len(whole) // 2]), "prompt", 1),
    "trailing": Kind(Rewrite(lambda whole: whole + b"\n-- \n"), "prompt", 1),
    "doubled": Kind(Rewrite(lambda whole: whole + whole), "prompt", 1),
    "garbled": Kind(Rewrite(lambda whole: b"upstream connect error"), "prompt", 1),
    "whitespace": Kind(Rewrite(lambda whole: b"\n"), "prompt", 1),
    "mute-events": Kind(Switch("mute-events")),
    "wedged": Kind(Switch("wedged")),
    "torn-write": Kind(Switch("torn-write")),
    "late-events": Kind(Switch("late-events")),
    "early-events": Kind(Switch("early-events")),
    "agent-crash": Kind(KillAgent()),
}

TARGETS: Mapping[str, re.Pattern[str]] = {
    "events": re.compile(r"GET /(global/)?event|GET /session/[^/]+/events"),
    "prompt": re.compile(r"POST /session/[^/]+/(message|prompt_async|prompt)"),
    "answer": re.compile(r"POST (/question/[^/]+/(reply|reject)|(/session/[^/]+)?/permissions?/[^/]+(/reply)?)"),
    "all": re.compile(r".*"),
}

CRASHED = 70
"""Exit status of a `crash`; EX_SOFTWARE of sysexits.h."""


VALUES: Mapping[str, str] = {
    "target": f"one of {', '.join(TARGETS)}, or a path that begins with /",
    "times": "a whole number of at least 1, or always",
    "at": f"one of {', '.join(InsertAt)}",
    "after_bytes": "a number of bytes",
    "after_seconds": "a number of seconds",
    "retry_after": "a whole number of seconds",
}
"""The options, and the values that each takes."""


class FaultRefused(ValueError):
    """An unknown fault, or invalid options; the text says which and why."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault. Made by `fault` or `parse`, which validate it."""

    name: str
    target: Annotated[str, msgspec.Meta(pattern="^(events|prompt|answer|all|/.*)$")] | None
    """The exchanges it strikes; a path means all that start with it. None: the whole server, at once."""
    times: Annotated[int, msgspec.Meta(ge=1)] | None
    """How often it strikes; None: until disarmed."""
    at: InsertAt | None
    after_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Bytes of the body to send after `at`, or after arming if that is later."""
    after_seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """Seconds to wait after `at`, or after arming if that is later."""
    retry_after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Seconds, for the `Retry-After` of an answer."""

    @property
    def act(self) -> Act:
        return KINDS[self.name].act

    def matches(self, method: str, path: str) -> bool:
        match self.target:
            case None:
                return False
            case prefix if prefix.startswith("/"):
                return path.startswith(prefix)
            case name:
                return TARGETS[name].fullmatch(f"{method} {path}") is not None


def fault(name: str, options: Mapping[str, object] | None = None) -> Fault:
    """The fault of this name; `options` override its kind's defaults. Raises FaultRefused."""
    kind = KINDS.get(name)
    if kind is None:
        raise FaultRefused(f"unknown fault {name!r}; known are {', '.join(KINDS)}")
    options = {option: None if value == "always" else value for option, value in (options or {}).items()}
    for option, value in options.items():
        if option not in VALUES:
            takes = ", ".join(options_of(kind.act)) or "no option"
            raise FaultRefused(f"{name} takes no {option}; it takes {takes}")
        try:
            msgspec.convert({**kind.defaults(), "name": name, option: value}, Fault, strict=False)
        except msgspec.ValidationError as error:
            raise FaultRefused(f"{name}: {option} is {VALUES[option]}, not {value!r}") from error
    made = msgspec.convert({**kind.defaults(), "name": name, **options}, Fault, strict=False)
    _check(made, set(options))
    return made


def parse(text: str) -> Fault:
    """`NAME[=TARGET][,option=value]…`, e.g. `cut=prompt,at=json,after_bytes=10`. Raises FaultRefused."""
    name, _, argument = text.partition("=")
    options: dict[str, object] = {}
    for position, piece in enumerate(argument.split(",") if argument else []):
        option, given, value = piece.partition("=")
        if given:
            options[option] = value
        elif position == 0:
            options["target"] = piece
        else:
            raise FaultRefused(f"{name}: {piece!r} is not option=value")
    return fault(name, options)


def _check(made: Fault, given: set[str]) -> None:
    if made.target is None and KINDS[made.name].target is not None:
        raise FaultRefused(f"{made.name} needs a target")
    match made.act:
        case Break():
            if made.at is None:
                raise FaultRefused(f"{made.name}: `at` is one of {', '.join(InsertAt)}")
            if made.after_bytes is not None and made.after_seconds is not None:
                raise FaultRefused(f"{made.name}: after_bytes or after_seconds, not both")
            if made.at in (InsertAt.REQUEST, InsertAt.HEADERS) and made.after_bytes is not None:
                raise FaultRefused(f"{made.name}: after_bytes counts bytes of the body, and none is sent at {made.at}")
            if made.at is InsertAt.HEADERS and made.after_seconds is not None:
                raise FaultRefused(f"{made.name}: after_seconds counts from request or body, not from headers")
        case _:
            pass
    fitting = set(options_of(made.act)) if made.target else set()
    if given - fitting:
        raise FaultRefused(f"{made.name} takes no {', '.join(sorted(given - fitting))}")


def options_of(act: Act) -> tuple[str, ...]:
    """The options of a fault with a target."""
    match act:
        case Break():
            return ("target", "times", "at", "after_bytes", "after_seconds")
        case Answer():
            return ("target", "times", "retry_after")
        case Rewrite():
            return ("target", "times")
        case Switch() | KillAgent():
            return ()
        case never:
            assert_never(never)


@dataclass(slots=True, eq=False)
class Armed:
    """An armed fault, with the id to disarm it by and its number of strikes."""

    id: int
    fault: Fault
    times_applied: int = 0
    disarmed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is disarmed, which releases stalled exchanges."""

    @property
    def has_uses_left(self) -> bool:
        return not self.disarmed.is_set() and (self.fault.times is None or self.times_applied < self.fault.times)

    def use(self) -> bool:
        """Count one strike; False if none is left."""
        if not self.has_uses_left:
            return False
        self.times_applied += 1
        return True

    def listed(self) -> dict[str, Any]:
        return {"id": self.id, **msgspec.to_builtins(self.fault), "struck": self.times_applied}


class Connection(Protocol):
    """The part of uvicorn's protocol object that a fault needs."""

    @property
    def transport(self) -> asyncio.Transport: ...


class Faults:
    """The armed faults.

    `switch` turns flags on and off. `connections` and `exit` come from the serving process, `kill_agent` from a
    protocol whose agents have a process of their own; without them, faults that need them are refused, and so are
    flags that are not in `supported_flags`.
    """

    def __init__(self, switch: Callable[[Flag, bool], None]) -> None:
        self._switch = switch
        self._numbers = itertools.count(1)
        self._armed: dict[int, Armed] = {}
        self._watchers: set[Callable[[Armed], None]] = set()
        self.connections: Collection[Connection] | None = None
        self.exit: Callable[[int], object] | None = None
        self.kill_agent: Callable[[], object] | None = None
        self.supported_flags: Collection[Flag] = get_args(Flag)

    def arm(self, fault: Fault) -> Armed:
        """Arm a fault; a `crash` without a target does not return, and `agent-crash` has no duration.

        Raises FaultRefused.
        """
        act = fault.act
        if isinstance(act, Break) and self.connections is None:
            raise FaultRefused(f"{fault.name} needs a server that listens on a socket")
        if act == Break("exit"):
            if self.exit is None:
                raise FaultRefused(f"{fault.name} needs a process of its own")
            if fault.target is None:
                self.exit(CRASHED)
        if isinstance(act, KillAgent):
            if self.kill_agent is None:
                raise FaultRefused(f"{fault.name} needs agents that have a process of their own")
            self.kill_agent()
        if isinstance(act, Switch) and act.flag not in self.supported_flags:
            raise FaultRefused(f"{fault.name} is not possible with this profile")
        armed = Armed(next(self._numbers), fault)
        self._armed[armed.id] = armed
        self._set_switches()
        for watcher in list(self._watchers):
            watcher(armed)
        return armed

    def disarm(self, number: int) -> None:
        """Raises KeyError if no fault has this number."""
        self._armed.pop(number).disarmed.set()
        self._set_switches()

    def disarm_all(self) -> None:
        for number in list(self._armed):
            self.disarm(number)

    def armed(self) -> list[Armed]:
        """In order of arming, including those without strikes left."""
        return list(self._armed.values())

    @contextmanager
    def watched_by(self, watcher: Callable[[Armed], None]) -> Iterator[None]:
        """Call `watcher` for every fault that is armed within the block."""
        self._watchers.add(watcher)
        try:
            yield
        finally:
            self._watchers.discard(watcher)

    def transport_of(self, client: tuple[str, int]) -> asyncio.Transport | None:
        """The client's transport, or None if it has disconnected."""
        for connection in self.connections or ():
            if connection.transport.get_extra_info("peername") == client:
                return connection.transport
        return None

    def _set_switches(self) -> None:
        acts = {armed.fault.act for armed in self._armed.values() if isinstance(armed.fault.act, Switch)}
        for flag in get_args(Flag):
            self._switch(flag, Switch(flag) in acts)
