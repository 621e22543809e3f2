"""A text that may still grow, as Markdown. Only what may still change is read again at each growth.

That is the last block; and of a code fence that is still open, its last lines, which stay without colours until
it closes (colouring anew at each delta costs 490 ms at 1,600 lines).
"""

from typing import Literal

from textual.content import Content

from tui.widgets.lines import Lines
from tui.widgets.markdown import Block, read
from tui.widgets.pieces import Code, Paragraph, Piece
from tui.widgets.plain import MUTED

FENCE_STEP = 100
"""Lines of an open fence that are put aside at once."""

PARTIAL = Paragraph(
    Content.styled("… words may be missing until the server sends the whole", f"italic {MUTED}"), gap=1
)


class Prose(Lines):
    """The words of the agent."""

    def __init__(self, *, label: Content | None = None, margin: int = 0) -> None:
        super().__init__(label=label, margin=margin, classes="prose")
        self._source = ""
        self._state = ""
        self._settled = 0
        self._settled_pieces = 0
        self._fence = ""
        self._fence_at = (0, 0)

    def show_text(self, text: str, state: Literal["streaming", "partial", "done"]) -> None:
        """Show `text`, of which what was shown before is usually the beginning."""
        text = text.replace("\r\n", "\n")
        if text == self._source and state == self._state:
            return
        if not text.startswith(self._source) or (state != self._state and state == "done"):
            self._settled, self._settled_pieces, self._fence = 0, 0, ""
        self._source, self._state = text, state
        blocks = self._read_tail()
        if self._fence and not blocks[0].fence:  # it closed: read it whole, in its colours
            (self._settled, self._settled_pieces), self._fence = self._fence_at, ""
            blocks = self._read_tail()
        pieces: list[Piece] = [piece for block in blocks for piece in block.pieces]
        if self._fence and isinstance(pieces[0], Code):
            pieces[0] = Code(pieces[0].code, gap=0)
        if state == "partial":
            pieces.append(PARTIAL)
        self.replace_from(self._settled_pieces, pieces)
        if len(blocks) > 1:
            self._settled += blocks[-1].start - len(self._fence)
            self._settled_pieces += sum(len(block.pieces) for block in blocks[:-1])
        if blocks and state == "streaming":
            self._settle_fence(blocks[-1])

    def _read_tail(self) -> list[Block]:
        return read(self._fence + self._source[self._settled :], growing=self._state != "done")

    def _settle_fence(self, block: Block) -> None:
        code = block.pieces[0] if block.fence else None
        if not isinstance(code, Code) or len(code.code) <= FENCE_STEP:
            return
        if not self._fence:
            self._fence_at, self._fence = (self._settled, self._settled_pieces), block.fence
            self._settled += len(block.fence)
        steps = (len(code.code) - 1) // FENCE_STEP
        chunks = [code.code[step * FENCE_STEP : (step + 1) * FENCE_STEP] for step in range(steps)]
        chunks.append(code.code[steps * FENCE_STEP :])
        gap = 1 if self._settled_pieces == self._fence_at[1] else 0
        self.replace_from(
            self._settled_pieces, [Code(chunk, gap=0 if row else gap) for row, chunk in enumerate(chunks)]
        )
        self._settled_pieces += steps
        for line in self._source[self._settled :].split("\n")[: steps * FENCE_STEP]:
            self._settled += len(line) + 1
