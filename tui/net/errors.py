"""Every way in which talking to a server goes wrong, in words for the person in front of the screen.

Whatever the libraries below raise leaves `tui.net` as one of these, so that nobody above catches theirs:

    NetError
    ├── ConnectFailed    no connection: refused, unknown host, no route
    ├── CertificateError no connection, because its certificate is not one to trust
    ├── ConnectionLost   the connection went before the answer was whole
    ├── ReadTimeout      the connection is there, and nothing comes
    ├── Trickled         bytes come, and so slowly that what they begin is never whole
    ├── Unsendable       the request cannot be put into HTTP: an id of the server is too long, say
    ├── ProtocolError    what comes is not HTTP
    ├── HttpStatusError  an HTTP status other than 2xx
    ├── UnexpectedContentType a web page, say, where JSON or an event stream was due
    └── InvalidBody      the answer came, but not as one JSON value
        ├── Empty
        ├── Truncated
        ├── TrailingBytes
        ├── NotJson
        ├── SchemaMismatch
        ├── Encoded
        ├── TooLarge
        └── TooSlow

None of them says what became of the request: a prompt whose POST was `ConnectionLost` may well be running.

They are values, though not frozen dataclasses: Python itself writes to an exception as it travels
(`__traceback__`, in `contextlib`), and a frozen one would turn into a FrozenInstanceError on the way.
"""

from collections.abc import Mapping
from math import ceil, isfinite
from typing import TYPE_CHECKING, Final

from tui.core.sanitize import single_line

if TYPE_CHECKING:
    from tui.net.json_input import JSON

REQUEST_SHOWN: Final = 60
"""Characters of a request's method and path that an error shows: ids in it may be of any length."""
ENCODING_SHOWN: Final = 40

_RETRIED_STATUSES: Final = frozenset({408, 425, 429})


class NetError(Exception):
    """`what` has happened and the `hint`: a short line each, clean for a terminal.

    `final`: trying again is useless until the user has changed something.
    """

    def __init__(self, what: str, hint: str, *, final: bool = False) -> None:
        self.message: Final = single_line(what)
        self.hint: Final = single_line(hint)
        self.permanent: Final = final
        super().__init__(self.message)


class ConnectFailed(NetError):
    """No connection could be made; with `proxy`, to that or through that."""

    def __init__(self, reason: str, proxy: str | None = None) -> None:
        self.reason: Final = single_line(reason)
        if proxy is None:
            what, hint = "cannot connect", "Check that the server is running and that the address is right."
        else:
            what = f"cannot connect through the proxy {proxy}"
            hint = "Check that proxy, or name the server in NO_PROXY to go without it."
        super().__init__(f"{what}: {self.reason}", hint)


class CertificateError(NetError):
    """The certificate is expired, for another name, or signed by someone unknown."""

    def __init__(self, reason: str) -> None:
        self.reason: Final = single_line(reason)
        super().__init__(
            f"certificate not trusted: {self.reason}",
            "Use the name that the certificate is for, or give its authority with --ca-file.",
            final=True,
        )


class ConnectionLost(NetError):
    """The connection ended early; `received` bytes of the answer's body had come."""

    def __init__(self, reason: str, received: int = 0) -> None:
        self.reason: Final = single_line(reason)
        self.received: Final = received
        when = f"after {byte_count(received)}" if received else "before the first byte"
        super().__init__(f"{self.reason} {when}", "Try again; if it repeats, look at the server's log.")


class ReadTimeout(NetError):
    """Not one byte came for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds: Final = seconds
        super().__init__(
            f"nothing came for {seconds:g} s", "Check that the server is not suspended and that the network is up."
        )


class Trickled(NetError):
    """Of `request`, "GET /path", only `received` bytes came in `seconds`: it is given up."""

    def __init__(self, request: str, received: int, seconds: float) -> None:
        self.received: Final = received
        self.seconds: Final = seconds
        super().__init__(
            f"{single_line(request, REQUEST_SHOWN)} is too slow: {byte_count(received)} in {seconds:.0f} s",
            "Check the network and any proxy in between.",
        )


class Unsendable(NetError):
    """No request can say this. Not a byte was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the request cannot be sent: {reason}", "Look at the server's log.")


class ProtocolError(NetError):
    """What came cannot be read as HTTP."""

    def __init__(self, reason: str) -> None:
        self.reason: Final = single_line(reason)
        super().__init__(f"not valid HTTP: {self.reason}", "Check that the address and its port are an agent server's.")


