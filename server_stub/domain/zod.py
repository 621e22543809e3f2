"""Errors of malformed requests in the words of zod, which MiMo Code 0.1.15 validates with: only the first of each."""

import json
import re
from typing import Any

from server_stub.domain.json_encoding import Json


def at(path: str) -> list[str | int]:
    """The keys of a path in opencode's notation, `["parts"][0]`."""
    return [json.loads(key) for key in re.findall(r"\[(\"[^\"]*\"|\d+)\]", path)]


def wrong_type(expected: str, value: object, path: str) -> Json:
    received = next((name for kinds, name in _RECEIVED if isinstance(value, kinds)), "object")
    received = "null" if value is None else received
    message = f"Invalid input: expected {expected}, received {received}"
    return {"expected": expected, "code": "invalid_type", "path": at(path), "message": message}


def missing(expected: str, path: str) -> Json:
    return {
        **wrong_type(expected, None, path),
        "message": f"Invalid input: expected {expected}, received undefined",
    }


def wrong_prefix(prefix: str, path: str) -> Json:
    message = f'Invalid string: must start with "{prefix}"'
    form = {"origin": "string", "code": "invalid_format", "format": "starts_with", "prefix": prefix}
    return {**form, "path": at(path), "message": message}


def wrong_option(values: tuple[str, ...], path: str) -> Json:
    named = "|".join(json.dumps(value) for value in values)
    message = f"Invalid option: expected one of {named}"
    return {"code": "invalid_value", "values": list(values), "path": at(path), "message": message}


def custom(message: str, path: str, code: str = "custom", **more: Any) -> Json:
    return {**more, "code": code, "path": at(path), "message": message}


_RECEIVED: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "boolean"),
    ((int, float), "number"),
    (str, "string"),
    (list, "array"),
)
