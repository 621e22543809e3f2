"""Dialog that searches the prompt history of all sessions."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from tui.config.key_lookup import hints
from tui.config.keymap import Scope
from tui.core.sanitize import single_line
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import MUTED, spread
from tui.widgets.dialogs.filter_dialog import FilterDialog

MAX_LISTED = 200


class PromptHistory(FilterDialog[str | None]):
    """Dismissed with the selected prompt. `history`: newest first."""

    PART = "the earlier prompts"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.HISTORY)

    def __init__(self, history: Sequence[str]) -> None:
        super().__init__("Earlier prompts", hints(Scope.HISTORY, "submit", "dismiss"))
        self._history = history
        self._listed: list[str] = []
        self._options.can_focus = False

    def draw(self) -> None:
        """List the prompts that contain all words of the filter, newest first."""
        wanted = self.words
        found = [text for text in self._history if all(word in text.casefold() for word in wanted)]
        self._listed = found[:MAX_LISTED]
        options = self._options
        width = max(12, options.size.width - 2)
        options.clear_options()
        options.add_options([Option(_row(text, width)) for text in self._listed])
        options.highlighted = 0 if self._listed else None
        if wanted and not self._listed:
            options.add_option(Option(Content.styled("No matching prompts.", MUTED), disabled=True))

    def action_submit(self) -> None:
        at = self._options.highlighted
        if at is not None and at < len(self._listed):
            self.dismiss(self._listed[at])


def _row(text: str, width: int) -> Content:
    lines = text.strip().count("\n")
    more = Content.styled(f"+{lines} line{'s' if lines > 1 else ''} " if lines else "", MUTED)
    return spread(Content(single_line(text)), more, width)
