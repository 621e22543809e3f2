"""Older pages of a session, before the start of `load`'s replay, read from its stored transcript.

`load` returns the newest 4 MB, preceded by a notice that there was more (`history_truncated`). The positions in that
notice cannot be used to continue (measured on 0.24.4: records in between would be lost), so the transcript is read
backward from its end, skipping what `load` returned. The server's pages begin anywhere; ours begin with a prompt, so
that no answer is split.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from tui.backends.decoding import UNREADABLE, RawJSON, decode, decode_items, read, string
from tui.backends.paging import PageBudget
from tui.backends.qwen import schema as wire
from tui.backends.qwen.running_turn import JUST_AFTER
from tui.backends.qwen.session_reducer import SessionReducer, picture
from tui.core import events as e
from tui.core.model import FullMessage, Message, NotePart
from tui.net.errors import HttpStatusError, InvalidBody, TooLarge, UnexpectedContentType, megabytes
from tui.net.http_client import Http
from tui.net.response import Progress, Response
from tui.net.url import path_segment

log = logging.getLogger(__name__)

FROM_THE_END = "end"
"""The first cursor, before any page."""
RECORD = "record:"
"""Prefix of a cursor before a record, used if the server's own cursor leads to one that is too large."""
RECORDS = 500
"""Records per response: the server's maximum."""
READ_AT_ONCE = 50
"""Limit of responses read for one page if none begins with a prompt."""
READ_LIMIT = 30.0
DAMAGED = "damaged"
"""Type of the placeholder of an unreadable event."""


class _Page(msgspec.Struct, rename="camel"):
    events: list[RawJSON]
    next_cursor: str | None = None
    has_more: bool = False


class _Turn(msgspec.Struct, rename="camel"):
    """A turn in the index of a transcript, named by the record of its prompt."""

    turn_id: str
    prompt_id: str = ""
    timestamp: str = ""


class _Index(msgspec.Struct, rename="camel"):
    snapshot: str
    start: int
    turns: list[RawJSON]


async def older(
    http: Http,
    session_id: str,
    before: str,
    first: str,
    terminals: Iterable[wire.Terminal],
    ask: Callable[[Callable[[int, Progress], Awaitable[Response]]], Awaitable[Response]],
) -> e.MessagesLoaded:
    """The page before the message `first`, from the cursor `before` on. Raises `NetError`.

    `ask` passes the number of records to request (see `Paging`). A cursor of ours is the oldest prompt returned before
    it, a space, and the server's cursor or the record to continue before.
    """
    path = f"/session/{path_segment(session_id)}/transcript"
    known, _, cursor = before.partition(" ") if before != FROM_THE_END else (first, "", FROM_THE_END)
    held: list[wire.Frame] = []
    budget = PageBudget()
    for _ in range(READ_AT_ONCE):

        async def fetch(count: int, progress: Progress, cursor: str = cursor) -> Response:
            asked = {**_place(cursor), "limit": str(count)}
            return await http.call("GET", path, params=asked, timeout=READ_LIMIT, progress=progress)

        try:
            reply = await ask(fetch)
        except TooLarge as error:
            newer = _before(first, _messages(session_id, held, terminals))
            turn = await _turn_before(http, session_id, _oldest_prompt(newer) or known)
            if turn is not None:
                rest = _before(first, _messages(session_id, [_begins(turn), *held], terminals))
                messages = (*rest[:1], _too_large(session_id, turn, error), *rest[1:])
                return _loaded(session_id, messages, known, f"{RECORD}{turn.turn_id}")
            if not newer:
                raise  # only the server makes cursors, and it names no record to continue before
            return _loaded(session_id, newer, known, cursor)
        page = decode(path, read, reply.value, _Page)
        held = [*decode_items(page.events, _frame, "an event of a stored transcript", _damaged), *held]
        cursor = (page.next_cursor or "") if page.has_more and page.events else ""
        if held and _is_prompt(held[0]) and (messages := _before(first, _messages(session_id, held, terminals))):
            return _loaded(session_id, messages, known, cursor)
        if not budget.allows(cursor, page.events):
            break
    return _loaded(session_id, _before(first, _messages(session_id, held, terminals)), known, cursor)


def _place(cursor: str) -> dict[str, str]:
    if cursor == FROM_THE_END:
        return {"direction": "backward"}
    if cursor.startswith(RECORD):
        return {"beforeRecordId": cursor.removeprefix(RECORD)}
    return {"cursor": cursor}


