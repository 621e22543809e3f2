"""`/_stub/faults`: arm, list and disarm faults. Served with `--admin` only."""

from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server_stub.faults.kinds import FaultRefused, Faults, fault

PATH = "/_stub/faults"


def routes(faults: Faults) -> list[Route]:
    """`GET` lists, `POST {"name", …options}` arms, `DELETE` disarms all, or one by its id."""

    async def listed(request: Request) -> Response:
        return JSONResponse({"faults": [armed.listed() for armed in faults.armed()]})

    async def arm(request: Request) -> Response:
        try:
            options = msgspec.json.decode(await request.body(), type=dict[str, object])
            armed = faults.arm(fault(str(options.pop("name", "")), options))
        except (msgspec.DecodeError, FaultRefused) as refused:
            return JSONResponse({"error": str(refused)}, HTTPStatus.BAD_REQUEST)
        return JSONResponse(armed.listed(), HTTPStatus.CREATED)

    async def disarm_all(request: Request) -> Response:
        faults.disarm_all()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def disarm(request: Request) -> Response:
        try:
            faults.disarm(request.path_params["number"])
        except KeyError:
            error = f"no fault {request.path_params['number']} is armed"
            return JSONResponse({"error": error}, HTTPStatus.NOT_FOUND)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return [
        Route(PATH, listed),
        Route(PATH, arm, methods=["POST"]),
        Route(PATH, disarm_all, methods=["DELETE"]),
        Route(PATH + "/{number:int}", disarm, methods=["DELETE"]),
    ]
