"""Each error has a message and a hint that are safe for a terminal."""

import contextlib
from collections.abc import Iterator

import pytest

from tui.core.sanitize import sanitize
from tui.net import errors
from tui.net.errors import (
    CertificateError,
    ConnectFailed,
    ConnectionLost,
    Empty,
    Encoded,
    HttpStatusError,
    NetError,
    NotFound,
    NotJson,
    NotSent,
    ProtocolError,
    ReadTimeout,
    ResponseTooSlow,
    SchemaMismatch,
    TooLarge,
    TooSlow,
    TrailingBytes,
    Truncated,
    UnexpectedContentType,
    Unsendable,
)

HOSTILE = "\x1b]52;c;x\x07[/]\u202e\n" + "long " * 100

EVERY = [
    ConnectFailed(HOSTILE),
    CertificateError(HOSTILE),
    ConnectionLost(HOSTILE, 12),
    ReadTimeout(2.5),
    ResponseTooSlow("GET /" + HOSTILE, 12, 6.0),
    Unsendable(HOSTILE),
    NotSent(HOSTILE, "Do it again."),
    ProtocolError(HOSTILE),
    *(HttpStatusError(status, HOSTILE, HOSTILE) for status in (301, 401, 403, 404, 407, 408, 409, 410, 429, 500, 503)),
    UnexpectedContentType(HOSTILE, HOSTILE),
    Empty(72),
    Truncated(1200),
    TrailingBytes(HOSTILE),
    NotJson(HOSTILE, HOSTILE),
    SchemaMismatch(HOSTILE, HOSTILE),
    Encoded(HOSTILE),
    TooLarge(64 << 20),
    TooSlow(1 << 20, 4.0, 11 << 20),
]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_message_and_hint_are_short_and_sanitized(error: NetError) -> None:
    for words in (error.message, error.hint, str(error)):
        assert words
        assert words == sanitize(words)
        assert "\n" not in words
        assert len(words) <= 200
    for value in vars(error).values():
        assert not isinstance(value, str) or value == sanitize(value)
    assert str(error) == error.message


def test_every_error_is_in_the_docstring() -> None:
    drawn = str(errors.__doc__)
    public = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, NetError)]
    assert {type(error) for error in EVERY} | {NetError, errors.InvalidBody} == set(public)
    for kind in public:
        assert kind.__name__ in drawn


@pytest.mark.parametrize("status", [301, 302, 308, 400, 401, 403, 404, 407, 409, 410, 422])
def test_permanent_statuses(status: int) -> None:
    assert HttpStatusError(status).permanent


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_temporary_statuses(status: int) -> None:
    assert not HttpStatusError(status).permanent


def test_certificate_and_content_type_errors_are_permanent() -> None:
    final = {type(error) for error in EVERY if error.permanent}
    assert final == {CertificateError, HttpStatusError, NotFound, NotSent, UnexpectedContentType}


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (ConnectFailed("connection refused"), "cannot connect: connection refused"),
        (ConnectionLost("connection reset"), "connection reset before the first byte"),
        (ConnectionLost("connection reset", 1), "connection reset after 1 byte"),
        (ConnectionLost("connection reset", 2 << 20), "connection reset after 2 MiB"),
        (ReadTimeout(2.5), "no data for 2.5 s"),
        (ResponseTooSlow("GET /session", 12, 5.6), "GET /session is too slow: 12 bytes in 6 s"),
        (Encoded("gzip"), "the response has Content-Encoding gzip, which was not requested"),
        (CertificateError("expired"), "certificate not trusted: expired"),
        (Unsendable("a header of it is not ASCII"), "the request cannot be sent: a header of it is not ASCII"),
        (ProtocolError("no status line"), "not valid HTTP: no status line"),
        (ConnectFailed("refused", "http://proxy:1"), "cannot connect through the proxy http://proxy:1: refused"),
        (HttpStatusError(401), "password refused (401)"),
        (HttpStatusError(401, sent_password=False), "a password is required (401)"),
        (HttpStatusError(403), "access refused (403)"),
        (HttpStatusError(404), "not found (404)"),
        (HttpStatusError(407), "the proxy requires a password (407)"),
        (HttpStatusError(408), "the server is not ready (408)"),
        (HttpStatusError(500), "server error (500)"),
        (HttpStatusError(301, location="http://there"), "the server redirects to http://there (301)"),
        (HttpStatusError(308), "the server redirects elsewhere (308)"),
        (HttpStatusError(403, proxy="http://proxy:1"), "access refused (403) · through the proxy http://proxy:1"),
        (HttpStatusError(400, value={"data": {"message": "no"}}), "request refused (400): no"),
        (HttpStatusError(400, value={"error": {"message": "no"}}), "request refused (400): no"),
        (HttpStatusError(400, value={"message": "no"}), "request refused (400): no"),
        (HttpStatusError(400, value={"error": "no"}), "request refused (400): no"),
        (HttpStatusError(409, "Conflict", "session is busy"), "request refused (409 Conflict): session is busy"),
        (HttpStatusError(429, "Too Many Requests", "Too Many Requests"), "too many requests (429)"),
        (HttpStatusError(429, excerpt="Too many requests."), "too many requests (429)"),
        (HttpStatusError(429, excerpt="quota used up"), "too many requests (429): quota used up"),
        (HttpStatusError(502, "Bad Gateway", "bad gateway"), "server error (502 Bad Gateway)"),
        (HttpStatusError(502, "Bad Gateway", "<html><h1>502"), "server error (502 Bad Gateway)"),
        (UnexpectedContentType("text/html"), "unexpected content type: text/html"),
        (UnexpectedContentType(""), "unexpected content type: none"),
        (Empty(), "the response was empty"),
        (Empty(72), "no response, only 72 bytes of padding"),
        (Truncated(20 << 10), "the response was cut off after 20 KiB"),
        (TrailingBytes("{}"), "unexpected data after the JSON: {}"),
        (NotJson("<html>", "no value"), "the response is not JSON (no value): <html>"),
        (SchemaMismatch("/session", "no id"), "/session returned an unknown format: no id"),
        (TooLarge(64 << 20), "more than 64 MiB arrived at once"),
        (TooLarge(40 << 20, parsed=True), "the response would take more than 40 MiB of memory"),
        (TooSlow(1 << 20, 4.0, 11 << 20), "only 1 MiB arrived in 4 s"),
    ],
)
def test_messages(error: NetError, what: str) -> None:
    assert error.message == what


