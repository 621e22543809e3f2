"""What came from a server, read by those who know its shape: as a whole, or as a list of which an item is damaged.

Every list of a server is read by `decode_items`, item by item: one damaged item costs itself alone. It is not hidden:
something stands in its place, or it is counted (`Rows.unreadable`) for whoever shows the list.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

import msgspec

from tui.core.model import NotePart, Todo
from tui.net.errors import SchemaMismatch

log = logging.getLogger(__name__)

T = TypeVar("T")
U = TypeVar("U")
P = ParamSpec("P")

UNREADABLE = (msgspec.ValidationError, ValueError, OverflowError)
"""What reading a value of another shape raises: numbers may be infinite, or no number at all."""


class Rows(tuple[T, ...]):
    """The items of a list that could be read; `unreadable` counts those that were left out."""

    unreadable: int = 0
    cursor: str | None = None
    """Asks for the next page; None: there is none."""

    def map(self, translate: "Callable[[T], U | None]") -> "Rows[U]":
        """Each of them as something else; those are left out of which `translate` makes None."""
        return _rows([made for item in self if (made := translate(item)) is not None], self.unreadable)

    def with_more(self, more: "Rows[T]") -> "Rows[T]":
        """These and then `more`, of which some may be unreadable too."""
        return _rows([*self, *more], self.unreadable + more.unreadable)


def decode(path: str, translate: Callable[P, T], *values: P.args, **more: P.kwargs) -> T:
    """Translate what came from `path`. Raises `SchemaMismatch`, which says what does not fit."""
    try:
        return translate(*values, **more)
    except UNREADABLE as error:
        raise SchemaMismatch(path, str(error)) from error


LONG = 1_000
"""Values in a document, as far as they are counted, from which on another thread translates it."""


async def checked_aside(path: str, translate: Callable[..., T], value: Any, *more: Any) -> T:
    """As `decode`; what is long is translated beside the event loop, which goes on meanwhile."""
    if _is_long(value):
        return await asyncio.to_thread(decode, path, translate, value, *more)
    return decode(path, translate, value, *more)


def _is_long(value: Any) -> bool:
    """By its rows, and by the lists in these, such as the parts of messages."""
    if not isinstance(value, list | dict) or len(value) > LONG:
        return isinstance(value, list | dict)
    rows = value if isinstance(value, list) else value.values()
    lists = (one for row in rows if isinstance(row, dict) for one in row.values() if isinstance(one, list | dict))
    return len(value) + sum(map(len, lists)) > LONG


def decode_items(
    items: list[Any],
    translate: Callable[[Any], T],
    what: str,
    stand_in: Callable[[int, Any, Exception], T] | None = None,
) -> Rows[T]:
    """The `items`, each translated by itself.

    `stand_in(index, item, error)` gives what is shown in the place of one that cannot be read; without it, such an
    item is left out and counted. The log says once why.
    """
    found: list[T] = []
    lost = 0
    for at, item in enumerate(items):
        try:
            found.append(translate(item))
        except UNREADABLE as error:
            _log_once(what, str(error))
            if stand_in is None:
                lost += 1
            else:
                found.append(stand_in(at, item, error))
    return _rows(found, lost)


def _rows(items: list[T], unreadable: int) -> Rows[T]:
    rows = Rows(items)
    rows.unreadable = unreadable
    return rows


def unreadable_part(part_id: str, session_id: str, message_id: str, what: str, why: Exception) -> NotePart:
    """The line that stands in a transcript where something cannot be read."""
    return NotePart(part_id, session_id, message_id, f"{what} cannot be shown: the server gives {why}")


def unreadable_todo(at: int, item: object, why: Exception) -> Todo:
    """The line that stands in a plan where an entry cannot be read: whether it is done is not known."""
    return Todo("an entry that cannot be shown", "unreadable")


@lru_cache(maxsize=256)
def _log_once(what: str, why: str) -> None:
    log.warning("%s cannot be read: %s", what, why)
