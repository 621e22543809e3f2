"""What a person's settings take away from the screen, whatever is drawn on it."""

from textual.filter import LineFilter

from tui.look import Look


def filters_of(look: Look) -> list[LineFilter]:
    """In the order in which lines go through them."""
    filters: list[LineFilter] = []
    if look.ascii:
        from tui.ascii import Ascii

        filters.append(Ascii())
    if not look.links:
        from tui.unlinked import Unlinked

        filters.append(Unlinked())
    return filters
