"""Search bar of the transcript: the input and the match count. `TranscriptSearch` does the search."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from tui.config.keymap import Scope
from tui.core.store import Store
from tui.widgets.base.bindings import bindings
from tui.widgets.base.guarded import Guarded
from tui.widgets.base.static_text import MUTED, PRIMARY, StaticText
from tui.widgets.transcript.search_targets import SEARCHED_LINES
from tui.widgets.transcript.transcript_search import Older, TranscriptSearch
from tui.widgets.transcript.view import TranscriptView


class SearchBar(Horizontal, Guarded):
    """Input line of the search. Enter and Up go to the previous match, Down to the next; Esc closes."""

    DEFAULT_CSS = """
    SearchBar { height: 1; padding: 0 1; }
    SearchBar Input { width: 1fr; background: $background; }
    SearchBar StaticText { width: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.SEARCH)

    class Closed(Message):
        """The search was closed."""

    def __init__(self, page: TranscriptView, store: Store, older: Older, *, id: str | None = None) -> None:
        """Search the session that `page` shows, and the pages that `older` fetches."""
        super().__init__(id=id)
        self._search = TranscriptSearch(page, store, self.show_place, older)
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

    def end(self) -> None:
        """End the search and remove all highlights."""
        self._search.end()

    def action_go(self, by: int) -> None:
        self._search.go(by)
        self._show_match()

    def action_go_on(self) -> None:
        """Continue the search in older pages."""
        self.app.run_worker(self._search.fetch(), group="search pages")

    def action_leave(self) -> None:
        """Stop fetching pages; if none are fetched, close the search."""
        if self._search.fetching:
            self._search.stop()
        else:
            self.post_message(self.Closed())

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._search.look_for(event.value)
        self._show_match()
        self.action_go_on()

    @work(group="search", exclusive=True)
    async def _show_match(self) -> None:
        await self._search.show()
