"""Very long lists: how much is decoded, what is counted, and in which thread."""

import threading
from typing import Any

from tui.backends.decoding import LONG, checked_aside
from tui.backends.opencode.backend import LONGER, ROWS_READ, _page
from tui.backends.opencode.running import STATUSES, running
from tui.core.open_requests import MAX_REQUESTS
from tui.net.response import Response

MANY = 3 * MAX_REQUESTS


def permission(at: int, session_id: str) -> dict[str, Any]:
    return {"id": f"per_{at}", "sessionID": session_id, "permission": "bash"}


def reply(value: Any, **headers: str) -> Response:
    return Response(status=200, headers=headers, value=value, elapsed=0.0, date=None)


async def test_of_many_requests_those_of_busy_sessions_are_read_first() -> None:
    stale = [permission(at, "ses_idle") for at in range(MANY)]
    waiting = [permission(MANY + at, "ses_busy") for at in range(MANY)]
    answers = {"/question": [], "/permission": stale + waiting, STATUSES: {"ses_busy": {"type": "busy"}}}

    async def get(path: str) -> Response:
        return reply(answers[path])

    found = await running(get, ["/src"])
    assert [one.id for one in found.requests] == [one["id"] for one in waiting[:MAX_REQUESTS]]
    assert found.not_read == {one["id"] for one in waiting[MAX_REQUESTS:]}


async def test_a_few_requests_are_all_read() -> None:
    answers = {
        "/question": [],
        "/permission": [permission(1, "ses_idle"), permission(2, "ses_busy")],
        STATUSES: {"ses_busy": {"type": "busy"}},
    }

    async def get(path: str) -> Response:
        return reply(answers[path])

    found = await running(get, ["/src"])
    assert ([one.id for one in found.requests], found.not_read) == (["per_1", "per_2"], frozenset())


async def test_of_too_many_sessions_the_first_are_read_with_a_cursor() -> None:
    sessions = [{"id": f"ses_{at}", "title": f"title {at}"} for at in range(5 * ROWS_READ)]
    page = await _page("/session", reply(sessions), 100, "")
    assert [one.id for one in page] == [one["id"] for one in sessions[:ROWS_READ]]
    assert page.cursor == f"{LONGER}{2 * ROWS_READ}"
    found = await _page("/session", reply(sessions), 100, f"TITLE {5 * ROWS_READ - 1}")
    assert ([one.title for one in found], found.cursor) == ([sessions[-1]["title"]], None)


async def test_long_documents_are_translated_in_another_thread() -> None:
    def translate(value: object) -> str:
        return threading.current_thread().name

    here = threading.current_thread().name
    assert await checked_aside("/path", translate, [1] * LONG) == here
    assert await checked_aside("/path", translate, [1] * (LONG + 1)) != here
    assert await checked_aside("/path", translate, [{"parts": [1] * LONG}]) != here
    assert await checked_aside("/path", translate, "words" * LONG) == here
