"""A held prompt and an event stream that send a test's bytes."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

QUIET = 0.1  # seconds in which a byte on loopback would have arrived
TURN = b'{"info":{"id":"msg_1"},"parts":[]}'
EVENT = b'data: {"type":"server.heartbeat"}\n\n'
PROMPT = ("POST", "/session/s/message", b'{"parts":[]}')
END = b"0\r\n\r\n"


class Routes:
    """One held prompt and one event stream; they send the `pieces` of a test, None being the end."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.bodies: list[bytes] = []
        self.left = 0

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            while (piece := await self.pieces.get()) is not None:
                yield piece
        except asyncio.CancelledError:
            self.left += 1
            raise

    async def prompt(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        return StreamingResponse(self._stream(), media_type="application/json")

    async def events(self, request: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def status(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    def send(self, *pieces: bytes | None) -> None:
        for piece in pieces:
            self.pieces.put_nowait(piece)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
