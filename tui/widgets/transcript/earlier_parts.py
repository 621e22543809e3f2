"""One line in place of the earlier parts of a message that has very many parts."""

from collections.abc import Callable

from textual.content import Content

from tui.widgets.base.static_text import MUTED
from tui.widgets.text.blocks import TextBlock
from tui.widgets.transcript.foldable import Foldable, Headline


class EarlierParts(Foldable):
    """Calls `wanted` on Enter or on a click."""

    def __init__(self, wanted: Callable[[], object]) -> None:
        super().__init__()
        self._wanted = wanted
        self._count = 0

    def show_count(self, count: int) -> None:
        self._count = count
        self.show()

    def headline(self) -> Headline:
        parts = "1 earlier part" if self._count == 1 else f"{self._count:,} earlier parts"
        return Headline("", parts, Content.styled("Enter shows more", MUTED))

    def detail(self) -> list[TextBlock]:
        return []

    def action_unfold(self) -> None:
        self._wanted()
