"""What a server answers: read whole, wanted or not, and quoted where it is not.

How its bytes come is not known here, only that they come in pieces, under a status and headers.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from tui.net import headers as http_headers
from tui.net.address import without_secrets
from tui.net.clean_json import JSON, loads
from tui.net.errors import NetError, NotJson, Refused, Silent, TooLarge, WrongType

log = logging.getLogger(__name__)

QUOTED: Final = 64 << 10
"""Bytes that are read of an answer which nobody wanted."""
QUOTED_SECONDS: Final = 2.0
"""Seconds that they may take."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx answer. Header names are in lower case; `value` is None for an empty body.

    `elapsed` is in seconds, `date` the server's clock in epoch seconds (whole ones) where it told it.
    """

    status: int
    headers: Mapping[str, str]
    value: JSON
    elapsed: float
    date: float | None


class Body(Protocol):
    """An answer whose body is still to come."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def chunks(self) -> AsyncIterator[bytes]: ...


async def collect(answer: Body, body: bytearray, limit: int, seconds: float) -> None:
    """Read all of it into `body`; a drip that keeps within the read limit ends by `seconds` all the same."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    async for chunk in answer.chunks():
        if len(body) + len(chunk) > limit:
            raise TooLarge(limit)
        body += chunk
        if clock() > deadline:
            raise Silent(seconds)


async def unwelcome(
    answer: Body, reason: str, *, proxy: str | None = None, sent_password: bool = True
) -> Refused | WrongType:
    """What to raise for an answer that is not the one asked for, quoting what can soon be had of it.

    `proxy`, `sent_password`: see `Refused`.
    """
    body = bytearray()
    try:
        await collect(answer, body, QUOTED, QUOTED_SECONDS)
    except NetError as error:
        log.debug("the body of a refusal is not whole: %s", error.what)
    words = body.decode("utf-8", "replace")
    if 200 <= answer.status < 300:
        return WrongType(answer.headers.get("content-type", ""), words)
    try:
        value = loads(words)
    except NotJson:
        value = None
    return Refused(
        answer.status,
        reason,
        words,
        value=value,
        retry_after=http_headers.retry_after(answer.headers, time.time()),
        location=without_secrets(answer.headers.get("location", "")),
        proxy=proxy,
        sent_password=sent_password,
    )


def is_wanted(answer: Body, accept: str) -> bool:
    """Whether it is a success, and of the type asked for; JSON may come without a type or under a longer name."""
    if answer.status == 204:
        return True
    if not 200 <= answer.status < 300:
        return False
    media_type = http_headers.media_type(answer.headers)
    return media_type == accept or (
        accept == "application/json" and (not media_type or media_type.endswith("+json"))
    )
