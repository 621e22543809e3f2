"""Sessions: what there is, their names and their family; and what may only be done while one is idle."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.agent import Agent
from server_stub.refusals import Refusal
from server_stub.routes.directory import directory_of
from server_stub.routes.payload import read_object
from server_stub.wire import JsonResponse
from server_stub.world import World

Json = dict[str, Any]


def routes(world: World, agent: Agent) -> list[Route]:
    async def created(request: Request) -> Response:
        body = await read_object(request, required=False)
        title, parent_id = body.get("title"), body.get("parentID")
        if not isinstance(title, str | None) or not (parent_id is None or str(parent_id).startswith("ses")):
            raise Refusal(400, {"_tag": "BadRequest"})
        session = world.create_session(directory_of(request, world), title, parent_id)
        return JsonResponse(session.info)

    async def statuses(request: Request) -> Response:
        return JsonResponse(world.statuses(directory_of(request, world)))

    async def one(request: Request) -> Response:
        return JsonResponse(world.session(request.path_params["sid"]).info)

    return [
        Route("/session", created, methods=["POST"]),
        Route("/session/status", statuses, methods=["GET"]),
        Route("/session/{sid}", one, methods=["GET"]),
    ]
