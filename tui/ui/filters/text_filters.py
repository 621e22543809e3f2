"""What is taken away from the screen, whatever is drawn: all but text, and what settings and NO_COLOR say."""

from collections.abc import Callable, Mapping

from textual.filter import LineFilter

from tui.config.display import Look
from tui.ui.filters.only_text import OnlyText


def filters_of(look: Look, uncoloured: Callable[[], Mapping[str, str]] | None = None) -> list[LineFilter]:
    """In the order in which lines go through them. `uncoloured`: there are to be none of the theme's variables."""
    filters: list[LineFilter] = [OnlyText()]
    if uncoloured is not None:
        from tui.ui.filters.no_color import Uncoloured

        filters.append(Uncoloured(uncoloured))
    if look.ascii:
        from tui.ui.filters.ascii import Ascii

        filters.append(Ascii())
    if not look.links:
        from tui.ui.filters.unlinked import Unlinked

        filters.append(Unlinked())
    return filters
