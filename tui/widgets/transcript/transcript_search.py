"""Searches a conversation: loaded messages first, then older pages as they arrive.

It fetches pages one at a time until there are no more or the user stops it, moves between matches, and expands
collapsed parts that contain one. It modifies nothing on the server. Newest messages are searched first, in time slices,
so that keys are handled meanwhile; a changed search text restarts the search.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

from tui.core.store import Store
from tui.widgets.text.lines_view import LinesView
from tui.widgets.transcript.foldable import Foldable
from tui.widgets.transcript.search_targets import (
    SEARCHED_LINES,
    Match,
    head_of,
    is_searched_whole,
    may_hold,
    pattern_of,
    shown_texts,
)
from tui.widgets.transcript.view import TranscriptView

if TYPE_CHECKING:
    from tui.core.model import Part

Older = Callable[[str], Awaitable[bool | None]]
"""Fetches the page before the oldest message of a session; false if there is none or it cannot be fetched."""
SLICE = 0.01
"""Seconds of a search slice, and of the pause after it for other tasks."""
MAX_TEXTS = 8_000_000
"""Characters of displayed text that are cached for the next search text."""


class TranscriptSearch:
    """One search of the session that `page` shows; `progress` shows the current match and the number of matches."""

    def __init__(self, page: TranscriptView, store: Store, progress: Callable[..., None], older: Older) -> None:
        self._page, self._store, self._progress, self._older = page, store, progress, older
        self._session = page.session_id or ""
        self._words = ""
        self._pattern: re.Pattern[str] | None = None
        self._found: dict[str, list[tuple[str, int]]] = {}
        """By searched message: its parts with matches, and the count of each."""
        self._to_look: list[str] = []
        """Messages still to be searched, the newest last."""
        self._here: Match | None = None
        self._cut = False
        self._texts: dict[tuple[str, str], tuple[Part, tuple[str, str]]] = {}
        self._texts_size = 0
        self._slice_ends = 0.0
        self._ended = False
        self._looks = self._pages = False
        self.fetching = False

    def look_for(self, words: str) -> None:
        """Change the search text. `fetch` runs the search."""
        self._words, self._pattern, self._here, self._cut = words, pattern_of(words), None, False
        self._found.clear()
        self._to_look = self._message_ids() if self._pattern is not None else []
        self._tell()

    def go(self, by: int) -> None:
        """Move by `by` matches, wrapping around at both ends."""
        places = self._places()
        if self._here is not None and places:
            here = self._here
            at = next((row for row, place in enumerate(places) if place[:2] == (here.message_id, here.part_id)), 0)
            match_index = here.match_index + by
            while not 0 <= match_index < places[at][2]:
                if match_index < 0:
                    at = (at - 1) % len(places)
                    match_index += places[at][2]
                else:
                    match_index -= places[at][2]
                    at = (at + 1) % len(places)
            self._here = Match(places[at][0], places[at][1], match_index)
        self._tell()

    async def fetch(self) -> None:
        """Search the loaded messages, then fetch and search older ones page by page."""
        self.fetching = True
        await self._look()
        self._tell()
        if self._pages or self._ended:
            return
        self._pages = True
        try:
            while self.fetching and self._pattern is not None and self._has_older and not self._ended:
                self._tell()
                if not await self._older(self._session):
                    break
                self._to_look = [one for one in self._message_ids() if one not in self._found]
                await self._look()
        finally:
            self._pages = self.fetching = False
        self._tell()

    def stop(self) -> None:
        """Fetch no further pages."""
        self.fetching = False
        self._tell()

    def end(self) -> None:
        """End the search and remove all highlights."""
        self._ended, self.fetching = True, False
        self._mark(None)

    async def show(self) -> None:
        """Scroll to the current match."""
        place = self._here
        self._mark(self._pattern)
        if place is None:
            return
        view = await self._page.reveal(place.message_id, place.part_id)
        while isinstance(view, LinesView) and view.is_attached and view.size.width and not view.is_complete:
            if self._ended or place != self._here:
                return
            await asyncio.sleep(SLICE)  # a long text is laid out in steps
        if self._ended or place != self._here or view is None or not view.is_attached:
            return  # the search text changed, or the transcript was redrawn meanwhile
        lines, row = self._at(view, place)
        if isinstance(view, Foldable) and lines is not None:
            await self._page.laid_out()
        self._mark(self._pattern)
        for other in self._page.query(LinesView):
            other.mark_row(row if other is lines else None)
        view.set_class(lines is None, "-found")
        self._page.show_row(view if lines is None else lines, row)

    def _at(self, view: object, place: Match) -> tuple[LinesView | None, int]:
        """Return the text that contains the match and its row; None for the first line of a collapsible part."""
        pattern, part = self._pattern, self._store_part(place)
        if pattern is None or part is None:
            return None, 0
        match_index = place.match_index
        lines = view if isinstance(view, LinesView) else None
        if isinstance(view, Foldable):
            head = len(pattern.findall(head_of(part)))
            if match_index < head:
                return None, 0
            match_index -= head
            lines = view.unfold()
        if lines is None:
            return None, 0
        lines.mark(pattern)
        rows = lines.marked_rows()
        if match_index >= len(rows) and isinstance(view, Foldable):
            view.show_up_to(SEARCHED_LINES)
            rows = lines.marked_rows()
        return lines, rows[min(match_index, len(rows) - 1)] if rows else 0

    async def _look(self) -> None:
        """Search the loaded messages not yet searched, even if the search text changes meanwhile."""
        if self._looks:
            return
        self._looks = True
        try:
            while self._to_look and not self._ended:
                await self._look_for_words()
        finally:
            self._looks = False

    async def _look_for_words(self) -> None:
        """Search for the current words, newest messages first, until the search text changes."""
        words, pattern, self._slice_ends = self._words, self._pattern, time.perf_counter() + SLICE
        while self._to_look and pattern is not None:
            message_id = self._to_look.pop()
            transcript = self._store.transcript(self._session)
            message = None if transcript is None else transcript.messages.get(message_id)
            if transcript is None or message is None:
                continue
            found = []
            for part in transcript.parts_of(message_id):
                count = 0
                if may_hold(part, words):
                    reading = self._read(part, message.role)
                    while (texts := next(reading)) is None:
                        if not await self._goes_on(words):
                            return
                    count = sum(1 for text in texts for _ in pattern.finditer(text))
                    self._cut = self._cut or not is_searched_whole(part)
                if count:
                    found.append((part.id, count))
                if not await self._goes_on(words):
                    return
            self._found[message_id] = found
            if found and self._here is None:
                self._here = Match(message_id, found[-1][0], found[-1][1] - 1)
                await self.show()
                if words != self._words or self._ended:
                    return

    async def _goes_on(self, words: str) -> bool:
        """Pause at the end of a time slice; return False if the search text has changed."""
        if time.perf_counter() < self._slice_ends:
            return True
        self._tell()
        await asyncio.sleep(SLICE)
        self._slice_ends = time.perf_counter() + SLICE
        return words == self._words and not self._ended

    def _read(self, part: "Part", role: str) -> Iterator[tuple[str, str] | None]:
        """Yield the text of the part, preceded by a None for each intermediate step."""
        key = part.message_id, part.id
        kept = self._texts.get(key)
        if kept is None or kept[0] is not part:
            texts = yield from shown_texts(part, role)
            if self._texts_size > MAX_TEXTS:
                self._texts.clear()
                self._texts_size = 0
            self._texts_size += sum(map(len, texts))
            kept = self._texts[key] = part, texts
        yield kept[1]

    def _message_ids(self) -> list[str]:
        transcript = self._store.transcript(self._session)
        return [] if transcript is None else [message.id for message in transcript.ordered()]

    def _places(self) -> list[tuple[str, str, int]]:
        """Return message id, part id and match count of each part with matches, in order."""
        ids = self._message_ids()
        return [(one, part_id, count) for one in ids for part_id, count in self._found.get(one, ())]

    def _store_part(self, place: Match) -> "Part | None":
        transcript = self._store.transcript(self._session)
        return None if transcript is None else transcript.part(place.message_id, place.part_id)

    @property
    def _has_older(self) -> bool:
        transcript = self._store.transcript(self._session)
        return transcript is not None and transcript.cursor is not None

    def _mark(self, pattern: re.Pattern[str] | None) -> None:
        for lines in self._page.query(LinesView):
            lines.mark(pattern)
        for fold in self._page.query(Foldable):
            fold.remove_class("-found")

    def _tell(self) -> None:
        if self._ended:
            return
        at = total = 0
        here = self._here
        for message_id, part_id, count in self._places():
            if here is not None and (message_id, part_id) == (here.message_id, here.part_id):
                at = total + here.match_index + 1
            total += count
        transcript = self._store.transcript(self._session)
        looked = 0 if transcript is None else len(transcript.messages)
        further = "" if not self._has_older else "searching" if self.fetching else "stopped"
        self._progress(at, total, looked, further, busy=bool(self._to_look), cut=self._cut)
