"""Middleware before every route: checks of Host, Origin, media type, and the password or token, if any."""

import base64
import hmac
import re

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

HTTP_PORT = "80"
LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::(?P<port>\d{1,5}))?", re.IGNORECASE)
SESSION_UUID = re.compile(r"(?<=^/session/)[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?=/|$)")
HOST_REFUSED = PlainTextResponse("This server answers to loopback names only.\n", 403)
ORIGIN_REFUSED = JSONResponse({"error": "Request denied by CORS policy"}, 403, {"vary": "Origin"})
NOT_JSON = PlainTextResponse("This server takes JSON only.\n", 415)


class LoopbackOnly:
    """403 for a Host that is not loopback, against DNS rebinding from web pages.

    With `own_port` the port must be the server's, too.
    """

    def __init__(self, app: ASGIApp, refusal: Response = HOST_REFUSED, *, own_port: bool = False) -> None:
        self._app = app
        self._refusal = refusal
        self._own_port = own_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            host = LOOPBACK.fullmatch(Headers(scope=scope).get("host", ""))
            own = str(scope["server"][1] or HTTP_PORT)
            if host is None or (self._own_port and (host["port"] or HTTP_PORT) != own):
                app = self._refusal
        await app(scope, receive, send)


class LowerCaseSessionIds:
    """Lower-cases a session's UUID in the path, as qwen does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = SESSION_UUID.sub(lambda found: found[0].lower(), scope["path"])
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


class BasicAuth:
    """401 with an empty body, as in opencode, unless the request has this user and password."""

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


class SameOrigin:
    """403, in qwen's words, for a request of a web page from another origin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if headers.get("origin") not in (None, f"http://{headers.get('host')}"):
                app = ORIGIN_REFUSED
        await app(scope, receive, send)


class JsonOnly:
    """415 for bodies that a web page can send without a CORS preflight: text, or a form.

    A body without a media type is accepted, as by real servers: programs send that, and browsers add an Origin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
            if kind not in ("", "application/json"):
                app = NOT_JSON
        await app(scope, receive, send)


class BearerAuth:
    """401, as in qwen, unless the request has this token; `/health` needs none."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["path"] != "/health":
            scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
            known = hmac.compare_digest(token.strip().encode(), self._token)
            if scheme.lower() != "bearer" or not known:
                app = JSONResponse({"error": "Unauthorized"}, 401)
        await app(scope, receive, send)
