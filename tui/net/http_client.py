"""HTTP as this program speaks it: the only file that knows httpx's clients, time-outs and errors.

Two kinds of exchange: a short `call`, and a `stream` held for minutes or hours. Whatever goes wrong in either is
one of `tui.net.errors`. A POST is sent once and never again from here: whether the first one arrived is for others
to find out. No redirect is followed, and no host is spoken to but the one given (through the proxy that the
environment names, unless the host is this machine).

Two clients: GETs share connections, everything else has one of its own. When a server closes a kept connection
at the moment of its use, nobody knows whether the request arrived; a GET is then asked again, and nothing else
can get there. Cancelled requests can leak connections from a limited pool (httpcore #1093): streams have no limit,
and the GETs' client is replaced when it is stuck. It keeps one idle connection: of several whose time is over,
a request that is cancelled while httpcore closes them would leave the others open and unknown to anybody.
"""

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from json import dumps
from pathlib import Path
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

import httpx

from tui.net import headers as http_headers
from tui.net.credentials import Credentials
from tui.net.errors import (
    Cut,
    Garbled,
    NetError,
    Silent,
    Unreachable,
    Untrusted,
)
from tui.net.json_input import JSON, loads
from tui.net.response import QUOTED_SECONDS, Progress, Reply, collect, is_wanted, unwelcome
from tui.net.transport import keepalive_options, proxy_for, shown_proxy, system_words, why_barred
from tui.net.url import BadAddress, is_loopback

log = logging.getLogger(__name__)

CALL_LIMIT: Final = 5.5
"""Seconds that a server may leave a call without a byte: more than a round trip of 4 s, the slowest we serve."""
FIRST_TRY: Final = 2.5
"""Seconds until a GET is asked once more: opencode accepts connections just after its start and never answers."""
ROUND_TRIPS: Final = 1.5
"""Of the quickest of the last answers: what a first try may take on a connection that is slower than that."""
ROUND_TRIPS_KEPT: Final = 8
CONNECT_LIMIT: Final = 5.0
WRITE_LIMIT: Final = 30.0
BODY_LIMIT: Final = 64 << 20
"""Bytes of one answer to a call, after decoding."""

_SHARED_CONNECTIONS: Final = 20
_SHARED_KEPT: Final = 1
_SHARED_SECONDS: Final = 2.0  # under the 5 s after which common servers close an idle connection

GO_WITHOUT: Final = "name the server in NO_PROXY to go without it."

_NO_COOKIES: Final = DefaultCookiePolicy(allowed_domains=())
"""What one answer sets goes along with no other request: a route is sent what it needs, and no more."""

Params: TypeAlias = Mapping[str, str | int | bool | None]


class ByteStream:
    """An answer whose body is still to come. `received` counts the body's bytes, decoded."""

    def __init__(self, response: httpx.Response, limits: dict[str, float | None]) -> None:
        self.status: Final = response.status_code
        self.headers: Final = http_headers.readable(response.headers.multi_items())
        self.received = 0
        self._limits = limits
        self._response = response
        self._body = cast("AsyncGenerator[bytes, None]", response.aiter_bytes())
        self._interrupted = False

    def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they come; once. Raises NetError. It may be left at any time."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._interrupted:  # httpx would show a clean end
            raise Cut("reading was interrupted", self.received)
        self._interrupted = True
        try:
            chunk = await anext(self._body)
        except StopAsyncIteration:
            self._interrupted = False
            raise
        except _HTTPX_ERRORS as error:
            raise _in_our_words(error, self._limits, self.received) from error
        self._interrupted = False
        self.received += len(chunk)
        return chunk

    async def close(self) -> None:
        await self._body.aclose()
        await self._response.aclose()


