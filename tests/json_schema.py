"""Validates a value against the part of JSON Schema that `docs/json.schema.json` uses."""

from collections.abc import Mapping
from typing import Any

KNOWN = {
    *("$schema", "title", "description", "$defs", "$ref", "anyOf", "discriminator", "type", "enum", "const"),
    *("default", "properties", "required", "items", "prefixItems", "minItems", "maxItems"),
}
TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "boolean": bool,
}


def problems(value: object, schema: Mapping[str, Any], root: Mapping[str, Any], at: str = "$") -> list[str]:
    """Where and how `value` differs from `schema`; empty if it is valid. No further properties are allowed."""
    unknown = set(schema) - KNOWN
    assert not unknown, f"this validator does not know {unknown}"
    if "$ref" in schema:
        return problems(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    if "anyOf" in schema:
        each = [problems(value, one, root, at) for one in schema["anyOf"]]
        return [] if [] in each else [f"{at}: none of {len(each)} fits: {min(each, key=len)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [*found, f"{at}: {value!r} is no {kind}"]
    if isinstance(value, dict):
        allowed = schema.get("properties", {})
        found += [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, one in value.items():
            more = problems(one, allowed[name], root, f"{at}.{name}") if name in allowed else [f"{at}.{name}: unknown"]
            found += more
    if isinstance(value, list):
        for row, one in enumerate(value):
            found += problems(one, schema.get("items", {}), root, f"{at}[{row}]")
    return found
