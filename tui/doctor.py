"""`holdfast doctor`: what is between this machine and an agent server, each finding with a verdict and a remedy.

It watches the event stream for a while and asks the server's cheap questions. Whether events arrive is tried with
a session made for that, and deleted again. No model is started: whether a held POST is padded cannot be seen so,
and that is said.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Literal

import msgspec

from tui.backends import NAMES
from tui.backends.base import Backend, ServerInfo, SessionEditing
from tui.backends.recognise import recognise
from tui.core import events as e
from tui.core.model import Idle
from tui.net.errors import NetError
from tui.net.http import Http
from tui.net.link import Feed
from tui.settings import Settings

WATCH = 30.0
"""Seconds for which the event stream is watched."""
BEATS_WITHIN = 15.0
"""Seconds between two beats of the slowest family: qwen serve's, as measured on 0.24.4; opencode's are 10."""
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
        Finding("family", "good", f"{NAMES.get(backend.traits.family, backend.traits.family)} {server.version}"),
        Finding("password", "good", "taken, or none is asked for"),
        clock,
    ]


PADDING = Finding(
    "held prompt",
    "unknown",
    "padded or silent: seen only while a prompt is held",
    "Send one, and look at the line above the prompt: it counts the beats, or says that the server keeps still.",
)
NOT_HELD = Finding("held prompt", "good", "none: this server takes a prompt at once and tells the rest by events")
NO_STREAM = Finding(
    "event stream",
    "unknown",
    "it comes by session, and there is none",
    "Start one, and ask again.",
)
PROBE = "holdfast doctor"
"""The title of the session that is made to see whether its event arrives."""
ARRIVES = 5.0
"""Seconds that its event may take."""


class Beats:
    """The beats and events of one stream, as they arrive."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.times: list[float] = []
        self.events = 0
        self.bytes = 0
        self.told: set[str] = set()
        self.news = asyncio.Event()

    def heard(self, count: int) -> None:
        self.bytes += count

    async def read(self, feed: Feed) -> None:
        """Take all that the stream carries, to its end."""
        async for event in feed.events():
            self.take(event)

    def take(self, event: e.Event) -> None:
        match event:
            case e.Beat():
                self.times.append(self._now())
            case e.Connected() | e.ServerLeaving():
                pass
            case _:
                self.events += 1
                if isinstance(event, e.SessionUpserted):
                    self.told.add(event.session.id)
                    self.news.set()

    async def arrival(self, session_id: str) -> None:
        """Return once the stream has told of the session."""
        while session_id not in self.told:
            self.news.clear()
            await self.news.wait()

    def regularity(self, watched: float) -> Finding:
        """What the beats of `watched` seconds show."""
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
            if watched < BEATS_WITHIN + 1:
                return Finding(
                    "heartbeats",
                    "unknown",
                    f"none in {watched:.0f} s, which may be shorter than from one to the next",
                    f"They come up to {BEATS_WITHIN:.0f} s apart: watch longer, with --seconds {WATCH:.0f}.",
                )
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
        return Finding("heartbeats", "good", f"every {interval:.1f} s, regular, for {watched:.0f} s")

    def delivery(self) -> Finding:
        """What the events show by themselves, where none can be called forth."""
        if self.events:
            return Finding("events", "good", f"{self.events} delivered")
        return Finding("events", "unknown", "none came, and perhaps nothing ran that would have sent any")


async def mute(backend: Backend) -> Finding:
    """Whether the server answers what its sessions do, and not only its health check."""
    try:
        found = await backend.resync([])
    except NetError as error:
        return Finding("sessions", "bad", f"no answer: {error.what}", "The server is stuck: restart it.")
    busy = sum(not isinstance(status, Idle) for status in found.statuses.values())
    asked = len(found.requests)
    requests = f"{asked or 'no'} open request{'s' if asked > 1 else ''}"
    return Finding("sessions", "good", f"answered: {busy} running, {requests}")


async def delivered(backend: Backend, beats: Beats, now: Callable[[], float]) -> list[Finding]:
    """Make a session, see whether the stream tells of it, and delete it."""
    if not (isinstance(backend, SessionEditing) and backend.traits.one_stream):
        return []
    began = now()
    try:
        session = await backend.create_session(PROBE)
    except NetError as error:
        return [
            Finding("events", "unknown", f"no session could be made to see its event: {error.what}", error.remedy)
        ]
    findings = []
    try:
        async with asyncio.timeout(ARRIVES):
            await beats.arrival(session.id)
    except TimeoutError:
        findings.append(
            Finding(
                "events",
                "bad",
                f"a session was made, and within {ARRIVES:.0f} s no event told of it",
                "The stream is open and deaf: restart the server, or look for a proxy that holds events back.",
            )
        )
    else:
        took = max(0.1, now() - began)
        findings.append(Finding("events", "good", f"a new session was told of within {took:.1f} s"))
    try:
        await backend.delete(session.id)
    except NetError as error:
        found = f"the session made for this ({session.id}) could not be deleted: {error.what}"
        findings.append(Finding("tidying up", "bad", found, f"Delete the session “{PROBE}” by hand."))
    return findings


async def attended(backend: Backend) -> bool:
    """Open the newest session, where streams are opened by session; False if there is none."""
    newest = await backend.sessions(limit=1)
    for session in newest:
        await backend.messages(session.id, limit=1)
    return bool(newest)


async def watch(backend: Backend, seconds: float, now: Callable[[], float] = time.monotonic) -> list[Finding]:
    """Watch the event stream for `seconds`, or until the event that is awaited has had its time."""
    beats = Beats(now)
    began = now()
    try:
        if not backend.traits.one_stream and not await attended(backend):
            return [NO_STREAM]
        async with backend.subscribe(beats.heard) as feed:
            reading = asyncio.ensure_future(beats.read(feed))
            try:
                events = await delivered(backend, beats, now)
                await asyncio.wait((reading,), timeout=max(0.0, began + seconds - now()))
                if reading.done():
                    await reading
                    return [Finding("event stream", "bad", "the server ended it", "Look at the server's log.")]
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
    except NetError as error:
        return [Finding("event stream", "bad", error.what, error.remedy)]
    return [beats.regularity(now() - began), *(events or [beats.delivery()])]


def run(
    settings: Settings,
    open_http: Callable[[str], Http],
    users: Sequence[str],
    *,
    seconds: float,
    say: Callable[[str], None],
) -> int:
    """Look at everything and say it as it is found; the exit status."""
    say(settings.url)
    findings = asyncio.run(_examine(settings, open_http, users, seconds, say))
    if any(one.what == "reachable" and one.verdict == "bad" for one in findings):
        return CANNOT_CONNECT
    return int(any(one.verdict == "bad" for one in findings))


async def _examine(
    settings: Settings,
    open_http: Callable[[str], Http],
    users: Sequence[str],
    seconds: float,
    say: Callable[[str], None],
) -> list[Finding]:
    found: list[Finding] = []

    def note(findings: Sequence[Finding]) -> None:
        for finding in findings:
            found.append(finding)
            say(finding.line())

    try:
        backend, server = await recognise(open_http, users=users, directory=settings.directory)
    except NetError as error:
        note(unreachable(error))
        return found
    try:
        note(greeted(backend, server))
        note([await mute(backend)])
        say(f"… watching the event stream for {seconds:g} s")
        note(await watch(backend, seconds))
        note([PADDING if backend.traits.holds_post else NOT_HELD])
    finally:
        await backend.close()
    return found
