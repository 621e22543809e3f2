"""What every request passes before any route: it is meant for this machine and knows the password, if any."""

import base64
import hmac

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class LoopbackOnly:
    """403 for a Host that is not loopback: a page from elsewhere must not reach the agent by DNS rebinding."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "").lower()
            name = host if host.endswith("]") else host.rsplit(":", 1)[0]
            if name not in LOOPBACK:
                app = PlainTextResponse("This server answers to loopback names only.\n", 403)
        await app(scope, receive, send)


class BasicAuth:
    """401 with an empty body, as opencode gives it, unless the request has this user and password."""

    def __init__(self, app: ASGIApp, user: str, password: str) -> None:
        self._app = app
        self._credentials = base64.b64encode(f"{user}:{password}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            scheme, _, credentials = Headers(scope=scope).get("authorization", "").partition(" ")
            known = hmac.compare_digest(credentials.strip().encode(), self._credentials)
            if scheme.lower() != "basic" or not known:
                app = Response(status_code=401, headers={"www-authenticate": 'Basic realm="Secure Area"'})
        await app(scope, receive, send)
