"""Commands that need the user's terminal, and other routes that only MiMo Code 0.1.15 has."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain.json_encoding import JsonResponse
from server_stub.domain.state import ServerState
from server_stub.http.validation import field, read_object, wrong_value


def routes(server: ServerState) -> list[Route]:
    async def listed(request: Request) -> Response:
        """Commands that wait for the user to run them."""
        return JsonResponse(server.requests.commands())

    async def replied(request: Request) -> Response:
        """Report a command's output and exit code; true for an unknown command too."""
        body = await read_object(request)
        output, code = field(body, "output", str), body.get("exitCode")
        if not isinstance(code, int | float):
            raise wrong_value("number", code, '["exitCode"]')
        server.requests.reply_command(request.path_params["rid"], output, int(code))
        return JsonResponse(True)

    async def switched_off(request: Request) -> Response:
        """Whether questions or permissions are answered automatically: never, in the stub."""
        return JsonResponse(False)

    return [
        Route("/bash-interactive", listed, methods=["GET"]),
        Route("/bash-interactive/{rid}/reply", replied, methods=["POST"]),
        Route("/question/never-ask", switched_off, methods=["GET"]),
        Route("/permission/skip-all", switched_off, methods=["GET"]),
    ]
