"""A search through a whole conversation: what is here at once, what is older as its pages come.

It asks for pages, one after the other, until there are no more or the person stops it; it goes from place to
place, and opens what is folded where one is. It sends nothing and changes nothing.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tui.core.store import Store
from tui.widgets.text.lines_view import LinesView
from tui.widgets.transcript.foldable import Foldable
from tui.widgets.transcript.search_targets import Match, pattern_of, places_in, shown_texts
from tui.widgets.transcript.tool_call import ToolCall
from tui.widgets.transcript.view import TranscriptView

if TYPE_CHECKING:
    from tui.core.model import Part
    from tui.widgets.transcript.search_bar import SearchBar

Older = Callable[[str], Awaitable[bool | None]]
"""Fetches the page before the oldest message of a session; false where there is none, or none can be had."""


class TranscriptSearch:
    """One search, in the session that `page` shows, told of on `bar`."""

    def __init__(self, page: TranscriptView, store: Store, bar: "SearchBar", older: Older) -> None:
        self._page, self._store, self._bar, self._older = page, store, bar, older
        self._session = page.session_id or ""
        self._words = ""
        self._found: dict[str, list[Match]] = {}
        self._places: list[Match] = []
        self._here: Match | None = None
        self._ended = False
        self.fetching = False

    def look_for(self, words: str) -> None:
        """Other words: find them anew, from the last place on."""
        self._words, self._here = words, None
        self._found.clear()
        self._look()

    def go(self, by: int) -> None:
        """On by so many places, around both ends."""
        if self._here is not None and self._places:
            at = self._places.index(self._here) if self._here in self._places else 0
            self._here = self._places[(at + by) % len(self._places)]
        self._tell()

    async def fetch(self) -> None:
        """Fetch what is older, page by page, and look there too."""
        if self.fetching or self._ended:
            return
        self.fetching = True
        try:
            while self.fetching and self._words.strip() and self._has_older:
                self._tell()
                if not await self._older(self._session):
                    break
                had = self._here
                self._look()
                if had is None:
                    await self.show()
        finally:
            self.fetching = False
        self._tell()

    def stop(self) -> None:
        """Fetch no further page."""
        self.fetching = False
        self._tell()

    def end(self) -> None:
        """Take all marks away."""
        self._ended, self.fetching = True, False
        self._mark("")

    async def show(self) -> None:
        """Bring the place that is looked at into sight."""
        place = self._here
        self._mark(self._words)
        if place is None:
            return
        view = await self._page.reveal(place.message_id, place.part_id)
        if self._ended or place != self._here or view is None or not view.is_attached:
            return  # other words are looked for, or the transcript was drawn anew meanwhile
        lines, row = self._at(view, place)
        if isinstance(view, Foldable) and lines is not None:
            await self._page.laid_out()
        self._mark(self._words)
        for other in self._page.query(LinesView):
            other.mark_row(row if other is lines else None)
        view.set_class(lines is None, "-found")
        self._page.show_row(view if lines is None else lines, row)

    def _at(self, view: object, place: Match) -> tuple[LinesView | None, int]:
        """The text in which the place is, and its row; None is the line of a fold that stays."""
        part = self._store_part(place)
        pattern = pattern_of(self._words)
        if pattern is None or part is None:
            return None, 0
        nth = place.nth
        lines = view if isinstance(view, LinesView) else None
        if isinstance(view, Foldable):
            head = len(pattern.findall(next(shown_texts(part, "assistant"))))
            if nth < head:
                return None, 0
            nth -= head
            lines = view.unfold()
        rows = [] if lines is None else lines.mark(pattern)
        while lines is not None and nth >= len(rows) and isinstance(view, ToolCall) and view.show_more():
            rows = lines.mark(pattern)
        return lines, rows[min(nth, len(rows) - 1)] if rows else 0

    def _look(self) -> None:
        transcript = self._store.transcript(self._session)
        messages = [] if transcript is None else transcript.ordered()
        if transcript is not None:
            for message in messages:
                if message.id not in self._found or message.completed is None:
                    parts = transcript.parts_of(message.id)
                    self._found[message.id] = places_in(parts, message.role, self._words)
        self._places = [place for message in messages for place in self._found[message.id]]
        if self._here not in self._places:
            self._here = self._places[-1] if self._places else None
        self._tell()

    def _store_part(self, place: Match) -> "Part | None":
        transcript = self._store.transcript(self._session)
        return None if transcript is None else transcript.part(place.message_id, place.part_id)

    @property
    def _has_older(self) -> bool:
        transcript = self._store.transcript(self._session)
        return transcript is not None and transcript.cursor is not None

    def _mark(self, words: str) -> None:
        pattern = pattern_of(words)
        for lines in self._page.query(LinesView):
            lines.mark(pattern)
        for fold in self._page.query(Foldable):
            fold.remove_class("-found")

    def _tell(self) -> None:
        if self._ended:
            return
        at = self._places.index(self._here) + 1 if self._here in self._places else 0
        transcript = self._store.transcript(self._session)
        looked = 0 if transcript is None else len(transcript.messages)
        further = "" if not self._has_older else "searching" if self.fetching else "stopped"
        self._bar.show_place(at, len(self._places), looked, further)
