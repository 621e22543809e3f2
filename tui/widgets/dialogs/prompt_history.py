"""Dialog that searches the prompt history of all sessions."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.config.keymap import hints
from tui.config.keys import Scope
from tui.core.sanitize import single_line
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import BOLD, MUTED, StaticText, spread
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.status.footer import hint_line

LISTED_AT_MOST = 200


class PromptHistory(Dialog[str | None]):
    """Dismissed with the selected prompt. `history`: newest first."""

    PART = "the earlier prompts"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.HISTORY)

    def __init__(self, history: Sequence[str]) -> None:
        super().__init__()
        self._history = history
        self._listed: list[str] = []
        self._filter_box = Input(placeholder="filter", compact=True)
        self._options = OptionList(markup=False, compact=True)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield StaticText(Content.styled("Earlier prompts", BOLD), classes="title")
            yield self._filter_box
            yield self._options
            yield StaticText(hint_line(hints(Scope.HISTORY, "take", "dismiss")), classes="keys")

    def on_mount(self) -> None:
        self._options.can_focus = False
        self.draw()
        self._filter_box.focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """List the prompts that contain all words of the filter, newest first."""
        wanted = self._filter_box.value.casefold().split()
        found = [text for text in self._history if all(word in text.casefold() for word in wanted)]
        self._listed = found[:LISTED_AT_MOST]
        options = self._options
        width = max(20, options.size.width - 2)
        options.clear_options()
        options.add_options([Option(_row(text, width)) for text in self._listed])
        options.highlighted = 0 if self._listed else None
        if wanted and not self._listed:
            options.add_option(Option(Content.styled("No earlier prompt has these words.", MUTED), disabled=True))

    def action_move(self, rows: int) -> None:
        options = self._options
        (options.action_cursor_down if rows > 0 else options.action_cursor_up)()

    def action_take(self) -> None:
        at = self._options.highlighted
        if at is not None and at < len(self._listed):
            self.dismiss(self._listed[at])

    @on(Input.Changed)
    def _filter(self) -> None:
        self.draw()

    @on(Input.Submitted)
    def _enter(self) -> None:
        self.action_take()

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_take()


def _row(text: str, width: int) -> Content:
    lines = text.strip().count("\n")
    more = Content.styled(f"+{lines} line{'s' if lines > 1 else ''} " if lines else "", MUTED)
    return spread(Content(single_line(text)), more, width)
