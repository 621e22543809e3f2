"""Syntax highlighting: a short piece of code immediately, a longer one in a thread.

Highlighting takes half a millisecond a line. Results are cached: a message is parsed again when it is complete, and
when its session is redrawn.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from time import perf_counter, thread_time
from typing import Any

from textual.content import Content, Span

from tui.widgets.base.static_text import CODE

log = logging.getLogger(__name__)

SHORT = 60
"""Maximum lines of code highlighted immediately..."""
SHORT_CHARACTERS = 4_000
"""...and maximum characters."""
MAX_LINES = 1_000
"""Maximum lines of code highlighted at all: half a second of work, which may delay the exit of the client..."""
MAX_CHARACTERS = 60_000
"""...and maximum characters."""
MAX_LINE_CHARACTERS = 1_000
"""Maximum line length: wrapping a highlighted line takes quadratic time, 1.6 s at 20,000 characters."""
BUDGET_AT_ONCE = 0.05
"""Seconds of processor time, after which the rest stays plain: most lexers take quadratic time on some input. For
code highlighted immediately..."""
BUDGET = 1.0
"""...and for code highlighted in the thread."""
FRAME_BUDGET = 0.08
"""Seconds of processor time for all code highlighted immediately in one frame; what exceeds it goes to the thread..."""
REFILL = 0.25
"""...and the seconds of it that become available again with each second without such work."""
LANGUAGES = frozenset({
    "bash", "c", "clojure", "cmake", "console", "cpp", "csharp", "css", "dart", "diff", "docker",
    "elixir", "go", "graphql", "groovy", "haskell", "html", "http", "ini", "java", "javascript",
    "json", "jsx", "kotlin", "less", "lua", "make", "markdown", "mysql", "nginx", "objective-c",
    "ocaml", "perl", "php", "postgresql", "powershell", "protobuf", "pycon", "python",
    "restructuredtext", "ruby", "rust", "sass", "scala", "scss", "splus", "sql", "sqlite3", "swift",
    "terraform", "toml", "tsx", "typescript", "xml", "yaml", "zig",
})  # fmt: skip
"""Allowed lexers, by their first alias: no single token of theirs takes long, whatever the input. Others have
regular expressions that take seconds for one token."""
MAX_CACHED_LINES = 4_000
"""Maximum lines in the cache; each takes about 2 KB."""


def plain_lines(code: str) -> tuple[Content, ...]:
    return tuple(map(Content, code.split("\n")))


class Highlights:
    """Cache of highlighted code, and the thread that highlights."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[Content, ...]] = OrderedDict()
        self._left, self._at = FRAME_BUDGET, perf_counter()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="colours code")

    def at_once(self, code: str, language: str) -> tuple[Content, ...] | None:
        """Return the lines of `code` highlighted for `language`, or plain if it is too long to be highlighted.

        None if the code must be highlighted with `beside`: it is long, or too much was highlighted just before.
        """
        lines = self._kept.get((code, language))
        if lines is not None:
            self._kept.move_to_end((code, language))
        elif _is_too_long(code):
            lines = plain_lines(code)
        elif code.count("\n") < SHORT and len(code) <= SHORT_CHARACTERS and self._has_time():
            began = thread_time()
            lines = self._keep(code, language, _coloured(code, language, BUDGET_AT_ONCE))
            self._left -= thread_time() - began
            self._at = perf_counter()
        return lines

    def _has_time(self) -> bool:
        """Whether more code can be highlighted immediately without a noticeable delay."""
        self._left = min(FRAME_BUDGET, self._left + REFILL * (perf_counter() - self._at))
        self._at = perf_counter()
        return self._left > 0

    async def beside(self, code: str, language: str) -> tuple[Content, ...]:
        """Highlight in the thread; return the lines."""
        work = asyncio.get_running_loop().run_in_executor(self._thread, _coloured, code, language, BUDGET)
        return self._keep(code, language, await work)

    def _keep(self, code: str, language: str, lines: tuple[Content, ...]) -> tuple[Content, ...]:
        self._kept[code, language] = lines
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > MAX_CACHED_LINES:
            self._kept.popitem(last=False)
        return lines


def _is_too_long(code: str) -> bool:
    lines = code.split("\n")
    return len(lines) > MAX_LINES or len(code) > MAX_CHARACTERS or max(map(len, lines)) > MAX_LINE_CHARACTERS


def _coloured(code: str, language: str, budget: float) -> tuple[Content, ...]:
    from textual.highlight import HighlightTheme  # imported after the first frame: slow to load

    plain = plain_lines(code)
    styles = HighlightTheme.STYLES
    spans: list[Span] = []
    at = 0
    for kind, token in _tokens("\n".join(code.splitlines()), language, budget):
        while kind not in styles and kind.parent is not None:
            kind = kind.parent
        if style := styles.get(kind):
            spans.append(Span(at, at + len(token), style))
        at += len(token)
    text = Content("\n".join(code.splitlines()), spans=spans).stylize_before(CODE)
    lines = tuple(text.split("\n", allow_blank=True))
    return lines if [line.plain for line in lines] == [line.plain for line in plain] else plain


def _tokens(code: str, language: str, budget: float) -> Iterator[tuple[Any, str]]:
    """Yield token types and texts until `budget` seconds of thread time are used; nothing for an unknown language."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=True, tabsize=8)
    except ClassNotFound:
        return
    if lexer.aliases[0] not in LANGUAGES:
        return
    tokens = iter(lexer.get_tokens(code))
    yield from islice(tokens, 1)  # the first token compiles the regular expressions
    until = thread_time() + budget
    for token in tokens:
        yield token
        if thread_time() > until:
            log.info("code in %s: the rest stays plain", language)
            return
