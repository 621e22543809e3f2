"""One schedule: the steps and their times, drawn from a seed and printable. No I/O."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from tests.chaos.relay import How, Which


@dataclass(frozen=True, slots=True)
class Send:
    """The user sends a prompt, whose text selects the scenario. `queued`: after the running turn."""

    words: str
    queued: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The user answers the oldest request shown, or dismisses it."""

    dismiss: bool = False


@dataclass(frozen=True, slots=True)
class Abort:
    """The user aborts the turn."""


@dataclass(frozen=True, slots=True)
class RetryNow:
    """The user presses F5."""


@dataclass(frozen=True, slots=True)
class OtherSends:
    """Another client prompts the same session."""

    words: str


@dataclass(frozen=True, slots=True)
class OtherAnswers:
    """Another client answers the oldest request of the server."""


@dataclass(frozen=True, slots=True)
class BothAnswer:
    """The user and another client answer the same request; `lead`: seconds by which the other is earlier."""

    lead: float


@dataclass(frozen=True, slots=True)
class OtherAborts:
    """Another client aborts the turn."""


@dataclass(frozen=True, slots=True)
class Sever:
    """All open connections end."""

    how: How
    which: Which = "all"


@dataclass(frozen=True, slots=True)
class CutAfter:
    """The next connection of a kind ends after this many bytes to the client."""

    count: int
    which: Which


@dataclass(frozen=True, slots=True)
class Stall:
    """Sockets stay open without passing data."""

    seconds: float
    which: Which = "all"


@dataclass(frozen=True, slots=True)
class Refuse:
    """New connections are refused."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Each piece of bytes is delayed by this time in each direction."""

    seconds: float
    each: float


@dataclass(frozen=True, slots=True)
class Crash:
    """The server is killed and restarted.

    `torn_write`: seconds before, during which it paused between two writes, if it stores things in two steps.
    """

    down: float
    torn_write: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds until it runs again."""
        return self.torn_write + self.down


@dataclass(frozen=True, slots=True)
class AgentDies:
    """The agents' process crashes, if it is separate; the server continues."""

    seconds: ClassVar[float] = 0.0
    """Seconds until it runs again; it starts on demand."""


@dataclass(frozen=True, slots=True)
class StubFault:
    """A fault of the stub (as `holdfast-stub --fault` parses it) is armed for this time."""

    fault: str
    seconds: float


@dataclass(frozen=True, slots=True)
class KillClient:
    """The client is killed and restarted."""

    away: float


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The client's wall clock jumps: it was set, or the computer slept."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Freeze:
    """The machine pauses for this time; afterwards everything due happens at once."""

    seconds: float


Step: TypeAlias = (
    Send
    | Answer
    | Abort
    | RetryNow
    | OtherSends
    | OtherAnswers
    | BothAnswer
    | OtherAborts
    | Sever
    | CutAfter
    | Stall
    | Refuse
    | Latency
    | Crash
    | AgentDies
    | StubFault
    | KillClient
    | ClockJump
    | Freeze
)

Draw: TypeAlias = Callable[[random.Random], Step]

PROMPTS = (
    "PLAIN",
    "PLAIN",
    "ASK",
    "ASK1",
    "ASK1",
    "BOTH",
    "CHILD",
    "SHELL x",
    "SLOW",
    "THINK",
    "TOOLS",
    "RETRY 3",
    "FAIL 400",
)


REAL_PROMPTS = ("PLAIN", "ASK", "ASK1", "ASK1", "SHELL x", "SLOW", "THINK", "FAIL 400")
"""Keywords that the scripted model of the real servers' tests has too."""


@dataclass(frozen=True, slots=True)
class Schedule:
    seed: int
    profile: str
    """The stub's profile, or the one of the stub that resembles the real server."""
    steps: tuple[tuple[float, Step], ...]
    """Seconds from the start, in order, each with its step."""
    skew: float = 0.0
    """Seconds by which the server's clock is ahead of the client's."""
    late_events: bool = False
    """The stub sends events after the responses to requests that caused them, as real servers do."""

    @property
    def aborts(self) -> bool:
        """Someone requests an abort."""
        return any(isinstance(step, Abort | OtherAborts) for _, step in self.steps)

    @property
    def others_abort(self) -> bool:
        """Another client requests an abort."""
        return any(isinstance(step, OtherAborts) for _, step in self.steps)

    @property
    def deaths(self) -> bool:
        """An agent crashes."""
        return any(isinstance(step, AgentDies) for _, step in self.steps)

    def __str__(self) -> str:
        lines = [f"  {at:7.2f} s  {step}" for at, step in self.steps]
        order = "late" if self.late_events else "early"
        head = f"schedule {self.seed}, profile {self.profile}, server's clock {self.skew:+g} s, {order} events"
        return "\n".join([head, *lines])


