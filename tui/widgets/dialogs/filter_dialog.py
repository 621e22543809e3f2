"""Base class of the dialogs that list items: type to filter, Enter to select."""

from typing import TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList

from tui.config.key_lookup import Keys
from tui.widgets.base.static_text import BOLD, StaticText
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.status.footer import DialogKeys

T = TypeVar("T")


class FilterDialog(Dialog[T]):
    """The title, the filter, the list, and the keys. Subclasses override `draw` to list what matches all `words`."""

    def __init__(self, title: str, keys: Keys) -> None:
        super().__init__()
        self._title = StaticText(Content.styled(title, BOLD), classes="title")
        self._filter_box = Input(placeholder="filter", compact=True)
        self._options = OptionList(markup=False, compact=True)
        self._more = StaticText()
        self._more.display = False
        self._keys = DialogKeys(keys)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield self._title
            yield self._filter_box
            yield self._options
            yield self._more
            yield self._keys

    def on_mount(self) -> None:
        self.draw()
        self._filter_box.focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    @property
    def words(self) -> list[str]:
        """The words of the filter, for comparisons without case."""
        return self._filter_box.value.casefold().split()

    def draw(self) -> None:
        """Show the list anew."""
        raise NotImplementedError

    def action_submit(self) -> None:
        """Select the marked item."""
        raise NotImplementedError

    def action_move(self, rows: int) -> None:
        (self._options.action_cursor_down if rows > 0 else self._options.action_cursor_up)()

    @on(Input.Changed)
    def _changed(self) -> None:
        self.filter_changed()

    def filter_changed(self) -> None:
        self.draw()

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_submit()
