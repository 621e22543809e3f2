"""Parses the command (`/`) and the files (`@`) that a prompt mentions."""

import re
from collections.abc import Iterator

NAMED = re.compile(r'(?<!\S)@(?:"([^"\n]+)"|(\S+))')
"""`@src/store.py`, or `@"my notes.txt"`; an email address is not a mention."""
AFTER_A_NAME = ".,;:!?)]}'\""
"""Punctuation after a name."""
MAX_FILES = 20
COMMAND = re.compile(r"/([^\s/]+)(?!\S)")
"""`/init`, at the start of the text; a path is not a command."""


def command_in(text: str) -> str:
    """The candidate for a command's name; "" if there is none."""
    found = COMMAND.match(text)
    return found[1] if found is not None else ""


def names_in(text: str) -> Iterator[tuple[str, ...]]:
    """Candidates for each file name: as written, and without punctuation at its end."""
    for found in NAMED.finditer(text):
        quoted, bare = found.groups()
        name = quoted or bare
        shorter = name if quoted else name.rstrip(AFTER_A_NAME)
        if shorter:
            yield (name,) if shorter == name else (name, shorter)


def mention(name: str) -> str:
    """The mention of a file in a prompt; in quotes if its name needs them."""
    is_bare = not re.search(r"\s", name) and name.rstrip(AFTER_A_NAME) == name
    return f"@{name}" if is_bare else f'@"{name}"'
