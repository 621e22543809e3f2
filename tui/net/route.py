"""The way to a server: the proxy on it, sockets that notice a dead peer, and why it is barred.

Why it is barred stands only in the errors of the operating system and of TLS, deep in the chain of causes.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tui.net.errors import Unreachable, Untrusted

_KEEPALIVE: Final = (
    ("TCP_KEEPIDLE", 30),
    ("TCP_KEEPALIVE", 30),  # the same on macOS
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def keepalive_options() -> list[tuple[int, int, int]]:
    """Socket options by which a peer that is gone without a word is noticed within a minute, read limit or not."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


def why_barred(error: Exception) -> Unreachable | Untrusted:
    """What `error`, raised while connecting, comes down to."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return Untrusted(cause.verify_message)
            case ssl.SSLError():
                return Unreachable(f"no TLS: {cause.reason.lower().replace('_', ' ')}")
            case socket.gaierror():
                return Unreachable("no host of that name")
    return Unreachable(system_words(error) or str(error) or "no connection")


def system_words(error: Exception) -> str:
    """What the operating system says of `error`; `""` if it has no part in it."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno is not None:
            return os.strerror(cause.errno).lower()  # asyncio puts words of its own into `strerror`
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what led to it; where several addresses were tried in vain, each."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__
