"""What a person may set about how the client looks, which keys it takes and how it calls: tables of the file.

Values only. Each has a default with which nothing need be set.
"""

from typing import Literal

import msgspec

KEYS = {
    "help": "f1",
    "sessions": "f2",
    "inbox": "f3",
    "fold": "f4",
    "retry": "f5",
    "plan": "f6",
    "copy_code": "f7",
    "search": "ctrl+f",
    "editor": "ctrl+g",
    "agent": "ctrl+t",
    "leave": "ctrl+q",
}
"""What can have another key (`[keys]` of the file), and the key that it has."""


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the person is called when a request arrives, a turn ends or the line is lost: `[notify]`.

    `when`: *unfocused* is while the terminal says that it is not looked at. `osc9`, `osc777`: desktop notices by
    either convention; None takes the one that the terminal (TERM) is known for.
    """

    when: Literal["unfocused", "always", "never"] = "unfocused"
    bell: bool = True
    title: bool = True
    osc9: bool | None = None
    osc777: bool | None = None


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it looks.

    `theme`: any of Textual's. `ascii`: nothing beyond ASCII is drawn. `links`: addresses can be clicked (OSC 8).
    `keys`: an action of `KEYS` → the key that it has instead, as Textual names keys.
    """

    theme: str = "holdfast"
    ascii: bool = False
    links: bool = True
    keys: dict[str, str] = {}


DEFAULT_LOOK = Look()
DEFAULT_NOTIFY = Notify()


def shown(key: str) -> str:
    """A key as the screen names it: `F2`, `^G`."""
    first = key.partition(",")[0]
    if first.startswith("ctrl+") and len(first) == len("ctrl+") + 1:
        return f"^{first[-1].upper()}"
    return first.upper() if first[:1] == "f" and first[1:].isdecimal() else first.replace("+", "-").capitalize()
