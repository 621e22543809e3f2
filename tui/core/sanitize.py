"""What may reach a terminal: server text made harmless where bytes become text.

A terminal obeys what it is shown. `ESC]52` writes the clipboard, `ESC[2J` clears the screen, a C1 control does
either without an ESC, and a bidi control makes `rm` read as something else. Nothing a server sends is shown,
logged or put in a title unless it has gone through here, and nothing here ever lets an ESC through.

Markup (`[bold]`) is text to a terminal, and is the widgets' affair.

Characters that draw nothing (U+200B, U+FEFF, U+00AD, tags) are removed from what is displayed: they make two texts
that differ look the same, hide words in a title, and terminals disagree on their width. They stay in the values, so
that what is copied or compared is what the server sent. Kept are variation selectors, and the two joiners where
they join: U+200D in an emoji, U+200C and U+200D behind a letter of a script that is written with them.
"""

import re
from typing import Final

ONE_LINE: Final = 200
"""Characters that a title, a label or an error keeps unless told otherwise."""

LOOKED_AT: Final = 8
"""So many times the characters that a line keeps are looked at: the rest is neither cleaned nor counted."""
EXCERPT_LINES: Final = 20
EXCERPT_CHARACTERS: Final = 2_000
"""What is shown at once of a text outside the transcript's body."""

CHARACTERS_A_CELL: Final = 8
FLOODED: Final = 64
"""A drawn text of more characters a cell, beyond these few, is a flood of combining characters."""

_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_JOINED: Final = "\u0600-\u180d\u1810-\u1fff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
"""Characters behind which a joiner means something: scripts from Arabic on, pictures, and how they are drawn."""
# Unicode's default ignorable characters of category Cf, and the unassigned ones among the tags
_INVISIBLE: Final = re.compile(
    r"[\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
    r"|[\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
    rf"|(?<![{_JOINED}])[\u200c\u200d]"
)
_SOFT_HYPHEN: Final = "\xad"

_NOT_IN_CELLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

# ECMA-48, section 5. A string (OSC, DCS, SOS, PM, APC) goes with its payload only if it ends, and on its own line:
# an opening that never closes must not hide the rest of a message.
_REPLACED: Final = re.compile(
    r"\r\n?"
    r"|(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])(?:[^\x00-\x1f\x7f-\x9f]*+(?:\x07|\x1b\\|\x9c))?"
    r"|\x1b[ -/]*+[0-~]?"
    r"|[\ud800-\udfff]+"
    r"|" + _UNSAFE.pattern
)

# Textual repeats text while it streams when one of these is in it; as line ends they would also forge new lines.
_SPACES: Final = frozenset("\x0b\x0c\x85\u2028\u2029")


def sanitize(text: str) -> str:
    """`text` without anything that a terminal obeys; `text` itself where there is nothing to take away.

    Kept: newline, tab and all that is visible. Gone: the other C0 controls, DEL, C1, whole escape sequences,
    bidi controls. A CRLF or CR is a newline; VT, FF, NEL, U+2028 and U+2029 are spaces; two surrogates that
    belong together become their character, one alone becomes U+FFFD.
    """
    if _UNSAFE.search(text) is None:
        return text
    return _REPLACED.sub(_harmless, text)


def sanitize_fragment(text: str) -> str:
    """`sanitize` for one delta of a stream: half a character at either end stays, for whoever joins the deltas.

    JavaScript servers cut their deltas between UTF-16 units, so that an emoji may come as two lone surrogates.
    """
    if _UNSAFE.search(text) is None:
        return text
    start = 1 if _is_low(text[0]) else 0
    end = len(text) - 1 if _is_high(text[-1]) else len(text)
    return text[:start] + sanitize(text[start:end]) + text[end:]


def visible(text: str) -> str:
    """`text` without the characters that draw nothing; `text` itself where there are none."""
    return text if text.isprintable() else _INVISIBLE.sub("", text)


def single_line(text: str, limit: int = ONE_LINE) -> str:
    """`text` clean, visible and on one line, white space collapsed, cut to `limit` characters with an ellipsis."""
    text = text.strip()
    line = " ".join(visible(sanitize(text[: limit * LOOKED_AT])).split())
    if len(line) <= limit and len(text) <= limit * LOOKED_AT:
        return line
    return line[: limit - 1].rstrip() + "…"


def excerpt(text: str, *, lines: int = EXCERPT_LINES, characters: int = EXCERPT_CHARACTERS) -> str:
    """The beginning of `text`, clean, and in its last line how much more there is.

    For a text of several lines that stands outside the transcript's body: an error, a question, a description.
    """
    shown = sanitize(text[: characters + 1]).expandtabs(4).split("\n", lines)
    if len(shown) > lines:
        more = text.rstrip("\n").count("\n") + 1 - lines
        return "\n".join([*shown[:lines], f"… {more} more lines" if more > 1 else "… 1 more line"])
    if len(text) > characters:
        return "\n".join(shown)[:characters] + f"… {len(text) - characters} more characters"
    return "\n".join(shown)


def in_cells(text: str, cells: int) -> str:
    """A piece of one drawn line as it may be written to a terminal, still `cells` wide, as it was laid out.

    The last guard before the terminal, whatever made the text. What a terminal obeys, and all that is not a part
    of one line, was laid out with no cell of its own, and is removed, as are the characters that draw nothing; a
    soft hyphen, which has a cell, becomes a hyphen, and a lone surrogate U+FFFD. Of a text with more combining
    characters than any script needs only the beginning stays.
    """
    if not text.isprintable():
        text = visible(_NOT_IN_CELLS.sub("", text).replace(_SOFT_HYPHEN, "-"))
        text = _SURROGATE.sub("\ufffd", text)
    most = FLOODED + cells * CHARACTERS_A_CELL
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
