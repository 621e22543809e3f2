"""Text limits of fields. Each key lays out its line again, and a new text lays out all lines."""

from tui.core.changes import Notice

MAX_CHARACTERS = 200_000
MAX_LINES = 5_000
MAX_LINE_CHARACTERS = 100_000
"""Maximum characters of one line."""
MAX_INPUT_CHARACTERS = 10_000
"""Maximum characters pasted into a single-line field."""


def fits(text: str) -> bool:
    """Whether the text is within the limits of a field."""
    return (
        len(text) <= MAX_CHARACTERS
        and text.count("\n") < MAX_LINES
        and (len(text) <= MAX_LINE_CHARACTERS or longest_line(text) <= MAX_LINE_CHARACTERS)
    )


def longest_line(text: str) -> int:
    """Return the length of the longest line in characters."""
    return max(map(len, text.split("\n")))


def not_inserted(characters: int, *, one_line: bool = False) -> Notice:
    """Return the notice for a refused text of so many characters."""
    came = "1 character was" if characters == 1 else f"{characters:,} characters were"
    if one_line:
        return Notice(f"{came} not inserted: this field takes at most {MAX_INPUT_CHARACTERS:,} at once.", "warning")
    most = f"{MAX_CHARACTERS:,} characters, {MAX_LINES:,} lines and {MAX_LINE_CHARACTERS:,} characters in one line"
    return Notice(f"{came} not inserted: a text has at most {most}. Name a file with the text instead.", "warning")
