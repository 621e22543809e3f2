"""A server without a network: each route returns a JSON text, the event stream one per event."""

import json as json_module
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from tui.net.errors import HttpStatusError, NetError
from tui.net.http_client import ByteStream, Http
from tui.net.json_input import loads
from tui.net.response import Response

CALLS = 300
"""Number of calls after which the server is unreachable, so that endless polling ends."""
EVENTS = "events"


class ScriptedHttp(Http):
    """`answers`: "METHOD /path" → the tree of its body; `EVENTS` → those of the events. `write` encodes them.

    Everything else gets 404.
    """

    def __init__(self, answers: Mapping[str, Any], write: Callable[[Any], str]) -> None:
        self._answers = answers
        self._write = write
        self.calls = 0

    async def close(self) -> None:
        pass

    async def call(self, method: str, path: str, *, json: Any = None, **_: Any) -> Response:
        json_module.dumps(json, allow_nan=False).encode()  # as it would be sent
        return Response(200, {"x-next-cursor": "older"}, loads(self._text(f"{method} {path}")), 0.01, 1_795_171_567.0)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **_: Any) -> AsyncIterator[ByteStream]:
        if method == "POST":
            chunks = [b"\n \n", self._text(f"{method} {path}").encode()]
        else:
            self._count()
            chunks = [f"data: {self._write(frame)}\n\n".encode() for frame in self._events()]
        yield cast("ByteStream", _Body(chunks))

    def _events(self) -> list[Any]:
        found = self._answers[EVENTS]
        return found if isinstance(found, list) else [found]

    def _text(self, call: str) -> str:
        self._count()
        if call not in self._answers:
            raise HttpStatusError(404, value={"code": "session_not_found"})
        return self._write(self._answers[call])

    def _count(self) -> None:
        self.calls += 1
        if self.calls > CALLS:
            raise NetError("the server is gone", "", final=True)


class _Body:
    """The part of `ByteStream` that the backends use."""

    status = 200

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.headers: Mapping[str, str] = {}
        self._chunks = chunks

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
