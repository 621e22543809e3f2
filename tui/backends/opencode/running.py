"""Polls the statuses and open requests of directories of an opencode server that share a header."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence, Set
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from tui.backends.decoding import Id, Rows, checked_aside, decode_items, read
from tui.backends.opencode import schema as wire
from tui.backends.opencode.requests import permission, question
from tui.core import events as e
from tui.core.memory_size import weight
from tui.core.model import Busy, Request, SessionStatus
from tui.core.open_requests import MAX_REQUEST_BYTES, MAX_REQUESTS
from tui.net.errors import InvalidBody
from tui.net.response import Response

log = logging.getLogger(__name__)

STATUSES: Final = "/session/status"

T = TypeVar("T")


class _Named(msgspec.Struct):
    """An open request that is not read."""

    id: Id
    session_id: Id = msgspec.field(name="sessionID")


Get = Callable[[str], Awaitable[Response]]


async def running(get: Get, places: Sequence[str]) -> e.Resynced:
    """`get` fetches a path in these `places`. An unreadable list affects only itself. Raises `NetError`.

    A request of an idle session is stale, but only if the status is as new as the request: all lists are fetched
    concurrently, and the statuses again if they lack a session with a request.
    """
    questions, permissions, statuses = await asyncio.gather(
        _read(get, "/question", partial(_listed, question, "a question")),
        _read(get, "/permission", partial(_listed, permission, "a permission")),
        _read(get, STATUSES, wire.statuses),
    )
    lists = {"open questions": questions, "open permissions": permissions, "running sessions": statuses}
    problems = [f"{what} ({one.message})" for what, one in lists.items() if isinstance(one, InvalidBody)]
    readable = [one for one in (questions, permissions) if not isinstance(one, InvalidBody)]
    named = {one.session_id for rows in readable for one in rows}
    if not isinstance(statuses, InvalidBody) and not named <= statuses.keys():
        again = await _read(get, STATUSES, wire.statuses)
        statuses = statuses if isinstance(again, InvalidBody) else again
    working = named if isinstance(statuses, InvalidBody) else statuses.keys()
    first = [_first(rows, working) for rows in readable]
    requests = [one for rows, _ in first for one in rows]
    at_work: dict[str, SessionStatus] = (
        {one.session_id: Busy() for one in requests} if isinstance(statuses, InvalidBody) else statuses
    )
    covered = frozenset[str]() if problems else frozenset(places)
    return e.Resynced(
        at_work,
        tuple(requests),
        covered,
        sum(rows.unreadable for rows in readable),
        "; ".join(problems),
        not_read=frozenset[str]().union(*(beyond for _, beyond in first)),
    )


def _listed(translate: Callable[[Any], Request], what: str, value: Any) -> Rows[Request | _Named]:
    """The open requests of a list; only named from MAX_REQUEST_BYTES on, so that the list itself need not be kept."""
    total = 0

    def one(row: Any) -> Request | _Named:
        nonlocal total
        if total >= MAX_REQUEST_BYTES:
            return read(row, _Named)
        request = translate(row)
        total += weight(request)
        return request

    return decode_items(read(value, list[Any]), one, what)


def _first(rows: Rows[Request | _Named], working: Set[str]) -> tuple[list[Request], frozenset[str]]:
    """Up to MAX_REQUESTS requests, those of busy sessions first, and the ids of the others of busy sessions."""
    read_whole = [one for one in rows if not isinstance(one, _Named)]
    if len(rows) <= MAX_REQUESTS and len(read_whole) == len(rows):
        return read_whole, frozenset()
    waiting = [one for one in read_whole if one.session_id in working]
    others = [one for one in read_whole if one.session_id not in working] if len(waiting) < MAX_REQUESTS else []
    kept = {one.id for one in waiting[:MAX_REQUESTS]}
    beyond = frozenset(one.id for one in rows if one.session_id in working and one.id not in kept)
    return [*waiting, *others][:MAX_REQUESTS], beyond


async def _read(get: Get, path: str, translate: Callable[[Any], T]) -> T | InvalidBody:
    """The value at `path`, or why it cannot be read."""
    try:
        return await checked_aside(path, translate, (await get(path)).value)
    except InvalidBody as error:
        log.warning("%s", error.message)
        return error
