"""Checks the heartbeats and events of one stream for `holdfast doctor`: regular, late, buffered or missing.

It sends no requests.
"""

import asyncio
from collections.abc import Callable
from statistics import median

from tui.cli.finding import CheckResult
from tui.core import events as e
from tui.net.event_connection import Feed

UNEVEN = 0.5
"""Maximum delay of a regular heartbeat, as a fraction of the interval."""
BURST = 0.05
"""Seconds. Heartbeats closer together than this were buffered on the way."""


class HeartbeatMonitor:
    """Records the heartbeats and events of one stream. `every`: the heartbeat interval in seconds.

    Servers start the interval when the stream opens, so a single heartbeat on time is sufficient.
    """

    def __init__(self, now: Callable[[], float], every: float) -> None:
        self._now = now
        self._every = every
        self._opened = 0.0
        self.times: list[float] = []
        self.events = 0
        self.bytes = 0
        self._reported: set[str] = set()
        self._changed = asyncio.Event()

    def on_bytes(self, count: int) -> None:
        if not self.bytes:
            self._opened = self._now()
        self.bytes += count

    async def read(self, feed: Feed) -> None:
        """Record all events until the stream ends."""
        async for event in feed.events():
            self.on_event(event)

    def on_event(self, event: e.Event) -> None:
        match event:
            case e.Heartbeat():
                self.times.append(self._now())
            case e.Connected() | e.ServerShuttingDown():
                pass
            case e.SessionUpserted(session):  # also from a list, if streams are per session
                self._reported.add(session.id)
                self._changed.set()
            case e.SessionRenamed(_, title):
                self._reported.add(title)
                self._changed.set()
            case _:
                self.events += 1

    async def arrival(self, name: str) -> None:
        """Wait until the stream has reported the session with this id, or a session's new title."""
        while name not in self._reported:
            self._changed.clear()
            await self._changed.wait()

    def regularity(self, watched: float) -> CheckResult:
        """The result for the heartbeats of `watched` seconds."""
        gaps = [b - a for a, b in zip(self.times, self.times[1:], strict=False)]
        if not self.bytes:
            return CheckResult(
                "event stream",
                "bad",
                f"not one byte in {watched:.0f} s",
                "A proxy may buffer the stream: turn off response buffering for text/event-stream.",
            )
        if not self.times:
            return self._none(watched)
        if not gaps:
            return self._one()
        interval = median(gaps)
        if min(gaps) < BURST:
            return CheckResult(
                "heartbeats",
                "bad",
                "several at once: something in between buffers them",
                "Turn off response buffering in the proxy (nginx: proxy_buffering off).",
            )
        if max(gaps) > interval * (1 + UNEVEN) + 1:
            return CheckResult(
                "heartbeats",
                "bad",
                f"every {interval:.1f} s, but once {max(gaps):.1f} s apart",
                "The server or the network stalls: check the server's load.",
            )
        return CheckResult("heartbeats", "good", f"every {interval:.1f} s, regular, for {watched:.0f} s")

    def _none(self, watched: float) -> CheckResult:
        if watched < self._every + 1:
            return CheckResult(
                "heartbeats",
                "unknown",
                f"none in {watched:.0f} s, which may be shorter than their interval",
                f"The server sends one every {self._every:.0f} s: watch longer with --seconds {2 * self._every:.0f}.",
            )
        return CheckResult(
            "heartbeats",
            "bad",
            f"none in {watched:.0f} s",
            "Without heartbeats a dead connection looks like a quiet one: update the server or check its settings.",
        )

    def _one(self) -> CheckResult:
        """The result for a single heartbeat: good if it was on time and none is overdue since."""
        after, since = self.times[0] - self._opened, self._now() - self.times[0]
        found = f"one, {after:.1f} s after the stream's opening"
        latest = self._every * (1 + UNEVEN) + 1
        if after > latest or since > latest:
            late = found if after > latest else f"{found}, and none in the {since:.0f} s since"
            return CheckResult(
                "heartbeats",
                "bad",
                f"{late}: this server sends one every {self._every:.0f} s",
                "The server or the network stalls: check the server's load.",
            )
        return CheckResult("heartbeats", "good", f"{found}, on time: this server sends one every {self._every:.0f} s")

    def delivery(self) -> CheckResult:
        """The result for the received events, if no test event can be triggered."""
        if self.events:
            return CheckResult("events", "good", f"{self.events} delivered")
        return CheckResult("events", "unknown", "none received; perhaps nothing ran that sends any")
