"""Decodes JSON that this program wrote, which may be damaged since."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def decode(body: bytes, shape: type[T]) -> T:
    """The JSON as a value of `shape`. Raises `msgspec.DecodeError` if it is damaged or of another shape."""
    try:
        return msgspec.json.decode(body, type=shape)
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deep") from error
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error
