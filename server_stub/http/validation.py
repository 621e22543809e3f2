"""Parses and validates requests, with opencode's error messages."""

import json
import math
from typing import Any

from starlette.requests import Request

from server_stub.domain import zod
from server_stub.domain.api_errors import ApiError, MalformedJson, Part, bad_request
from server_stub.domain.json_encoding import Json

NAMES: dict[type, str] = {str: "string", list: "array", dict: "object"}
"""Type names in JavaScript."""
PARAMS = {"sid": "sessionID", "mid": "messageID", "pid": "partID", "rid": "requestID"}
"""Names of the path parameters in MiMo Code."""


async def read_object(request: Request, *, required: bool = True) -> Json:
    """The body as an object. Raises ApiError: 500 if it is not JSON, 400 if it is not an object.

    Routes with an optional body answer 400 to both, without a reason.
    """
    raw = await request.body()
    if not raw:
        if not required:
            return {}
        raise bad_request("Expected object, got undefined", issue=zod.missing("object", ""))
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise (MalformedJson() if required else unexplained()) from error
    if not isinstance(body, dict):
        raise bad_request(f"Expected object, got {_shown(body)}") if required else unexplained()
    return body


async def zod_body(request: Request, refusal: ApiError) -> Json:
    """zod's response body for an error with an issue: the malformed part of the request, and the issue."""
    assert refusal.issue is not None
    data: object
    if refusal.part == "Payload":
        data = json.loads(await request.body() or b"{}")
    elif refusal.part == "Params":
        data = {PARAMS.get(name, name): value for name, value in request.path_params.items()}
    else:
        data = dict(request.query_params)
    return {"data": data, "error": [refusal.issue], "success": False}


def unexplained() -> ApiError:
    """Status 400 without a reason, as opencode answers some malformed bodies."""
    return ApiError(400, {"_tag": "BadRequest"})


def field(body: Json, name: str, kind: type, *, at: str = "", optional: bool = False) -> Any:
    """A field of the body of the given type (None if optional and absent). Raises ApiError 400."""
    path = f'{at}["{name}"]'
    if name not in body:
        if optional:
            return None
        raise bad_request(f"Missing key\n  at {path}", issue=zod.missing(NAMES[kind], path))
    value = body[name]
    if not isinstance(value, kind):
        raise wrong_value(NAMES[kind], value, path)
    return value


def identifier(value: object, prefix: str, path: str, kind: Part = "Payload") -> str:
    """An id with this prefix, the only check that opencode does. Raises ApiError 400."""
    if not isinstance(value, str) or not value.startswith(prefix):
        refusal = wrong_value(f'a string starting with "{prefix}"', value, path, kind)
        if isinstance(value, str):
            refusal.issue = zod.wrong_prefix(prefix, path)
        raise refusal
    return value


def option(value: object, values: tuple[str, ...], path: str, kind: Part = "Payload") -> str:
    """One of `values`. Raises ApiError 400."""
    if value in values:
        return str(value)
    refusal = wrong_value(" | ".join(f'"{known}"' for known in values), value, path, kind)
    refusal.issue = zod.wrong_option(values, path)
    raise refusal


def wrong_value(what: str, value: object, path: str, kind: Part = "Payload") -> ApiError:
    """Status 400: the `value` at `path` is not `what`."""
    issue = zod.wrong_type(what, value, path)
    return bad_request(f"Expected {what}, got {_shown(value)}\n  at {path}", kind, issue)


def limit_of(request: Request, least: int = 0, most: int | None = None) -> int | None:
    """`?limit=`; None if absent. Raises ApiError 400."""
    text = request.query_params.get("limit")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number.is_integer():
        raise _bad_limit("an integer", "NaN" if math.isnan(number) else text, _NOT_A_NUMBER)
    if number < least:
        message = f"Too small: expected number to be >={least}"
        issue = zod.custom(message, '["limit"]', origin="number", code="too_small", minimum=least, inclusive=True)
        raise _bad_limit(f"a value greater than or equal to {least}", text, issue)
    if most is not None and number > most:
        message = f"Too big: expected number to be <={most}"
        issue = zod.custom(message, '["limit"]', origin="number", code="too_big", maximum=most, inclusive=True)
        raise _bad_limit(f"a value less than or equal to {most}", text, issue)
    return int(number)


_NOT_A_NUMBER = {
    **{"expected": "number", "code": "invalid_type", "received": "NaN", "path": ["limit"]},
    "message": "Invalid input: expected number, received NaN",
}


def _bad_limit(what: str, given: str, issue: Json) -> ApiError:
    return bad_request(f'Expected {what}, got {given}\n  at ["limit"]', "Query", issue)


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
