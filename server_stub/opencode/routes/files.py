"""File search: the paths that a client offers while the user types `@…`.

It opens no file. Real servers rank by similarity and tolerate typos; here a path must contain the letters in order.
"""

from itertools import islice

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain import zod
from server_stub.domain.api_errors import bad_request
from server_stub.domain.json_encoding import JsonResponse
from server_stub.domain.state import ServerState
from server_stub.http.directory import directory_of
from server_stub.http.file_listing import MAX_READ, paths_in
from server_stub.http.validation import limit_of, wrong_value

FOUND_RANGE = range(1, 201)
FOUND = 10
"""Default limit."""
TYPES = ("file", "directory")


def routes(server: ServerState) -> list[Route]:
    async def found(request: Request) -> Response:
        """Paths of the directory that match `query`, folders with a trailing slash."""
        query = request.query_params.get("query")
        if query is None:
            raise bad_request('Missing key\n  at ["query"]', "Query", zod.missing("string", '["query"]'))
        limit = limit_of(request, FOUND_RANGE.start, FOUND_RANGE.stop - 1) or FOUND
        only = request.query_params.get("type")
        if only not in (None, *TYPES):
            raise wrong_value(" | ".join(f'"{known}"' for known in TYPES), only, '["type"]', "Query")
        if request.query_params.get("dirs") == "false":
            only = "file"
        paths = [
            path
            for path in islice(paths_in(directory_of(request, server)), MAX_READ)
            if only in (None, "directory" if path.endswith("/") else "file") and _matches(query, path)
        ]
        paths.sort(key=lambda path: (query.lower() not in path.lower(), len(path), path))
        return JsonResponse(paths[:limit])

    return [Route("/find/file", found, methods=["GET"])]


def _matches(query: str, path: str) -> bool:
    letters = iter(path.lower())
    return all(letter in letters for letter in query.lower())
