"""Which directory a request is about."""

from urllib.parse import unquote

from starlette.requests import Request

from server_stub.world import World


def directory_of(request: Request, world: World) -> str:
    """The family's header (percent-encoded), else `?directory=`, else the one the server was started in."""
    header = request.headers.get(world.profile.directory_header)
    if header:
        return unquote(header)
    return request.query_params.get("directory") or world.directory
