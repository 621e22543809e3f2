"""What cannot be read of the lists of what runs and waits is named."""

import asyncio
from typing import Any

from tests.tracing import memory_traced
from tui.backends.opencode.running import running
from tui.core.open_requests import MAX_REQUEST_BYTES, MAX_REQUESTS
from tui.net.errors import TooLarge
from tui.net.response import Response


async def test_above_the_limit_requests_of_busy_sessions_are_kept() -> None:
    questions = [
        {"id": f"que_{at}", "sessionID": f"ses_{at % 2}", "questions": [{"question": "?", "header": "", "options": []}]}
        for at in range(2 * MAX_REQUESTS + 2)
    ]
    values: dict[str, Any] = {"/question": questions, "/permission": [], "/session/status": {"ses_1": {"type": "busy"}}}

    async def get(path: str) -> Response:
        return Response(200, {}, values[path], 0.0, None)

    found = await running(get, ["/src"])
    assert {request.session_id for request in found.requests} == {"ses_1"}
    assert len(found.requests) == MAX_REQUESTS
    assert found.not_read == {f"que_{2 * MAX_REQUESTS + 1}"}


async def test_a_list_that_is_too_large_is_named_and_the_others_are_read() -> None:
    async def get(path: str) -> Response:
        if path == "/permission":
            raise TooLarge(40 << 20, parsed=True)
        return Response(200, {}, {} if "status" in path else [], 0.0, None)

    found = await running(get, ["/src"])
    assert found.problem == "open permissions (the response would take more than 40 MiB of memory)"
    assert found.directories == frozenset()


def permission(number: int, detail: str) -> dict[str, Any]:
    return {"id": f"per_{number}", "sessionID": "ses_1", "permission": "bash", "metadata": {"command": detail}}


async def test_requests_beyond_a_size_are_named_and_one_that_is_larger_alone_is_counted() -> None:
    permissions = [
        permission(0, "c" * (MAX_REQUEST_BYTES + 1)),
        *(permission(at, f"{at}" * (9 << 20)) for at in range(1, 5)),
    ]
    values: dict[str, Any] = {
        "/question": [],
        "/permission": permissions,
        "/session/status": {"ses_1": {"type": "busy"}},
    }

    async def get(path: str) -> Response:
        return Response(200, {}, values[path], 0.0, None)

    found = await running(get, ["/src"])
    assert ([one.id for one in found.requests], found.not_read) == (["per_1", "per_2"], frozenset({"per_3", "per_4"}))
    assert (found.unreadable, found.problem) == (1, "")


async def test_a_list_is_not_kept_until_the_others_have_come() -> None:
    kept: list[int] = []

    async def get(path: str) -> Response:
        if "status" in path:
            await asyncio.sleep(0)
            kept.append(traced())
            return Response(200, {}, {"ses_1": {"type": "busy"}}, 0.0, None)
        text = "q" * (5 << 20)
        row: dict[str, Any] = (
            permission(1, "ls")
            if "perm" in path
            else {"id": "que_1", "sessionID": "ses_1", "questions": [{"question": "Which?"}]}
        )
        return Response(200, {}, [row | {"unused": text}], 0.0, None)

    with memory_traced() as traced:
        found = await running(get, ["/src"])
    assert len(found.requests) == 2
    assert max(kept) < 1 << 20
