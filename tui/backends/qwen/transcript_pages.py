"""What stands in a session before the place at which `load` begins: older pages, read from its stored transcript.

`load` gives the newest 4 MB and says in front of them that there was more (`history_truncated`). The places which
it names there are none to go on from (measured on 0.24.4: what stands between is lost), so the transcript is read
backward from its end, and what `load` gave already is passed over. The server's pages begin anywhere; ours begin
with a prompt, so that no answer is torn.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from tui.backends.decoding import UNREADABLE, checked, readable
from tui.backends.qwen import schema as wire
from tui.backends.qwen.session_reducer import Fold, picture
from tui.core import events as e
from tui.core.model import FullMessage
from tui.net.errors import TooLarge
from tui.net.http_client import Http
from tui.net.response import Progress, Reply
from tui.net.url import segment

FROM_THE_END = "end"
"""The first cursor: no page was read yet."""
RECORDS = 500
"""Records that one answer holds: the most that the server gives."""
READ_AT_ONCE = 50
"""Answers that are read for one page, should none begin with a prompt: a damaged server's have no end."""
READ_LIMIT = 30.0
DAMAGED = "damaged"
"""What stands for an event that cannot be read."""


class _Page(msgspec.Struct, rename="camel"):
    events: list[wire.JSON]
    next_cursor: str | None = None
    has_more: bool = False


async def older(
    http: Http,
    session_id: str,
    before: str,
    first: str,
    terminals: Iterable[wire.Terminal],
    ask: Callable[[Callable[[int, Progress], Awaitable[Reply]]], Awaitable[Reply]],
) -> e.MessagesLoaded:
    """The page before the message `first`, from the cursor `before` on. Raises `NetError`.

    `ask` gives the number of records that an answer is to have (see `Paging`).
    """
    path = f"/session/{segment(session_id)}/transcript"
    place, cursor, held = before, None, list[wire.Frame]()
    for _ in range(READ_AT_ONCE):
        params = {"direction": "backward"} if place == FROM_THE_END else {"cursor": place}

        async def fetch(count: int, progress: Progress, params: Mapping[str, str] = params) -> Reply:
            asked = {**params, "limit": str(count)}
            return await http.call("GET", path, params=asked, timeout=READ_LIMIT, progress=progress)

        try:
            reply = await ask(fetch)
        except TooLarge:
            newer = _before(first, _messages(session_id, held, terminals))
            if not newer:
                raise  # the server alone makes cursors: nothing before a record that is too large can be reached
            return e.MessagesLoaded(session_id, newer, place, "older")
        page = checked(path, wire.read, reply.value, _Page)
        held = [*readable(page.events, _frame, "an event of a stored transcript", _damaged), *held]
        cursor = page.next_cursor if page.has_more and page.events else None
        if held and _is_prompt(held[0]) and (messages := _before(first, _messages(session_id, held, terminals))):
            return e.MessagesLoaded(session_id, messages, cursor, "older")
        if cursor is None:
            break
        place = cursor
    return e.MessagesLoaded(session_id, _before(first, _messages(session_id, held, terminals)), cursor, "older")


def _frame(raw: wire.JSON) -> wire.Frame:
    """An event as a stream would carry it: here the update stands bare, with its own time."""
    frame = wire.read(raw, wire.Frame)
    update = frame.data if isinstance(frame.data, dict) else {}
    stamp = update.get("timestamp")
    return wire.Frame(frame.type, data={"update": update}, meta={"serverTimestamp": stamp})


def _is_prompt(frame: wire.Frame) -> bool:
    return wire.string(frame.data["update"], "sessionUpdate") == "user_message_chunk"


def _messages(
    session_id: str, frames: Sequence[wire.Frame], terminals: Iterable[wire.Terminal]
) -> tuple[FullMessage, ...]:
    fold = Fold(session_id, terminals)
    told = [event for frame in frames for event in _told(fold, frame)]
    return picture(session_id, [*told, *fold.finish()])


def _damaged(at: int, raw: wire.JSON, why: Exception) -> wire.Frame:
    return wire.Frame(DAMAGED, data={"update": {}, "why": str(why)})


def _told(fold: Fold, frame: wire.Frame) -> list[e.Event]:
    if frame.type == DAMAGED:
        return fold.unreadable(ValueError(frame.data["why"]))
    try:
        return fold.take(frame)
    except UNREADABLE as error:
        return fold.unreadable(error)


def _before(first: str, messages: Sequence[FullMessage]) -> tuple[FullMessage, ...]:
    ids = [full.message.id for full in messages]
    return tuple(messages[: ids.index(first)] if first in ids else messages)
