"""The response that is held open while a turn runs, and its padding in some families.

Padding is sent only before the JSON, and never after the turn has ended or the client has disconnected.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine

from starlette.types import Message, Receive, Scope, Send

from server_stub.domain.api_errors import ApiError
from server_stub.domain.profiles import PaddingPolicy

INTERVAL_VARIABLE = "HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS"


def interval_of(padding: PaddingPolicy) -> float:
    """Seconds between two padding bytes; a value above 0 in the environment overrides the profile's."""
    try:
        interval_ms = float(os.environ.get(INTERVAL_VARIABLE, ""))
    except ValueError:
        interval_ms = 0
    return (interval_ms if interval_ms > 0 else padding.interval_ms) / 1000


class HeldResponse:
    """Waits for `body` and sends it in one piece; with padding, headers and padding are sent before it.

    `body` is awaited in its own task. If it raises ApiError, that is the response, or, with padding, the body
    is empty. `on_disconnect` is called if the client disconnects first.
    """

    def __init__(
        self, padding: PaddingPolicy | None, body: Coroutine[None, None, bytes], on_disconnect: Callable[[], None]
    ) -> None:
        self._padding = padding
        self._body = body
        self._on_disconnect = on_disconnect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = asyncio.create_task(self._body)
        left = asyncio.create_task(_disconnection(receive))
        try:
            has_headers = False
            if self._padding is not None:
                has_headers = await self._pad(self._padding, body, left, send)
            else:
                await asyncio.wait({body, left}, return_when=asyncio.FIRST_COMPLETED)
            if not body.done():
                self._on_disconnect()
                return
            refused = self._padding is not None and isinstance(body.exception(), ApiError)
            result = b"" if refused else body.result()
            if not has_headers:
                await send(HEAD)
            await send({"type": "http.response.body", "body": result})
        finally:
            left.cancel()
            body.cancel()

    async def _pad(
        self, padding: PaddingPolicy, body: "asyncio.Task[bytes]", left: "asyncio.Task[None]", send: Send
    ) -> bool:
        """Pad until the body is ready or the client disconnects; returns whether the headers are sent."""
        interval = interval_of(padding)
        has_headers = padding.headers == "at once"
        if has_headers:
            await send(HEAD)
        while True:
            done, _ = await asyncio.wait({body, left}, timeout=interval, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return has_headers
            if not has_headers:
                await send(HEAD)
                has_headers = True
            await send({"type": "http.response.body", "body": padding.byte, "more_body": True})


HEAD: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json")],
}


async def _disconnection(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
