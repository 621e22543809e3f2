"""The HTTP client: the only module that uses httpx's clients and timeouts.

There are two kinds of exchange: a short `call`, and a `stream` held for minutes or hours. Both raise only
`tui.net.errors`. A POST is never retried here: the caller must find out whether the first one arrived. Redirects are
not followed, and no other host is contacted (except a proxy of the environment, unless the host is this machine).

There are two httpx clients: GETs share connections, each other request has its own. If a server closes a kept
connection while it is being used, the request may or may not have arrived; a GET is then retried, and no other
method is affected. Cancelled requests can leak connections of a limited pool (httpcore #1093): streams have no limit,
and the GETs' client is replaced when its pool is stuck. It keeps one idle connection: if httpcore closes several
expired ones, a cancellation would leak the rest.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx

from tui.net import headers as http_headers
from tui.net.credentials import Credentials
from tui.net.errors import CertificateError, ConnectionLost, Encoded, NetError, forget_document
from tui.net.hedging import Hedging
from tui.net.httpx_errors import HTTPX_ERRORS, translate_error
from tui.net.json_input import JSON
from tui.net.request import Params, Request, check_host, upload_seconds
from tui.net.response import (
    QUOTED_SECONDS,
    Progress,
    Response,
    collect,
    error_from_response,
    is_expected,
    value_of,
)
from tui.net.slow_response import WatchedNetwork, waiting
from tui.net.transport import keepalive_options, proxy_for, shown_proxy, system_words
from tui.net.url import BadAddress, is_loopback

log = logging.getLogger(__name__)

CALL_LIMIT: Final = 5.5
"""Seconds without a byte after which a call times out: more than the slowest supported round trip, 4 s."""
CONNECT_LIMIT: Final = 5.0
WRITE_LIMIT: Final = 30.0
BODY_LIMIT: Final = 58 << 20
"""Limit in bytes of one response to a call."""
SHORT: Final = 256 << 10
"""Limit in bytes of a response that only identifies the server."""

PARSED_AT_ONCE: Final = 512 << 10
"""Bytes of a body that is parsed in the event loop: 10 ms at most."""

BUSY: Final = 0.01
"""Seconds for which received bodies, all of them together, are read before yielding to the event loop."""

_SHARED_CONNECTIONS: Final = 20
_MAX_SHARED: Final = 1
_SHARED_SECONDS: Final = 2.0  # under the 5 s after which common servers close an idle connection

BYPASS_PROXY: Final = "list the server in NO_PROXY to bypass it."

_NO_COOKIES: Final = DefaultCookiePolicy(allowed_domains=())
"""Cookies are neither stored nor sent."""


class ByteStream:
    """A response whose body is still being received. `received` counts body bytes; `request` is "GET /path".

    Bytes are passed on as sent: nothing is decoded.
    """

    def __init__(
        self, request: str, response: httpx.Response, limits: dict[str, float | None], turns: asyncio.Lock
    ) -> None:
        self.request: Final = request
        self.status: Final = response.status_code
        self.headers: Final = http_headers.readable(response.headers.multi_items())
        self.received = 0
        self._limits = limits
        self._response = response
        self._body = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
        self._interrupted = False
        self._turns = turns
        self._paused_at = time.monotonic()

    def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive; once. Raises NetError. The iterator can be abandoned at any time."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._interrupted:  # httpx would report a normal end
            raise ConnectionLost("reading was interrupted", self.received)
        if time.monotonic() - self._paused_at > BUSY:  # thousands of small chunks may have arrived already
            async with self._turns:  # each turn of the event loop reads one body
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
            raise translate_error(error, self._limits, self.received) from error
        self._interrupted = False
        self.received += len(chunk)
        return chunk

    async def close(self) -> None:
        await self._body.aclose()
        await self._response.aclose()


class Http:
    """The client of one server. `base_url` as from `url.normalise_url`; `ca_file` adds to the trusted authorities.

    `trust_env`: whether to use the environment's proxies; by default, unless the server is this machine. Raises
    BadAddress if httpx accepts neither, CertificateError for a `ca_file` that cannot be used.
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
        check_host(base_url)
        self.base_url: Final = base_url
        self._headers = httpx.Headers({"user-agent": "holdfast", **(headers or {})})
        self._headers["accept-encoding"] = "identity"  # compression delays data that is not flushed
        if credentials is not None:
            self._headers["authorization"] = credentials.header()
        self._secrets = credentials.secrets() if credentials is not None else ()
        self._tls = _tls(base_url, ca_file)
        self._proxy = proxy_for(base_url) if (not is_loopback(base_url) if trust_env is None else trust_env) else None
        plain = urlsplit(base_url).scheme == "http"
        self._answering_proxy = shown_proxy(self._proxy) if self._proxy is not None and plain else None
        self._own = self._client(httpx.Limits(max_connections=None, max_keepalive_connections=0))
        self._shared = self._shared_client()
        self._large_body = asyncio.Lock()
        """Held by the one large body that is read and parsed: while it is parsed, it takes its memory twice."""
        self._turns = asyncio.Lock()
        self._hedging = Hedging()

    def __repr__(self) -> str:
        return f"Http({self.base_url!r})"

    async def close(self) -> None:
        """Close every connection. Open exchanges raise `ConnectionLost`."""
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

        `timeout`: seconds until the response's headers are complete, in addition to the time to upload a large body,
        and that the server may be silent within the response. A long response is read as long as its bytes arrive;
        `progress` is called with its size (see `collect`).

        A GET without a response, or whose connection breaks, is retried once on a new connection; the first response
        counts. A response of another type than the `accept` header (default: JSON) raises UnexpectedContentType, here
        and in `stream`.
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
        """An exchange whose body arrives over a long time, on its own connection. Raises NetError.

        `first_byte`: seconds until the response's headers are complete; `silence`: seconds between two bytes after
        that, including padding and comments. None: unlimited. Both are fixed once the stream is open.
        """
        request = Request(method, path, params, json, headers)
        limits = _limits(first_byte, CONNECT_LIMIT, WRITE_LIMIT)
        async with self._exchange(self._own, request, limits) as stream:
            limits["read"] = silence
            yield stream

    async def _get(self, request: Request, seconds: float, limit: int, progress: Progress | None) -> Response:
        """Send a GET, and a second one if no response begins: on a slow connection the first may still respond."""

        def first(wait: float, began: asyncio.Event) -> Coroutine[Any, Any, Response]:
            return self._call(self._shared, request, seconds, limit, progress, pool=wait, began=began)

        def again(seconds: float) -> Coroutine[Any, Any, Response]:
            return self._call(self._own, request, seconds, limit, progress)

        return await self._hedging.get(request.path, first, again, seconds)

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
        async with AsyncExitStack() as until_parsed:
            alone = partial(until_parsed.enter_async_context, self._large_body)
            try:
                async with self._exchange(client, request, limits) as stream:
                    elapsed = clock() - started
                    self._hedging.answered(elapsed)
                    if began is not None:
                        began.set()
                    await collect(stream, body, limit, seconds, progress, alone)
                value = await _value_of(stream, body) if body else None
            except NetError as error:
                forget_document(error)
                body.clear()
                raise
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
        if client.is_closed:  # or replaced before this exchange began; httpx would raise a RuntimeError
            raise ConnectionLost("the connection was closed here")
        outgoing = request.built_by(client, limits)
        if limits["read"] is not None:
            limits["read"] += upload_seconds(outgoing)
        try:
            with waiting(request.name):
                response = await client.send(outgoing, stream=True)
        except HTTPX_ERRORS as error:
            if isinstance(error, httpx.PoolTimeout):
                await self._replace_shared(client)
            raise translate_error(error, limits, proxy=self._proxy) from error
        stream = ByteStream(request.name, response, limits, self._turns)
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
        """Replace the GETs' client; GETs still running on it break, and are retried."""
        if stuck is self._shared:
            self._shared = self._shared_client()
            await stuck.aclose()

    def _shared_client(self) -> httpx.AsyncClient:
        return self._client(
            httpx.Limits(
                max_connections=_SHARED_CONNECTIONS,
                max_keepalive_connections=_MAX_SHARED,
                keepalive_expiry=_SHARED_SECONDS,
            )
        )

    def _client(self, limits: httpx.Limits) -> httpx.AsyncClient:
        try:
            transport = httpx.AsyncHTTPTransport(
                verify=self._tls, limits=limits, proxy=self._proxy, socket_options=keepalive_options()
            )
            pool = transport._pool  # httpx has no argument for this one of httpcore
            pool._network_backend = WatchedNetwork(pool._network_backend)
            return httpx.AsyncClient(
                base_url=self.base_url,
                headers=self._headers,
                cookies=CookieJar(_NO_COOKIES),
                transport=transport,
                trust_env=False,
            )
        except ImportError as error:
            raise BadAddress(f"{self._proxy_named} is a SOCKS proxy: install socksio, or {BYPASS_PROXY}") from error
        except (httpx.InvalidURL, ValueError) as error:
            raise BadAddress(f"{self._proxy_named} cannot be used: correct it, or {BYPASS_PROXY}") from error

    @property
    def _proxy_named(self) -> str:
        return f"The proxy {shown_proxy(self._proxy or '')} of the environment"


async def _value_of(stream: ByteStream, body: bytearray) -> JSON:
    """As `value_of`, in a thread for a large body, which would block the event loop for up to a second."""
    if len(body) > PARSED_AT_ONCE:
        return await asyncio.to_thread(value_of, stream, body)
    return value_of(stream, body)


def _limits(read: float | None, connect: float, write: float) -> dict[str, float | None]:
    """Timeouts in seconds, as httpcore reads them from the request; it reads `read` again for the body."""
    return {"connect": connect, "read": read, "write": write, "pool": connect}


def _tls(base_url: str, ca_file: Path | None) -> ssl.SSLContext:
    """The TLS context of all connections. Plain HTTP skips loading the authorities, which takes 25 ms."""
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
