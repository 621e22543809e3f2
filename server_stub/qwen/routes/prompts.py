"""Prompts of `qwen serve`: accepted at once, answered in order, tracked by events or polling."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.json_encoding import Json
from server_stub.qwen.daemon import Daemon
from server_stub.qwen.live_session import LiveSession
from server_stub.qwen.routes.request import QwenJson, body_of, client_id_of, refusal


def routes(daemon: Daemon) -> list[Route]:
    def registered(live: LiveSession, client_id: str | None) -> str | None:
        """The client id. Raises UnregisteredClient."""
        daemon.clients.check(live.id, client_id)
        return client_id

    def live_of(request: Request) -> LiveSession:
        return daemon.session(request.path_params["sid"])

    async def prompted(request: Request) -> Response:
        """Queue a prompt."""
        client_id = client_id_of(request)
        content = _content(await body_of(request))
        live = live_of(request)
        cursor = live.ring.last_id
        prompt = live.prompts.accept(content, registered(live, client_id))
        live.reset_idle_timer()
        accepted = {"promptId": prompt.id, "lastEventId": cursor, "eventEpoch": live.ring.epoch}
        return QwenJson(accepted, HTTPStatus.ACCEPTED)

    async def pending(request: Request) -> Response:
        """The running prompt, and those behind it."""
        return QwenJson({"pendingPrompts": [prompt.pending() for prompt in live_of(request).prompts.pending]})

    async def removed(request: Request) -> Response:
        """Remove a prompt from the queue, or cancel it if it runs."""
        client_id = client_id_of(request)
        live = live_of(request)
        registered(live, client_id)
        return QwenJson({"removed": live.remove_prompt(request.path_params["pid"])})

    async def cancelled(request: Request) -> Response:
        """Cancel the running prompt; those behind it are still answered."""
        client_id = client_id_of(request)
        await body_of(request)
        live = live_of(request)
        registered(live, client_id)
        live.cancel()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def turn(request: Request) -> Response:
        """The state of a prompt."""
        return QwenJson(live_of(request).prompts.turn(request.path_params["pid"]))

    base = "/session/{sid}"
    return [
        Route(f"{base}/prompt", prompted, methods=["POST"]),
        Route(f"{base}/pending-prompts", pending),
        Route(f"{base}/pending-prompts/{{pid}}", removed, methods=["DELETE"]),
        Route(f"{base}/cancel", cancelled, methods=["POST"]),
        Route(f"{base}/turns/{{pid}}", turn),
    ]


def _content(body: Json) -> list[Json]:
    """The prompt's blocks. A deadline is validated but has no effect (measured). Raises ApiError 400."""
    content = body.get("prompt")
    if not isinstance(content, list) or not content:
        raise refusal("`prompt` is required and must be a non-empty array of content blocks")
    if not all(isinstance(block, dict) for block in content):
        raise refusal("each `prompt` element must be an object (content block)")
    deadline = body.get("deadlineMs")
    if deadline is not None and not (type(deadline) is int and deadline > 0):
        raise refusal("`deadlineMs` must be a positive integer (milliseconds)", code="invalid_deadline_ms")
    return content
