import pytest
from starlette.requests import Request

from server_stub.domain.profiles import MIMO, OPENCODE, Profile
from server_stub.domain.state import ServerState
from server_stub.http.directory import directory_of
from tests.server_stub.conftest import HERE, InstantClock


def request(header: tuple[str, str] | None, query: str) -> Request:
    headers = [(header[0].encode(), header[1].encode())] if header else []
    return Request({"type": "http", "headers": headers, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("profile", "header", "query", "directory"),
    [
        (OPENCODE, None, "", HERE),
        (OPENCODE, None, "directory=%2Fa%20b", "/a b"),
        (OPENCODE, ("x-opencode-directory", "/c%20d"), "directory=%2Fa", "/c d"),
        (OPENCODE, ("x-mimocode-directory", "/c"), "", HERE),
        (MIMO, ("x-mimocode-directory", "/c"), "", "/c"),
    ],
)
def test_directory_from_header_then_query_then_server(
    profile: Profile, header: tuple[str, str] | None, query: str, directory: str
) -> None:
    server = ServerState(profile, InstantClock(), HERE)
    assert directory_of(request(header, query), server) == directory
