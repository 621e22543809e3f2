"""Measures the memory that a program under test keeps."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def memory_traced() -> Iterator[Callable[[], int]]:
    """Calling the value returns the bytes allocated since the start that are still in use."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield lambda: tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
