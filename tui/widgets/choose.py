"""One of several things that the server offers: filter by typing, take with Enter."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.core.model import Offered
from tui.widgets.dialog import Dialog
from tui.widgets.key_hints import hints_of
from tui.widgets.plain import MUTED, Plain


class Choose(Dialog[str | None]):
    """Dismissed with the name of what was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "close", show=False),
        Binding("down,tab", "move(1)", "down", show=False, priority=True),
        Binding("up,shift+tab", "move(-1)", "up", show=False, priority=True),
    ]

    def __init__(self, title: str, offered: Sequence[Offered], current: str | None = None) -> None:
        super().__init__()
        self._title, self._offered, self._current = title, offered, current
        self._listed: list[Offered] = []
        self._filter_box = Input(placeholder="filter", compact=True)
        self._options = OptionList(markup=False, compact=True)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Plain(Content.styled(self._title, "bold"), classes="title")
            yield self._filter_box
            yield self._options
            yield Plain(
                hints_of((("Enter", "take it", "screen.take"), ("Esc", "leave it", "screen.dismiss"))),
                classes="keys",
            )

    def on_mount(self) -> None:
        self._options.can_focus = False
        self._draw()
        self._filter_box.focus()

    def _draw(self) -> None:
        wanted = self._filter_box.value.casefold().split()
        self._listed = [
            one for one in self._offered if all(word in f"{one.name} {one.about}".casefold() for word in wanted)
        ]
        self._options.clear_options()
        self._options.add_options([Option(_row(one)) for one in self._listed])
        at = next((row for row, one in enumerate(self._listed) if one.name == self._current), 0)
        self._options.highlighted = at if self._listed else None

    def action_move(self, rows: int) -> None:
        (self._options.action_cursor_down if rows > 0 else self._options.action_cursor_up)()

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def action_take(self) -> None:
        at = self._options.highlighted
        if at is not None and at < len(self._listed):
            self.dismiss(self._listed[at].name)

    @on(Input.Changed)
    def _filter(self) -> None:
        self._draw()


def _row(offered: Offered) -> Content:
    return Content.assemble(offered.name, (f"  {offered.about}".replace("\n", " "), MUTED))