def draw(seed: int, profiles: Sequence[str]) -> Schedule:
    """The same steps for the same seed on any machine and profile; the profiles alternate."""
    rng = random.Random(seed)
    skew = rng.choice((0.0, 0.0, -86_400.0, -40.0, 40.0, 86_400.0))
    end = rng.choice((20.0, 45.0, 90.0))
    steps = [*_steps(rng, end, PROMPTS, FAULTS), *(_burst(rng, end) if rng.random() < 0.1 else ())]
    # from a separate source, so that the steps of a seed do not change
    steps += _aborts(random.Random(f"aborts of {seed}"), end)
    late_events = seed // 8 % 2 == 1  # not drawn, so that the steps of a seed do not change
    return Schedule(seed, profiles[seed % len(profiles)], _in_order(steps), skew, late_events)


def draw_for_real(seed: int, profile: str) -> Schedule:
    """A short schedule for a real server in real time, without faults that need the stub or a simulated clock."""
    return Schedule(seed, profile, _steps(random.Random(seed), 20.0, REAL_PROMPTS, REAL_FAULTS))


def _burst(rng: random.Random, end: float) -> list[tuple[float, Step]]:
    """More prompts within a second than a server may accept."""
    start = rng.uniform(0.0, end)
    return [(round(start + rng.random(), 2), Send(rng.choice(PROMPTS))) for _ in range(6)]


def _aborts(rng: random.Random, end: float) -> list[tuple[float, Step]]:
    """Sometimes an abort of a possibly long turn, often with a fault right before or after it."""
    if rng.random() < 0.7:
        return []
    sent = rng.uniform(0.0, end)
    asked = sent + rng.choice((0.0, 0.05, rng.uniform(0.1, 3.0), rng.uniform(3.0, 15.0)))
    steps: list[tuple[float, Step]] = [
        (sent, Send(rng.choice(("FLOOD 100 5", "ASK1", "SLOW", "BOTH")))),
        (asked, Abort()),
    ]
    duration = _duration(rng)
    fault = rng.choice(
        (
            None,
            Stall(duration, rng.choice(("all", "all", "events"))),
            Refuse(duration),
            KillClient(duration),
            Crash(duration),
            StubFault(
                rng.choice(("429=all,times=3", "502=all,times=3", "hang=all,times=2", "401=all,times=1")), duration
            ),
        )
    )
    if fault is not None:
        at = asked + rng.choice((-1.0, -0.05, 0.0, 0.05, 0.5))
        steps.append((at, fault))
        if isinstance(fault, Refuse):
            steps.append((at, Sever("reset")))
        if isinstance(fault, Stall) and rng.random() < 0.5:
            steps.append((at + duration, Sever("reset")))
    if rng.random() < 0.3:
        steps.append((asked + rng.uniform(0.1, 20.0), OtherSends("FLOOD 50 5")))
    if rng.random() < 0.3:
        steps.append((asked + rng.uniform(0.0, 3.0), Send("PLAIN", queued=rng.random() < 0.5)))
    return [(round(max(0.0, at), 2), step) for at, step in steps]


def _in_order(steps: Sequence[tuple[float, Step]]) -> tuple[tuple[float, Step], ...]:
    return tuple(sorted(steps, key=lambda step: step[0]))


