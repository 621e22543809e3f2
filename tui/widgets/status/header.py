"""The header: names of what is open, and the state of the connection.

It shows a `ConnectionStatus` unchanged; it computes no ages itself.
"""

from functools import lru_cache
from math import isfinite
from typing import assert_never

import msgspec
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip

from tui.config.key_lookup import key
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.sanitize import single_line
from tui.widgets.base.format import span
from tui.widgets.base.guarded import Guarded
from tui.widgets.base.static_text import ERROR, FAINT, HEADING, MUTED, PLAIN, SUCCESS, WARNING, spread, strip_of

BARS = "▁▂▃▅▇"
NAME_SHORTEST = 22
"""Minimum cells for the names on the left while connected..."""
BRAND = 11
"""...and while a connection problem needs the space."""
WIDE = 120
"""Minimum width in cells at which the header shows the server too, if everything else fits."""


def sparkline(gaps: tuple[float, ...], interval: float | None) -> str:
    """Return one bar per heartbeat: its height is the gap relative to the server's interval."""
    if not gaps:
        return ""
    usual = interval or max(gaps)
    return "".join(_bar(gap / usual if usual else 1.0) for gap in gaps)


def _bar(ratio: float) -> str:
    for bar, limit in zip(BARS, (0.5, 1.25, 1.75, 2.5), strict=False):
        if ratio < limit:
            return bar
    return BARS[-1]


def connection_text(line: ConnectionStatus, room: int = 1000, *, ever_up: bool = True) -> Content:
    """Return the connection state in at most `room` cells: glyph, colour and word.

    `ever_up`: whether it was connected before; if not, it cannot be lost.
    """
    match line.state:
        case ConnectionState.CONNECTING:
            return Content.styled("◌ connecting…", MUTED)
        case ConnectionState.LIVE | ConnectionState.QUIET:
            return _alive(line)
        case ConnectionState.RECONNECTING:
            soon = line.retry_in is None or line.retry_in < 1
            when = "reconnecting" if soon else f"try {line.attempt + 1} in {span(line.retry_in or 0)}"
            state = "↻ lost" if ever_up else "↻ not connected"
            full_reason = single_line(line.reason)
            reason = full_reason if ever_up else full_reason.removeprefix("cannot connect: ")
            return _down(state, WARNING, reason, f" · {when} · {key('retry')} now", room)
        case ConnectionState.STOPPED:
            return _down("■ stopped", ERROR, single_line(line.reason), f" · fix it, then {key('retry')}", room)
        case _:
            assert_never(line.state)


def _alive(line: ConnectionStatus) -> Content:
    age = span(line.age or 0.0)
    late = line.state is ConnectionState.QUIET
    state = (f"◐ quiet {age}", WARNING) if late else (f"● live {age}", SUCCESS)
    trip = "" if line.round_trip is None else f"  {_milliseconds(line.round_trip)}"
    beats = sparkline(line.gaps, line.interval)
    return Content.assemble(state, (trip, MUTED), (f" {beats}" if beats else "", MUTED))


def _down(state: str, colour: str, reason: str, then: str, room: int) -> Content:
    """Shorten the reason rather than the next action."""
    words = Content(f"{state}: {reason}" if reason else state)
    left = max(len(state), room - len(then))
    if words.cell_length > left:
        words = words.truncate(left, ellipsis=True)
    return Content.assemble(words.stylize(colour), (then, MUTED))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else span(seconds)


class Heading(msgspec.Struct, frozen=True):
    """Names and usage shown on the left."""

    title: str = ""
    agent: str = ""
    tokens: int = 0
    cost: float = 0.0


def spent(heading: Heading) -> str:
    """Return tokens and dollars, if the server reports them: ` · 12.4k tokens · $0.31`."""
    tokens = f"{heading.tokens / 1000:.1f}k" if heading.tokens >= 1000 else str(heading.tokens)
    cost = f" · ${heading.cost:.2f}" if heading.cost and isfinite(heading.cost) else ""
    return (f" · {tokens} tokens" if heading.tokens else "") + cost


@lru_cache(maxsize=8)
def names(heading: Heading, room: int = 1000) -> Content:
    """Return the left side of the header. If it exceeds `room` cells, whole parts are dropped from the end."""
    named = [name for name in (heading.title, heading.agent) if name]
    brand = Content.assemble((" holdfast", HEADING), "  ")
    left = Content.assemble(brand, (" · ".join(named), PLAIN), (spent(heading), MUTED))
    while left.cell_length > room and named:
        left = Content.assemble(brand, (" · ".join(named), PLAIN))
        named.pop()
    return left


class HeaderBar(Guarded):
    """One line: names on the left, connection state and address on the right."""

    def __init__(self, address: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._address = address.removeprefix("http://")
        self._heading = Heading()
        self._line = ConnectionStatus(ConnectionState.CONNECTING)
        self._server = ""
        self._ever_up = False
        self._shown = Content("")
        self._fitted_to: int | None = None

    @property
    def text(self) -> str:
        """The displayed text."""
        return self.render().plain

    def show_server(self, server: str) -> None:
        """Set the server's family and version, shown from the next `show_connection` on; "" until known."""
        self._server = server

    def show_connection(self, line: ConnectionStatus) -> None:
        self._line = line
        self._ever_up = self._ever_up or line.up
        self._redraw()

    def show_heading(self, heading: Heading) -> None:
        self._heading = heading
        self._redraw()

    def _redraw(self) -> None:
        fitted = self._fitted()
        if not fitted.is_same(self._shown):
            self._shown = fitted
            self.refresh()

    def render(self) -> Content:
        if self._fitted_to != self.size.width:
            self._shown = self._fitted()
        return self._shown

    def render_lines(self, crop: Region) -> list[Strip]:
        """Render directly: Textual's own implementation is the largest cost of an idle client."""
        return [strip_of(self, self.render(), y).crop(crop.x, crop.right) for y in crop.line_range]

    def _fitted(self) -> Content:
        width = self._fitted_to = self.size.width
        left = names(self._heading)
        address = Content.styled(f"   {self._address} ", FAINT)
        room = width - min(left.cell_length, NAME_SHORTEST if self._line.up else BRAND) - 2
        whole = connection_text(self._line, ever_up=self._ever_up)
        if not self._line.up and whole.cell_length > room - address.cell_length:
            address = Content(" ")  # the reason and the next action matter more
        words = whole
        if not self._line.up:
            words = connection_text(self._line, room - address.cell_length, ever_up=self._ever_up)
        if self._server and self._line.up:
            named = Content.assemble((f"   {self._server} ·", FAINT), address[2:])
            if left.cell_length + words.cell_length + named.cell_length + 2 <= width >= WIDE:
                address = named
        if width - words.cell_length - address.cell_length < NAME_SHORTEST:
            left = left[:BRAND]
        elif left.cell_length > (room := width - words.cell_length - address.cell_length - 2):
            left = names(self._heading, room)
        return spread(left, Content.assemble(words, address), width)
