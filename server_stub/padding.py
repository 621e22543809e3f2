"""The response that is held open while a turn runs, and what it sends meanwhile.

No byte of padding falls between those of the JSON nor after it, and none is sent once the turn, the connection or
the server is gone.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from server_stub.profiles import Padding

INTERVAL_VARIABLE = "HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS"


def interval_of(padding: Padding) -> float:
    """Seconds between two bytes; the environment, read each time, wins over the family's own if it is above 0."""
    try:
        interval_ms = float(os.environ.get(INTERVAL_VARIABLE, ""))
    except ValueError:
        interval_ms = 0
    return (interval_ms if interval_ms > 0 else padding.interval_ms) / 1000


class PaddedResponse:
    """200 with its headers at once, then padding until `body` is there, then `body` in one piece.

    `body` is awaited in a task of its own; `when_left` is called if the client goes before it is there.
    """

    def __init__(self, padding: Padding, body: Awaitable[bytes], when_left: Callable[[], None]) -> None:
        self._padding = padding
        self._body = body
        self._when_left = when_left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        interval = interval_of(self._padding)
        body = asyncio.ensure_future(self._body)
        left = asyncio.create_task(_disconnection(receive))
        try:
            while not body.done():
                await asyncio.wait({body, left}, timeout=interval, return_when=asyncio.FIRST_COMPLETED)
                if left.done():
                    self._when_left()
                    return
                if not body.done():
                    await send({"type": "http.response.body", "body": self._padding.byte, "more_body": True})
            await send({"type": "http.response.body", "body": body.result()})
        finally:
            left.cancel()
            body.cancel()


async def _disconnection(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
