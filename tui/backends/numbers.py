"""Reads numbers of a server: a finite value in a sensible range, or None.

The only place that reads numbers from JSON. A damaged server sends `Infinity`, `NaN`, `1e400`, integers of any
length, or a string, a boolean, an object in place of a number. The schemas of the families declare such a field as
`Number`, so that it does not invalidate its message. Numbers by which events are counted are `Counter`: if one is
damaged, the event is unknown, and is skipped.
"""

from typing import Annotated, Any, Final, TypeAlias

import msgspec

Number: TypeAlias = Any
"""A number that is not validated yet by one of the functions below."""

LARGEST: Final = 2**53 - 1
"""The largest safe integer in JavaScript."""
LATEST: Final = 1e10
"""Epoch seconds, in the year 2286: later times are invalid."""
MAX_DELAY: Final = 2**31 - 1
"""Milliseconds, 24.8 days: the limit of JavaScript's timers."""
MAX_TOKENS: Final = 10**12
MAX_DOLLARS: Final = 10**6
MAX_ATTEMPTS: Final = 10**6

Counter: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]


def number(value: Number, most: float, least: float = 0) -> float | None:
    """The number if it is between `least` and `most`, inclusive."""
    if type(value) is not int and type(value) is not float:  # excludes bool
        return None
    return value if least <= value <= most else None


def integer(value: Number, most: int = LARGEST, least: int = 0) -> int | None:
    """As `number`, truncated to an integer."""
    found = number(value, most, least)
    return None if found is None else int(found)


def moment(milliseconds: Number) -> float | None:
    """Epoch seconds, of epoch milliseconds."""
    found = number(milliseconds, LATEST * 1000)
    return found / 1000 if found else None


def delay(milliseconds: Number) -> float | None:
    """Seconds, of milliseconds to wait."""
    found = number(milliseconds, MAX_DELAY)
    return None if found is None else found / 1000


def tokens(count: Number) -> int:
    """Tokens of a model; 0 if unknown."""
    return integer(count, MAX_TOKENS) or 0


def dollars(amount: Number) -> float:
    """A cost; 0 if unknown."""
    return number(amount, MAX_DOLLARS) or 0.0


def attempts(count: Number) -> int:
    """A number of attempts; 0 if unknown."""
    return integer(count, MAX_ATTEMPTS) or 0


def exit_code(code: Number) -> int:
    """A process's exit code; 0 if unknown."""
    return integer(code, 2**32, -(2**31)) or 0


def http_status(code: Number) -> int | None:
    return integer(code, 599, 100)
