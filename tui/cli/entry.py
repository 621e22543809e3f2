"""The entry point of `holdfast`: imports the command without garbage collections, which would find nothing to free."""

import gc
import os
import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # the locale may lack characters of the program and of servers
    gc.disable()
    from tui.cli.main import main as command

    gc.freeze()  # the first collection would look at all that was imported
    gc.enable()
    command()


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that is closed, else the next file opened would take its place."""
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))
