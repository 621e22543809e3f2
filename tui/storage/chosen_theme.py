"""Persists the theme chosen in the command palette. A theme set later in the settings file takes precedence."""

import json
import logging
import os
from pathlib import Path

from tui.net.local_file import read_small

FILE = "theme.json"
AT_MOST = 4096
"""Maximum size of the file in bytes."""

logger = logging.getLogger(__name__)


class ChosenTheme:
    """The theme file in `folder`; None keeps nothing. `set_theme` is the settings file's theme, or the default."""

    def __init__(self, folder: Path | None, set_theme: str) -> None:
        self._file = None if folder is None else folder / FILE
        self._set_theme = set_theme

    @property
    def name(self) -> str:
        """The initial theme: the one chosen last, unless the settings file changed since."""
        try:
            kept = {} if self._file is None else json.loads(read_small(self._file, AT_MOST))
        except (OSError, ValueError, RecursionError):
            kept = {}
        chosen = kept.get("chosen") if isinstance(kept, dict) and kept.get("set") == self._set_theme else None
        return chosen if isinstance(chosen, str) else self._set_theme

    def keep(self, chosen: str) -> None:
        """Save the chosen theme; an `OSError` is logged."""
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            written = self._file.with_name(f"{FILE}.{os.getpid()}")
            written.write_text(json.dumps({"chosen": chosen, "set": self._set_theme}), encoding="utf-8")
            written.replace(self._file)
        except OSError as error:
            logger.warning("the theme is not saved: %s", error)
