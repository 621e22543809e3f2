"""Replaces a widget that cannot be drawn by one line. The widget stays mounted, as other code refers to it."""

from textual.content import Content
from textual.widget import Widget

from tui.widgets.base.static_text import ERROR, StaticText


class Replaced:
    """Hides the widget, whatever its `display` is, until `restore`."""

    def __init__(self, widget: Widget, words: str) -> None:
        self.widget = widget
        self._line = StaticText(Content.styled(words, ERROR), classes="replaced")
        widget.styles.height = 0
        widget.visible = False
        parent = widget.parent
        if isinstance(parent, Widget):
            parent.mount(self._line, before=widget)

    def restore(self) -> None:
        self.widget.visible = True
        self.widget.styles.height = None
        self._line.remove()