class Http:
    """One server. `base_url` as `address.normalise_url` gives it; `ca_file` adds to the authorities trusted.

    `trust_env`: whether the environment's proxies count; by default they do, except to this machine. Raises
    BadAddress if httpx takes neither the one nor the other, Untrusted for a `ca_file` that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        trust_env: bool | None = None,
    ) -> None:
        self.base_url: Final = base_url
        self._headers = httpx.Headers({"user-agent": "holdfast", **(headers or {})})
        self._headers["accept-encoding"] = "identity"  # compression holds back what is not flushed
        if credentials is not None:
            self._headers["authorization"] = credentials.header()
        self._tls = _tls(base_url, ca_file)
        self._proxy = (
            proxy_for(base_url) if (not is_loopback(base_url) if trust_env is None else trust_env) else None
        )
        plain = urlsplit(base_url).scheme == "http"
        self._answering_proxy = shown_proxy(self._proxy) if self._proxy is not None and plain else None
        self._own = self._client(httpx.Limits(max_connections=None, max_keepalive_connections=0))
        self._shared = self._shared_client()
        self._round_trips: deque[float] = deque(maxlen=ROUND_TRIPS_KEPT)

    def __repr__(self) -> str:
        return f"Http({self.base_url!r})"

    async def close(self) -> None:
        """Close every connection. Exchanges still open end with `Cut`."""
        await self._own.aclose()
        await self._shared.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: JSON = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = CALL_LIMIT,
        limit: int = BODY_LIMIT,
        progress: Progress | None = None,
    ) -> Reply:
        """One exchange of JSON. Raises NetError.

        `timeout`: seconds that the server may keep still before its answer, and within it. However long the answer
        takes as a whole, it is read for as long as its bytes come; `progress` hears of them (see `collect`).

        A GET that stays without an answer, or whose connection breaks, is tried once more on a new connection; the
        first answer counts. An answer of another type than the `accept` header asks for (JSON, unless given) is
        WrongType, here and in `stream`.
        """
        request = _Request(method, path, params, json, headers)
        if method == "GET":
            return await self._get(request, timeout, limit, progress)
        return await self._call(self._own, request, timeout, limit, progress)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: JSON = None,
        headers: Mapping[str, str] | None = None,
        first_byte: float | None,
        silence: float | None,
    ) -> AsyncIterator[ByteStream]:
        """An exchange whose body comes over a long time, on a connection of its own. Raises NetError.

        `first_byte`: seconds that the server may keep still until its headers; `silence`: and between two bytes
        afterwards, padding and comments counting as bytes. None: for ever. Both are fixed once the stream is open.
        """
        request = _Request(method, path, params, json, headers)
        limits = _limits(first_byte, CONNECT_LIMIT, WRITE_LIMIT)
        async with self._exchange(self._own, request, limits) as stream:
            limits["read"] = silence
            yield stream

    async def _get(self, request: "_Request", seconds: float, limit: int, progress: Progress | None) -> Reply:
        """Ask, and where no answer begins ask once more beside it: on a slow line the first may still answer."""
        wait = min(FIRST_TRY, seconds / 2)
        if self._round_trips:
            wait = max(wait, min(ROUND_TRIPS * min(self._round_trips), seconds))
        began = asyncio.Event()
        first = asyncio.create_task(
            self._call(self._shared, request, seconds, limit, progress, pool=wait, began=began)
        )
        beginning = asyncio.create_task(began.wait())
        tries: list[asyncio.Task[Reply]] = [first]
        try:
            await asyncio.wait((first, beginning), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if not first.done() and not began.is_set() and wait < seconds:
                log.info("GET %s is tried again: no answer within %g s", request.path, wait)
                tries.append(asyncio.create_task(self._call(self._own, request, seconds - wait, limit, progress)))
            return await _first_answer(tries)
        except (Silent, Cut) as error:
            if len(tries) > 1:
                raise
            log.info("GET %s is tried again: %s", request.path, error.what)
            return await self._call(self._own, request, seconds, limit, progress)
        finally:
            for task in (beginning, *tries):
                task.cancel()
            await asyncio.gather(beginning, *tries, return_exceptions=True)

    async def _call(
        self,
        client: httpx.AsyncClient,
        request: "_Request",
        seconds: float,
        limit: int,
        progress: Progress | None,
        *,
        pool: float | None = None,
        began: asyncio.Event | None = None,
    ) -> Reply:
        started = time.monotonic()
        limits = _limits(seconds, min(seconds, CONNECT_LIMIT), seconds)
        if pool is not None:
            limits["pool"] = pool
        body = bytearray()
        async with self._exchange(client, request, limits) as stream:
            elapsed = time.monotonic() - started
            self._round_trips.append(elapsed)
            if began is not None:
                began.set()
            await collect(stream, body, limit, seconds, progress)
        return Reply(
            status=stream.status,
            headers=stream.headers,
            value=loads(bytes(body)) if body else None,
            elapsed=elapsed,
            date=http_headers.date(stream.headers),
        )

    @asynccontextmanager
    async def _exchange(
        self, client: httpx.AsyncClient, request: "_Request", limits: dict[str, float | None]
    ) -> AsyncIterator[ByteStream]:
        outgoing = request.built_by(client, limits)
        try:
            response = await client.send(outgoing, stream=True)
        except _HTTPX_ERRORS as error:
            if isinstance(error, httpx.PoolTimeout):
                await self._replace_shared(client)
            raise _in_our_words(error, limits, proxy=self._proxy) from error
        stream = ByteStream(response, limits)
        try:
            if not is_wanted(stream, outgoing.headers["accept"]):
                limits["read"] = QUOTED_SECONDS
                raise await unwelcome(
                    stream,
                    response.reason_phrase,
                    proxy=self._answering_proxy,
                    sent_password="authorization" in outgoing.headers,
                )
            yield stream
        finally:
            await stream.close()

    async def _replace_shared(self, stuck: httpx.AsyncClient) -> None:
        """What still runs on the stuck client breaks: GETs only, and they have a second try."""
        if stuck is self._shared:
            self._shared = self._shared_client()
            await stuck.aclose()

    def _shared_client(self) -> httpx.AsyncClient:
        return self._client(
            httpx.Limits(
                max_connections=_SHARED_CONNECTIONS,
                max_keepalive_connections=_SHARED_KEPT,
                keepalive_expiry=_SHARED_SECONDS,
            )
        )

    def _client(self, limits: httpx.Limits) -> httpx.AsyncClient:
        try:
            transport = httpx.AsyncHTTPTransport(
                verify=self._tls, limits=limits, proxy=self._proxy, socket_options=keepalive_options()
            )
            return httpx.AsyncClient(
                base_url=self.base_url,
                headers=self._headers,
                cookies=CookieJar(_NO_COOKIES),
                transport=transport,
                trust_env=False,
            )
        except ImportError as error:
            raise BadAddress(f"{self._proxy_named} is a SOCKS proxy: install socksio, or {GO_WITHOUT}") from error
        except (httpx.InvalidURL, ValueError) as error:
            if self._proxy is None:
                raise BadAddress("The address cannot be used.") from error
            raise BadAddress(f"{self._proxy_named} cannot be used: correct it, or {GO_WITHOUT}") from error

    @property
    def _proxy_named(self) -> str:
        return f"The proxy {shown_proxy(self._proxy or '')} of the environment"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    params: Params | None
    json: JSON
    headers: Mapping[str, str] | None

    def built_by(self, client: httpx.AsyncClient, limits: dict[str, float | None]) -> httpx.Request:
        if not self.path.startswith("/"):
            raise ValueError("a path begins with /: an address here would be sent our password")
        headers = {"accept": "application/json", **(self.headers or {})}
        content = None
        if self.json is not None:
            headers["content-type"] = "application/json"
            content = dumps(self.json, separators=(",", ":")).encode()
        return client.build_request(
            self.method,
            self.path,
            params={key: value for key, value in (self.params or {}).items() if value is not None},
            content=content,
            headers=headers,
            extensions={"timeout": limits},
        )


async def _first_answer(tries: Sequence[asyncio.Task[Reply]]) -> Reply:
    """That of the try which is answered first; where the connection of all broke or kept still, the last error."""
    waiting = set(tries)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            if not isinstance(one.exception(), Silent | Cut):
                return one.result()
    return tries[-1].result()


def _limits(read: float | None, connect: float, write: float) -> dict[str, float | None]:
    """Seconds, as httpcore looks them up in the request: it takes `read` anew when the body begins."""
    return {"connect": connect, "read": read, "write": write, "pool": connect}


def _tls(base_url: str, ca_file: Path | None) -> ssl.SSLContext:
    """The one context of all connections: building it reads every authority, 25 ms that plain http is spared."""
    if urlsplit(base_url).scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except ssl.SSLError as error:
            raise Untrusted(f"{ca_file} holds no certificate") from error
        except OSError as error:
            raise Untrusted(f"{ca_file}: {system_words(error)}") from error
    return context


# A damaged TLS record comes through httpx as the ssl module's own error, which is an OSError.
_HTTPX_ERRORS: Final = (httpx.HTTPError, OSError)


def _in_our_words(
    error: Exception, limits: Mapping[str, float | None], received: int = 0, *, proxy: str | None = None
) -> NetError:
    match error:
        case httpx.ConnectTimeout():
            through = None if proxy is None else shown_proxy(proxy)
            return Unreachable(f"no answer within {limits['connect']:g} s", through)
        case httpx.ReadTimeout():
            return Silent(limits["read"] or 0.0)
        case httpx.WriteTimeout():
            return Silent(limits["write"] or 0.0)
        case httpx.PoolTimeout():
            return Silent(limits["pool"] or 0.0)
        case httpx.ConnectError() | httpx.ProxyError():
            return why_barred(error, proxy)
        case httpx.RemoteProtocolError() if "disconnected" in str(error):
            return Cut("the server closed the connection", received)
        case httpx.RemoteProtocolError() if "closed connection" in str(error):
            return Cut("the answer was cut off", received)
        case httpx.LocalProtocolError():
            return Garbled("the request cannot be sent")  # its words may quote a header
        case httpx.ProtocolError():
            return Garbled(str(error))
        case httpx.DecodingError():
            return Garbled("the compression is damaged")
        case _:
            return Cut(system_words(error) or "the connection broke", received)