class HttpStatusError(NetError):
    """The server answered with a status other than 2xx.

    `value` is the body where that was JSON, `excerpt` the message in it or else the words given, `retry_after` the
    seconds that the server asks to be left alone (None: it does not say). Final are 3xx (redirects are never
    followed: they would carry the password along; `location` is where one points, without secrets) and 4xx; 408,
    425, 429 and 5xx pass by themselves. `proxy`: the answer came through that one, and may be its own.
    `sent_password`: whether there was one in the request.
    """

    def __init__(
        self,
        status: int,
        reason: str = "",
        excerpt: str = "",
        *,
        value: "JSON" = None,
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


class UnexpectedContentType(NetError):
    """The answer is of another content type than was asked for; it is most likely not from an agent server."""

    def __init__(self, content_type: str, excerpt: str = "") -> None:
        self.content_type: Final = single_line(content_type)
        self.excerpt: Final = single_line(excerpt)
        super().__init__(
            f"not an agent server's answer: {self.content_type or 'no content type'}",
            "Check the address: a web page or a proxy answers there.",
            final=True,
        )


class InvalidBody(NetError):
    """An answer that came, but is not one JSON value."""

    def __init__(self, what: str, hint: str = "Try again; if it repeats, look at the server's log.") -> None:
        super().__init__(what, hint)


class Empty(InvalidBody):
    """Nothing came, or nothing but `pads` bytes of white space. `declared`: the server said so."""

    def __init__(self, pads: int = 0, *, declared: bool = False) -> None:
        self.pads: Final = pads
        self.declared: Final = declared
        super().__init__(f"no answer, only {byte_count(pads)} of padding" if pads else "the answer was empty")


class Truncated(InvalidBody):
    """The document stops in the middle, after `received` bytes in all."""

    def __init__(self, received: int) -> None:
        self.received: Final = received
        super().__init__(f"the answer broke off after {byte_count(received)}")


class TrailingBytes(InvalidBody):
    """Something that is not white space follows the document."""

    def __init__(self, excerpt: str) -> None:
        self.excerpt: Final = single_line(excerpt)
        super().__init__(f"more follows the answer: {self.excerpt}")


class NotJson(InvalidBody):
    """What came is no JSON, or is JSON that we do not take; `problem` says why."""

    def __init__(self, excerpt: str, problem: str) -> None:
        self.excerpt: Final = single_line(excerpt)
        self.problem: Final = single_line(problem)
        super().__init__(f"the answer is not JSON ({self.problem}): {self.excerpt}")


class SchemaMismatch(InvalidBody):
    """JSON, but not of the shape that `path` gives in the versions that this client knows."""

    def __init__(self, path: str, problem: str) -> None:
        self.path: Final = single_line(path)
        self.problem: Final = single_line(problem)
        super().__init__(f"{self.path} answered in a shape that is not known here: {self.problem}")


class Encoded(InvalidBody):
    """The answer is compressed, or encoded otherwise, though none was asked for: not a byte of it is decoded.

    A few hundred bytes can unpack to gigabytes, and what is compressed holds back heartbeats.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding: Final = single_line(encoding, ENCODING_SHOWN)
        super().__init__(
            f"the answer has Content-Encoding {self.encoding}, which was not asked for",
            "Turn off compression in the server, or in the proxy in between.",
        )


class TooLarge(InvalidBody):
    """More than `limit` bytes came for one answer or one event.

    `size` is what it says that it has, in bytes; `headers` and `head`, its first bytes, tell what it was.
    `parsed`: it is the memory of its value that would be more.
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
        super().__init__(f"the answer would take {more} of memory" if parsed else f"{more} came at once")


class TooSlow(InvalidBody):
    """Whoever asked gives the answer up, to ask for less: `received` bytes came in `seconds`, of `size` in all."""

    def __init__(self, received: int, seconds: float, size: int | None) -> None:
        self.received: Final = received
        self.seconds: Final = seconds
        self.size: Final = size
        super().__init__(f"only {byte_count(received)} came in {seconds:.0f} s")


def _message_in(value: "JSON") -> str | None:
    """Where the server families put the words of an error."""
    match value:
        case {"data": {"message": str(words)}} | {"error": {"message": str(words)}}:
            return words
        case {"message": str(words)} | {"error": str(words)}:
            return words
        case _:
            return None


def _words_for(status: int, reason: str, location: str = "", *, sent_password: bool = True) -> tuple[str, str]:
    """What happened and what to do about it, for an HTTP status."""
    match status:
        case 401 if not sent_password:
            return (
                "a password is required (401)",
                "Start again with HOLDFAST_PASSWORD=… holdfast, or password in settings.toml.",
            )
        case 401:
            return (
                "password refused (401)",
                "Start again with HOLDFAST_PASSWORD=… holdfast, or password in settings.toml.",
            )
        case 403:
            return "access refused (403)", "Check which users and addresses the server lets in."
        case 404 | 410:
            return f"not found ({status})", "Check the address and that the session still exists."
        case 407:
            return (
                "the proxy asks for a password (407)",
                "Give it in the proxy's address, or go without the proxy.",
            )
        case 429:
            return "too many requests (429)", "Wait a little."
        case _ if 300 <= status < 400:
            where = f"to {location}" if location else "elsewhere"
            return f"the server points {where} ({status})", "Use the address that it points to."
        case _ if status >= 500:
            return (
                f"the server fails ({_phrase(status, reason)})",
                "Try again; if it repeats, look at the server's log.",
            )
        case _ if status in _RETRIED_STATUSES:
            return f"the server is not ready ({_phrase(status, reason)})", "Wait a little."
        case _:
            return f"request refused ({_phrase(status, reason)})", "Look at the server's log for the reason."


def _says(what: str, words: str) -> bool:
    """Whether `words` would only repeat `what`."""
    return words.rstrip(".").casefold() in what.casefold()


def _phrase(status: int, reason: str) -> str:
    return f"{status} {reason}" if reason else str(status)


def megabytes(count: int) -> str:
    """A large number of bytes, for a person."""
    return f"{count / 1e6:.0f} MB" if count >= 10_000_000 else f"{count / 1e6:.1f} MB"


def byte_count(count: int) -> str:
    """A number of bytes, for a person."""
    if count < 10_000:
        return "1 byte" if count == 1 else f"{count} bytes"
    if count < 1 << 20:
        return f"{count / 1024:.0f} KiB"
    return f"{count / (1 << 20):.3g} MiB"
