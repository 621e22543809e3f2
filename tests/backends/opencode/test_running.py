"""What cannot be read of the lists of what runs and waits is named."""

from typing import Any

from tui.backends.opencode.running import running
from tui.core.open_requests import KEPT
from tui.net.errors import TooLarge
from tui.net.response import Response


async def test_above_the_limit_requests_of_busy_sessions_are_kept() -> None:
    questions = [
        {"id": f"que_{at}", "sessionID": f"ses_{at % 2}", "questions": [{"question": "?", "header": "", "options": []}]}
        for at in range(2 * KEPT + 2)
    ]
    values: dict[str, Any] = {"/question": questions, "/permission": [], "/session/status": {"ses_1": {"type": "busy"}}}

    async def get(path: str) -> Response:
        return Response(200, {}, values[path], 0.0, None)

    found = await running(get, ["/src"])
    assert {request.session_id for request in found.requests} == {"ses_1"}
    assert len(found.requests) == KEPT
    assert found.not_read == {f"que_{2 * KEPT + 1}"}


async def test_a_list_that_is_too_large_is_named_and_the_others_are_read() -> None:
    async def get(path: str) -> Response:
        if path == "/permission":
            raise TooLarge(40 << 20, parsed=True)
        return Response(200, {}, {} if "status" in path else [], 0.0, None)

    found = await running(get, ["/src"])
    assert found.problem == "open permissions (the answer would take more than 40 MiB of memory)"
    assert found.directories == frozenset()
