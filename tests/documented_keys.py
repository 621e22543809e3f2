"""Generates the parts of the documents that list keys. `make docs` writes them; a test compares them."""

import re
from collections.abc import Iterable
from pathlib import Path

from tui.config import key_lookup
from tui.config.keymap import EVERYWHERE, PARTS, README_ACTIONS, TABLE

ROOT = Path(__file__).parents[1]
KEYS_MD, README = ROOT / "docs/keys.md", ROOT / "README.md"
FIVE_KEYS = re.compile(r"(?<=## Five keys\n\n).*?(?=\n\n\[All keys\])", re.DOTALL)


def table(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(("| | |", "|---|---|", *(f"| {name} | {what} |" for name, what in rows)))


def keys_page() -> str:
    """All of docs/keys.md."""
    parts = [
        "# Keys",
        "`F1` shows the keys of the part of the screen that has the focus; `^P` lists every command by name.\n"
        "Which keys can be changed: [settings](settings.md). `make docs` writes this page.",
    ]
    for title, scopes in {"Everywhere": EVERYWHERE, **PARTS}.items():
        lines = [(f"`{hint.label}`", hint.what) for hint in key_lookup.help_lines(*scopes)]
        parts += [f"## {title if title == 'Everywhere' else f'In {title}'}", table(lines)]
    parts += ["## Commands", table((f"*{name}*", about) for name, about, _ in key_lookup.commands())]
    return "\n\n".join(parts) + "\n"


def five_keys() -> str:
    """The keys of the README."""
    rows = (next(row for row in TABLE if row.action == action and row.help) for action in README_ACTIONS)
    return table((f"`{key_lookup.label(key_lookup.names_of(row)[0])}`", row.help) for row in rows)


if __name__ == "__main__":
    KEYS_MD.write_text(keys_page())
    README.write_text(FIVE_KEYS.sub(lambda _: five_keys(), README.read_text()))
