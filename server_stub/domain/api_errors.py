"""Error responses, with the bodies of opencode 1.18.33."""

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from server_stub.domain.json_encoding import Json

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class ApiError(Exception):
    """A request failed; the application's exception handler turns it into a response."""

    issue: Json | None = None
    """The zod issue of a malformed request; see `zod.py`."""
    part: "Part" = "Payload"
    """The part of the request that is malformed."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers


class MalformedJson(ApiError):
    """The request body is not JSON."""

    def __init__(self) -> None:
        unforeseen = unexpected()
        super().__init__(unforeseen.status, unforeseen.body)


def not_found(message: str) -> ApiError:
    return ApiError(404, {"name": "NotFoundError", "data": {"message": message}})


def request_not_found(tag: str, noun: str, request_id: str) -> ApiError:
    """`tag` is `QuestionNotFoundError` or `PermissionNotFoundError`."""
    message = f"{noun} request not found: {request_id}"
    return ApiError(404, {"_tag": tag, "requestID": request_id, "message": message})


Part = Literal["Payload", "Params", "Query"]


def bad_request(message: str, kind: Part = "Payload", issue: Json | None = None) -> ApiError:
    """`kind` is the malformed part of the request, `issue` its zod issue."""
    refusal = ApiError(400, {"name": "BadRequest", "data": {"message": message, "kind": kind}})
    refusal.part, refusal.issue = kind, issue
    return refusal


def unexpected() -> ApiError:
    """opencode's response to unhandled errors: invalid JSON, an unknown agent, an id of another session."""
    data = {
        "message": "Unexpected server error. Check server logs for details.",
        "ref": f"err_{secrets.token_hex(4)}",
    }
    return ApiError(500, {"name": "UnknownError", "data": data})


def busy_runner(session_id: str) -> ApiError:
    """MiMo Code's answer to a second prompt."""
    return ApiError(409, {"name": "UnknownError", "data": {"message": f"Session {session_id} is busy"}})


def session_busy(session_id: str) -> ApiError:
    body = {"_tag": "SessionBusyError", "sessionID": session_id, "message": f"Session is busy: {session_id}"}
    return ApiError(409, body)


def too_many(seconds: int) -> ApiError:
    return ApiError(429, {"error": "Too many requests"}, {"retry-after": str(seconds)})
