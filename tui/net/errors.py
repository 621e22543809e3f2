"""The exceptions of `tui.net`, with messages for the user.

Errors of the libraries below leave `tui.net` as one of these:

    NetError
    ├── ConnectFailed    no connection: refused, unknown host, no route
    ├── CertificateError no connection, because its certificate is not trusted
    ├── ConnectionLost   the connection broke before the response was complete
    ├── ReadTimeout      the connection is open, and no byte arrives
    ├── ResponseTooSlow  bytes arrive, but too slowly to complete anything
    ├── Unsendable       the request cannot be encoded as HTTP, for example with a very long id
    ├── NotSent          the request was refused here
    ├── ProtocolError    the response is not HTTP
    ├── HttpStatusError  an HTTP status other than 2xx
    │   └── NotFound     404
    ├── UnexpectedContentType for example a web page instead of JSON or an event stream
    └── InvalidBody      the response's body is not one JSON value
        ├── Empty
        ├── Truncated
        ├── TrailingBytes
        ├── NotJson
        ├── SchemaMismatch
        ├── Encoded
        ├── TooLarge
        └── TooSlow

None of them tells what happened to the request: a prompt whose POST raised `ConnectionLost` may be running.

They are values, but not frozen dataclasses: Python writes to an exception while it propagates (`__traceback__`, in
`contextlib`), which would raise FrozenInstanceError.
"""

import traceback
from collections.abc import Mapping
from math import ceil, isfinite
from typing import Final

from tui.core.sanitize import single_line

REQUEST_SHOWN: Final = 60
"""Characters of a request's method and path that an error shows: ids can be of any length."""
ENCODING_SHOWN: Final = 40

_RETRIED_STATUSES: Final = frozenset({408, 425, 429})


class NetError(Exception):
    """`message` says what happened, `hint` what to do: one line each, safe for a terminal.

    `permanent`: a retry is useless until the user has changed something.
    """

    def __init__(self, what: str, hint: str, *, final: bool = False) -> None:
        self.message: Final = single_line(what)
        self.hint: Final = single_line(hint)
        self.permanent: Final = final
        super().__init__(self.message)


def forget_document(error: NetError) -> None:
    """Let the error hold nothing of the document that it is about, for whoever keeps it may keep it for long.

    The frames that raised it hold the document, and so do the parser's own errors.
    """
    traceback.clear_frames(error.__traceback__)
    error.__cause__ = error.__context__ = None


class ConnectFailed(NetError):
    """No connection could be made; with `proxy`, to it or through it."""

    def __init__(self, reason: str, proxy: str | None = None) -> None:
        self.reason: Final = single_line(reason)
        if proxy is None:
            what, hint = "cannot connect", "Check that the server is running and that the address is right."
        else:
            what = f"cannot connect through the proxy {proxy}"
            hint = "Check that proxy, or list the server in NO_PROXY to bypass it."
        super().__init__(f"{what}: {self.reason}", hint)


class CertificateError(NetError):
    """The certificate is expired, for another name, or signed by an unknown authority."""

    def __init__(self, reason: str) -> None:
        self.reason: Final = single_line(reason)
        super().__init__(
            f"certificate not trusted: {self.reason}",
            "Use the name that the certificate is for, or give its authority with --ca-file.",
            final=True,
        )


class ConnectionLost(NetError):
    """The connection broke; `received` bytes of the response's body had arrived."""

    def __init__(self, reason: str, received: int = 0) -> None:
        self.reason: Final = single_line(reason)
        self.received: Final = received
        when = f"after {byte_count(received)}" if received else "before the first byte"
        super().__init__(f"{self.reason} {when}", "Try again; if it repeats, check the server's log.")


class ReadTimeout(NetError):
    """No byte arrived for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds: Final = seconds
        super().__init__(
            f"no data for {seconds:g} s", "Check that the server is not suspended and that the network is up."
        )


class ResponseTooSlow(NetError):
    """Only `received` bytes of the response to `request`, "GET /path", arrived in `seconds`."""

    def __init__(self, request: str, received: int, seconds: float) -> None:
        self.received: Final = received
        self.seconds: Final = seconds
        super().__init__(
            f"{single_line(request, REQUEST_SHOWN)} is too slow: {byte_count(received)} in {seconds:.0f} s",
            "Check the network and any proxy in between.",
        )


class Unsendable(NetError):
    """The request cannot be encoded. No byte was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the request cannot be sent: {reason}", "Check the server's log.")


