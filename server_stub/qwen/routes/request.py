"""Client ids, bodies and error responses, shared by all routes of `qwen serve`."""

import json
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from server_stub.domain.api_errors import ApiError
from server_stub.domain.client_registry import MalformedClientId, UnregisteredClient, well_formed
from server_stub.domain.json_encoding import Json, JsonResponse

CLIENT_ID_HEADER = "X-Qwen-Client-Id"

MALFORMED: Json = {
    "error": f"`{CLIENT_ID_HEADER}` must be a non-empty token of 128 characters or fewer",
    "code": "invalid_client_id",
}

UNKNOWN_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>Cannot {method} {path}</pre>
</body>
</html>
"""


class QwenJson(JsonResponse):
    media_type = "application/json; charset=utf-8"


def client_id_of(request: Request) -> str | None:
    """The client id; None if absent or empty. Raises MalformedClientId."""
    client_id = request.headers.get(CLIENT_ID_HEADER)
    return well_formed(client_id) if client_id else None


async def body_of(request: Request) -> Json:
    """The body if its media type is JSON; {} for an array or no body. Raises ApiError 400 for invalid JSON."""
    raw = await request.body()
    if not raw or not request.headers.get("content-type", "").startswith("application/json"):
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict | list):
        raise refusal("Invalid JSON in request body")
    return body if isinstance(body, dict) else {}


def refusal(error: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, **more: object) -> ApiError:
    return ApiError(status, {"error": error, **more})


async def refuse(request: Request, error: Exception) -> Response:
    """The response to an ApiError, MalformedClientId or UnregisteredClient."""
    match error:
        case MalformedClientId():
            return QwenJson(MALFORMED, HTTPStatus.BAD_REQUEST)
        case UnregisteredClient(session_id=session_id, client_id=client_id):
            text = f'Client id "{client_id}" is not registered for session {session_id}'
            where = {"sessionId": session_id, "clientId": client_id}
            return QwenJson({"error": text, "code": "invalid_client_id", **where}, HTTPStatus.BAD_REQUEST)
        case ApiError():
            return QwenJson(error.body, error.status, dict(error.headers))
    raise error


async def unknown_route(request: Request) -> Response:
    """Express's error page; unknown paths never return JSON."""
    headers = {"content-security-policy": "default-src 'none'", "x-content-type-options": "nosniff"}
    page = UNKNOWN_PAGE.format(method=request.method, path=request.scope["raw_path"].decode("ascii", "replace"))
    return HTMLResponse(page, HTTPStatus.NOT_FOUND, headers)
