"""The reasons of connection errors, found in their causes."""

import errno
import socket
import ssl

import pytest

from tui.net.errors import CertificateError, ConnectFailed, NetError
from tui.net.transport import classify_connect_error, keepalive_options, proxy_for, system_words


def bad_certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


def not_tls() -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


def wrapped(cause: BaseException) -> Exception:
    """An error as raised by httpx: without a message, the cause two levels down."""
    middle, outer = RuntimeError(""), ValueError("")
    middle.__cause__, outer.__context__ = cause, middle
    return outer


REFUSED = OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 4096)")


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (REFUSED, ConnectFailed, "connection refused"),
        (OSError(errno.ENETUNREACH, ""), ConnectFailed, "network is unreachable"),
        (ExceptionGroup("all addresses", [REFUSED, OSError("second")]), ConnectFailed, "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), ConnectFailed, "unknown host name"),
        (not_tls(), ConnectFailed, "no TLS: wrong version number"),
        (bad_certificate(), CertificateError, "certificate has expired"),
        (ExceptionGroup("all addresses", [bad_certificate()]), CertificateError, "certificate has expired"),
        (RuntimeError("odd"), ConnectFailed, "no connection"),
    ],
)
def test_the_cause_is_classified(cause: Exception, kind: type[NetError], words: str) -> None:
    error = classify_connect_error(wrapped(cause))
    assert type(error) is kind
    assert error.reason == words


def test_an_error_with_its_own_message() -> None:
    assert (
        classify_connect_error(RuntimeError("407 Proxy Authentication Required")).reason
        == "407 Proxy Authentication Required"
    )


def test_tls_errors_have_no_system_message() -> None:
    assert system_words(wrapped(ssl.SSLError(1, "[SSL] bad record mac"))) == ""
    assert system_words(wrapped(ConnectionResetError(errno.ECONNRESET, ""))) == "connection reset by peer"


def test_keepalive_detects_a_dead_peer_within_about_a_minute() -> None:
    options = {option: value for level, option, value in keepalive_options() if level == socket.IPPROTO_TCP}
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in keepalive_options()
    if hasattr(socket, "TCP_KEEPIDLE"):
        idle, interval, count = (options[getattr(socket, f"TCP_KEEP{name}")] for name in ("IDLE", "INTVL", "CNT"))
        assert idle + interval * count <= 60


def test_the_environment_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_for("https://build.example") is None
    monkeypatch.setenv("all_proxy", "http://any:1")
    monkeypatch.setenv("https_proxy", "http://secure:1")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert proxy_for("https://build.example") == "http://secure:1"
    assert proxy_for("http://build.example") == "http://any:1"
    assert proxy_for("http://inside.example:4096") is None
    monkeypatch.setenv("all_proxy", "any:1")
    assert proxy_for("http://build.example") == "http://any:1"


@pytest.mark.parametrize(
    ("entries", "url", "exempt"),
    [
        ("*", "http://build.example", True),
        ("10.0.0.0/8", "http://10.1.2.3:4096", True),
        ("10.0.0.0/8", "http://11.1.2.3:4096", False),
        ("10.0.0.0/8", "http://build.example", False),
        ("fd00::/8", "http://[fd12::1]:4096", True),
        ("10.0.0.0/99", "http://10.1.2.3", False),
        ("*.example", "https://build.example", True),
        ("*.example", "https://build.example.org", False),
        ("192.168.*", "http://192.168.7.7", True),
        ("other, build.example:4096", "http://build.example:4096", True),
        ("build.example:4097", "http://build.example:4096", False),
        ("[fd12::1]:4096", "http://[fd12::1]:4096", True),
        ("fd12::1", "http://[fd12::1]:4096", True),
        ("build.example:\u00b2", "http://build.example:2", False),
        (f"build.example:{'1' * 5000}", "http://build.example:1", False),
        (".example", "http://build.example", True),
        ("example", "http://build.example", True),
        ("ample", "http://build.example", False),
    ],
)
def test_no_proxy_entries(entries: str, url: str, exempt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://any:1")
    monkeypatch.setenv("no_proxy", entries)
    assert (proxy_for(url) is None) == exempt
