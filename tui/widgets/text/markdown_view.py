"""Widget for the agent's Markdown text, streaming or complete.

To keep the screen responsive, a long text that arrives at once is shown in steps, and long code is highlighted in a
thread.
"""

import time
from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import work
from textual.content import Content

from tui.core.model import Progress
from tui.core.sanitize import sanitize
from tui.widgets.base.static_text import ASIDE, WARNING
from tui.widgets.text.blocks import Code, Paragraph, TextBlock
from tui.widgets.text.incremental_markdown import IncrementalMarkdown, is_quick
from tui.widgets.text.lines_view import LinesView
from tui.widgets.text.markdown import HIGHLIGHTS

AT_ONCE = 20_000
"""Characters that a text may grow by in one frame..."""
DENSE_AT_ONCE = 1_000
"""...and the limit for text with many Markdown marks."""
MAX_SHOWN = 1_000_000
"""Maximum characters of a text that are shown, to limit memory."""

PARTIAL = Paragraph(Content.styled("… text may be missing until the server sends all of it", ASIDE), gap=1)
TORN = Paragraph(Content.styled("… the server does not have the rest of this text", ASIDE), gap=1)
BROKEN = Paragraph(
    Content.styled("↻ interrupted: model provider error; restarting", WARNING),
    gap=1,
)
BELOW: dict[Progress, Sequence[TextBlock]] = {"partial": (PARTIAL,), "broken": (BROKEN,)}
BELOW_ENDED: dict[Progress, Sequence[TextBlock]] = {"partial": (TORN,), "broken": (BROKEN,)}


def omitted_text(characters: int) -> Paragraph:
    """Return the paragraph shown below a text that is too long."""
    return Paragraph(Content.styled(f"… {characters} more characters: too long to be shown", ASIDE))


def at_once(text: str, begun: int) -> int:
    """Return how many characters after the first `begun` can be parsed in one step."""
    return AT_ONCE if is_quick(text[begun : begun + AT_ONCE]) else DENSE_AT_ONCE


class MarkdownView(LinesView):
    """Widget for one text part of the agent."""

    _next_piece_at: ClassVar[float] = 0.0
    """Earliest time of the next step of any long text: each step is followed by a pause of the same length."""

    def __init__(self, *, label: Content | None = None, margin: int = 0) -> None:
        super().__init__(label=label, margin=margin, classes="prose")
        self._growing = IncrementalMarkdown()
        self._to_colour: list[Code] = []
        self._wanted: tuple[str, Progress] | None = None
        """The final text and state, while it is shown in steps."""
        self._ended = False
        self._omitted: Sequence[TextBlock] = ()

    @property
    def shown(self) -> str:
        """The part of the text that is shown so far."""
        return self._growing.source

    def show_ended(self, ended: bool) -> None:
        """Set whether the turn is over: no more text than the server has will arrive."""
        changed, self._ended = ended != self._ended, ended
        if changed and self._growing.state == "partial":
            self._show(self._growing.source, "partial")

    def show_text(self, text: str, state: Progress) -> None:
        """Show `text`, which usually extends the previous text."""
        if "\r" in text:  # the parser treats it as a line end
            text = sanitize(text)
        more = len(text) - MAX_SHOWN
        if more > 0:
            text = text[:MAX_SHOWN]
            self._omitted = (omitted_text(more),)
        if text == self._growing.source and state == self._growing.state:
            return
        if self._needs_slices(text):
            begun = self._wanted is not None
            self._wanted = text, state
            if not begun:
                self._show_more()
        else:
            self._wanted = None
            self._show(text, state)

    def _needs_slices(self, text: str) -> bool:
        return len(text) - len(self._growing.source) > self._at_once(text)

    def _at_once(self, text: str) -> int:
        """Return how many new characters are shown in the next frame."""
        return at_once(text, len(self._growing.source))

    @property
    def is_complete(self) -> bool:
        return self._wanted is None and super().is_complete

    def _show_more(self) -> None:
        """Show the next step of a long text; the screen is drawn between steps."""
        if self._wanted is None:
            return
        began = time.perf_counter()
        if began < MarkdownView._next_piece_at:
            self.set_timer(MarkdownView._next_piece_at - began, self._show_more)
            return
        text, state = self._wanted
        if self._needs_slices(text):
            self._show(text[: len(self._growing.source) + self._at_once(text)], "streaming")
            self.call_after_refresh(self._show_more)
        else:
            self._wanted = None
            self._show(text, state)
        MarkdownView._next_piece_at = 2 * time.perf_counter() - began

    def _show(self, text: str, state: Progress) -> None:
        below = [*(BELOW_ENDED if self._ended else BELOW).get(state, ()), *self._omitted]
        for index, pieces in self._growing.show(text, state, below):
            self.replace_from(index, pieces)

    def replace_from(self, index: int, pieces: Sequence[TextBlock]) -> None:
        super().replace_from(index, pieces)
        at_work = bool(self._to_colour)
        for piece in pieces:
            if isinstance(piece, Code) and piece.language and piece not in self._to_colour:
                self._to_colour.append(piece)
        if self._to_colour and not at_work:
            self._colour()

    @work
    async def _colour(self) -> None:
        while self._to_colour:
            piece = self._to_colour[0]
            coloured = await HIGHLIGHTS.beside("\n".join(line.plain for line in piece.code), piece.language)
            self._to_colour.remove(piece)
            self.recolour(piece, replace(piece, code=coloured, language=""))
