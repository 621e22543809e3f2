"""Proxy selection, socket options that detect dead peers, and classification of connection errors.

The reason of a connection error is only in the errors of the operating system and of TLS, deep in the chain of causes.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tui.net.errors import CertificateError, ConnectFailed
from tui.net.url import without_secrets

_KEEPALIVE: Final = (
    ("TCP_KEEPIDLE", 30),
    ("TCP_KEEPALIVE", 30),  # the same on macOS
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
)


def proxy_for(url: str) -> str | None:
    """The environment's proxy for `url`; one without a scheme is used by HTTP, as curl does."""
    parts = urlsplit(url)
    proxies = getproxies()
    host, port = parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)
    if proxy_bypass(host) or any(_exempts(entry.strip(), host, port) for entry in proxies.get("no", "").split(",")):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def shown_proxy(proxy: str) -> str:
    """A proxy's address for display, without its password."""
    return without_secrets(proxy).rstrip("/") or "that the environment names"


def _exempts(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY covers the host.

    An entry is `*`, a name, a domain (`.example.com`), a pattern (`*.example.com`, `10.0.*`), an address or a range of
    them (`10.0.0.0/8`); a name or an address may be followed by a port.
    """
    entry = entry.casefold()
    if not entry:
        return False
    if "/" in entry:
        try:
            return ip_address(host) in ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, digits = entry.rpartition(":")
    if colon and digits.isdecimal() and (":" not in name or name.endswith("]")):
        if digits.lstrip("0") != str(port):
            return False
        entry = name
    name = entry.strip("[]")
    if any(sign in name for sign in "*?"):
        return fnmatchcase(host, name)
    return host == name.lstrip(".") or host.endswith(f".{name.lstrip('.')}")


def keepalive_options() -> list[tuple[int, int, int]]:
    """Socket options (TCP keepalive) that detect a dead peer within a minute, without a read timeout."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


def classify_connect_error(error: Exception, proxy: str | None = None) -> ConnectFailed | CertificateError:
    """The cause of `error`, raised while connecting; `proxy`: the proxy that it connected to."""
    through = None if proxy is None else shown_proxy(proxy)
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return CertificateError(cause.verify_message)
            case ssl.SSLError():
                return ConnectFailed(f"no TLS: {cause.reason.lower().replace('_', ' ')}")
            case socket.gaierror():
                return ConnectFailed("unknown host name", through)
    return ConnectFailed(system_words(error) or str(error) or "no connection", through)


def system_words(error: Exception) -> str:
    """The operating system's message for `error`; `""` if it has none."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno is not None:
            return os.strerror(cause.errno).lower()  # asyncio writes its own text into `strerror`
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and its causes, including those of each address tried."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__
