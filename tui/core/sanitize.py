"""Makes server text safe for a terminal, where bytes become text.

A terminal executes control sequences: `ESC]52` writes the clipboard, `ESC[2J` clears the screen, a C1 control does
either without an ESC, and a bidi control makes `rm` read as something else. All server text is sanitized here before
it is shown, logged or used as a title; no ESC passes.

Markup (`[bold]`) is plain text to a terminal; the widgets handle it.

Invisible characters (U+200B, U+FEFF, U+00AD, tags) are removed from displayed text: they make different texts look
equal, hide words in a title, and terminals disagree on their width. They stay in the values, so that copied or
compared text is what the server sent. Variation selectors are kept, and the two joiners where they join: U+200D in
an emoji, U+200C and U+200D after a letter of a script that uses them.
"""

import re
from typing import Final

ONE_LINE: Final = 200
"""Default limit, in characters, of a title, a label or an error."""

LOOKED_AT: Final = 8
"""Multiple of a line's limit that is read at most."""
EXCERPT_LINES: Final = 20
EXCERPT_CHARACTERS: Final = 2_000
"""Limits of a text that is shown outside the transcript."""

CHARACTERS_A_CELL: Final = 8
MAX_COMBINING: Final = 64
"""A rendered text may have this many characters, and `CHARACTERS_A_CELL` per cell; more are combining characters."""

_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_JOINED: Final = "\u0600-\u180d\u1810-\u1fff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
"""Characters after which a joiner is kept: scripts from Arabic on, pictographs, variation selector 16."""
# Unicode's default ignorable characters of category Cf, and the unassigned ones among the tags
_INVISIBLE: Final = re.compile(
    r"[\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
    r"|[\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
    rf"|(?<![{_JOINED}])[\u200c\u200d]"
)
_SOFT_HYPHEN: Final = "\xad"

_NOT_IN_CELLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

# ECMA-48, section 5. A string (OSC, DCS, SOS, PM, APC) is removed with its payload only if it is terminated, on the
# same line: an unterminated one must not hide the rest of a message.
_REPLACED: Final = re.compile(
    r"\r\n?"
    r"|(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])(?:[^\x00-\x1f\x7f-\x9f]*+(?:\x07|\x1b\\|\x9c))?"
    r"|\x1b[ -/]*+[0-~]?"
    r"|[\ud800-\udfff]+"
    r"|" + _UNSAFE.pattern
)

# Textual repeats streamed text that contains these; as line ends they would also fake new lines.
_SPACES: Final = frozenset("\x0b\x0c\x85\u2028\u2029")


def sanitize(text: str) -> str:
    """`text` without terminal control characters; `text` itself if there are none.

    Kept: newline, tab and visible characters. Removed: other C0 controls, DEL, C1, whole escape sequences, bidi
    controls. CRLF and CR become a newline; VT, FF, NEL, U+2028 and U+2029 a space; a surrogate pair its character, a
    lone surrogate U+FFFD.
    """
    if _UNSAFE.search(text) is None:
        return text
    return _REPLACED.sub(_harmless, text)


def sanitize_fragment(text: str) -> str:
    """`sanitize` for one delta of a stream: half a surrogate pair at either end is kept, to be joined later.

    JavaScript servers split deltas between UTF-16 units, so an emoji may arrive as two lone surrogates.
    """
    if _UNSAFE.search(text) is None:
        return text
    start = 1 if _is_low(text[0]) else 0
    end = len(text) - 1 if _is_high(text[-1]) else len(text)
    return text[:start] + sanitize(text[start:end]) + text[end:]


def visible(text: str) -> str:
    """`text` without invisible characters; `text` itself if there are none."""
    return text if text.isprintable() else _INVISIBLE.sub("", text)


def single_line(text: str, limit: int = ONE_LINE) -> str:
    """`text` sanitized, on one line, white space collapsed, cut to `limit` characters with an ellipsis."""
    text = text.strip()
    line = " ".join(visible(sanitize(text[: limit * LOOKED_AT])).split())
    if len(line) <= limit and len(text) <= limit * LOOKED_AT:
        return line
    return line[: limit - 1].rstrip() + "…"


def excerpt(text: str, *, lines: int = EXCERPT_LINES, characters: int = EXCERPT_CHARACTERS) -> str:
    """The beginning of `text`, sanitized, and in its last line how much more there is.

    For a text of several lines outside the transcript: an error, a question, a description.
    """
    shown = visible(sanitize(text[: characters + 1])).expandtabs(4).split("\n", lines)
    if len(shown) > lines:
        more = text.rstrip("\n").count("\n") + 1 - lines
        return "\n".join([*shown[:lines], f"… {more} more lines" if more > 1 else "… 1 more line"])
    if len(text) > characters:
        return "\n".join(shown)[:characters] + f"… {len(text) - characters} more characters"
    return "\n".join(shown)


def in_cells(text: str, cells: int) -> str:
    """A piece of one rendered line, safe for a terminal and still `cells` wide.

    The last check before the terminal, whatever produced the text. Control characters were laid out without a cell
    and are removed, as are invisible characters; a soft hyphen, which has a cell, becomes a hyphen, and a lone
    surrogate U+FFFD. Of a text with more combining characters than any script needs, only the beginning is kept.
    """
    if not text.isprintable():
        text = visible(_NOT_IN_CELLS.sub("", text).replace(_SOFT_HYPHEN, "-"))
        text = _SURROGATE.sub("\ufffd", text)
    most = MAX_COMBINING + cells * CHARACTERS_A_CELL
    return text if len(text) <= most else text[:most]


def _harmless(match: re.Match[str]) -> str:
    found = match[0]
    first = found[0]
    if first == "\r":
        return "\n"
    if first in _SPACES:
        return " "
    if "\ud800" <= first <= "\udfff":
        return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return ""


def _is_high(character: str) -> bool:
    return "\ud800" <= character <= "\udbff"


def _is_low(character: str) -> bool:
    return "\udc00" <= character <= "\udfff"
