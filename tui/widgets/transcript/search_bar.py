"""Search bar of the transcript: the input and the match count. It does not scroll the transcript."""

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from tui.config.keymap import Scope
from tui.widgets.base.bindings import bindings
from tui.widgets.base.guarded import Guarded
from tui.widgets.base.static_text import MUTED, PRIMARY, StaticText
from tui.widgets.transcript.search_targets import SEARCHED_LINES


class SearchBar(Horizontal, Guarded):
    """Input line of the search. Enter and Up go to the previous match, Down to the next; Esc closes."""

    DEFAULT_CSS = """
    SearchBar { height: 1; padding: 0 1; }
    SearchBar Input { width: 1fr; background: $background; }
    SearchBar StaticText { width: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.SEARCH)

    @dataclass
    class Wanted(Message):
        """The search text changed; "" ends the search."""

        words: str

    @dataclass
    class Go(Message):
        """Move by `by` matches."""

        by: int

    class GoOn(Message):
        """Continue the search in older pages."""

    class Left(Message):
        """The search was closed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._input = Input(placeholder="search", compact=True)
        self._count = StaticText()

    def compose(self) -> ComposeResult:
        yield StaticText(Content.styled("/ ", PRIMARY))
        yield self._input
        yield self._count

    def on_mount(self) -> None:
        self._input.focus()

    def show_place(
        self, at: int, places: int, looked: int = 0, further: str = "", *, busy: bool = False, cut: bool = False
    ) -> None:
        """Show the current match and the number of matches.

        `at` counts from 1; both are 0 while the input is empty. `further`: *searching* while older pages are fetched,
        *stopped* if more exist; `looked`: messages searched. `busy`: not done; `cut`: long outputs are cut.
        """
        if not self._input.value.strip():
            words = ""
        elif not places:
            words = "searching…" if busy else "no matches yet" if further else "no matches"
        else:
            words = f"{at} of {places}{' · searching…' if busy else ''}"
        if words and cut and not busy:
            words += f" · the first {SEARCHED_LINES:,} lines of long outputs"
        leave = "Esc"
        match further if words and not busy else "":
            case "searching":
                words += f" · {looked} messages, searching…"
                leave = "Esc stops"
            case "stopped":
                words += f" · newest {looked} messages only"
                leave = "^O search older · Esc"
        self._count.show(Content.styled(f" {words} · Enter ↑ ↓ · {leave} ", MUTED))

    def action_go(self, by: int) -> None:
        self.post_message(self.Go(by))

    def action_go_on(self) -> None:
        self.post_message(self.GoOn())

    def action_leave(self) -> None:
        self.post_message(self.Left())

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Wanted(event.value))