class NotSent(NetError):
    """The request was refused here, before a byte was sent."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint, final=True)


class ProtocolError(NetError):
    """The response is not valid HTTP."""

    def __init__(self, reason: str) -> None:
        self.reason: Final = single_line(reason)
        super().__init__(f"not valid HTTP: {self.reason}", "Check that the address and its port are an agent server's.")


class HttpStatusError(NetError):
    """The server answered with a status other than 2xx.

    `value` is the body if it was JSON, `excerpt` the message in it or else the given text, `retry_after` the seconds
    of that header (None: absent). Permanent are 3xx (redirects are never followed, since they would carry the password
    along; `location` is the target, without secrets) and 4xx; 408, 425, 429 and 5xx are temporary. `proxy`: the
    response came through that proxy, and may be its own. `sent_password`: whether the request had one.
    """

    def __new__(cls, status: int, *_: object, **_more: object) -> "HttpStatusError":
        """As `OSError` makes a `FileNotFoundError` by its number."""
        return super().__new__(NotFound if status == 404 else cls)

    def __init__(
        self,
        status: int,
        reason: str = "",
        excerpt: str = "",
        *,
        value: object = None,
        retry_after: float | None = None,
        location: str = "",
        proxy: str | None = None,
        sent_password: bool = True,
    ) -> None:
        self.status: Final = status
        self.reason: Final = single_line(reason)
        self.excerpt: Final = single_line(_message_in(value) or excerpt)
        self.value: Final = value
        self.retry_after: Final = retry_after
        what, hint = _words_for(status, self.reason, single_line(location), sent_password=sent_password)
        if status == 429 and retry_after and isfinite(retry_after):
            hint = f"The server asks to wait {ceil(retry_after)} s."
        if self.excerpt and not self.excerpt.startswith("<") and not _says(what, self.excerpt):
            what += f": {self.excerpt}"
        if proxy is not None:
            what += f" · through the proxy {proxy}"
        super().__init__(what, hint, final=status < 500 and status not in _RETRIED_STATUSES)


class NotFound(HttpStatusError):
    """The server does not have it (404)."""


class UnexpectedContentType(NetError):
    """The response has an unexpected content type; it is probably not from an agent server."""

    def __init__(self, content_type: str, excerpt: str = "") -> None:
        self.content_type: Final = single_line(content_type)
        self.excerpt: Final = single_line(excerpt)
        super().__init__(
            f"unexpected content type: {self.content_type or 'none'}",
            "Check the address: a web page or a proxy answers there.",
            final=True,
        )


class InvalidBody(NetError):
    """A response whose body is not one JSON value."""

    def __init__(self, what: str, hint: str = "Try again; if it repeats, check the server's log.") -> None:
        super().__init__(what, hint)


class Empty(InvalidBody):
    """The body is empty, or only `padding_bytes` bytes of white space. `declared`: by its Content-Length."""

    def __init__(self, padding_bytes: int = 0, *, declared: bool = False) -> None:
        self.padding_bytes: Final = padding_bytes
        self.declared: Final = declared
        super().__init__(
            f"no response, only {byte_count(padding_bytes)} of padding" if padding_bytes else "the response was empty"
        )


class Truncated(InvalidBody):
    """The document is incomplete, after `received` bytes in all."""

    def __init__(self, received: int) -> None:
        self.received: Final = received
        super().__init__(f"the response was cut off after {byte_count(received)}")


class TrailingBytes(InvalidBody):
    """Something other than white space follows the document."""

    def __init__(self, excerpt: str) -> None:
        self.excerpt: Final = single_line(excerpt)
        super().__init__(f"unexpected data after the JSON: {self.excerpt}")


class NotJson(InvalidBody):
    """The body is not JSON, or unsupported JSON; `problem` says why."""

    def __init__(self, excerpt: str, problem: str) -> None:
        self.excerpt: Final = single_line(excerpt)
        self.problem: Final = single_line(problem)
        super().__init__(f"the response is not JSON ({self.problem}): {self.excerpt}")


class SchemaMismatch(InvalidBody):
    """JSON that does not have the shape that `path` returns in known versions."""

    def __init__(self, path: str, problem: str) -> None:
        self.path: Final = single_line(path)
        self.problem: Final = single_line(problem)
        super().__init__(f"{self.path} returned an unknown format: {self.problem}")


class Encoded(InvalidBody):
    """The response is compressed or otherwise encoded, though the request asked for none: it is not decoded.

    A few hundred bytes can unpack to gigabytes, and compression delays heartbeats.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding: Final = single_line(encoding, ENCODING_SHOWN)
        super().__init__(
            f"the response has Content-Encoding {self.encoding}, which was not requested",
            "Turn off compression in the server, or in the proxy in between.",
        )


