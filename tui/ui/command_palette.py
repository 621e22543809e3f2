"""Entries of the command palette."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.app import SystemCommand

from tui.config import keymap

if TYPE_CHECKING:
    from tui.ui.app import HoldfastApp


def commands(app: "HoldfastApp") -> Iterator[SystemCommand]:
    """Yield each command with its key, if it has one, except commands that the server does not support."""
    undoes = app.client.traits is None or app.client.traits.undoes
    for name, about, action in keymap.commands():
        if undoes or action not in ("undo", "redo"):
            method = f"action_{action}"
            yield SystemCommand(name, about, getattr(app, method, None) or getattr(app.main, method))
