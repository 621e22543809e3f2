"""A text that may still grow, as Markdown. Only what may still change is read again at each growth.

That is the last block; of a code fence that is still open, its last lines, which stay without colours until it
closes (colouring anew at each delta costs 490 ms at 1,600 lines); and of a paragraph without end, its last words
(reading takes up to 2 ms for each 1,000 characters).
"""

from dataclasses import replace

from textual.content import Content

from tui.core.model import Progress
from tui.widgets.lines import Lines
from tui.widgets.markdown import Block, read
from tui.widgets.pieces import Code, Paragraph, Piece
from tui.widgets.plain import MUTED

FENCE_STEP = 100
"""Lines of an open fence that are put aside at once."""
LONG_PARAGRAPH = 3_000
"""Characters of one paragraph, of which all but the last are put aside..."""
KEPT_OF_IT = 500
"""...and how many those are."""
READ_AGAIN_AT_MOST = 20_000
"""Characters. What is longer is not read as a whole once more when it is done: that would hold up the screen."""

PARTIAL = Paragraph(
    Content.styled("… words may be missing until the server sends the whole", f"italic {MUTED}"), gap=1
)

BROKEN = Paragraph(
    Content.styled("↻ broken off: the model's provider failed in the middle of this; it begins anew", "$warning"),
    gap=1,
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
        self._continues = False

    def show_text(self, text: str, state: Progress) -> None:
        """Show `text`, of which what was shown before is usually the beginning."""
        text = text.replace("\r\n", "\n")
        if text == self._source and state == self._state:
            return
        done = state == "done" != self._state and len(text) <= READ_AGAIN_AT_MOST
        if done or not text.startswith(self._source[: self._settled]):
            self._settled, self._settled_pieces, self._fence, self._continues = 0, 0, "", False
        self._source, self._state = text, state
        blocks = self._read_tail()
        if self._fence and not blocks[0].fence:  # it closed: read it whole, in its colours
            (self._settled, self._settled_pieces), self._fence = self._fence_at, ""
            blocks = self._read_tail()
        pieces: list[Piece] = [piece for block in blocks for piece in block.pieces]
        if self._fence and isinstance(pieces[0], Code):
            pieces[0] = Code(pieces[0].code, gap=0)
        if self._continues and pieces and isinstance(pieces[0], Paragraph):
            pieces[0] = replace(pieces[0], gap=0)
        if state == "partial":
            pieces.append(PARTIAL)
        elif state == "broken":
            pieces.append(BROKEN)
        self.replace_from(self._settled_pieces, pieces)
        if len(blocks) > 1:
            self._settled += blocks[-1].start - len(self._fence)
            self._settled_pieces += sum(len(block.pieces) for block in blocks[:-1])
            self._continues = False
        if blocks and state == "streaming":
            self._settle_fence(blocks[-1])
            self._settle_paragraph(blocks[-1])

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

    def _settle_paragraph(self, block: Block) -> None:
        tail = self._source[self._settled :]
        if self._fence or len(tail) < LONG_PARAGRAPH or not is_plain(block):
            return
        cut = calm_place(tail[: len(tail) - KEPT_OF_IT])
        gap = 0 if self._continues else 1
        words = [replace(piece, gap=gap) for piece in read(tail[:cut])[0].pieces if isinstance(piece, Paragraph)]
        rest = [piece for one in read(tail[cut:], growing=True) for piece in one.pieces]
        if rest and isinstance(rest[0], Paragraph):
            rest[0] = replace(rest[0], gap=0)
        self.replace_from(self._settled_pieces, [*words, *rest])
        self._settled += cut
        self._settled_pieces += len(words)
        self._continues = True


def is_plain(block: Block) -> bool:
    """Words alone: neither a list nor a quotation, which look ahead and behind."""
    first = block.pieces[0] if len(block.pieces) == 1 else None
    return isinstance(first, Paragraph) and not first.first and not first.rest


def calm_place(text: str) -> int:
    """Where `text` can be cut with no mark open there, as near to its end as one is found; else between words."""
    places = [at for at in range(len(text) - 1, max(0, len(text) - 2_000), -1) if text[at].isspace()]
    for at in places:
        before = text[:at]
        paired = all(before.count(first) == before.count(last) for first, last in ("[]", "()"))
        if paired and all(before.count(mark) % 2 == 0 for mark in "`*_~"):
            return at + 1
    return places[0] + 1 if places else len(text)
