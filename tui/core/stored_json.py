"""JSON that this program kept for itself, and that may have been damaged since."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def decode(body: bytes, shape: type[T]) -> T:
    """What was kept. Raises `msgspec.DecodeError` for whatever is not that."""
    try:
        return msgspec.json.decode(body, type=shape)
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deep") from error
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error