class TooLarge(InvalidBody):
    """A response or event is larger than `limit` bytes.

    `size` is its declared size in bytes; `headers` and `head`, its first bytes, tell what it was. `parsed`: its
    parsed value would take more memory.
    """

    def __init__(
        self,
        limit: int,
        *,
        size: int | None = None,
        headers: Mapping[str, str] | None = None,
        head: bytes = b"",
        parsed: bool = False,
    ) -> None:
        self.limit: Final = limit
        self.size: Final = size
        self.headers: Final = headers or {}
        self.head: Final = head
        self.parsed: Final = parsed
        more = f"more than {byte_count(limit)}"
        super().__init__(f"the response would take {more} of memory" if parsed else f"{more} arrived at once")


class TooSlow(InvalidBody):
    """The caller aborts the response, to request less: `received` of `size` bytes arrived in `seconds`."""

    def __init__(self, received: int, seconds: float, size: int | None) -> None:
        self.received: Final = received
        self.seconds: Final = seconds
        self.size: Final = size
        super().__init__(f"only {byte_count(received)} arrived in {seconds:.0f} s")


def _message_in(value: object) -> str | None:
    """The message in an error body of any server family."""
    match value:
        case {"data": {"message": str(words)}} | {"error": {"message": str(words)}}:
            return words
        case {"message": str(words)} | {"error": str(words)}:
            return words
        case _:
            return None


PASSWORD_HINT = "Set HOLDFAST_PASSWORD, or password in settings.toml, then restart Holdfast."
"""Both are read at the start only, so that a retry sends the same password."""


def _words_for(status: int, reason: str, location: str = "", *, sent_password: bool = True) -> tuple[str, str]:
    """Message and hint for an HTTP status."""
    match status:
        case 401 if not sent_password:
            return "a password is required (401)", PASSWORD_HINT
        case 401:
            return "password refused (401)", PASSWORD_HINT
        case 403:
            return "access refused (403)", "Check which users and addresses the server allows."
        case 404 | 410:
            return f"not found ({status})", "Check the address and that the session still exists."
        case 407:
            return (
                "the proxy requires a password (407)",
                "Give it in the proxy's address, or bypass the proxy.",
            )
        case 429:
            return "too many requests (429)", "Wait a little."
        case _ if 300 <= status < 400:
            where = f"to {location}" if location else "elsewhere"
            return f"the server redirects {where} ({status})", "Use the address that it redirects to."
        case _ if status >= 500:
            return (
                f"server error ({_phrase(status, reason)})",
                "Try again; if it repeats, check the server's log.",
            )
        case _ if status in _RETRIED_STATUSES:
            return f"the server is not ready ({_phrase(status, reason)})", "Wait a little."
        case _:
            return f"request refused ({_phrase(status, reason)})", "Check the server's log for the reason."


def _says(what: str, words: str) -> bool:
    """Whether `words` only repeat `what`."""
    return words.rstrip(".").casefold() in what.casefold()


def _phrase(status: int, reason: str) -> str:
    return f"{status} {reason}" if reason else str(status)


def megabytes(count: int) -> str:
    """A large number of bytes, for display."""
    return f"{count / 1e6:.0f} MB" if count >= 10_000_000 else f"{count / 1e6:.1f} MB"


def byte_count(count: int) -> str:
    """A number of bytes, for display."""
    if count < 10_000:
        return "1 byte" if count == 1 else f"{count} bytes"
    if count < 1 << 20:
        return f"{count / 1024:.0f} KiB"
    return f"{count / (1 << 20):.3g} MiB"
