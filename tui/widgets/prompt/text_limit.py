"""How much text a field takes. Each key lays out its whole line anew, and a new text all of its lines."""

from tui.core.changes import Notice

CHARACTERS_AT_MOST = 200_000
LINES_AT_MOST = 5_000
LINE_AT_MOST = 100_000
"""Characters of one line."""
INPUT_AT_MOST = 10_000
"""Characters that are pasted into a field of one line."""


def fits(text: str) -> bool:
    """Whether a field can hold it without a delay of each key."""
    return (
        len(text) <= CHARACTERS_AT_MOST
        and text.count("\n") < LINES_AT_MOST
        and (len(text) <= LINE_AT_MOST or longest_line(text) <= LINE_AT_MOST)
    )


def longest_line(text: str) -> int:
    """Characters of it."""
    return max(map(len, text.split("\n")))


def not_inserted(characters: int, *, one_line: bool = False) -> Notice:
    """What is said of a text of so many characters that was refused."""
    came = "1 character was" if characters == 1 else f"{characters:,} characters were"
    if one_line:
        return Notice(f"{came} not inserted: this field takes at most {INPUT_AT_MOST:,} at once.", "warning")
    most = f"{CHARACTERS_AT_MOST:,} characters, {LINES_AT_MOST:,} lines and {LINE_AT_MOST:,} characters in one line"
    return Notice(f"{came} not inserted: a text has at most {most}. Name a file with the text instead.", "warning")
