"""How much memory a value of the model takes, so that what is kept can be bounded."""

import sys
from collections.abc import Mapping

import msgspec

MAX_VALUES = 10_000
"""Values in one that are looked at: to look at more takes too long."""
TOO_MANY = 1 << 40
"""The weight of what has more values: no limit has room for it beside anything else."""


def weight(value: object) -> int:
    """About the bytes that the value takes with all that is in it."""
    total, left, looked = 0, [value], 0
    while left:
        one = left.pop()
        total += sys.getsizeof(one)
        looked += 1
        if isinstance(one, Mapping):
            left += one.keys()
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one
        elif isinstance(one, msgspec.Struct):
            left += msgspec.structs.astuple(one)
        if looked + len(left) > MAX_VALUES:
            return TOO_MANY
    return total
