"""A widget that cannot be drawn, and the line in its place. It stays where it is, unseen: others hold on to it."""

from textual.content import Content
from textual.widget import Widget

from tui.widgets.base.static_text import StaticText


class Replaced:
    """Takes the widget out of sight, whatever it does to its `display`, until `restore`."""

    def __init__(self, widget: Widget, words: str) -> None:
        self.widget = widget
        self._line = StaticText(Content.styled(words, "$error"), classes="replaced")
        widget.styles.height = 0
        widget.visible = False
        parent = widget.parent
        if isinstance(parent, Widget):
            parent.mount(self._line, before=widget)

    def restore(self) -> None:
        self.widget.visible = True
        self.widget.styles.height = None
        self._line.remove()
