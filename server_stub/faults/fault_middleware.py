"""Applies the armed faults to the bytes of one request and its response. Knows no route and no profile.

The response passes through piece by piece, so that a fault due after N bytes strikes after exactly N. Once a
connection is broken, further bytes of the route are dropped, and the route sees a client disconnect.
"""

import asyncio
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import assert_never

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server_stub.faults.kinds import CRASHED, Answer, Armed, Break, Faults, InsertAt, Rewrite

WHITESPACE = b" \t\r\n"
NO_LINGER = struct.pack("ii", 1, 0)


class FaultMiddleware:
    """Wraps every route except the one that arms faults."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_stub/"):
            await self._app(scope, receive, send)
            return
        exchange = FaultedExchange(self._faults, scope, receive, send)
        with self._faults.watched_by(exchange.schedule):
            await exchange.run(self._app)


@dataclass(slots=True, eq=False)
class _Watch:
    """A fault that targets this exchange and has not struck it yet."""

    armed: Armed
    due: int | None = None
    """Strikes after this many bytes of the body."""
    timer: asyncio.TimerHandle | None = None


class FaultedExchange:
    def __init__(self, faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
        self._faults = faults
        self._scope = scope
        self._receive = receive
        self._send = send
        self._unread: deque[Message] = deque()
        self._watches: list[_Watch] = []
        self._passed: set[InsertAt] = set()
        self._sent = 0
        self._stalled_by: Armed | None = None
        self._severed = False
        self._rewrite: Rewrite | None = None
        self._withheld = bytearray()

    async def run(self, app: ASGIApp) -> None:
        for armed in self._faults.armed():
            self.schedule(armed)
        try:
            answered = self._answer_instead()
            if answered is not None:
                await self._send_answer(answered)
                return
            self._pass(InsertAt.REQUEST)
            if await self._is_open():
                await app(self._scope, self._read, self._pass_on)
            if self._severed:
                await self._wait_for_disconnect()
        finally:
            for watch in list(self._watches):
                self._drop(watch)

    def schedule(self, armed: Armed) -> None:
        """Schedule this fault, if it targets this exchange and its place is not past."""
        fault = armed.fault
        if not armed.has_uses_left or not fault.matches(self._scope["method"], self._scope["path"]):
            return
        watch = _Watch(armed)
        self._watches.append(watch)
        if fault.at in self._passed:
            self._begin_inside(watch, fault.at)

    def _begin_inside(self, watch: _Watch, place: InsertAt) -> None:
        """Schedule a fault that was armed at `place` or after it."""
        fault = watch.armed.fault
        too_late = (
            place is InsertAt.HEADERS
            or (place is InsertAt.REQUEST and fault.after_seconds is None)
            or (place is InsertAt.PADDING and InsertAt.JSON in self._passed)
        )
        if too_late:
            self._drop(watch)
        else:
            self._begin(watch, fault.after_bytes or 0)

    def _pass(self, place: InsertAt) -> None:
        self._passed.add(place)
        for watch in list(self._watches):
            fault = watch.armed.fault
            if fault.at is InsertAt.PADDING and place is InsertAt.JSON:
                self._drop(watch)
            elif fault.at is place:
                first = 1 if place in (InsertAt.PADDING, InsertAt.JSON) else 0
                self._begin(watch, first if fault.after_bytes is None else fault.after_bytes)

    def _begin(self, watch: _Watch, after_bytes: int) -> None:
        seconds = watch.armed.fault.after_seconds
        if seconds is not None:
            watch.timer = asyncio.get_running_loop().call_later(seconds, self._strike, watch)
        elif after_bytes:
            watch.due = self._sent + after_bytes
        else:
            self._strike(watch)

    def _drop(self, watch: _Watch) -> None:
        if watch in self._watches:
            self._watches.remove(watch)
        if watch.timer is not None:
            watch.timer.cancel()

    def _strike(self, watch: _Watch) -> None:
        self._drop(watch)
        act = watch.armed.fault.act
        transport = self._faults.transport_of(self._scope["client"])
        if self._severed or transport is None or not isinstance(act, Break) or not watch.armed.use():
            return
        match act.how:
            case "close":
                self._severed = True
                transport.close()
            case "reset":
                self._severed = True
                reset(transport)
            case "stall":
                self._stalled_by = watch.armed
            case "exit":
                assert self._faults.exit is not None
                self._faults.exit(CRASHED)
            case never:
                assert_never(never)

    # the answer

    def _answer_instead(self) -> Armed | None:
        """The first fault that strikes at the request itself, if its act is an Answer."""
        for watch in self._watches:
            if watch.armed.fault.at is InsertAt.REQUEST and watch.armed.fault.after_seconds is None:
                return None
            if isinstance(watch.armed.fault.act, Answer) and watch.armed.use():
                return watch.armed
        return None

    async def _send_answer(self, armed: Armed) -> None:
        answer = armed.fault.act
        assert isinstance(answer, Answer)
        headers = dict(answer.headers) | {"content-length": str(len(answer.body))}
        if armed.fault.retry_after is not None:
            headers["retry-after"] = str(armed.fault.retry_after)
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await self._send({"type": "http.response.body", "body": answer.body})

    async def _pass_on(self, message: Message) -> None:
        if not await self._is_open():
            return
        match message["type"]:
            case "http.response.start":
                await self._start(message)
            case "http.response.body":
                await self._continue(message.get("body", b""), more=message.get("more_body", False))
            case _:
                await self._send(message)

    async def _start(self, message: Message) -> None:
        self._pass(InsertAt.HEADERS)
        if not await self._is_open():
            return
        headers = message.get("headers", [])
        if dict(headers).get(b"content-type", b"").startswith(b"application/json"):
            self._rewrite = self._take_rewrite()
        if self._watches or self._rewrite:  # the length may change
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        await self._send({**message, "headers": headers})
        self._pass(InsertAt.BODY)

    def _take_rewrite(self) -> Rewrite | None:
        for watch in list(self._watches):
            act = watch.armed.fault.act
            if isinstance(act, Rewrite):
                self._drop(watch)
                if watch.armed.use():
                    return act
        return None

    async def _continue(self, data: bytes, *, more: bool) -> None:
        if InsertAt.JSON not in self._passed:
            padding = data[: len(data) - len(data.lstrip(WHITESPACE))]
            data = data[len(padding) :]
            if padding and InsertAt.PADDING not in self._passed:
                self._pass(InsertAt.PADDING)
            await self._emit(padding)
            if data:
                self._pass(InsertAt.JSON)
        if self._rewrite is not None:
            self._withheld += data
            data = b"" if more else self._rewrite.change(bytes(self._withheld))
        await self._emit(data)
        if not more and await self._is_open():
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _emit(self, data: bytes) -> None:
        """Send `data` up to each place where a fault is due, and beyond it if the fault allows."""
        while data and await self._is_open():
            due = min((w.due for w in self._watches if w.due is not None and w.armed.has_uses_left), default=None)
            piece = data if due is None else data[: due - self._sent]
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            self._sent += len(piece)
            data = data[len(piece) :]
            for watch in list(self._watches):
                if watch.due is not None and watch.due <= self._sent:
                    self._strike(watch)

    # waiting

    async def _is_open(self) -> bool:
        """Wait for the end of a stall, or until the client disconnects; False if the connection is broken."""
        while (stall := self._stalled_by) is not None and not self._severed:
            gone = asyncio.ensure_future(self._wait_for_disconnect())
            disarmed = asyncio.ensure_future(stall.disarmed.wait())
            try:
                await asyncio.wait((gone, disarmed), return_when=asyncio.FIRST_COMPLETED)
                self._severed |= gone.done()
            finally:
                gone.cancel()
                disarmed.cancel()
            if self._stalled_by is stall:
                self._stalled_by = None
        return not self._severed

    async def _read(self) -> Message:
        return self._unread.popleft() if self._unread else await self._receive()

    async def _wait_for_disconnect(self) -> None:
        """Wait for the client to disconnect, keeping earlier messages for the route."""
        while (message := await self._receive())["type"] != "http.disconnect":
            self._unread.append(message)


def reset(transport: asyncio.Transport) -> None:
    """Abort the connection so that its peer gets a TCP RST instead of a FIN."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    transport.abort()
