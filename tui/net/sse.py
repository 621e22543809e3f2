"""Server-sent events: bytes → events, with limits on size and time.

httpx-sse's decoder interprets the fields, one line at a time. The rest is ours, because httpx-sse accepts a charset
other than UTF-8, holds an endless line without a limit, loses the first event after a byte order mark, returns events
without data (after any `id:`, one for every comment), and accepts `-5` as a retry time. Its decoder is private; our
tests check what we rely on.

Status and content type are checked by `tui.net.http_client`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

import msgspec
from httpx_sse._decoders import SSEDecoder

from tui.core.sanitize import sanitize
from tui.net.errors import ResponseTooSlow, TooLarge, byte_count
from tui.net.response import MIN_RATE

log = logging.getLogger(__name__)

LIMIT: Final = 4 << 20
"""Limit in bytes of one event and of one line; reading it takes a dozen times as much memory."""
ENDLESS: Final = 16
"""Factor on the limit above which an event counts as endless."""
SHORTEST_RETRY: Final = 0.1
MAX_RETRY: Final = 60.0

GATHER: Final = 0.025
"""Seconds to wait before the next read once all received data was read, to read more at once."""
_WAITED: Final = 0.0005
"""Seconds. A chunk that took longer had not been received when it was read."""

FRAME_TIMEOUT: Final = 30.0
"""Seconds within which an event or comment must be complete, unless MIN_RATE bytes per second arrive."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_COLON: Final = ord(":")


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One event. `data` is never empty and not sanitized yet: `json_input.loads` does that.

    `id` is the last one sent by the stream, in this event or before; `retry`, in seconds, is the last retry time sent
    since the previous event.
    """

    event: str
    data: str
    id: str = ""
    retry: float | None = None


class EventDecoder:
    """Decodes bytes into events, without I/O. `on_comment` is called with the text of each comment line.

    `ended` counts the events and comments that have ended, including those not returned.
    """

    def __init__(self, *, limit: int = LIMIT, on_comment: Callable[[str], None] | None = None) -> None:
        self._limit = limit
        self._on_comment = on_comment
        self._decoder = SSEDecoder()
        self._at_start = True
        self._after_cr = False
        self._line = bytearray()
        self._event_bytes = 0
        self._dropping = 0
        self._counted = 0
        """Bytes of `_line` that are counted in `_dropping`."""
        self._retry: float | None = None
        self.ended = 0

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """The events that `data` completes, except those over the limit, which are dropped one by one.

        Raises TooLarge, after the events before it, for an event of ENDLESS times the limit without an end.
        """
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = data.split(b"\n")
        for line in lines:
            if self._line:
                line = bytes(self._line + line)
                self._line.clear()
            event = self._take(line)
            if event is not None:
                yield event
        self._line += rest
        if self._line[:1] != b":" and self._too_large(len(self._line)):
            self._drop(len(self._line))
            del self._line[1:]  # so that its rest is not read as another line
            self._counted = len(self._line)
        elif len(self._line) > self._limit:
            raise TooLarge(self._limit)

    def _take(self, line: bytes) -> ServerSentEvent | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            self.ended += 1
            return self._dispatch()
        if line[:1] == b":" and len(line) > self._limit:
            raise TooLarge(self._limit)
        if line[:1] != b":" and self._too_large(len(line)):
            self._drop(len(line))
            return None
        if line[0] == _COLON:
            self.ended += 1
            if self._on_comment is not None:
                self._on_comment(sanitize(line[1:].removeprefix(b" ").decode("utf-8", "replace")))
            return None
        self._event_bytes += len(line)
        if line.startswith(b"retry:"):
            self._take_retry(line.removeprefix(b"retry:").removeprefix(b" "))
        else:
            self._decoder.decode(line.decode("utf-8", "replace"))
        return None

    def _take_retry(self, milliseconds: bytes) -> None:
        if milliseconds.isdigit():  # digits as in the standard: no sign, no underscore
            self._retry = min(max(float(milliseconds) / 1000, SHORTEST_RETRY), MAX_RETRY)

    def _dispatch(self) -> ServerSentEvent | None:
        self._event_bytes = 0
        found = self._decoder.decode("")
        if self._dropping:
            log.warning("an event of %s is too large to be read", byte_count(self._dropping))
            self._dropping = 0
            return None
        if found is None or not found.data:
            return None
        retry, self._retry = self._retry, None
        return ServerSentEvent(sanitize(found.event), found.data, sanitize(found.id), retry)

    def _too_large(self, more: int) -> bool:
        """Whether the event is too large with `more` bytes. A comment is not stored and counts alone."""
        return bool(self._dropping) or self._event_bytes + more > self._limit

    def _drop(self, count: int) -> None:
        self._dropping += count - self._counted
        self._counted = 0
        if self._dropping > ENDLESS * self._limit:
            raise TooLarge(self._limit)


def read_events(
    chunks: AsyncIterator[bytes],
    *,
    on_bytes: Callable[[int], None],
    on_comment: Callable[[str], None] | None = None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[ServerSentEvent]:
    """The events in `chunks`, up to its end; an incomplete last event is dropped, as the standard says.

    `on_bytes` is called with the size of each chunk, including heartbeats and comments, before its events are returned.
    Raises TooLarge; ResponseTooSlow if bytes arrive without completing an event or comment; and what `chunks` raises.
    The iterator holds no resource: it can be abandoned at any time.

    The first chunk after a quiet time is returned at once; then the stream rests for GATHER seconds (`pause`), since
    waiting for each chunk of a busy stream separately costs five times as much as its events.
    """
    return _Events(chunks, on_bytes, EventDecoder(on_comment=on_comment), pause)


class _Events:
    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        on_bytes: Callable[[int], None],
        decoder: EventDecoder,
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._chunks = chunks
        self._on_bytes = on_bytes
        self._decoder = decoder
        self._pause = pause
        self._waited = False
        self._ready: Iterator[ServerSentEvent] = iter(())
        self._ended = 0
        self._begun: float | None = None
        self._begun_bytes = 0

    def __aiter__(self) -> AsyncIterator[ServerSentEvent]:
        return self

    async def __anext__(self) -> ServerSentEvent:
        while True:
            for event in self._ready:
                return event
            if self._waited:
                self._waited = False
                await self._pause(GATHER)
            began = asyncio.get_running_loop().time()
            chunk = await anext(self._chunks)
            self._waited = asyncio.get_running_loop().time() - began > _WAITED
            self._on_bytes(len(chunk))
            self._watch(len(chunk))
            self._ready = self._decoder.feed(chunk)

    def _watch(self, count: int) -> None:
        """Check, before `count` more bytes are decoded, whether earlier ones completed anything."""
        now = asyncio.get_running_loop().time()
        if self._begun is None or self._decoder.ended != self._ended:
            self._ended, self._begun, self._begun_bytes = self._decoder.ended, now, 0
        self._begun_bytes += count
        elapsed = now - self._begun
        if elapsed > FRAME_TIMEOUT and self._begun_bytes < MIN_RATE * elapsed:
            raise ResponseTooSlow("the event stream", self._begun_bytes, elapsed)
