"""Polls the statuses and open requests of directories of an opencode server that share a header."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence, Set
from typing import Any, Final, TypeVar

from tui.backends.decoding import checked_aside, read, string
from tui.backends.opencode import schema as wire
from tui.backends.opencode.requests import all_requests
from tui.core import events as e
from tui.core.model import Busy, SessionStatus
from tui.core.open_requests import KEPT
from tui.net.errors import InvalidBody
from tui.net.response import Response

log = logging.getLogger(__name__)

STATUSES: Final = "/session/status"

T = TypeVar("T")
Get = Callable[[str], Awaitable[Response]]


async def running(get: Get, places: Sequence[str]) -> e.Resynced:
    """`get` fetches a path in these `places`. An unreadable list affects only itself. Raises `NetError`.

    A request of an idle session is stale, but only if the status is as new as the request: all lists are fetched
    concurrently, and the statuses again if they lack a session with a request.
    """
    questions, permissions, statuses = await asyncio.gather(
        _read(get, "/question", _rows), _read(get, "/permission", _rows), _read(get, STATUSES, wire.statuses)
    )
    lists = {"open questions": questions, "open permissions": permissions, "sessions at work": statuses}
    problems = [f"{what} ({one.message})" for what, one in lists.items() if isinstance(one, InvalidBody)]
    asked = [] if isinstance(questions, InvalidBody) else questions
    allowed = [] if isinstance(permissions, InvalidBody) else permissions
    named = {string(row, "sessionID") for row in asked + allowed} - {""}
    if not isinstance(statuses, InvalidBody) and not named <= statuses.keys():
        again = await _read(get, STATUSES, wire.statuses)
        statuses = statuses if isinstance(again, InvalidBody) else again
    working = named if isinstance(statuses, InvalidBody) else statuses.keys()
    asked, more_asked = _first(asked, working)
    allowed, more_allowed = _first(allowed, working)
    requests = all_requests(asked, allowed)
    at_work: dict[str, SessionStatus] = (
        {one.session_id: Busy() for one in requests} if isinstance(statuses, InvalidBody) else statuses
    )
    covered = frozenset[str]() if problems else frozenset(places)
    beyond = more_asked | more_allowed
    return e.Resynced(at_work, tuple(requests), covered, requests.unreadable, "; ".join(problems), not_read=beyond)


def _rows(value: Any) -> list[Any]:
    return read(value, list[Any])


def _first(rows: list[Any], working: Set[str]) -> tuple[list[Any], frozenset[str]]:
    """Up to KEPT rows, those of busy sessions first, and the ids of the other rows of busy sessions."""
    if len(rows) <= KEPT:
        return rows, frozenset()
    waiting = [row for row in rows if string(row, "sessionID") in working]
    beyond = frozenset(string(row, "id") for row in waiting[KEPT:]) - {""}
    others = [row for row in rows if string(row, "sessionID") not in working] if len(waiting) < KEPT else []
    return [*waiting, *others][:KEPT], beyond


async def _read(get: Get, path: str, translate: Callable[[Any], T]) -> T | InvalidBody:
    """The value at `path`, or why it cannot be read."""
    try:
        return await checked_aside(path, translate, (await get(path)).value)
    except InvalidBody as error:
        log.warning("%s", error.message)
        return error
