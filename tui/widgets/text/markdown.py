"""Converts the agent's Markdown to blocks. Parses only; opens no link and loads no image.

Not Textual's own `Markdown`: it mounts a widget for each paragraph and lays all of them out again at each delta. Here a
message is one widget, and only its last block is parsed again while it grows.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from textual.content import Content, Span
from textual.style import Style

from tui.core.sanitize import sanitize
from tui.widgets.base.static_text import BOLD, HEADING, INLINE_CODE, ITALIC, MUTED, STRIKE
from tui.widgets.text.blocks import Code, Paragraph, Rule, Table, TextBlock
from tui.widgets.text.highlighting import Highlights, plain_lines

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

HIGHLIGHTS = Highlights()

MARKS = {"strong": BOLD, "em": ITALIC, "s": STRIKE}
COLUMNS_READ = 200
"""Maximum columns of a table whose text is read: more than fit on a screen."""
CELLS_READ = 10_000
"""Maximum cells of a table; a larger one, possible only with empty cells, is shown as text."""
NOTHING = Content("")
LINK = Style(underline=True)
SAFE_ADDRESS = re.compile(r"https?://[\x21-\x7e]{1,2000}")
"""Addresses that may become a terminal hyperlink (OSC 8): web addresses without control characters or blanks."""


@dataclass(frozen=True, slots=True)
class Block:
    """A top-level block of the document; `start` is its offset in the source.

    `opening` is the text to prepend for parsing a later part of the block: the first line of an open code fence, or the
    header of a table.
    """

    start: int
    pieces: tuple[TextBlock, ...]
    opening: str = ""


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    return parser


def _table(state: "StateBlock", first: int, end: int, silent: bool) -> bool:
    """The parser's table rule, limited to CELLS_READ: it pads each row to the width of the header."""
    from markdown_it.rules_block.table import table

    if first + 2 > end:
        return False
    columns = state.src.count("|", state.bMarks[first + 1], state.eMarks[first + 1]) + 1
    last = min(end, first + CELLS_READ // columns + 1)
    if all(not state.isEmpty(line) for line in range(first, last)) and last < end:
        return False
    return table(state, first, end, silent)


def read(source: str, *, growing: bool = False) -> list[Block]:
    """Parse `source` into blocks. `growing`: an open fence is not highlighted."""
    tokens = _parser().parse(source)
    lines = source.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    blocks = []
    for group in _top_level(tokens):
        first = group[0].map[0] if group[0].map else 0
        reader = _Reader(lines, growing)
        pieces = tuple(reader.read(group))
        opening = ""
        if group[0].type == "fence" and reader.open_fence:
            opening = f"{lines[first]}\n"
        elif group[0].type == "table_open":
            opening = f"{lines[first]}\n{lines[first + 1]}\n"
        blocks.append(Block(min(starts[first], len(source)), pieces, opening))
    return blocks


def _top_level(tokens: "Sequence[Token]") -> "Iterator[Sequence[Token]]":
    begin = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            yield tokens[begin : index + 1]
            begin = index + 1


@dataclass(slots=True)
class _Level:
    """A list item or a quotation: the prefix of its first line, and of the others."""

    marker: str
    rest: str
    used: bool = False


@dataclass(slots=True)
class _Reader:
    lines: list[str]
    growing: bool
    levels: list[_Level] = field(default_factory=list)
    numbers: list[int | None] = field(default_factory=list)
    pieces: list[TextBlock] = field(default_factory=list)
    open_fence: bool = False

    def read(self, tokens: "Sequence[Token]") -> list[TextBlock]:
        heading = ""
        rows: list[list[Content]] = []
        hidden = False
        for token in tokens:
            match token.type:
                case "heading_open":
                    heading = HEADING
                case "heading_close":
                    heading = ""
                case "bullet_list_open":
                    self.numbers.append(None)
                case "ordered_list_open":
                    start = token.attrGet("start")
                    self.numbers.append(1 if start is None else int(start))
                case "bullet_list_close" | "ordered_list_close":
                    self.numbers.pop()
                case "list_item_open":
                    self._open_item()
                case "blockquote_open":
                    self.levels.append(_Level("▌ ", "▌ "))
                case "list_item_close" | "blockquote_close":
                    self.levels.pop()
                case "paragraph_open":
                    hidden = token.hidden
                case "tr_open":
                    rows.append([])
                case "inline" if rows:
                    rows[-1].append(inline(token) if len(rows[-1]) < COLUMNS_READ else NOTHING)
                case "inline":
                    self._paragraph(inline(token), heading, hidden)
                case "table_close":
                    self.pieces.append(Table(tuple(map(tuple, rows)), self._gap(hidden=False)))
                    rows = []
                case "fence" | "code_block":
                    self._code(token)
                case "hr":
                    self.pieces.append(Rule(self._gap(hidden=False)))
                case _:
                    pass  # tokens without content of their own
        return self.pieces

    def _open_item(self) -> None:
        number = self.numbers[-1]
        marker = "• " if number is None else f"{number}. "
        if number is not None:
            self.numbers[-1] = number + 1
        self.levels.append(_Level(marker, " " * len(marker)))

    def _prefixes(self) -> tuple[str, str]:
        first = "".join(level.rest if level.used else level.marker for level in self.levels)
        for level in self.levels:
            level.used = True
        return first, "".join(level.rest for level in self.levels)

    def _gap(self, *, hidden: bool) -> int:
        return 0 if self.pieces and hidden else 1

    def _paragraph(self, words: Content, heading: str, hidden: bool) -> None:
        gap = self._gap(hidden=hidden)
        first, rest = self._prefixes()
        self.pieces.append(Paragraph(words.stylize(heading) if heading else words, first, rest, gap))

    def _code(self, token: "Token") -> None:
        gap = self._gap(hidden=bool(self.levels))
        _, rest = self._prefixes()
        code = token.content.rstrip("\n").expandtabs(4)
        self.open_fence = self.growing and token.type == "fence" and not self._closed(token)
        language = token.info.split()[0] if token.info.strip() else ""
        if self.open_fence:
            self.pieces.append(Code(plain_lines(code), rest, gap))
            return
        coloured = HIGHLIGHTS.at_once(code, language) if language else None
        self.pieces.append(
            Code(
                coloured or plain_lines(code),
                rest,
                gap,
                source=token.content,
                language="" if coloured else language,
            )
        )

    def _closed(self, token: "Token") -> bool:
        if token.map is None or token.map[1] - token.map[0] < 2:
            return False
        last = self.lines[min(token.map[1], len(self.lines)) - 1].strip()
        return last.startswith(token.markup) and not last.strip(token.markup[0])


def link_style(address: str) -> Style:
    """Return the style of a link: underlined, and a hyperlink if the address is safe."""
    return LINK + Style(link=address) if SAFE_ADDRESS.fullmatch(address) else LINK


def inline(token: "Token") -> Content:
    """Return the text of one paragraph with its styles."""
    text: list[str] = []
    spans: list[Span] = []
    open_marks: list[tuple[str, int]] = []
    length = 0

    def add(words: str, style: str = "") -> None:
        nonlocal length
        words = sanitize(words).replace("\t", " ")  # character references may encode any character
        if words:
            text.append(words)
            if style:
                spans.append(Span(length, length + len(words), style))
            length += len(words)

    for child in token.children or ():
        name = child.type.removesuffix("_open").removesuffix("_close")
        match child.type:
            case "softbreak":
                add(" ")
            case "hardbreak":
                add("\n")
            case "code_inline":
                add(child.content, INLINE_CODE)
            case "image":
                add(f"[picture: {child.content or child.attrGet('src')}]", MUTED)
            case "link_open":
                open_marks.append((str(child.attrGet("href") or ""), length))
            case "link_close":
                address, start = open_marks.pop()
                spans.append(Span(start, length, link_style(address)))
                if address not in ("".join(text)[start:length], ""):
                    add(f" ({address})", MUTED)
            case "strong_open" | "em_open" | "s_open":
                open_marks.append((MARKS[name], length))
            case "strong_close" | "em_close" | "s_close":
                style, start = open_marks.pop()
                spans.append(Span(start, length, style))
            case _:
                add(child.content)
    return Content("".join(text), spans)
