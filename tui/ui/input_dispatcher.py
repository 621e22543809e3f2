"""Handles terminal input in order of arrival, one event at a time: the only place that keeps its order.

A key can move the focus, open a dialog, or change what the next key means. So the next event is dispatched only after
everything that the one before caused has been handled; it need not be drawn. Text for a text field causes none of that,
nor does a key that only moves its cursor or that of a list: such events are dispatched without waiting, text for the
same field and repetitions of the same key.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeAlias

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.widgets import Input, OptionList, TextArea

from tui.ui.terminal_input import TextBurst

Key: TypeAlias = events.Key | events.Paste
Work: TypeAlias = Coroutine[Any, Any, None]
PASSES = 2
"""Passes over the message queues from the focused widget up to the app: of the key, and of a message it caused."""
EDITS = frozenset({"backspace", "delete", "left", "right", "home", "end"})
"""Keys that in a text field only edit or move the cursor."""
MOVES = frozenset({"up", "down", "pageup", "pagedown"})
"""Keys that only move the cursor of a list which has the focus, or is below a focused line."""
TEXT = "text"
"""The kind of all text for a text field, beside the names of `EDITS` and `MOVES`."""
STUCK_AFTER = 3
"""Calls of `tick` without progress after which a widget is taken to have stopped."""


class InputDispatcher:
    """The events that have not been dispatched yet. All methods run in the app's message loop."""

    def __init__(
        self,
        app: App[None],
        dispatch: Callable[[Key], Awaitable[None]],
        split: Callable[[TextBurst], Iterable[Key]],
    ) -> None:
        """`dispatch` sends an event to the focused widget; `split` makes keys or a paste of a burst."""
        self._app, self._dispatch, self._split = app, dispatch, split
        self._queue: deque[Key | TextBurst] = deque()
        self._returned: deque[Key | TextBurst] = deque()
        """Events that their first target did not handle: before `_queue`, for the widget that has the focus now."""
        self._path: list[DOMNode] = []
        """The widget that got the events that were not waited for, and the nodes above it."""
        self._kind = ""
        """Of those events; empty once they have been handled."""
        self._turn = self._ticks = 0
        """The number of the event that is being handled, and how many ticks it has lasted."""
        self._busy = True

    @property
    def busy(self) -> bool:
        """Whether an event is being handled. True until `start`."""
        return self._busy

    async def start(self) -> None:
        """Dispatch what was received before any widget had the focus."""
        await self._next()

    async def put(self, event: Key | TextBurst) -> None:
        """Dispatch an event after all earlier ones."""
        await self._add(self._queue, event)

    async def put_back(self, event: Key) -> None:
        """Dispatch an event again, before all later ones: the focus has moved to its target."""
        await self._add(self._returned, events.Paste(event.text) if isinstance(event, events.Paste) else event.copy())

    async def _add(self, queue: deque[Key | TextBurst], event: Key | TextBurst) -> None:
        queue.append(event)
        if not self._busy:
            await self._next()

    async def tick(self) -> None:
        """Called each second. Continue if a widget does not answer, as after an exception in its message loop."""
        self._ticks += 1
        if self._turn and self._busy and self._ticks > STUCK_AFTER:
            await self._next()

    def _focused(self) -> list[DOMNode]:
        """The focused widget and all above it, up to the app."""
        return (self._app.focused or self._app.screen).ancestors_with_self

    async def _next(self) -> None:
        self._busy, self._ticks = False, 0
        self._turn += 1
        while not self._busy and (queue := self._returned or self._queue):
            event, path = queue[0], self._focused()
            kind = kind_of(event, path[0])
            if self._kind and not (kind == self._kind and path[0] is self._path[0]):
                path, self._path, self._kind, self._busy = self._path, [], "", True
                self._settle(path, self._turn)
            elif isinstance(event, TextBurst):
                queue.popleft()
                queue.extendleft(reversed(list(self._split(event))))
            else:
                queue.popleft()
                self._kind, self._path, self._busy = kind, path if kind else [], not kind
                try:
                    await self._dispatch(event)
                finally:
                    if not kind:
                        self._settle(path, self._turn)

    def _settle(self, path: list[DOMNode], turn: int, passes: int = PASSES) -> None:
        rest = _after(path, lambda: self._settled(path[0], turn, passes - 1))
        if rest is not None:  # no node takes a message: the app exits
            rest.close()

    async def _settled(self, target: DOMNode, turn: int, passes: int) -> None:
        path = self._focused()
        if turn != self._turn:
            return
        if passes > 0 or path[0] is not target:
            self._settle(path, turn, max(1, passes))
        else:
            await self._next()


def kind_of(event: Key | TextBurst, target: DOMNode) -> str:
    """The kind of an event for `target`: one of the same kind need not wait for it. Empty if every event must."""
    in_field = isinstance(target, Input | TextArea)
    if not isinstance(event, events.Key) or event.is_printable:
        return TEXT if in_field else ""
    moves = event.key in MOVES and isinstance(target, Input | OptionList)
    return event.key if moves or (in_field and event.key in EDITS) else ""


def _after(nodes: list[DOMNode], then: Callable[[], Work]) -> Work | None:
    """Call `then` after each of `nodes` in turn has handled the messages in its queue. Removed nodes are skipped."""
    for at, node in enumerate(nodes):
        if node.call_later(_after, nodes[at + 1 :], then):
            return None
    return then()