LOOK_AT_THE_LOG = "Try again; if it repeats, check the server's log."


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ConnectFailed("refused"), "Check that the server is running and that the address is right."),
        (
            ConnectFailed("refused", "http://proxy:1"),
            "Check that proxy, or list the server in NO_PROXY to bypass it.",
        ),
        (CertificateError("x"), "Use the name that the certificate is for, or give its authority with --ca-file."),
        (ConnectionLost("reset"), LOOK_AT_THE_LOG),
        (ReadTimeout(2.5), "Check that the server is not suspended and that the network is up."),
        (ResponseTooSlow("GET /x", 1, 6.0), "Check the network and any proxy in between."),
        (Unsendable("too long"), "Check the server's log."),
        (ProtocolError("x"), "Check that the address and its port are an agent server's."),
        (UnexpectedContentType("x"), "Check the address: a web page or a proxy answers there."),
        (Empty(), LOOK_AT_THE_LOG),
        (Encoded("gzip"), "Turn off compression in the server, or in the proxy in between."),
        (HttpStatusError(301), "Use the address that it redirects to."),
        (HttpStatusError(401), "Set HOLDFAST_PASSWORD, or password in settings.toml, then restart Holdfast."),
        (HttpStatusError(403), "Check which users and addresses the server allows."),
        (HttpStatusError(404), "Check the address and that the session still exists."),
        (HttpStatusError(407), "Give it in the proxy's address, or bypass the proxy."),
        (HttpStatusError(408), "Wait a little."),
        (HttpStatusError(409), "Check the server's log for the reason."),
        (HttpStatusError(500), LOOK_AT_THE_LOG),
    ],
)
def test_hints(error: NetError, hint: str) -> None:
    assert error.hint == hint


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 byte"),
        (9_999, "9999 bytes"),
        (10_000, "10 KiB"),
        (1_048_575, "1024 KiB"),
        (1_048_576, "1 MiB"),
        (60 << 20, "60 MiB"),
    ],
)
def test_numbers_of_bytes(count: int, words: str) -> None:
    assert errors.byte_count(count) == words


@pytest.mark.parametrize(("count", "words"), [(9_999_999, "10.0 MB"), (10_000_000, "10 MB"), (123_456, "0.1 MB")])
def test_megabytes(count: int, words: str) -> None:
    assert errors.megabytes(count) == words


@pytest.mark.parametrize(
    ("after", "hint"),
    [
        (None, "Wait a little."),
        (0.0, "Wait a little."),
        (7.0, "The server asks to wait 7 s."),
        (6.2, "The server asks to wait 7 s."),
    ],
)
def test_the_hint_names_retry_after(after: float | None, hint: str) -> None:
    assert HttpStatusError(429, retry_after=after).hint == hint


def test_an_error_can_propagate() -> None:
    @contextlib.contextmanager
    def through() -> Iterator[None]:
        yield

    with pytest.raises(ReadTimeout), through():
        raise ReadTimeout(1.0)


def test_a_404_is_caught_by_its_own_class() -> None:
    assert isinstance(HttpStatusError(404), NotFound)
    assert not isinstance(HttpStatusError(410), NotFound)
