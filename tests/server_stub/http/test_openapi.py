import re

import pytest
from starlette.routing import Route

from server_stub.app import create_app
from server_stub.domain.profiles import OPENCODE
from server_stub.http import openapi

APP = create_app(OPENCODE)
ROUTES = [route for route in APP.routes if isinstance(route, Route) and route.path != "/{path:path}"]
DOCUMENT = openapi.document(ROUTES, "1.18.33")
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def test_the_document_lists_exactly_the_routes() -> None:
    described = {(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods}
    served = {(route.path, method) for route in ROUTES for method in (route.methods or set()) - {"HEAD"}}
    assert described == served
    assert {("/session/{sid}/message", "POST"), ("/global/event", "GET"), ("/doc", "GET")} <= described


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_has_a_summary_and_its_parameters(
    path: str, method: str, operation: dict[str, list[dict[str, object]]]
) -> None:
    assert operation["summary"]
    in_path = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
    assert in_path == re.findall(r"{(\w+)}", path)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
