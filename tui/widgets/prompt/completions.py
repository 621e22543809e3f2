"""Completion list above the prompt for the word at the cursor, filtered while the word grows.

It never has the focus: the prompt passes it keys and reads the selection. Completions were fetched for one word; they
are applied only if that word is still before the cursor.
"""

import time
from collections.abc import Callable, Sequence

from textual import events
from textual.content import Content
from textual.message import Message

from tui.core.model import CatalogItem
from tui.core.sanitize import single_line
from tui.widgets.base.static_text import BOLD, MUTED, PRIMARY, StaticText, spread

ROWS = 6
"""Maximum rows shown..."""
OF_SCREEN = 5
"""...and the maximum as a fraction of the screen's rows: one of so many."""
ABOUT = 200
"""Maximum characters of a description."""


class CompletionList(StaticText):
    """Takes no space while closed. `take` is called with the name that the user clicks."""

    class Switched(Message):
        """The list opened or closed, or the meaning of Enter changed."""

    def __init__(self, take: Callable[[str], None], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._take = take
        self._word = self._offered_for = ""
        self._offered: Sequence[CatalogItem] = ()
        self._fitting: Sequence[CatalogItem] = ()
        self._at = 0
        self._moved = False
        self._shown_at = 0.0
        self._meant = (False, False)

    def on_mount(self) -> None:
        self.display = False

    @property
    def is_open(self) -> bool:
        return bool(self._fitting)

    def shown_before(self, event: events.Key) -> bool:
        """Whether the user could see the list when the key was pressed."""
        return self.is_open and event.time >= self._shown_at

    def offer(self, word: str, offered: Sequence[CatalogItem]) -> None:
        """Show the completions of `word`, most likely first; an empty list closes it."""
        kept = self.marked(word) if self._moved else None
        self._word, self._offered_for, self._offered = word, word, offered
        names = [one.name for one in offered]
        self._moved = kept in names
        self._show(offered, names.index(kept) if kept in names else 0)

    def narrow(self, word: str) -> None:
        """Filter the list for a changed word, while its completions are being fetched."""
        fitting = [one for one in self._offered if _fits(one.name, word)]
        if word != self._word and word[:1] == self._word[:1] and fitting:
            self._word, self._moved = word, False
            self._show(fitting, 0 if len(fitting) != len(self._fitting) else self._at)

    def close(self) -> None:
        self._word, self._offered_for, self._offered, self._moved = "", "", (), False
        self._show((), 0)

    def move(self, rows: int) -> None:
        """Move the selection by `rows`, wrapping around at both ends."""
        self._moved = True
        self._show(self._fitting, (self._at + rows) % max(1, len(self._fitting)))

    def marked(self, word: str) -> str | None:
        """Return the selected name if the list is for `word`, else None."""
        return self._fitting[self._at].name if self._fitting and word == self._word else None

    def entered(self, word: str) -> str | None:
        """Return the name that Enter inserts; None if Enter submits, as the word may be complete."""
        name = self.marked(word)
        if name is None or self._moved:
            return name
        whole = any(word[1:] == one.name for one in self._offered)
        unfinished = word == self._offered_for and len(word) > 1 and _fits(name, word) and not whole
        return name if unfinished else None

    def on_click(self, event: events.Click) -> None:
        event.stop()
        row = self._first + event.y
        if row < len(self._fitting):
            self._take(self._fitting[row].name)

    def on_resize(self) -> None:
        self._draw()

    @property
    def _rows(self) -> int:
        return max(2, min(ROWS, self.app.size.height // OF_SCREEN))

    @property
    def _first(self) -> int:
        """Index of the first visible name."""
        return max(0, min(self._at - self._rows // 2, len(self._fitting) - self._rows))

    def _show(self, fitting: Sequence[CatalogItem], at: int) -> None:
        if fitting and not self._fitting:
            self._shown_at = time.monotonic()
        self._fitting, self._at = fitting, at
        self._draw()
        self.display = self.is_open
        means = (self.is_open, bool(self.entered(self._word)))
        if means != self._meant:
            self._meant = means
            self.post_message(self.Switched())

    def _draw(self) -> None:
        first, width = self._first, self.size.width or self.app.size.width
        sight = list(enumerate(self._fitting))[first : first + self._rows]
        self.show(Content("\n").join(self._row(row, one, width) for row, one in sight))

    def _row(self, row: int, offered: CatalogItem, width: int) -> Content:
        here = row == self._at
        left = Content.assemble(
            (" › " if here else "   ", PRIMARY),
            (f"{self._word[:1]}{single_line(offered.name, ABOUT)}", BOLD if here else ""),
            (f"  {single_line(offered.about, ABOUT)}" if offered.about else "", MUTED),
        )
        count = f"{row + 1} of {len(self._fitting)} " if here and len(self._fitting) > self._rows else ""
        return spread(left, Content.styled(count, MUTED), width)


def _fits(name: str, word: str) -> bool:
    """Whether the name matches the word: a command by prefix, a file by substring."""
    letters = word[1:].casefold()
    return name.casefold().startswith(letters) if word[:1] == "/" else letters in name.casefold()
