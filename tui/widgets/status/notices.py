"""Notifications above the turn status and the prompt. They cover nothing."""

from textual import events
from textual.content import Content

from tui.core.changes import Notice
from tui.core.sanitize import excerpt
from tui.widgets.base.static_text import ERROR, MUTED, PLAIN, WARNING, StaticText

SHOWN_AT_ONCE = 3
SMALL = 20
"""Maximum screen rows at which only one line is shown."""
MAX_NOTICES = 20
"""Maximum number of temporary notices kept; the oldest are dropped."""
LASTS = {"information": 6.0, "warning": 10.0, "error": 15.0}
"""Seconds that a notice is shown, by severity, unless it is sticky."""
COLOURS = {"information": PLAIN, "warning": WARNING, "error": ERROR}


class Notices(StaticText):
    """The newest notices, one or two lines each. A click removes the temporary ones."""

    DEFAULT_CSS = """
    Notices { height: auto; max-height: 6; padding: 0 1; background: $surface; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._notices: list[Notice] = []

    def on_mount(self) -> None:
        self._draw()

    def add(self, notice: Notice) -> None:
        """Show a notice: temporarily, or permanently if sticky. A notice already shown is not repeated."""
        self._notices = [one for one in self._notices if one != notice] + [notice]
        if not notice.sticky:
            self.set_timer(LASTS[notice.severity], lambda: self._time_over(notice))
            for old in [one for one in self._notices if not one.sticky][:-MAX_NOTICES]:
                self._notices.remove(old)
        self._draw()

    def _time_over(self, notice: Notice) -> None:
        """Remove a notice, but one that a dialog covers only after the dialog was closed."""
        if self.screen.is_current:
            self.drop(notice)
        elif notice in self._notices:
            self.set_timer(LASTS[notice.severity], lambda: self._time_over(notice))

    def on_resize(self) -> None:
        self._draw()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self._notices = [notice for notice in self._notices if notice.sticky]
        self._draw()

    def drop(self, notice: Notice) -> None:
        """Remove a notice that is no longer true, or whose time is over."""
        self._notices = [one for one in self._notices if one is not notice]
        self._draw()

    def _draw(self) -> None:
        stay = [notice for notice in self._notices if notice.sticky]
        pass_by = [notice for notice in self._notices if not notice.sticky]
        shown = [*stay, *pass_by[-SHOWN_AT_ONCE:]]
        self.display = bool(shown)
        lines = [line_of(notice) for notice in shown]
        if self.app.size.height < SMALL:
            lines = [line.truncate(max(1, self.app.size.width - 2), ellipsis=True) for line in lines[-1:]]
        self.show(Content("\n").join(lines))


def line_of(notice: Notice) -> Content:
    """Return a notice as one line."""
    first, *rest = (line for line in excerpt(notice.text).split("\n") if line)
    return Content.assemble((first, COLOURS[notice.severity]), (" · ".join(["", *rest]), MUTED))
