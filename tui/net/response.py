"""Responses: reading them completely, checking status and type, and quoting errors.

How the bytes arrive is not known here, only chunks, a status and headers.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from tui.core.sanitize import single_line
from tui.net import headers as http_headers
from tui.net.credentials import redact
from tui.net.errors import (
    ENCODING_SHOWN,
    HttpStatusError,
    NetError,
    NotJson,
    ResponseTooSlow,
    TooLarge,
    UnexpectedContentType,
)
from tui.net.json_input import JSON, loads
from tui.net.url import without_secrets

log = logging.getLogger(__name__)

QUOTED: Final = 64 << 10
"""Bytes read of an error response."""
QUOTED_SECONDS: Final = 2.0
"""Seconds to read them."""
MIN_RATE: Final = 256
"""Minimum rate of a response, in bytes per second."""
RATE_CHECK_AFTER: Final = 60.0
"""Seconds after which a higher rate is required..."""
MIN_AVERAGE_RATE: Final = 2048
"""...on average, in bytes per second."""
SMALL: Final = 256 << 10
"""Bytes of a body of which any number may be read concurrently."""
HEAD: Final = 64 << 10
"""Bytes kept of a response that is too large: its beginning tells what it is."""

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes received and the total, if declared."""


class Response(msgspec.Struct, frozen=True):
    """A 2xx response. Header names are in lower case; `value` is None for an empty body.

    `elapsed`: seconds until it began; `date`: its Date header in whole epoch seconds, if sent.
    """

    status: int
    headers: Mapping[str, str]
    value: JSON
    elapsed: float
    date: float | None


class Body(Protocol):
    """The response to a `request`, "GET /path", whose body is not read yet."""

    @property
    def request(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def chunks(self) -> AsyncIterator[bytes]: ...


async def collect(
    answer: Body,
    body: bytearray,
    limit: int,
    seconds: float,
    progress: Progress | None = None,
    before_large: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Read the whole response into `body`, as long as it makes progress.

    Raises TooLarge beyond `limit` bytes; ResponseTooSlow if less than MIN_RATE bytes per second arrive within `seconds`
    (after RATE_CHECK_AFTER seconds, MIN_AVERAGE_RATE on average). `progress` may raise a NetError to stop reading.
    `before_large` is awaited once, before more than SMALL bytes are read.
    """
    clock = asyncio.get_running_loop().time
    length = http_headers.content_length(answer.headers)
    stop = min(limit, HEAD) if length is not None and length > limit else limit
    began = since = clock()
    had = 0
    async for chunk in answer.chunks():
        if len(body) + len(chunk) > stop:
            head = bytes(body[:HEAD] + chunk[: max(0, HEAD - len(body))])
            raise TooLarge(limit, size=length, headers=answer.headers, head=head)
        body += chunk
        if progress is not None:
            progress(len(body), length)
        now = clock()
        if now - since > seconds:
            if len(body) - had < MIN_RATE * seconds:
                raise ResponseTooSlow(answer.request, len(body) - had, now - since)
            since, had = now, len(body)
        if now - began > RATE_CHECK_AFTER and len(body) < MIN_AVERAGE_RATE * (now - began):
            raise ResponseTooSlow(answer.request, len(body), now - began)
        if before_large is not None and len(body) > SMALL:
            await before_large()
            before_large = None
            waited = clock() - now
            since, began = since + waited, began + waited


def value_of(answer: Body, body: bytearray) -> JSON:
    """The JSON in `body`, which may be empty afterwards. Raises NotJson, TooLarge."""
    try:
        return loads(body)
    except TooLarge as error:
        head = bytes(body[:HEAD])
        raise TooLarge(error.limit, size=error.size, headers=answer.headers, head=head, parsed=error.parsed) from error


async def error_from_response(
    answer: Body, reason: str, *, proxy: str | None = None, sent_password: bool = True, secrets: Sequence[str] = ()
) -> HttpStatusError | UnexpectedContentType:
    """The exception for an unexpected response, quoting what can be read of it quickly.

    `proxy`, `sent_password`: see `HttpStatusError`. `secrets` are not quoted.
    """
    if encoding := http_headers.encoding(answer.headers):
        words = f"its text has Content-Encoding {single_line(encoding, ENCODING_SHOWN)}"
    else:
        words = redact(await _quoted(answer), secrets)
    if 200 <= answer.status < 300:
        return UnexpectedContentType(redact(answer.headers.get("content-type", ""), secrets), words)
    try:
        value = loads(words)
    except NotJson:
        value = None
    return HttpStatusError(
        answer.status,
        redact(reason, secrets),
        words,
        value=value,
        retry_after=http_headers.retry_after(answer.headers, time.time()),
        location=redact(without_secrets(answer.headers.get("location", "")), secrets),
        proxy=proxy,
        sent_password=sent_password,
    )


async def _quoted(answer: Body) -> str:
    body = bytearray()
    try:
        async with asyncio.timeout(QUOTED_SECONDS):
            await collect(answer, body, QUOTED, QUOTED_SECONDS)
    except (NetError, TimeoutError) as error:
        log.debug("the body of an error response is incomplete: %s", error)
    return body.decode("utf-8", "replace")


def is_expected(answer: Body, accept: str) -> bool:
    """Whether it is a success of the accepted type; JSON may have no type, or a `+json` one."""
    if answer.status == 204:
        return True
    if not 200 <= answer.status < 300:
        return False
    media_type = http_headers.media_type(answer.headers)
    return media_type == accept or (accept == "application/json" and (not media_type or media_type.endswith("+json")))
