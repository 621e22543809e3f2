"""Settings of the display, the keys and the notifications, as tables of the settings file.

Values only. Each setting has a default.
"""

from typing import Literal

import msgspec


class NotifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[notify]`: notifications when a request arrives, a turn ends or the connection is lost.

    `when`: *unfocused* means while the terminal reports that it has no focus. `osc9`, `osc777`: desktop notifications
    by these escape sequences; None uses the one that the terminal (TERM) supports. `exec`: a program and its
    arguments, run for each event as `holdfast watch --exec` does, unless `when` is *never*; () runs none.
    """

    when: Literal["unfocused", "always", "never"] = "unfocused"
    bell: bool = True
    title: bool = True
    osc9: bool | None = None
    osc777: bool | None = None
    exec: tuple[str, ...] = ()


class DisplaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The display settings.

    `theme`: a Textual theme. `ascii`: draw only ASCII characters. `links`: make URLs clickable (OSC 8).
    `keys`: maps actions of `tui.config.key_lookup.KEYS` to keys, in Textual's names.
    """

    theme: str = "holdfast"
    ascii: bool = False
    links: bool = True
    keys: dict[str, str] = {}


DEFAULT_LOOK = DisplaySettings()
DEFAULT_NOTIFY = NotifySettings()
