"""The background tasks of the client: a failure is logged and reported, `close` ends them all."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from tui.client.ports import Emit
from tui.core.changes import Notice

log = logging.getLogger(__name__)


class Tasks:
    """The running tasks."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task; once `close` was called, one that is cancelled before its first step."""
        task = asyncio.create_task(work)
        if self._closed:
            task.cancel()
        self._running.add(task)
        task.add_done_callback(self._reap)
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait for their ends."""
        self._closed = True
        while running := list(self._running):  # a task that ends may start another
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _reap(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the client ended", exc_info=error)
            self._emit(Notice(f"A part of Holdfast stopped working ({type(error).__name__}). Restart it.", "error"))
