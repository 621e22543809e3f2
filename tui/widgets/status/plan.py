"""The agent's plan: one line with its progress and current step, or the whole plan.

A step in progress is shown as *now* only if the running turn wrote the plan. If no turn runs, it is where the agent
stopped; if an earlier turn may have written the plan, it is *in progress*, as the server says.
"""

from collections.abc import Sequence

from textual import events
from textual.content import Content

from tui.config.key_lookup import key
from tui.core.model import Todo
from tui.core.sanitize import single_line
from tui.widgets.base.static_text import MUTED, PLAIN, PRIMARY, StaticText, spread

MAX_SHOWN = 12
"""Lines of the expanded plan; the rest is counted."""

MARKS = {
    "completed": ("✓", MUTED),
    "in_progress": ("▸", PRIMARY),
    "cancelled": ("×", MUTED),
}
"""By the server's status; any other status counts as open."""
TO_DO = ("·", PLAIN)
ENDED = ("completed", "cancelled")


class Plan(StaticText):
    """Shown above the turn status while steps are open, or on request of the user."""

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
        """Show the plan of another session; the turn that wrote it is unknown."""
        self._turn = self._written_by = None
        self._todos = todos
        self._draw()

    def show_todos(self, todos: Sequence[Todo]) -> None:
        """Show this plan. A plan that differs was written by the running turn."""
        if todos != self._todos:
            self._todos, self._written_by = todos, self._turn
            self._draw()

    def show_turn(self, turn: object) -> None:
        """Set the running turn of the session (compared by identity); None if no turn runs."""
        if turn is not self._turn:
            self._turn = turn
            self._draw()

    def fold(self) -> None:
        """Toggle between the whole plan and one line."""
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
            for todo in self._todos[:MAX_SHOWN]
        ]
        if len(self._todos) > MAX_SHOWN:
            lines.append(Content.styled(f"  … {len(self._todos) - MAX_SHOWN} more", MUTED))
        return lines


def _colour(todo: Todo) -> str:
    return MUTED if todo.status in ENDED else PLAIN
