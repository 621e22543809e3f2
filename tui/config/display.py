"""What a person may set about how the client looks, which keys it takes and how it calls: tables of the file.

Values only. Each has a default with which nothing need be set.
"""

from typing import Literal

import msgspec


class NotifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the person is called when a request arrives, a turn ends or the line is lost: `[notify]`.

    `when`: *unfocused* is while the terminal says that it is not looked at. `osc9`, `osc777`: desktop notices by
    either convention; None takes the one that the terminal (TERM) is known for.
    """

    when: Literal["unfocused", "always", "never"] = "unfocused"
    bell: bool = True
    title: bool = True
    osc9: bool | None = None
    osc777: bool | None = None


class DisplaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it looks.

    `theme`: any of Textual's. `ascii`: nothing beyond ASCII is drawn. `links`: addresses can be clicked (OSC 8).
    `keys`: an action of `tui.config.keymap.KEYS` → the key that it has instead, as Textual names keys.
    """

    theme: str = "holdfast"
    ascii: bool = False
    links: bool = True
    keys: dict[str, str] = {}


DEFAULT_LOOK = DisplaySettings()
DEFAULT_NOTIFY = NotifySettings()
