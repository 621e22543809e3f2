"""Reads what a request says, and refuses what opencode refuses, in its words."""

import json
import math
from typing import Any

from starlette.requests import Request

from server_stub.refusals import Refusal, bad_request, unexpected

Json = dict[str, Any]

NAMES: dict[type, str] = {str: "string", list: "array", dict: "object"}
"""What JavaScript calls them."""


async def read_object(request: Request, *, required: bool = True) -> Json:
    """The body as an object. Raises Refusal: 500 when it is no JSON, 400 when it is no object.

    Routes that can do without a body say 400 to both, and nothing of why.
    """
    raw = await request.body()
    if not raw:
        if not required:
            return {}
        raise bad_request("Expected object, got undefined")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise (unexpected() if required else unexplained()) from error
    if not isinstance(body, dict):
        raise bad_request(f"Expected object, got {_shown(body)}") if required else unexplained()
    return body


def unexplained() -> Refusal:
    return Refusal(400, {"_tag": "BadRequest"})


def field(body: Json, name: str, kind: type, *, at: str = "", optional: bool = False) -> Any:
    """A field of the body of the given type (None when it is optional and absent). Raises Refusal 400."""
    path = f'{at}["{name}"]'
    if name not in body:
        if optional:
            return None
        raise bad_request(f"Missing key\n  at {path}")
    value = body[name]
    if not isinstance(value, kind):
        raise expected(NAMES[kind], value, path)
    return value


def identifier(value: object, prefix: str, path: str, kind: str = "Payload") -> str:
    """An id with its prefix, the only thing that opencode checks. Raises Refusal 400."""
    if not isinstance(value, str) or not value.startswith(prefix):
        raise expected(f'a string starting with "{prefix}"', value, path, kind)
    return value


def expected(what: str, value: object, path: str, kind: str = "Payload") -> Refusal:
    return bad_request(f"Expected {what}, got {_shown(value)}\n  at {path}", kind)


def limit_of(request: Request, least: int = 0, most: int | None = None) -> int | None:
    """`?limit=`; None when it is not given. Raises Refusal 400."""
    text = request.query_params.get("limit")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number.is_integer():
        raise _bad_limit("an integer", "NaN" if math.isnan(number) else text)
    if number < least:
        raise _bad_limit(f"a value greater than or equal to {least}", text)
    if most is not None and number > most:
        raise _bad_limit(f"a value less than or equal to {most}", text)
    return int(number)


def _bad_limit(what: str, given: str) -> Refusal:
    return bad_request(f'Expected {what}, got {given}\n  at ["limit"]', "Query")


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
