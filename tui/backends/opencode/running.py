"""What runs and what is asked in the directories of an opencode server that are asked about together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from tui.backends.decoding import Rows, checked
from tui.backends.opencode import schema as wire
from tui.backends.opencode.requests import all_requests
from tui.core import events as e
from tui.core.model import Busy, Request, SessionStatus
from tui.net.errors import BadBody
from tui.net.response import Reply

log = logging.getLogger(__name__)

STATUSES: Final = "/session/status"

T = TypeVar("T")
Get = Callable[[str], Awaitable[Reply]]


async def running(get: Get, places: Sequence[str]) -> e.Resynced:
    """`get` asks for a path in these `places`. A list that cannot be read costs itself alone. Raises `NetError`.

    A request whose session is idle is one that nobody waits for, if the status is as new as the request: all are
    asked for at once, and the statuses once more where they do not have a session that waits.
    """
    questions, permissions, statuses = await asyncio.gather(
        _read(get, "/question", lambda value: all_requests(value, [])),
        _read(get, "/permission", lambda value: all_requests([], value)),
        _read(get, STATUSES, wire.statuses),
    )
    problems = [one.what for one in (questions, permissions, statuses) if isinstance(one, BadBody)]
    requests: Rows[Request] = Rows()
    for listed in (questions, permissions):
        requests = requests if isinstance(listed, BadBody) else requests.with_more(listed)
    if not isinstance(statuses, BadBody) and any(one.session_id not in statuses for one in requests):
        again = await _read(get, STATUSES, wire.statuses)
        statuses = statuses if isinstance(again, BadBody) else again
    at_work: Mapping[str, SessionStatus] = (
        {one.session_id: Busy() for one in requests} if isinstance(statuses, BadBody) else statuses
    )
    covered = frozenset[str]() if problems else frozenset(places)
    return e.Resynced(dict(at_work), tuple(requests), covered, requests.unreadable, "; ".join(problems))


async def _read(get: Get, path: str, translate: Callable[[Any], T]) -> T | BadBody:
    """What stands at `path`, or why it cannot be read."""
    try:
        return checked(path, translate, (await get(path)).value)
    except BadBody as error:
        log.warning("%s", error.what)
        return error
