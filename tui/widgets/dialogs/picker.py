"""Dialog that selects one item of a list: type to filter, Enter to select."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from tui.config.key_lookup import hints
from tui.config.keymap import Scope
from tui.core.model import CatalogItem
from tui.core.sanitize import single_line
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import MUTED
from tui.widgets.dialogs.filter_dialog import FilterDialog

MAX_LISTED = 200
"""Maximum names listed; the others are counted, and found by filtering."""


class Picker(FilterDialog[None]):
    """Calls `take` with the name of the selected item."""

    PART = "the list"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.PICKER)

    def __init__(
        self, title: str, offered: Sequence[CatalogItem], take: Callable[[str], None], current: str | None = None
    ) -> None:
        super().__init__(title, hints(Scope.PICKER, "submit", "dismiss"))
        self._offered, self._take, self._current = offered, take, current
        self._listed_for: str | None = None
        self._listed: list[CatalogItem] = []
        self._options.can_focus = False

    def draw(self) -> None:
        """List what fits the filter, if that has changed."""
        if self._listed_for == self._filter_box.value:
            return
        self._listed_for, wanted = self._filter_box.value, self.words
        fitting = [one for one in self._offered if all(word in f"{one.name} {one.about}".casefold() for word in wanted)]
        fitting.sort(key=lambda one: one.name != self._current or bool(wanted))  # list the current one
        self._listed = fitting[:MAX_LISTED]
        more = len(fitting) - len(self._listed)
        self._more.display = more > 0 or not fitting
        more_text = f"and {more:,} more · type to filter" if fitting else "None has these words."
        self._more.show(Content.styled(more_text, MUTED))
        self._options.clear_options()
        self._options.add_options([Option(_row(one)) for one in self._listed])
        at = next((row for row, one in enumerate(self._listed) if one.name == self._current), 0)
        self._options.highlighted = at if self._listed else None

    def action_submit(self) -> None:
        self.draw()
        at = self._options.highlighted
        if self.is_current and at is not None and at < len(self._listed):
            self.dismiss()
            self._take(self._listed[at].name)


def _row(offered: CatalogItem) -> Content:
    return Content.assemble(single_line(offered.name), (f"  {single_line(offered.about)}", MUTED))
