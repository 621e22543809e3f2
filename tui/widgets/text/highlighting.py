"""Code in the colours of its language: a short piece at once, a longer one in a thread, beside the screen.

Half a millisecond a line would hold up the screen. What was coloured is kept: a message is read once more when it
is done, and when its session is drawn anew.
"""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from textual.content import Content

SHORT = 60
"""Lines of a piece that is coloured at once..."""
SHORT_CHARACTERS = 4_000
"""...and its characters."""
AT_MOST = 1_000
"""Lines of a piece that is coloured at all: half a second of work, for which the end of the client may wait..."""
AT_MOST_CHARACTERS = 60_000
"""...and its characters."""
LONGEST_LINE = 1_000
"""Characters of its longest line: to fold one in its colours costs the square of them, 1.6 s at 20,000."""
KEPT = 4_000
"""Lines that are kept in their colours; each takes some 2 KB."""


def plain_lines(code: str) -> tuple[Content, ...]:
    return tuple(map(Content, code.split("\n")))


class Highlights:
    """The pieces of code that were coloured last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[Content, ...]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="colours code")

    def at_once(self, code: str, language: str) -> tuple[Content, ...] | None:
        """The lines of `code` in the colours of `language`, plain where it is too long to have any.

        None where that has to be done beside the screen.
        """
        lines = self._kept.get((code, language))
        if lines is not None:
            self._kept.move_to_end((code, language))
        elif _is_too_long(code):
            lines = plain_lines(code)
        elif code.count("\n") < SHORT and len(code) <= SHORT_CHARACTERS:
            lines = self._keep(code, language, _coloured(code, language))
        return lines

    async def beside(self, code: str, language: str) -> tuple[Content, ...]:
        """What could not be done at once."""
        work = asyncio.get_running_loop().run_in_executor(self._thread, _coloured, code, language)
        return self._keep(code, language, await work)

    def _keep(self, code: str, language: str, lines: tuple[Content, ...]) -> tuple[Content, ...]:
        self._kept[code, language] = lines
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT:
            self._kept.popitem(last=False)
        return lines


def _is_too_long(code: str) -> bool:
    lines = code.split("\n")
    return len(lines) > AT_MOST or len(code) > AT_MOST_CHARACTERS or max(map(len, lines)) > LONGEST_LINE


def _coloured(code: str, language: str) -> tuple[Content, ...]:
    from textual.highlight import highlight  # takes long to load: not before the first frame

    plain = plain_lines(code)
    lines = tuple(highlight(code, language=language).split("\n", allow_blank=True))
    return lines if [line.plain for line in lines] == [line.plain for line in plain] else plain
