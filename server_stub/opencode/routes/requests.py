"""Questions and permissions that block a turn: the open ones, and the replies to them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.json_encoding import Json, JsonResponse
from server_stub.domain.state import ServerState
from server_stub.http.directory import directory_of
from server_stub.http.validation import field, identifier, option, read_object, wrong_value

REPLIES = ("once", "always", "reject")


def routes(server: ServerState) -> list[Route]:
    requests = server.requests

    async def questions(request: Request) -> Response:
        """Open questions of the directory."""
        return JsonResponse(requests.questions(directory_of(request, server)))

    async def question_replied(request: Request) -> Response:
        """Answer a question: a list of labels or custom texts for each of its parts."""
        request_id = identifier(request.path_params["rid"], "que", '["requestID"]', "Params")
        answers = _answers(await read_object(request))
        requests.reply_question(request_id, answers, directory=directory_of(request, server))
        return JsonResponse(True)

    async def question_rejected(request: Request) -> Response:
        """Dismiss a question; its turn ends."""
        request_id = identifier(request.path_params["rid"], "que", '["requestID"]', "Params")
        requests.reject_question(request_id, directory=directory_of(request, server))
        return JsonResponse(True)

    async def permissions(request: Request) -> Response:
        """Open permissions of the directory."""
        return JsonResponse(requests.permissions(directory_of(request, server)))

    async def permission_replied(request: Request) -> Response:
        """Allow once, allow always, or reject."""
        request_id = identifier(request.path_params["rid"], "per", '["requestID"]', "Params")
        body = await read_object(request)
        reply, reason = _reply(body, "reply"), field(body, "message", str, optional=True)
        requests.reply_permission(request_id, reply, reason, directory=directory_of(request, server))
        return JsonResponse(True)

    async def permission_responded(request: Request) -> Response:
        """Allow or reject, by the route of older versions: in the session's directory."""
        session = server.session(request.path_params["sid"])
        request_id = identifier(request.path_params["rid"], "per", '["permissionID"]', "Params")
        reply = _reply(await read_object(request), "response")
        requests.reply_permission(request_id, reply, directory=session.directory)
        return JsonResponse(True)

    return [
        Route("/question", questions, methods=["GET"]),
        Route("/question/{rid}/reply", question_replied, methods=["POST"]),
        Route("/question/{rid}/reject", question_rejected, methods=["POST"]),
        Route("/permission", permissions, methods=["GET"]),
        Route("/permission/{rid}/reply", permission_replied, methods=["POST"]),
        Route("/session/{sid}/permissions/{rid}", permission_responded, methods=["POST"]),
    ]


def _answers(body: Json) -> list[list[str]]:
    """A list of labels for each question; numbers and labels are not checked. Raises ApiError 400."""
    answers: list[list[str]] = field(body, "answers", list)
    for index, answer in enumerate(answers):
        at = f'["answers"][{index}]'
        if not isinstance(answer, list):
            raise wrong_value("QuestionAnswer", answer, at)
        for place, label in enumerate(answer):
            if not isinstance(label, str):
                raise wrong_value("string", label, f"{at}[{place}]")
    return answers


def _reply(body: Json, name: str) -> Any:
    return option(field(body, name, str), REPLIES, f'["{name}"]')
