"""Text limits of fields. Each key lays out its line again, and a new text lays out all lines."""

from tui.core.changes import Notice

CHARACTERS_AT_MOST = 200_000
LINES_AT_MOST = 5_000
LINE_AT_MOST = 100_000
"""Maximum characters of one line."""
INPUT_AT_MOST = 10_000
"""Maximum characters pasted into a single-line field."""


def fits(text: str) -> bool:
    """Whether the text is within the limits of a field."""
    return (
        len(text) <= CHARACTERS_AT_MOST
        and text.count("\n") < LINES_AT_MOST
        and (len(text) <= LINE_AT_MOST or longest_line(text) <= LINE_AT_MOST)
    )


def longest_line(text: str) -> int:
    """Return the length of the longest line in characters."""
    return max(map(len, text.split("\n")))


def not_inserted(characters: int, *, one_line: bool = False) -> Notice:
    """Return the notice for a refused text of so many characters."""
    came = "1 character was" if characters == 1 else f"{characters:,} characters were"
    if one_line:
        return Notice(f"{came} not inserted: this field takes at most {INPUT_AT_MOST:,} at once.", "warning")
    most = f"{CHARACTERS_AT_MOST:,} characters, {LINES_AT_MOST:,} lines and {LINE_AT_MOST:,} characters in one line"
    return Notice(f"{came} not inserted: a text has at most {most}. Name a file with the text instead.", "warning")
