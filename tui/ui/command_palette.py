"""Entries of the command palette."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from textual.app import SystemCommand

from tui.config import key_lookup

if TYPE_CHECKING:
    from tui.client.client import Client


class App(Protocol):
    """The app, as far as the palette needs it; its methods and the screen's `action_…` are the commands."""

    client: "Client"

    @property
    def main(self) -> object: ...


def commands(app: App) -> Iterator[SystemCommand]:
    """Yield each command with its key, if it has one, except commands that the server does not support."""
    undoes = app.client.traits is None or app.client.traits.undoes
    for name, about, action in key_lookup.commands():
        if undoes or action not in ("undo", "redo"):
            method = f"action_{action}"
            yield SystemCommand(name, about, getattr(app, method, None) or getattr(app.main, method))
