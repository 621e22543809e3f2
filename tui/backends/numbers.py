"""Numbers from a server: a finite value in a sensible range, or None where there is none.

The only place that reads numbers off the wire. A damaged server sends `Infinity`, `NaN`, `1e400`, integers of any
length, or a text, a boolean, an object where a number belongs. The structs of the families declare such a field as
`Number`, so that it costs itself and not its message. Numbers by which events are counted are `Counter`:
where one is damaged, nobody knows which event it is, and the event is left out.
"""

from typing import Annotated, Any, Final, TypeAlias

import msgspec

Number: TypeAlias = Any
"""A number as it came, before one of the functions below has read it."""

LARGEST: Final = 2**53 - 1
"""The largest integer that a JavaScript server counts to."""
LATEST: Final = 1e10
"""Epoch seconds, in the year 2286: what lies after that is no time."""
LONGEST_DELAY: Final = 2**31 - 1
"""Milliseconds, 24.8 days: what JavaScript's timers take."""
MOST_TOKENS: Final = 10**12
MOST_DOLLARS: Final = 10**6
MOST_ATTEMPTS: Final = 10**6

Counter: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]


def number(value: Number, most: float, least: float = 0) -> float | None:
    """The number if it lies between `least` and `most`, both included."""
    if type(value) is not int and type(value) is not float:  # a bool is no number here
        return None
    return value if least <= value <= most else None


def integer(value: Number, most: int = LARGEST, least: int = 0) -> int | None:
    """As `number`, without what follows the decimal point."""
    found = number(value, most, least)
    return None if found is None else int(found)


def moment(milliseconds: Number) -> float | None:
    """A time in epoch seconds, of one in epoch milliseconds."""
    found = number(milliseconds, LATEST * 1000)
    return found / 1000 if found else None


def delay(milliseconds: Number) -> float | None:
    """Seconds to wait."""
    found = number(milliseconds, LONGEST_DELAY)
    return None if found is None else found / 1000


def tokens(count: Number) -> int:
    """Tokens of a model; 0 where they are not known."""
    return integer(count, MOST_TOKENS) or 0


def dollars(amount: Number) -> float:
    """A cost; 0 where it is not known."""
    return number(amount, MOST_DOLLARS) or 0.0


def attempts(count: Number) -> int:
    """How often something was tried; 0 where it is not known."""
    return integer(count, MOST_ATTEMPTS) or 0


def exit_code(code: Number) -> int:
    """A process's exit code; 0 where it is not known."""
    return integer(code, 2**32, -(2**31)) or 0


def http_status(code: Number) -> int | None:
    return integer(code, 599, 100)
