"""POST requests that are held open until their turns end."""

import asyncio
import math
from typing import Protocol

from tui.backends.base import PromptAccepted
from tui.client.pending_aborts import PendingAborts
from tui.client.ports import Ports
from tui.client.post_failure import post_failure
from tui.core import events as e
from tui.core.recorded_end import ends_rejected
from tui.core.turn import Turn
from tui.core.turn_inputs import BodyReceived, HeadersReceived, Input, PaddingReceived, PostNotSent
from tui.net.errors import NetError

ABORTED_UNSENT = "you aborted it before the server received it"


class PostHandler(Protocol):
    """What the events of a POST are passed to."""

    def feed(self, turn: Turn, what: Input) -> None:
        """The POST's progress, or its end."""

    def accept(self, turn: Turn, server_id: str) -> None:
        """The server stored the prompt under `server_id`."""


class HeldPosts:
    """At most one POST per turn. A prompt is posted once no abort of earlier turns is pending."""

    def __init__(self, handler: PostHandler, aborts: PendingAborts, ports: Ports) -> None:
        self._handler = handler
        self._aborts = aborts
        self._ports = ports
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: set[str] = set()
        """The prompts whose POST waits until an abort is settled."""

    def open(self, turn: Turn) -> None:
        """Post the turn's prompt and hold the POST open."""
        self._tasks[turn.prompt_id] = self._ports.spawn(self._hold(turn))

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
            if not await self._when_clear(turn):
                self._handler.feed(turn, PostNotSent(ABORTED_UNSENT))
                return
            answer = await self._ports.server.backend().post_prompt(turn.prompt, _Observer(self._handler, turn))
        except NetError as error:
            self._handler.feed(turn, post_failure(error))
        else:
            if isinstance(answer, PromptAccepted):
                self._handler.accept(turn, answer.server_id)
                return
            self._ports.apply(e.MessageUpserted(answer.message))
            for part in answer.parts:
                self._ports.apply(e.PartUpserted(part))
            self._handler.feed(turn, BodyReceived(answer.message, rejected=ends_rejected(answer.parts)))
        finally:
            if self._tasks.get(turn.prompt_id) is asyncio.current_task():
                del self._tasks[turn.prompt_id]

    async def _when_clear(self, turn: Turn) -> bool:
        """Wait until the session has no pending abort, which would end this turn too; returns whether to post."""
        self._waiting.add(turn.prompt_id)
        turn.posted(math.inf)
        try:
            return await self._aborts.clear(turn)
        finally:
            self._waiting.discard(turn.prompt_id)
            turn.posted(self._ports.clocks.mono())


class _Observer:
    """Passes the events of a POST to its turn."""

    def __init__(self, handler: PostHandler, turn: Turn) -> None:
        self._handler = handler
        self._turn = turn

    def headers(self) -> None:
        self._handler.feed(self._turn, HeadersReceived())

    def padding(self, total: int) -> None:
        self._handler.feed(self._turn, PaddingReceived(total))
