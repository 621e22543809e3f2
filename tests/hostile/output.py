"""Checks terminal output byte by byte: printable text, and the escape sequences that the client itself uses.

Anything else can only have come from a server.
"""

import re
import unicodedata
from typing import Final

_FORMAT: Final = {"\u200d", "\ufe0f"}
"""Joiners and variation selectors of emoji, drawn by a terminal within their cell."""


def _suspects() -> str:
    """All control, format and surrogate characters, and line separators, as a character class."""
    points = (*range(0x3000), *range(0xD800, 0xE000), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0200))
    wanted = ("Cc", "Cf", "Cs", "Zl", "Zp")
    found = (chr(point) for point in points if unicodedata.category(chr(point)) in wanted)
    return "".join(f"\\U{ord(one):08x}" for one in found if one not in _FORMAT)


_SUSPECT: Final = re.compile(f"[{_suspects()}]")
_SEQUENCES: Final = re.compile(
    r"\x1b(?:"
    r"\[[\d;:]*m"  # colours
    r"|\[\d+;\d+H"  # cursor position
    r"|\[\?(?:7|25|1000|1003|1004|1006|1015|1016|1049|2004|2026|2048)[hl]"  # modes
    r"|\[\?(?:2026|2048)\$p|\[<u|\[>\d+u|\[2[23];\d+(?:;\d+)?t"  # queries, keyboard protocol, title stack
    rf"|\](?:0|2|9|22|777;notify);[^{_suspects()}]*(?:\x07|\x1b\\)"  # title, notifications, pointer
    r"|\]8;[!-:<-~]*;[!-~]*\x1b\\"  # links
    r")"
)
LEAVES: Final = "\x1b[?1049l"
"""Leaves the alternate screen: lines of text may follow."""
_LINE_END: Final = re.compile(r"\r?\n(?=\x1b\[\d+;\d+H)")
"""Textual ends a line of the screen with this sequence, which positions the next one."""


def strange(data: bytes) -> list[str]:
    """The first unexpected sequences in `data`, a complete output, with their offsets."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", "replace")
        found = [f"no UTF-8 at {error.start}: {data[max(0, error.start - 20) : error.start + 20]!r}"]
    else:
        found = []
    at, left = 0, text.rfind(LEAVES)
    for match in _SUSPECT.finditer(text):
        if match.start() < at:
            continue
        known = _SEQUENCES.match(text, match.start()) or _LINE_END.match(text, match.start())
        if known is not None:
            at = known.end()
        elif not (match[0] in "\r\n" and match.start() > left >= 0):
            at = match.end()
            found.append(f"{match[0]!r} at {match.start()}: {text[max(0, match.start() - 30) : match.start() + 30]!r}")
        if len(found) > 5:
            break
    return found


def strange_in_lines(data: bytes) -> list[str]:
    """The same for output to a pipe or a file: lines of text, and nothing else."""
    text = data.decode("utf-8", "replace")
    return [
        f"{match[0]!r} at {match.start()}: {text[max(0, match.start() - 30) : match.start() + 30]!r}"
        for match in _SUSPECT.finditer(text)
        if match[0] != "\n"
    ][:5]
