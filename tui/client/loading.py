"""The progress and the failures of transcript fetches.

It fetches nothing itself: callers report here, and each change is emitted, throttled by `PROGRESS_INTERVAL`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec
from msgspec.structs import replace

from tui.client.ports import Emit
from tui.core.changes import LoadingChanged
from tui.net.errors import NetError

PROGRESS_INTERVAL = 0.25
"""Minimum seconds between two progress reports."""


class LoadingState(msgspec.Struct, frozen=True):
    """One session's state: the current fetch, its bytes received so far, and why the last fetches failed."""

    activity: Literal["", "newest", "older"] = ""
    received: int = 0
    failed: str = ""
    failed_older: str = ""


IDLE = LoadingState()


class LoadingTracker:
    """The loading states of all sessions."""

    def __init__(self, emit: Emit, clock: Callable[[], float] = time.monotonic) -> None:
        self._emit = emit
        self._clock = clock
        self._of: dict[str, LoadingState] = {}
        self._told = float("-inf")

    def of(self, session_id: str) -> LoadingState:
        return self._of.get(session_id, IDLE)

    def failed(self) -> list[str]:
        """The sessions whose last fetch of the newest messages failed."""
        return [session_id for session_id, one in self._of.items() if one.failed]

    @contextmanager
    def fetching(self, session_id: str, activity: Literal["newest", "older"]) -> Iterator[Callable[[int], None]]:
        """Track the fetch of a page; yields the callback for its byte count. A `NetError` is recorded and re-raised."""
        before = self.of(session_id)
        self._set(session_id, replace(before, activity=activity, received=0))
        older = activity == "older"
        failed = ""
        try:
            yield lambda count: self._on_bytes(session_id, count)
        except NetError as error:
            failed = error.message
            raise
        finally:
            self._set(
                session_id,
                LoadingState(
                    failed=before.failed if older else failed,
                    failed_older=failed if older else before.failed_older,
                ),
            )

    def forget(self, session_id: str) -> None:
        self._of.pop(session_id, None)

    def _on_bytes(self, session_id: str, count: int) -> None:
        self._of[session_id] = replace(self.of(session_id), received=count)
        if self._clock() - self._told >= PROGRESS_INTERVAL:
            self._told = self._clock()
            self._emit(LoadingChanged(session_id))

    def _set(self, session_id: str, loading: LoadingState) -> None:
        if loading == self.of(session_id):
            return
        self._of[session_id] = loading
        self._emit(LoadingChanged(session_id))
