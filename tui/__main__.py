"""`python -m tui`: the same as the command `holdfast`."""

from tui.cli.entry import main

if __name__ == "__main__":
    main()
