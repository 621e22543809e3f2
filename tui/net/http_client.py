"""HTTP as this program speaks it: the only file that knows httpx's clients and time-outs.

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
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

import httpx

from tui.net import headers as http_headers
from tui.net.credentials import Credentials
from tui.net.errors import CertificateError, ConnectionLost, Encoded, NetError, ReadTimeout, Trickled
from tui.net.httpx_errors import HTTPX_ERRORS, in_our_words
from tui.net.json_input import JSON
from tui.net.request import Params, Request, upload_seconds
from tui.net.response import (
    QUOTED_SECONDS,
    Progress,
    Response,
    Room,
    collect,
    error_from_response,
    is_expected,
    value_of,
)
from tui.net.transport import keepalive_options, proxy_for, shown_proxy, system_words
from tui.net.trickle import WatchedNetwork, waiting
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
BODY_LIMIT: Final = 58 << 20
"""Bytes of one answer to a call, and of all that are read at the same time."""
SHORT: Final = 256 << 10
"""Bytes of an answer that says no more than who is there."""

PARSED_AT_ONCE: Final = 512 << 10
"""Bytes of a body that are parsed in the event loop: 10 ms at most."""

BUSY: Final = 0.02
"""Seconds for which a body that is there is read before others have their turn."""

_SHARED_CONNECTIONS: Final = 20
_SHARED_KEPT: Final = 1
_SHARED_SECONDS: Final = 2.0  # under the 5 s after which common servers close an idle connection

GO_WITHOUT: Final = "name the server in NO_PROXY to go without it."

_NO_COOKIES: Final = DefaultCookiePolicy(allowed_domains=())
"""What one answer sets goes along with no other request: a route is sent what it needs, and no more."""

_NO_ANSWER: Final = (ReadTimeout, ConnectionLost, Trickled)
"""What another try may do better."""


class ByteStream:
    """An answer whose body is still to come. `received` counts the bytes of the body of `request`, "GET /path".

    They are handed on as they are sent: nothing is ever decoded.
    """

    def __init__(self, request: str, response: httpx.Response, limits: dict[str, float | None]) -> None:
        self.request: Final = request
        self.status: Final = response.status_code
        self.headers: Final = http_headers.readable(response.headers.multi_items())
        self.received = 0
        self._limits = limits
        self._response = response
        self._body = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
        self._interrupted = False
        self._paused_at = time.monotonic()

    def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they come; once. Raises NetError. It may be left at any time."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._interrupted:  # httpx would show a clean end
            raise ConnectionLost("reading was interrupted", self.received)
        if time.monotonic() - self._paused_at > BUSY:  # thousands of small chunks may be there already
            await asyncio.sleep(0)
            self._paused_at = time.monotonic()
        self._interrupted = True
        try:
            with waiting(self.request):
                chunk = await anext(self._body)
        except StopAsyncIteration:
            self._interrupted = False
            raise
        except HTTPX_ERRORS as error:
            raise in_our_words(error, self._limits, self.received) from error
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
        self._secrets = credentials.secrets() if credentials is not None else ()
        self._tls = _tls(base_url, ca_file)
        self._proxy = proxy_for(base_url) if (not is_loopback(base_url) if trust_env is None else trust_env) else None
        plain = urlsplit(base_url).scheme == "http"
        self._answering_proxy = shown_proxy(self._proxy) if self._proxy is not None and plain else None
        self._own = self._client(httpx.Limits(max_connections=None, max_keepalive_connections=0))
        self._shared = self._shared_client()
        self._room = Room()
        self._round_trips: deque[float] = deque(maxlen=ROUND_TRIPS_KEPT)

    def __repr__(self) -> str:
        return f"Http({self.base_url!r})"

    async def close(self) -> None:
        """Close every connection. Exchanges still open end with `ConnectionLost`."""
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
    ) -> Response:
        """One exchange of JSON. Raises NetError.

        `timeout`: seconds until the headers of the answer are whole, beside those for a large body to leave, and
        that the server may keep still within the answer. However long that takes as a whole, it is read for as
        long as its bytes come; `progress` hears of them (see `collect`).

        A GET that stays without an answer, or whose connection breaks, is tried once more on a new connection; the
        first answer counts. An answer of another type than the `accept` header asks for (JSON, unless given) is
        WrongType, here and in `stream`.
        """
        request = Request(method, path, params, json, headers)
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

        `first_byte`: seconds until the headers of the answer are whole; `silence`: those between two bytes
        afterwards, padding and comments counting as bytes. None: for ever. Both are fixed once the stream is open.
        """
        request = Request(method, path, params, json, headers)
        limits = _limits(first_byte, CONNECT_LIMIT, WRITE_LIMIT)
        async with self._exchange(self._own, request, limits) as stream:
            limits["read"] = silence
            yield stream

    async def _get(self, request: Request, seconds: float, limit: int, progress: Progress | None) -> Response:
        """Ask, and where no answer begins ask once more beside it: on a slow line the first may still answer."""
        wait = min(FIRST_TRY, seconds / 2)
        if self._round_trips:
            wait = max(wait, min(ROUND_TRIPS * min(self._round_trips), seconds))
        began = asyncio.Event()
        first = asyncio.create_task(self._call(self._shared, request, seconds, limit, progress, pool=wait, began=began))
        beginning = asyncio.create_task(began.wait())
        tries: list[asyncio.Task[Response]] = [first]
        try:
            await asyncio.wait((first, beginning), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if not first.done() and not began.is_set() and wait < seconds:
                log.info("GET %s is tried again: no answer within %g s", request.path, wait)
                tries.append(asyncio.create_task(self._call(self._own, request, seconds - wait, limit, progress)))
            return await _first_answer(tries)
        except _NO_ANSWER as error:
            if len(tries) > 1:
                raise
            log.info("GET %s is tried again: %s", request.path, error.message)
            return await self._call(self._own, request, seconds, limit, progress)
        finally:
            for task in (beginning, *tries):
                task.cancel()
            await asyncio.gather(beginning, *tries, return_exceptions=True)

    async def _call(
        self,
        client: httpx.AsyncClient,
        request: Request,
        seconds: float,
        limit: int,
        progress: Progress | None,
        *,
        pool: float | None = None,
        began: asyncio.Event | None = None,
    ) -> Response:
        clock = asyncio.get_running_loop().time
        started = clock()
        limits = _limits(seconds, min(seconds, CONNECT_LIMIT), seconds)
        if pool is not None:
            limits["pool"] = pool
        body = bytearray()
        taken = 0
        try:
            async with self._exchange(client, request, limits) as stream:
                elapsed = clock() - started
                self._round_trips.append(elapsed)
                if began is not None:
                    began.set()
                try:
                    await collect(stream, body, limit, seconds, progress, self._room)
                except NetError:
                    self._room.taken -= len(body)
                    body.clear()  # the error's traceback would keep it
                    raise
                finally:
                    taken = len(body)
            value = await _value_of(stream, body) if body else None
        finally:
            self._room.taken -= taken
        return Response(
            status=stream.status,
            headers=stream.headers,
            value=value,
            elapsed=elapsed,
            date=http_headers.date(stream.headers),
        )

    @asynccontextmanager
    async def _exchange(
        self, client: httpx.AsyncClient, request: Request, limits: dict[str, float | None]
    ) -> AsyncIterator[ByteStream]:
        outgoing = request.built_by(client, limits)
        if limits["read"] is not None:
            limits["read"] += upload_seconds(outgoing)
        try:
            with waiting(request.name):
                response = await client.send(outgoing, stream=True)
        except HTTPX_ERRORS as error:
            if isinstance(error, httpx.PoolTimeout):
                await self._replace_shared(client)
            raise in_our_words(error, limits, proxy=self._proxy) from error
        stream = ByteStream(request.name, response, limits)
        encoding = http_headers.encoding(stream.headers)
        try:
            if encoding and 200 <= stream.status < 300:
                raise Encoded(encoding)
            if not is_expected(stream, outgoing.headers["accept"]):
                limits["read"] = QUOTED_SECONDS
                raise await error_from_response(
                    stream,
                    response.reason_phrase,
                    proxy=self._answering_proxy,
                    sent_password="authorization" in outgoing.headers,
                    secrets=self._secrets,
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
            pool = transport._pool  # httpx has no argument for what httpcore takes as one
            pool._network_backend = WatchedNetwork(pool._network_backend)
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


async def _value_of(stream: ByteStream, body: bytearray) -> JSON:
    """As `value_of`; a large body is parsed in a thread: it would hold up the screen for up to a second."""
    if len(body) > PARSED_AT_ONCE:
        return await asyncio.to_thread(value_of, stream, body)
    return value_of(stream, body)


async def _first_answer(tries: Sequence[asyncio.Task[Response]]) -> Response:
    """That of the try which is answered first; where none was, the last error."""
    waiting = set(tries)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            if not isinstance(one.exception(), _NO_ANSWER):
                return one.result()
    return tries[-1].result()


def _limits(read: float | None, connect: float, write: float) -> dict[str, float | None]:
    """Seconds, as httpcore looks them up in the request: it takes `read` anew when the body begins."""
    return {"connect": connect, "read": read, "write": write, "pool": connect}


def _tls(base_url: str, ca_file: Path | None) -> ssl.SSLContext:
    """The one context of all connections: building it reads every authority, 25 ms that plain http is spared."""
    if urlsplit(base_url).scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = httpx.create_ssl_context()
    except OSError as error:  # an ssl.SSLError too
        raise CertificateError(f"SSL_CERT_FILE or SSL_CERT_DIR names no certificates: {system_words(error)}") from error
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except ssl.SSLError as error:
            raise CertificateError(f"{ca_file} holds no certificate") from error
        except OSError as error:
            raise CertificateError(f"{ca_file}: {system_words(error)}") from error
        except ValueError as error:  # a NUL in the name
            raise CertificateError(f"{ca_file} is not the name of a file") from error
    return context
