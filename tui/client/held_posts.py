"""POST requests that are held open until their turns end."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tui.backends.base import Backend, PromptAccepted
from tui.client.post_failure import post_failure
from tui.core import events as e
from tui.core.record import ends_rejected
from tui.core.turn import Turn
from tui.core.turn_inputs import BodyReceived, HeadersReceived, Input, PaddingReceived, PostNotSent
from tui.net.errors import NetError

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]

ABORTED_UNSENT = "you aborted it before the server received it"


class HeldPosts:
    """At most one POST per turn. `feed` passes its events and result to the turn, `accept` the id the server chose.

    `clear` waits until the prompt may be posted and returns False if the user aborted it meanwhile.
    `deliver` stores the returned message.
    """

    def __init__(
        self,
        *,
        backend: Callable[[], Backend],
        spawn: Spawn,
        clock: Callable[[], float],
        clear: Callable[[Turn], Awaitable[bool]] | None,
        deliver: Callable[[e.Event], None],
        feed: Callable[[Turn, Input], None],
        accept: Callable[[Turn, str], None],
    ) -> None:
        self._backend = backend
        self._spawn = spawn
        self._clock = clock
        self._clear = clear
        self._deliver = deliver
        self._feed = feed
        self._accept = accept
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: set[str] = set()
        """The prompts whose POST waits until an abort is settled."""

    def open(self, turn: Turn) -> None:
        """Post the turn's prompt and hold the POST open."""
        self._tasks[turn.prompt_id] = self._spawn(self._hold(turn))

    def close(self, turn: Turn) -> None:
        """Cancel the turn's POST."""
        task = self._tasks.pop(turn.prompt_id, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def forget(self, turn: Turn) -> None:
        """Stop tracking the turn's POST, because the turn's id is about to change."""
        self._tasks.pop(turn.prompt_id, None)

    def is_waiting(self, turn: Turn) -> bool:
        """Whether the prompt's POST waits until an abort of other turns is settled."""
        return turn.prompt_id in self._waiting

    async def _hold(self, turn: Turn) -> None:
        assert turn.prompt is not None
        try:
            if self._clear is not None and not await self._when_clear(turn, self._clear):
                self._feed(turn, PostNotSent(ABORTED_UNSENT))
                return
            answer = await self._backend().post_prompt(turn.prompt, _Observer(self._feed, turn))
        except NetError as error:
            self._feed(turn, post_failure(error))
        else:
            if isinstance(answer, PromptAccepted):
                self._accept(turn, answer.server_id)
                return
            self._deliver(e.MessageUpserted(answer.message))
            for part in answer.parts:
                self._deliver(e.PartUpserted(part))
            self._feed(turn, BodyReceived(answer.message, rejected=ends_rejected(answer.parts)))
        finally:
            if self._tasks.get(turn.prompt_id) is asyncio.current_task():
                del self._tasks[turn.prompt_id]

    async def _when_clear(self, turn: Turn, clear: Callable[[Turn], Awaitable[bool]]) -> bool:
        """Wait until the session has no pending abort, which would end this turn too; returns whether to post."""
        self._waiting.add(turn.prompt_id)
        turn.posted(math.inf)
        try:
            return await clear(turn)
        finally:
            self._waiting.discard(turn.prompt_id)
            turn.posted(self._clock())


class _Observer:
    """Passes the events of a POST to its turn."""

    def __init__(self, feed: Callable[[Turn, Input], None], turn: Turn) -> None:
        self._feed = feed
        self._turn = turn

    def headers(self) -> None:
        self._feed(self._turn, HeadersReceived())

    def pads(self, total: int) -> None:
        self._feed(self._turn, PaddingReceived(total))
