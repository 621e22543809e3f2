"""Decodes a server's JSON by its schema: as a whole, or as a list in which single items may be damaged.

Every list of a server is decoded by `decode_items`, item by item, so that a damaged item affects only itself. It is
not hidden: a placeholder replaces it, or it is counted (`Rows.unreadable`) for display.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, ParamSpec, TypeAlias, TypeVar

import msgspec

from tui.core.model import CatalogItem, NotePart, Todo
from tui.net.errors import SchemaMismatch

log = logging.getLogger(__name__)

RawJSON = Any
"""A parsed JSON value that is not validated yet."""

T = TypeVar("T")
U = TypeVar("U")
P = ParamSpec("P")

UNREADABLE = (msgspec.ValidationError, ValueError, OverflowError)
"""What decoding an unexpected value raises, including infinite numbers."""


class Rows(tuple[T, ...]):
    """The decoded items of a list; `unreadable` counts the omitted ones, `beyond` those over a limit."""

    unreadable: int = 0
    beyond: int = 0
    cursor: str | None = None
    """The cursor of the next page; None: there is none."""

    def map(self, translate: "Callable[[T], U | None]") -> "Rows[U]":
        """Map each item; None results are omitted."""
        return _rows([made for item in self if (made := translate(item)) is not None], self.unreadable, self.beyond)

    def with_more(self, more: "Rows[T]") -> "Rows[T]":
        """These items followed by `more`."""
        return _rows([*self, *more], self.unreadable + more.unreadable, self.beyond + more.beyond)


def read(value: RawJSON, shape: type[T]) -> T:
    """The value as `shape`, which ignores unknown fields. Raises `msgspec.ValidationError`."""
    return msgspec.convert(value, shape, strict=False)


def string(value: object, *names: str) -> str:
    """The first non-empty string under one of `names`; "" if there is none."""
    if isinstance(value, Mapping):
        for name in names:
            found = value.get(name)
            if isinstance(found, str) and found:
                return found
    return ""


def decode(path: str, translate: Callable[P, T], *values: P.args, **more: P.kwargs) -> T:
    """Translate the response of `path`. Raises `SchemaMismatch` with the reason."""
    try:
        return translate(*values, **more)
    except UNREADABLE as error:
        raise SchemaMismatch(path, str(error)) from error


MAX_TEXT_CHARACTERS = 1_000
"""Characters that are kept of a text that is shown in one line: thousands of them may be."""
MAX_PATH_CHARACTERS = 4_096
"""Characters of a directory: longer ones are of no file system."""
MAX_ID_CHARACTERS = 1_000


def shortened(text: str | None) -> str:
    """What is kept of a title or a name."""
    return (text or "")[:MAX_TEXT_CHARACTERS]


def path_or_nothing(directory: str | None) -> str:
    return directory if directory and len(directory) <= MAX_PATH_CHARACTERS else ""


MAX_CATALOG_ITEMS = 5_000
"""Entries that are read of a list of agents, models or commands."""

Id: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_ID_CHARACTERS)]
"""An id that is kept for as long as what it is the id of."""

LONG = 1_000
"""Number of values above which a document is translated in another thread."""


async def checked_aside(path: str, translate: Callable[..., T], value: Any, *more: Any) -> T:
    """As `decode`, in a thread for a long document, so that the event loop is not blocked."""
    if _is_long(value):
        return await asyncio.to_thread(decode, path, translate, value, *more)
    return decode(path, translate, value, *more)


def _is_long(value: Any) -> bool:
    """Counts rows, and the items of lists in them, such as the parts of messages."""
    if not isinstance(value, list | dict) or len(value) > LONG:
        return isinstance(value, list | dict)
    rows = value if isinstance(value, list) else value.values()
    lists = (one for row in rows if isinstance(row, dict) for one in row.values() if isinstance(one, list | dict))
    return len(value) + sum(map(len, lists)) > LONG


def decode_items(
    items: Iterable[Any],
    translate: Callable[[Any], T],
    what: str,
    placeholder: Callable[[int, Any, Exception], T] | None = None,
) -> Rows[T]:
    """The `items`, each translated separately.

    `placeholder(index, item, error)` returns the placeholder of an unreadable item; without it, such an item is omitted
    and counted. The reason is logged once.
    """
    found: list[T] = []
    lost = 0
    for at, item in enumerate(items):
        try:
            found.append(translate(item))
        except UNREADABLE as error:
            _log_once(what, str(error))
            if placeholder is None:
                lost += 1
            else:
                found.append(placeholder(at, item, error))
    return _rows(found, lost)


def _rows(items: Iterable[T], unreadable: int, beyond: int = 0) -> Rows[T]:
    rows = Rows(items)
    rows.unreadable, rows.beyond = unreadable, beyond
    return rows


def catalog(items: Sequence[T], entry: Callable[[T], CatalogItem | None], what: str) -> Rows[CatalogItem]:
    """The entries of a server's list of agents, models or commands; None: not an entry."""
    within = decode_items(items[:MAX_CATALOG_ITEMS], entry, what).map(lambda one: one)
    within.beyond = max(0, len(items) - MAX_CATALOG_ITEMS)
    return within


def catalog_item(name: str, about: str | None) -> CatalogItem:
    """Raises ValueError for a name that is too long to be sent back."""
    if len(name) > MAX_ID_CHARACTERS:
        raise ValueError(f"a name of {len(name):,} characters")
    return CatalogItem(name, shortened(about))


def unreadable_part(part_id: str, session_id: str, message_id: str, what: str, why: Exception) -> NotePart:
    """The placeholder in a transcript for something unreadable."""
    return NotePart(part_id, session_id, message_id, f"{what} cannot be shown: the server sent {why}")


UNREADABLE_TODO = Todo("an entry that cannot be shown", "unreadable")


class _Todo(msgspec.Struct):
    content: str
    status: str = "pending"
    priority: str = ""


TODOS_KEPT = 500


def todos(value: RawJSON) -> tuple[Todo, ...]:
    """The entries of a plan, with a placeholder for an unreadable one, and for all beyond TODOS_KEPT."""
    rows = read(value, list[Any])
    first = rows[:TODOS_KEPT]
    found = decode_items(first, _todo, "an entry of a plan", lambda at, item, why: UNREADABLE_TODO)
    more = len(rows) - len(first)
    return (*found, Todo(f"{more:,} more entries", "unreadable")) if more else found


def _todo(value: RawJSON) -> Todo:
    raw = read(value, _Todo)
    return Todo(shortened(raw.content), shortened(raw.status), shortened(raw.priority))


@lru_cache(maxsize=256)
def _log_once(what: str, why: str) -> None:
    log.warning("%s cannot be read: %s", what, why)
