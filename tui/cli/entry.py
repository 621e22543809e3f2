"""The entry point of `holdfast`: imports the command without garbage collections, which would find nothing to free."""

import gc


def main() -> None:
    """Run the command."""
    gc.disable()
    from tui.cli.main import main as command

    gc.freeze()  # the first collection would look at all that was imported
    gc.enable()
    command()
