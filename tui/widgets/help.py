"""The keys, for the part that has the focus and for everywhere."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from tui.widgets.dialog import Dialog
from tui.widgets.key_hints import Keys
from tui.widgets.plain import MUTED, Plain

EVERYWHERE: Keys = (
    ("F1", "this page"),
    ("F2", "sessions"),
    ("F3", "inbox: who waits for you, in any session"),
    ("F4", "fold or unfold the question"),
    ("F5", "try the line again now"),
    ("F6", "the agent's whole plan, or one line of it"),
    ("F7", "copy the code in sight; again, the block above"),
    ("F8", "let waiting prompts go on that are held"),
    ("^F", "search the transcript"),
    ("Esc Esc", "abort the turn, within 3 seconds"),
    ("^Z", "to the shell; fg comes back"),
    ("^P", "everything there is, by name"),
    ("^Q ^C", "quit; asks first while a turn runs"),
)


COLUMN = 12
"""Cells of the keys."""


class Help(Dialog[None]):
    """Two lists; any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f1,q", "dismiss", "close", show=False)]

    def __init__(self, part: str, keys: Keys) -> None:
        super().__init__()
        self._part, self._keys = part, keys

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            with VerticalScroll():
                yield Plain(Content.styled(f"In {self._part}", "bold"), classes="title")
                yield Plain(_list(self._keys))
                yield Plain(Content.styled("\nEverywhere", "bold"), classes="title")
                yield Plain(_list(EVERYWHERE))
            yield Plain(Content.assemble(("Esc", "bold"), (" close", MUTED)), classes="keys")


def _list(keys: Keys) -> Content:
    return Content("\n").join(
        Content.assemble((f"  {key:<{COLUMN}}", "bold $primary"), (what, "$foreground 80%")) for key, what in keys
    )
