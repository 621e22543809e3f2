"""What httpx raises, as one of `tui.net.errors`."""

from collections.abc import Mapping
from typing import Final

import httpx

from tui.net.errors import ConnectFailed, ConnectionLost, NetError, ProtocolError, ReadTimeout
from tui.net.transport import classify_connect_error, shown_proxy, system_words

# A damaged TLS record comes through httpx as the ssl module's own error, which is an OSError.
HTTPX_ERRORS: Final = (httpx.HTTPError, OSError)


def in_our_words(
    error: Exception, limits: Mapping[str, float | None], received: int = 0, *, proxy: str | None = None
) -> NetError:
    """`limits`: those of the request; `received`: bytes of the body that had come; `proxy`: the one on the way."""
    match error:
        case httpx.ConnectTimeout():
            through = None if proxy is None else shown_proxy(proxy)
            return ConnectFailed(f"no answer within {limits['connect']:g} s", through)
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
            return ConnectionLost("the answer was cut off", received)
        case httpx.LocalProtocolError():
            return ProtocolError("the request cannot be sent")  # its words may quote a header
        case httpx.RemoteProtocolError() if "location header" in str(error):
            return ProtocolError("it points to an address that cannot be read")  # whose parts may be secrets
        case httpx.ProtocolError():
            return ProtocolError(str(error))
        case _:
            return ConnectionLost(system_words(error) or "the connection broke", received)
