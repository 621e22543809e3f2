"""Selects the line filters: text only, and those of the settings and NO_COLOR."""

from collections.abc import Callable, Mapping

from textual.filter import LineFilter

from tui.config.display import DisplaySettings
from tui.ui.filters.only_text import OnlyText


def filters_of(look: DisplaySettings, uncoloured: Callable[[], Mapping[str, str]] | None = None) -> list[LineFilter]:
    """Return the filters in the order in which they apply. `uncoloured`: theme variables, for NO_COLOR."""
    filters: list[LineFilter] = [OnlyText()]
    if uncoloured is not None:
        from tui.ui.filters.no_color import NoColorFilter

        filters.append(NoColorFilter(uncoloured))
    if look.ascii:
        from tui.ui.filters.ascii import AsciiFilter

        filters.append(AsciiFilter())
    if not look.links:
        from tui.ui.filters.unlinked import NoLinksFilter

        filters.append(NoLinksFilter())
    return filters
