"""How much memory the program under test keeps."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def memory_traced() -> Iterator[Callable[[], int]]:
    """Calling the value gives the bytes that were allocated since the beginning and are still kept."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield lambda: tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