def _loaded(session_id: str, messages: tuple[FullMessage, ...], known: str, cursor: str) -> e.MessagesLoaded:
    oldest = _oldest_prompt(messages) or known
    return e.MessagesLoaded(session_id, messages, f"{oldest} {cursor}" if cursor else None, "older")


def _oldest_prompt(messages: Sequence[FullMessage]) -> str:
    return next((full.message.id for full in messages if full.message.role == "user"), "")


async def _turn_before(http: Http, session_id: str, known: str) -> _Turn | None:
    """The turn before the oldest known prompt, which contains the oversized record; None if unknown."""
    try:
        return await _indexed_before(http, session_id, known)
    except (InvalidBody, HttpStatusError, UnexpectedContentType) as error:
        log.warning("the index of the turns of %s: %s", session_id, error.message)
        return None


async def _indexed_before(http: Http, session_id: str, known: str) -> _Turn | None:
    path = f"/session/{path_segment(session_id)}/turn-index"
    params = {"limit": str(RECORDS)}
    newer: list[_Turn] = []
    for _ in range(READ_AT_ONCE):
        reply = await http.call("GET", path, params=params, timeout=READ_LIMIT)
        index = decode(path, read, reply.value, _Index)
        turns = [*decode_items(index.turns, lambda raw: read(raw, _Turn), "a turn of a transcript"), *newer[:1]]
        at = next((row for row, turn in enumerate(turns) if known in (turn.prompt_id, turn.turn_id)), None)
        if at is not None and at > 0:
            return turns[at - 1]
        if index.start <= 0:
            break
        newer = turns
        start = max(0, index.start - RECORDS)
        count = index.start - start
        params = {"limit": str(count), "start": str(start), "snapshot": index.snapshot}
    return None


def _begins(turn: _Turn) -> wire.Frame:
    """The prompt of a turn whose record is not available, without its text."""
    meta = {"promptId": turn.prompt_id, "qwen.session.recordId": turn.turn_id}
    update = {"sessionUpdate": "user_message_chunk", "content": {"type": "text", "text": ""}, "_meta": meta}
    stamp = wire.epoch(turn.timestamp) * 1000
    return wire.Frame("session_update", data={"update": update}, meta={"serverTimestamp": stamp})


def _too_large(session_id: str, turn: _Turn, error: TooLarge) -> FullMessage:
    size = megabytes(error.size) if error.size is not None else f"over {megabytes(error.limit)}"
    head_id = f"{turn.prompt_id or turn.turn_id}:too-large"
    created = wire.epoch(turn.timestamp) + JUST_AFTER / 2
    head = Message(head_id, session_id, "assistant", created, completed=created)
    words = f"This turn cannot be shown completely: a part of it is too large ({size})"
    return FullMessage(head, (NotePart(f"{head_id}:note", session_id, head_id, words),))


def _frame(raw: RawJSON) -> wire.Frame:
    """A stored event in the form of a stream's: stored updates have no envelope, but a time."""
    frame = read(raw, wire.Frame)
    update = frame.data if isinstance(frame.data, dict) else {}
    stamp = update.get("timestamp")
    return wire.Frame(frame.type, data={"update": update}, meta={"serverTimestamp": stamp})


def _is_prompt(frame: wire.Frame) -> bool:
    return string(frame.data["update"], "sessionUpdate") == "user_message_chunk"


def _messages(
    session_id: str, frames: Sequence[wire.Frame], terminals: Iterable[wire.Terminal]
) -> tuple[FullMessage, ...]:
    reducer = SessionReducer(session_id, terminals)
    events_replayed = [event for frame in frames for event in _events_of(reducer, frame)]
    return picture(session_id, [*events_replayed, *reducer.finish()])


def _damaged(at: int, raw: RawJSON, why: Exception) -> wire.Frame:
    return wire.Frame(DAMAGED, data={"update": {}, "why": str(why)})


def _events_of(reducer: SessionReducer, frame: wire.Frame) -> list[e.Event]:
    if frame.type == DAMAGED:
        return reducer.unreadable(ValueError(frame.data["why"]))
    try:
        return reducer.take(frame)
    except UNREADABLE as error:
        return reducer.unreadable(error)


def _before(first: str, messages: Sequence[FullMessage]) -> tuple[FullMessage, ...]:
    ids = [full.message.id for full in messages]
    return tuple(messages[: ids.index(first)] if first in ids else messages)
