"""Translates httpx's exceptions into `tui.net.errors`."""

from collections.abc import Mapping
from typing import Final

import httpx

from tui.net.errors import ConnectFailed, ConnectionLost, NetError, ProtocolError, ReadTimeout
from tui.net.transport import classify_connect_error, shown_proxy, system_words

# httpx passes on the ssl module's error for a damaged TLS record, which is an OSError.
HTTPX_ERRORS: Final = (httpx.HTTPError, OSError)


def translate_error(
    error: Exception, limits: Mapping[str, float | None], received: int = 0, *, proxy: str | None = None
) -> NetError:
    """`limits`: the request's timeouts; `received`: bytes of the body so far; `proxy`: the proxy in between."""
    match error:
        case httpx.ConnectTimeout():
            through = None if proxy is None else shown_proxy(proxy)
            return ConnectFailed(f"no response within {limits['connect']:g} s", through)
        case httpx.ReadTimeout():
            return ReadTimeout(limits["read"] or 0.0)
        case httpx.WriteTimeout():
            return ReadTimeout(limits["write"] or 0.0)
        case httpx.PoolTimeout():
            return ReadTimeout(limits["pool"] or 0.0)
        case httpx.ConnectError() | httpx.ProxyError():
            return classify_connect_error(error, proxy)
        case httpx.RemoteProtocolError() if "disconnected" in str(error):
            return ConnectionLost("the server closed the connection", received)
        case httpx.RemoteProtocolError() if "closed connection" in str(error):
            return ConnectionLost("the response was cut off", received)
        case httpx.LocalProtocolError():
            return ProtocolError("the request cannot be sent")  # its words may quote a header
        case httpx.RemoteProtocolError() if "location header" in str(error):
            return ProtocolError("it redirects to an invalid address")  # whose parts may be secrets
        case httpx.ProtocolError():
            return ProtocolError(str(error))
        case _:
            return ConnectionLost(system_words(error) or "the connection broke", received)
