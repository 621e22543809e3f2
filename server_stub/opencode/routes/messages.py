"""Prompts and messages: `POST …/message`, held open until the turn ends, and the stored messages."""

import base64
import json
from collections import deque
from collections.abc import Awaitable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from server_stub.domain import zod
from server_stub.domain.agent import ABORTED, MODEL, Agent, Prompt
from server_stub.domain.api_errors import ApiError, bad_request, busy_runner, session_busy, too_many
from server_stub.domain.json_encoding import Json, JsonResponse, encode
from server_stub.domain.profiles import PaddingPolicy
from server_stub.domain.state import Message, ServerState, Session
from server_stub.http.held_response import HeldResponse
from server_stub.http.validation import field, identifier, limit_of, read_object, unexplained, wrong_value


def routes(server: ServerState, agent: Agent) -> list[Route]:
    profile = server.profile
    zods = profile.validation == "zod"
    minute = deque[int](maxlen=profile.async_prompts_per_minute)
    """Times of the last `prompt_async` requests, in epoch ms."""

    async def listed(request: Request) -> Response:
        """The session's messages, oldest first; limit and before page from the newest.

        A limit of 0 means none, and before is then ignored.
        """
        session = server.session(request.path_params["sid"])
        messages = session.ordered()
        limit, before = limit_of(request), request.query_params.get("before")
        if before is not None:
            if limit is None:
                raise _bad_cursor("before requires limit")
            messages = messages[: _position(messages, before) if limit else None]
        if not limit or len(messages) <= limit:
            return JsonResponse([message.document() for message in messages])
        page = messages[-limit:]
        cursor = _cursor(page[0])
        following = request.url.include_query_params(limit=limit, before=cursor)
        headers = {
            "access-control-expose-headers": "Link, X-Next-Cursor",
            "link": f'<{following}>; rel="next"',
            "x-next-cursor": cursor,
        }
        return JsonResponse([message.document() for message in page], headers=headers)

    async def one(request: Request) -> Response:
        """One message with its parts."""
        session = server.session(request.path_params["sid"])
        return JsonResponse(server.message(session, _message_id(request)).document())

    async def removed(request: Request) -> Response:
        """Remove a message, or one part of it, from an idle session."""
        session = server.session(request.path_params["sid"])
        if agent.is_busy(session):
            raise busy_runner(session.id) if zods else session_busy(session.id)
        message_id = _message_id(request)
        if "pid" in request.path_params:
            part_id = identifier(request.path_params["pid"], "prt", '["partID"]', "Params")
            server.remove_part(session, message_id, part_id)
        else:
            server.remove_message(session, message_id)
        return JsonResponse(True)

    async def prompted(request: Request) -> ASGIApp:
        """Prompt the agent; the answer comes when its turn ends."""
        body = await read_object(request)
        prompt = _prompt(body)
        if zods and not prompt.parts:
            raise bad_request("No parts", issue=NO_PARTS)
        try:
            session = _session_for(request, "message")
            message = agent.accept(session, prompt)
        except ApiError as refusal:
            if not zods or refusal.issue is not None or refusal.status == HTTPStatus.CONFLICT:
                raise
            return Response(media_type="application/json")  # the headers were on their way already
        if body.get("noReply") is True:
            without = {name: value for name, value in message.info.items() if name != "agentID"}
            return JsonResponse({**message.document(), "info": without})
        return _held(session, agent.answer(session), profile.padding)

    async def commanded(request: Request) -> ASGIApp:
        """Run a command by name; the response is held open as for a prompt."""
        body = await read_object(request)
        session = _session_for(request, "command")
        name, arguments = field(body, "command", str), field(body, "arguments", str)
        prompt = _prompt({"parts": [], **body, "model": _model_of(body)})
        padding = profile.padding if profile.padding is not None and profile.padding.commands else None
        return _held(session, agent.command(session, name, arguments, prompt), padding)

    async def prompted_async(request: Request) -> Response:
        """Prompt the agent without waiting for the answer."""
        _count_async()
        body = await read_object(request)
        prompt = _prompt(body)
        try:
            session = _session_for(request, "prompt_async")
            agent.accept(session, prompt)
            if body.get("noReply") is not True:
                agent.start(session)
        except ApiError as refusal:
            # this route reports it by `session.error` only
            unknown = refusal.status == HTTPStatus.NOT_FOUND and not zods
            if refusal.issue is not None or refusal.status == HTTPStatus.CONFLICT or unknown:
                raise
        return Response(status_code=204)

    async def aborted(request: Request) -> Response:
        """Abort the session's turn, if any, even of a deleted session."""
        session_id = request.path_params["sid"]
        if not session_id.startswith("ses"):
            server.session(session_id)
        session = server.sessions.get(session_id) or server.deleted.get(session_id)
        if session is not None:
            agent.abort(session)
        return JsonResponse(True)

    def _session_for(request: Request, route: str) -> Session:
        session = server.session(request.path_params["sid"])
        if route in profile.refuses_when_busy and agent.is_busy(session):
            raise busy_runner(session.id)
        return session

    def _count_async() -> None:
        if minute.maxlen is None:
            return
        now = server.clock.now()
        if len(minute) == minute.maxlen and now - minute[0] < MINUTE:
            raise too_many(-(-(MINUTE - now + minute[0]) // 1000))
        minute.append(now)

    def _held(session: Session, answer: Awaitable[Message], padding: PaddingPolicy | None) -> ASGIApp:
        async def body() -> bytes:
            message = await answer
            if profile.failed_turn == "nothing" and message.info.get("error", ABORTED) != ABORTED:
                return b""
            return encode(message.document())

        def on_disconnect() -> None:
            if profile.when_client_leaves == "cancel":
                agent.abort(session)

        return HeldResponse(padding, body(), on_disconnect)

    base = "/session/{sid}"
    return [
        Route(f"{base}/message", listed, methods=["GET"]),
        Route(f"{base}/message", prompted, methods=["POST"]),
        Route(f"{base}/message/{{mid}}", one, methods=["GET"]),
        Route(f"{base}/message/{{mid}}", removed, methods=["DELETE"]),
        Route(f"{base}/message/{{mid}}/part/{{pid}}", removed, methods=["DELETE"]),
        Route(f"{base}/prompt_async", prompted_async, methods=["POST"]),
        Route(f"{base}/command", commanded, methods=["POST"]),
        Route(f"{base}/abort", aborted, methods=["POST"]),
    ]


MINUTE = 60_000
NO_PARTS: Json = {
    **{"origin": "array", "code": "too_small", "minimum": 1, "inclusive": True, "path": ["parts"]},
    "message": "parts must contain at least one element",
}
PART_TYPES = ("text", "file", "agent", "subtask")


def _prompt(body: Json) -> Prompt:
    """Parse a prompt. Raises ApiError 400 in opencode's words."""
    parts = field(body, "parts", list)
    for index, part in enumerate(parts):
        at = f'["parts"][{index}]'
        if not isinstance(part, dict):
            raise wrong_value("object", part, at)
        kind = field(part, "type", str, at=at)
        if kind not in PART_TYPES:
            raise wrong_value(" | ".join(f'"{known}"' for known in PART_TYPES), kind, f'{at}["type"]')
        if kind == "text":
            field(part, "text", str, at=at)
        if "id" in part:
            identifier(part["id"], "prt", f'{at}["id"]')
    if "messageID" in body:
        identifier(body["messageID"], "msg", '["messageID"]')
    model = field(body, "model", dict, optional=True) or MODEL
    for name in ("providerID", "modelID"):
        field(model, name, str, at='["model"]')
    return Prompt(
        parts,
        message_id=body.get("messageID"),
        agent=field(body, "agent", str, optional=True) or "build",
        model={name: model[name] for name in ("providerID", "modelID")},
    )


def _model_of(body: Json) -> Json:
    """The model of a command, given as `provider/model`. Raises ApiError 400."""
    provider, slash, model = (field(body, "model", str, optional=True) or "").partition("/")
    return {"providerID": provider, "modelID": model} if slash else MODEL


def _message_id(request: Request) -> str:
    return identifier(request.path_params["mid"], "msg", '["messageID"]', "Params")


def _cursor(message: Message) -> str:
    info = message.info
    document = encode({"id": info["id"], "time": info["time"]["created"]})
    return base64.urlsafe_b64encode(document).decode().rstrip("=")


def _bad_cursor(why: str) -> ApiError:
    refusal = unexplained()
    refusal.part, refusal.issue = "Query", zod.custom(why, '["before"]')
    return refusal


def _position(messages: list[Message], cursor: str) -> int:
    """How many messages are older than the cursor's. Raises ApiError 400 for an invalid cursor."""
    try:
        document = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        message_id = document["id"]
    except (ValueError, TypeError, KeyError) as error:
        raise _bad_cursor("Invalid cursor") from error
    ids = [message.info["id"] for message in messages]
    return ids.index(message_id) if message_id in ids else 0
