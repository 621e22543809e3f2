"""Votes: the replies to permissions and questions."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.api_errors import ApiError
from server_stub.domain.json_encoding import Json
from server_stub.qwen.daemon import Daemon
from server_stub.qwen.routes.request import QwenJson, body_of, client_id_of, refusal


def routes(daemon: Daemon) -> list[Route]:
    async def voted(request: Request) -> Response:
        """Vote on a request; the first vote counts."""
        client_id = client_id_of(request)
        body = await body_of(request)
        outcome = _outcome(body)
        live = daemon.session(request.path_params["sid"])
        daemon.clients.check(live.id, client_id)
        live.vote(request.path_params["rid"], outcome, body.get("answers"), client_id)
        live.reset_idle_timer()
        return QwenJson({})

    async def voted_anywhere(request: Request) -> Response:
        """Vote on a request by its id alone."""
        client_id = client_id_of(request)
        body = await body_of(request)
        outcome, request_id = _outcome(body), request.path_params["rid"]
        live = next((one for one in daemon.live.values() if one.has_request(request_id)), None)
        if live is None:
            error = "No pending permission request"
            raise ApiError(HTTPStatus.NOT_FOUND, {"error": error, "requestId": request_id})
        daemon.clients.check(live.id, client_id)
        live.vote(request_id, outcome, body.get("answers"), client_id)
        live.reset_idle_timer()
        return QwenJson({})

    return [
        Route("/session/{sid}/permission/{rid}", voted, methods=["POST"]),
        Route("/permission/{rid}", voted_anywhere, methods=["POST"]),
    ]


def _outcome(body: Json) -> Json:
    """The outcome of a vote. Raises ApiError 400."""
    match body.get("outcome"):
        case {"outcome": "cancelled"}:
            return {"outcome": "cancelled"}
        case {"outcome": "selected", "optionId": str(option_id)} if option_id:
            return {"outcome": "selected", "optionId": option_id}
    shapes = '`{ outcome: "cancelled" }` or `{ outcome: "selected", optionId: string }`'
    raise refusal(f"`outcome` must be {shapes}")