def _steps(
    rng: random.Random, end: float, prompts: Sequence[str], faults: Sequence[Draw]
) -> tuple[tuple[float, Step], ...]:
    steps: list[tuple[float, Step]] = []

    def at(seconds: float, step: Step) -> None:
        steps.append((round(seconds, 2), step))

    for _ in range(rng.randint(1, 4)):
        at(rng.uniform(0.0, end), Send(rng.choice(prompts), queued=rng.random() < 0.5))
    sent = [seconds for seconds, _ in steps]

    def some_time() -> float:
        """Any time, but more often soon after something was sent, where most can go wrong."""
        if rng.random() < 0.4:
            return rng.uniform(0.0, end)
        return rng.choice(sent) + rng.choice((0.0, 0.05, rng.uniform(0.0, 3.0), rng.uniform(0.0, 12.0)))

    for _ in range(rng.randint(0, 6)):
        at(some_time(), _user(rng))
    for _ in range(rng.choice((0, 1, 1, 2))):
        at(some_time(), _other(rng, prompts))
    for _ in range(rng.randint(1, 7)):
        when, fault = some_time(), rng.choice(faults)(rng)
        if isinstance(fault, Crash) and fault.torn_write and rng.random() < 0.5:  # while a prompt is being sent
            when = max(0.0, rng.choice(sent) - rng.uniform(0.0, fault.torn_write))
        at(when, fault)
        if isinstance(fault, Crash | AgentDies) and rng.random() < 0.5:
            # another client reconnects before the user does
            at(when + fault.seconds + rng.uniform(0.0, 1.0), OtherSends(rng.choice(prompts)))
    return _in_order(steps)


def _user(rng: random.Random) -> Step:
    return rng.choice((Answer(), Answer(), Answer(), Answer(dismiss=True), Abort(), RetryNow()))


def _other(rng: random.Random, prompts: Sequence[str]) -> Step:
    both = BothAnswer(rng.choice((-0.05, 0.0, 0.001, 0.05, 1.0)))
    return rng.choice((both, both, OtherAnswers(), OtherAborts(), OtherSends(rng.choice(prompts))))


def _duration(rng: random.Random) -> float:
    return round(rng.choice([0.2, 1.0, 3.0, 8.0, 20.0, 40.0]) * rng.uniform(0.5, 1.5), 2)


def _which(rng: random.Random) -> Which:
    return rng.choice(("all", "all", "events", "prompt"))


STUB_FAULTS = (
    "401=all",
    "401=events",
    "429=all,times=always,retry_after=7",
    "429=prompt",
    "502=all,times=always",
    "502=prompt",
    "hang=all,times=always",
    "hang=events",
    "stall=events",
    "cut=prompt,at=request",
    "cut=prompt,at=headers",
    "reset=prompt,at=json",
    "cut=prompt,at=json,after_bytes=100",
    "cut=answer,at=request",
    "cut=answer,at=headers",
    "truncated=prompt",
    "trailing=prompt",
    "doubled=prompt",
    "garbled=prompt",
    "whitespace=prompt",
    "mute-events",
    "wedged",
)


FAULTS: tuple[Draw, ...] = (
    lambda rng: Sever(rng.choice(("close", "reset", "half-open")), _which(rng)),
    lambda rng: Sever(rng.choice(("close", "reset", "half-open")), _which(rng)),
    lambda rng: CutAfter(rng.choice((1, 20, 150, 400, 3000)), rng.choice(("events", "prompt", "all"))),
    lambda rng: Stall(_duration(rng), _which(rng)),
    lambda rng: Refuse(_duration(rng)),
    lambda rng: Latency(_duration(rng), rng.choice((0.02, 0.3, 1.0, 3.0))),
    lambda rng: Crash(_duration(rng)),
    lambda rng: Crash(_duration(rng)),
    lambda rng: Crash(_duration(rng), torn_write=rng.choice((0.1, 1.0, 3.0))),
    lambda rng: StubFault("torn-write", round(rng.uniform(0.1, 3.0), 2)),
    lambda rng: AgentDies(),
    lambda rng: StubFault(rng.choice(STUB_FAULTS), _duration(rng)),
    lambda rng: StubFault(rng.choice(STUB_FAULTS), _duration(rng)),
    lambda rng: KillClient(_duration(rng)),
    lambda rng: ClockJump(rng.choice((-3600.0, -20.0, 20.0, 3600.0))),
    lambda rng: Freeze(_duration(rng)),
)

REAL_FAULTS: tuple[Draw, ...] = (
    lambda rng: Sever(rng.choice(("close", "reset")), _which(rng)),
    lambda rng: Sever(rng.choice(("close", "reset")), _which(rng)),
    lambda rng: CutAfter(rng.choice((1, 150, 400, 3000)), rng.choice(("events", "prompt", "all"))),
    lambda rng: Stall(rng.uniform(0.2, 5.0), _which(rng)),
    lambda rng: Refuse(rng.uniform(0.2, 5.0)),
    lambda rng: Latency(rng.uniform(0.2, 5.0), rng.choice((0.02, 0.3))),
    lambda rng: KillClient(rng.uniform(0.2, 5.0)),
)
