"""`GET /doc`: the OpenAPI document, generated from the routes."""

import re
from collections.abc import Iterable

from starlette.routing import Route

from server_stub.domain.json_encoding import Json

JSON_BODY: Json = {"content": {"application/json": {"schema": {"type": "object"}}}}
QUERIES: dict[str, tuple[str, ...]] = {
    "GET /session": ("directory", "path", "roots", "start", "search", "limit"),
    "GET /session/{sid}/message": ("limit", "before"),
}
"""Query parameters besides `directory`, which every route of a directory accepts."""


def document(routes: Iterable[Route], version: str) -> Json:
    """A route's summary is the first line of its endpoint's docstring."""
    paths: dict[str, Json] = {}
    for route in routes:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            paths.setdefault(route.path, {})[method.lower()] = _operation(method, route)
    return {"openapi": "3.1.0", "info": {"title": "holdfast-stub", "version": version}, "paths": paths}


def _operation(method: str, route: Route) -> Json:
    params = re.findall(r"{(\w+)}", route.path)
    queries = QUERIES.get(f"{method} {route.path}", ())
    kind = "text/event-stream" if route.path.endswith("/event") else "application/json"
    done: Json = (
        {"204": {"description": "Done"}}
        if route.path.endswith(("/prompt_async", "/detach"))
        else {"200": {"description": "Done", "content": {kind: {"schema": {}}}}}
    )
    summary = (route.endpoint.__doc__ or "").strip().splitlines()
    return {
        "operationId": re.sub(r"\W+", ".", f"{method.lower()}{route.path}").strip("."),
        "summary": summary[0] if summary else "",
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in params),
            *({"name": name, "in": "query", "schema": {"type": "string"}} for name in queries),
        ],
        **({"requestBody": JSON_BODY} if method in ("POST", "PATCH") else {}),
        "responses": {**done, "default": {"description": "Error; the body says why"}},
    }
