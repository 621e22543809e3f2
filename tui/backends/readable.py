"""What came from a server, read by those who know its shape: as a whole, or as a list of which an item is damaged.

The other items of such a list count all the same, and the damaged one is not hushed up. Without this, one item
that cannot be read would make its whole list unreadable, each time that it is fetched.
"""

import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import msgspec

from tui.core.model import NotePart
from tui.net.errors import Misshapen

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")


def checked(path: str, translate: Callable[P, T], *values: P.args, **more: P.kwargs) -> T:
    """Translate what came from `path`. Raises `Misshapen`, which says what does not fit."""
    try:
        return translate(*values, **more)
    except msgspec.ValidationError as error:
        raise Misshapen(path, str(error)) from error


def readable(items: list[Any], translate: Callable[[Any], T], what: str) -> tuple[T, ...]:
    """Those of `items` that can be read; of each other one the log says why not."""
    found: list[T] = []
    for item in items:
        try:
            found.append(translate(item))
        except msgspec.ValidationError as error:
            log.warning("%s cannot be read: %s", what, error)
    return tuple(found)


def unreadable_part(part_id: str, session_id: str, message_id: str, what: str, why: Exception) -> NotePart:
    """The line that stands in a transcript where something cannot be read."""
    log.warning("%s cannot be read: %s", what, why)
    return NotePart(part_id, session_id, message_id, f"{what} cannot be shown: the server gives {why}")
