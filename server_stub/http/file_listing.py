"""Lists the paths of a directory, for the file search of every family. It opens no file."""

import os
from collections.abc import Iterator

MAX_READ = 5_000
"""Limit on paths read in a directory."""
INSTALLED = ("node_modules", "__pycache__")


def paths_in(directory: str) -> Iterator[str]:
    """Relative paths, without hidden files and installed packages."""
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in INSTALLED]
        above = os.path.relpath(folder, directory)
        for name in (*(f"{name}/" for name in folders), *files):
            if not name.startswith("."):
                yield name if above == "." else f"{above}/{name}"
