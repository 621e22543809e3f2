"""The agent's plan: one line that says how far it is and what it does now; all of it on a key.

What the plan calls in progress is done *now* only where the turn that runs wrote it. Where nothing runs, it is
where the agent stopped; a plan that an earlier turn may have left says *in progress*, which is the server's word.
"""

from collections.abc import Sequence

from textual import events
from textual.content import Content

from tui.config.keymap import key
from tui.core.model import Todo
from tui.core.sanitize import single_line
from tui.widgets.base.static_text import MUTED, StaticText, spread

SHOWN_AT_MOST = 12
"""Lines of the unfolded plan; the rest is counted."""

MARKS = {
    "completed": ("✓", MUTED),
    "in_progress": ("▸", "$primary"),
    "cancelled": ("×", MUTED),
}
"""By the server's word; anything else is still to be done."""
TO_DO = ("·", "$foreground")
ENDED = ("completed", "cancelled")


class Plan(StaticText):
    """Above the turn, while anything of the plan is left to do, or the person asks for it."""

    DEFAULT_CSS = """
    Plan { height: auto; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._todos: Sequence[Todo] = ()
        self._turn: object = None
        self._written_by: object = None
        self.unfolded = False

    def on_mount(self) -> None:
        self.display = False

    @property
    def is_empty(self) -> bool:
        return not self._todos

    def open(self, todos: Sequence[Todo]) -> None:
        """Show the plan of another session: which turn wrote it is not known."""
        self._turn = self._written_by = None
        self._todos = todos
        self._draw()

    def show_todos(self, todos: Sequence[Todo]) -> None:
        """Show this plan: one that differs was written by the turn that runs."""
        if todos != self._todos:
            self._todos, self._written_by = todos, self._turn
            self._draw()

    def show_turn(self, turn: object) -> None:
        """Which turn runs in the session (told apart by identity); None: none does."""
        if turn is not self._turn:
            self._turn = turn
            self._draw()

    def fold(self) -> None:
        """Show all of it, or one line again."""
        self.unfolded = not self.unfolded
        self._draw()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.fold()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        left = any(todo.status not in ENDED for todo in self._todos)
        self.display = bool(self._todos) and (left or self.unfolded)
        if self.display:
            lines = [self._summary(), *(self._lines() if self.unfolded else ())]
            self.show(Content("\n").join(lines))

    def _summary(self) -> Content:
        done = sum(todo.status in ENDED for todo in self._todos)
        under_way = next((todo.text for todo in self._todos if todo.status == "in_progress"), "")
        where = f" · {self._when()}: {single_line(under_way)}" if under_way else ""
        left = Content.assemble(f"plan {done} of {len(self._todos)}", (where, MUTED))
        more = f"{key('plan')} {'less' if self.unfolded else 'all'}"
        return spread(left, Content.styled(more, MUTED), max(20, (self.size.width or 80) - 2))

    def _when(self) -> str:
        if self._turn is None:
            return "stopped at"
        return "now" if self._turn is self._written_by else "in progress"

    def _lines(self) -> list[Content]:
        lines = [
            Content.assemble("  ", MARKS.get(todo.status, TO_DO), (f" {single_line(todo.text)}", _colour(todo)))
            for todo in self._todos[:SHOWN_AT_MOST]
        ]
        if len(self._todos) > SHOWN_AT_MOST:
            lines.append(Content.styled(f"  … {len(self._todos) - SHOWN_AT_MOST} more", MUTED))
        return lines


def _colour(todo: Todo) -> str:
    return MUTED if todo.status in ENDED else "$foreground"
