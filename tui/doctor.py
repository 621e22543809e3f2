"""`holdfast doctor`: what is between this machine and an agent server, each finding with a verdict and a remedy.

It watches the event stream for a while and asks the server's cheap questions. It starts no model: whether the held
POST is padded is found out on a turn that somebody else runs, or not at all, and then it says so.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Literal

import msgspec

from tui.backends.base import Backend, ServerInfo
from tui.backends.recognise import recognise
from tui.core import events as e
from tui.core.model import Idle
from tui.net.errors import NetError
from tui.net.http import Http
from tui.settings import Settings

WATCH = 30.0
"""Seconds for which the event stream is watched."""
SKEWED = 5.0
UNEVEN = 0.5
"""A beat that comes later than its interval by more than this part of it is not regular."""
BURST = 0.05
"""Seconds: beats that come closer together than this were held back on the way, and let go at once."""

Verdict = Literal["good", "bad", "unknown"]


CANNOT_CONNECT = 4


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: what was found, and what to do where that is not good."""

    what: str
    verdict: Verdict
    found: str
    remedy: str = ""

    def line(self) -> str:
        glyph = {"good": "✓", "bad": "✗", "unknown": "?"}[self.verdict]
        remedy = f"\n    {self.remedy}" if self.remedy else ""
        return f"{glyph} {self.what:<14} {self.found}{remedy}"


def unreachable(error: NetError) -> list[Finding]:
    """What a server says of itself by not answering."""
    return [Finding("reachable", "bad", error.what, error.remedy)]


def greeted(backend: Backend, server: ServerInfo) -> list[Finding]:
    """What the first answers show."""
    skew = server.clock_skew
    if skew is None:
        clock = Finding("clock", "unknown", "the server does not tell its time")
    elif abs(skew) > SKEWED:
        clock = Finding(
            "clock",
            "bad",
            f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine",
            "Set both clocks by the network (NTP): the order of messages depends on them.",
        )
    else:
        clock = Finding("clock", "good", "equal to this machine's within a second or two")
    return [
        Finding("reachable", "good", f"answers in {server.round_trip * 1000:.0f} ms"),
        Finding("family", "good", f"{backend.traits.family} {server.version}"),
        Finding("password", "good", "taken, or none is asked for"),
        clock,
    ]


PADDING = Finding(
    "held prompt",
    "unknown",
    "whether it is padded shows only while a prompt is held: look at the turn line for its beats",
)
"""The server is not asked to run a model for this."""


class Beats:
    """The beats of one event stream, as they arrive."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.times: list[float] = []
        self.events = 0
        self.bytes = 0

    def heard(self, count: int) -> None:
        self.bytes += count

    def take(self, event: e.Event) -> None:
        match event:
            case e.Beat():
                self.times.append(self._now())
            case e.Connected() | e.ServerLeaving():
                pass
            case _:
                self.events += 1

    def findings(self, watched: float, *, busy: bool) -> list[Finding]:
        """What `watched` seconds of the stream show; `busy`: some turn ran meanwhile."""
        return [self._regularity(watched), self._delivery(busy=busy)]

    def _regularity(self, watched: float) -> Finding:
        gaps = [b - a for a, b in zip(self.times, self.times[1:], strict=False)]
        if not self.bytes:
            return Finding(
                "event stream",
                "bad",
                f"not one byte in {watched:.0f} s",
                "A proxy may hold the stream back: switch its response buffering off for text/event-stream.",
            )
        if not gaps:
            if self.times:
                return Finding("heartbeats", "unknown", f"one in {watched:.0f} s: too few to judge")
            return Finding(
                "heartbeats",
                "bad",
                f"none in {watched:.0f} s",
                "Without beats a dead line looks like a quiet one: update the server, or look at its settings.",
            )
        interval = median(gaps)
        if min(gaps) < BURST:
            return Finding(
                "heartbeats",
                "bad",
                "several at once: something on the way holds them back",
                "Switch response buffering off in the proxy (nginx: proxy_buffering off).",
            )
        if max(gaps) > interval * (1 + UNEVEN) + 1:
            return Finding(
                "heartbeats",
                "bad",
                f"every {interval:.1f} s, but once {max(gaps):.1f} s apart",
                "The server or the way to it stalls: look at its load.",
            )
        return Finding("heartbeats", "good", f"every {interval:.1f} s, regular")

    def _delivery(self, *, busy: bool) -> Finding:
        if self.events:
            return Finding("events", "good", f"{self.events} delivered")
        if busy:
            return Finding(
                "events",
                "bad",
                "a turn runs, beats come, and no event does",
                "The server's event stream is deaf: restart the server.",
            )
        return Finding("events", "unknown", "none came, and nothing ran that would have sent any")


async def mute(backend: Backend) -> Finding:
    """Whether the server answers what its sessions do, and not only its health check."""
    try:
        found = await backend.resync([])
    except NetError as error:
        return Finding("sessions", "bad", f"no answer: {error.what}", "The server is stuck: restart it.")
    busy = sum(not isinstance(status, Idle) for status in found.statuses.values())
    return Finding("sessions", "good", f"answered: {busy} running, {len(found.requests)} open requests")


async def watch(backend: Backend, seconds: float, now: Callable[[], float] = time.monotonic) -> list[Finding]:
    """Watch the event stream for `seconds`."""
    beats = Beats(now)

    async def read() -> None:
        async with backend.subscribe(beats.heard) as feed:
            async for event in feed.events():
                beats.take(event)

    try:
        async with asyncio.timeout(seconds):
            await read()
    except TimeoutError:
        pass  # the end of the watch, as meant
    except NetError as error:
        return [Finding("event stream", "bad", error.what, error.remedy)]
    else:
        return [Finding("event stream", "bad", "the server ended it", "Look at the server's log.")]
    try:
        busy = any(not isinstance(status, Idle) for status in (await backend.resync([])).statuses.values())
    except NetError:
        busy = False  # told by the finding on sessions
    return beats.findings(seconds, busy=busy)


def run(
    settings: Settings,
    open_http: Callable[[str], Http],
    users: Sequence[str],
    *,
    seconds: float,
    say: Callable[[str], None],
) -> int:
    """Look at everything and say it as it is found; the exit status."""
    say(f"{settings.url}, watched for {seconds:g} s")
    findings = asyncio.run(_examine(settings, open_http, users, seconds, lambda finding: say(finding.line())))
    if any(one.what == "reachable" and one.verdict == "bad" for one in findings):
        return CANNOT_CONNECT
    return int(any(one.verdict == "bad" for one in findings))


async def _examine(
    settings: Settings,
    open_http: Callable[[str], Http],
    users: Sequence[str],
    seconds: float,
    tell: Callable[[Finding], None],
) -> list[Finding]:
    found: list[Finding] = []

    def note(findings: Sequence[Finding]) -> None:
        for finding in findings:
            found.append(finding)
            tell(finding)

    try:
        backend, server = await recognise(open_http, users=users, directory=settings.directory)
    except NetError as error:
        note(unreachable(error))
        return found
    try:
        note(greeted(backend, server))
        note([await mute(backend)])
        note(await watch(backend, seconds))
        note([PADDING])
    finally:
        await backend.close()
    return found
