"""Votes: how a person settles what the agent asks, permissions and questions alike."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.qwen.daemon import Daemon
from server_stub.routes.qwen_http import QwenJson, body_of, client_id_of, refusal

Json = dict[str, Any]


def routes(daemon: Daemon) -> list[Route]:
    async def voted(request: Request) -> Response:
        """The first vote counts."""
        client_id = client_id_of(request)
        body = await body_of(request)
        outcome = _outcome(body)
        live = daemon.session(request.path_params["sid"])
        daemon.clients.check(live.id, client_id)
        live.vote(request.path_params["rid"], outcome, body.get("answers"), client_id)
        live.stay_awake()
        return QwenJson({})

    return [Route("/session/{sid}/permission/{rid}", voted, methods=["POST"])]


def _outcome(body: Json) -> Json:
    """Raises Refusal 400."""
    match body.get("outcome"):
        case {"outcome": "cancelled"}:
            return {"outcome": "cancelled"}
        case {"outcome": "selected", "optionId": str(option_id)}:
            return {"outcome": "selected", "optionId": option_id}
    shapes = '`{ outcome: "cancelled" }` or `{ outcome: "selected", optionId: string }`'
    raise refusal(f"`outcome` must be {shapes}")
