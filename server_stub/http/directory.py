"""The directory of a request, and which directories are served."""

import posixpath
from pathlib import PurePosixPath
from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from server_stub.domain import zod
from server_stub.domain.api_errors import bad_request
from server_stub.domain.json_encoding import JsonResponse
from server_stub.domain.state import ServerState, acting_in


def directory_of(request: Request, server: ServerState) -> str:
    """The profile's header (percent-encoded), else `?directory=`, else the server's working directory.

    Raises ApiError 400 for a null byte; real servers answer 500.
    """
    directory = _named(request, server)
    if "\0" in directory:
        raise bad_request('Expected a path without null bytes\n  at ["directory"]', "Query", _NO_PATH)
    return directory


_NO_PATH = zod.custom("Invalid string: must not hold null bytes", '["directory"]')


def _named(request: Request, server: ServerState) -> str:
    header = request.headers.get(server.profile.directory_header)
    if header:
        return unquote(header)
    return request.query_params.get("directory") or server.directory


class RequestDirectory:
    """Lets each request act in the directory that it names."""

    def __init__(self, app: ASGIApp, server: ServerState) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with acting_in(_named(Request(scope), self._server)):
            await self._app(scope, receive, send)


class OwnDirectory:
    """403 for a directory outside the server's own, as in MiMo Code 0.1.15 without a password."""

    def __init__(self, app: ASGIApp, server: ServerState) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and not scope["path"].startswith("/global/"):
            directory, own = _named(Request(scope), self._server), self._server.directory
            if not PurePosixPath(posixpath.normpath(directory)).is_relative_to(own):
                error = "Access denied: directory must be within the server's working directory"
                body = {"code": "directory_not_allowed", "error": error, "directory": directory}
                app = JsonResponse(body, 403)
        await app(scope, receive, send)
