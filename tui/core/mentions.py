"""The command and the files that a prompt names, with `/` and `@`. Which there are, the server knows."""

import re
from collections.abc import Iterator

NAMED = re.compile(r'(?<!\S)@(?:"([^"\n]+)"|(\S+))')
"""`@src/store.py`, or `@"my notes.txt"`; an address with an `@` in its middle names no file."""
AFTER_A_NAME = ".,;:!?)]}'\""
"""What a sentence puts behind a name."""
FILES_AT_MOST = 20
COMMAND = re.compile(r"/([^\s/]+)(?!\S)")
"""`/init`, at the very beginning; a path is none."""


def command_in(text: str) -> str:
    """What may be the name of a command; "" where the text begins with none."""
    found = COMMAND.match(text)
    return found[1] if found is not None else ""


def names_in(text: str) -> Iterator[tuple[str, ...]]:
    """What may be a file's name: as it stands, and without what a sentence put behind it."""
    for found in NAMED.finditer(text):
        quoted, bare = found.groups()
        name = quoted or bare
        shorter = name if quoted else name.rstrip(AFTER_A_NAME)
        if shorter:
            yield (name,) if shorter == name else (name, shorter)
