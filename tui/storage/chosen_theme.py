"""Persists the theme chosen in the command palette. A theme set later in the settings file takes precedence."""

import json
import logging
import os
from pathlib import Path

from tui.net.local_file import read_small
from tui.storage.state_folder import Unsafe, prepare

FILE = "theme.json"
MAX_BYTES = 4096
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
            kept = {} if self._file is None else json.loads(read_small(self._file, MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            kept = {}
        chosen = kept.get("chosen") if isinstance(kept, dict) and kept.get("set") == self._set_theme else None
        return chosen if isinstance(chosen, str) else self._set_theme

    def keep(self, chosen: str) -> None:
        """Save the chosen theme; an `OSError` is logged."""
        if self._file is None:
            return
        try:
            prepare(self._file.parent)
            written = self._file.with_name(f"{FILE}.{os.getpid()}")
            written.unlink(missing_ok=True)
            with open(written, "x", encoding="utf-8") as file:  # fails for a symbolic link
                json.dump({"chosen": chosen, "set": self._set_theme}, file)
            written.replace(self._file)
        except (OSError, Unsafe) as error:
            logger.warning("the theme is not saved: %s", error)
