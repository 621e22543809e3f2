"""What all dialogs share: a plain ground in the middle, above a dimmed screen. Loaded with the first of them."""

from typing import ClassVar, TypeVar

from textual import events
from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

from tui.widgets.base.guarded import Guarded

T = TypeVar("T")

ROOMY = 110
"""Columns of a screen that leaves something to be seen beside a dialog; on a narrower one it takes them all."""
VAST = 160
"""Columns of a screen on which a list has room for long names."""


class Dialog(ModalScreen[T], Guarded):
    """A modal screen whose one child is a container with the class `dialog`."""

    PART: ClassVar[str]
    """Which of `PARTS` it is: what the help calls it, and whose keys it lists."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (ROOMY, "-roomy"), (VAST, "-vast")]  # noqa: RUF012 (Textual's own is not a ClassVar)
    DEFAULT_CSS: ClassVar[str] = """
    Dialog {
        align: center middle;
        background: $background 60%;
    }

    Dialog > .dialog {
        width: 64;
        max-width: 92%;
        height: auto;
        max-height: 90%;
        padding: 1 2;
        background: $surface;

        .title { margin-bottom: 1; }

        .keys {
            margin-top: 1;
            link-style: none;
            link-color: $foreground;
            link-background: transparent;
            link-color-hover: $foreground;
            link-background-hover: transparent;
        }

        VerticalScroll, OptionList {
            scrollbar-size-vertical: 1;
            scrollbar-color: $foreground 20%;
            scrollbar-color-hover: $foreground 35%;
            scrollbar-color-active: $primary;
            scrollbar-background: $surface;
            scrollbar-background-hover: $surface;
            scrollbar-background-active: $surface;
        }

        VerticalScroll {
            height: auto;
            max-height: 1fr;
        }

        OptionList {
            height: 1fr;
            background: $surface;
            border: none;
            padding: 0;
        }

        Input {
            margin-bottom: 1;
            background: $panel;

            &:focus:nocolor { background-tint: $foreground 0%; }
        }
    }

    Dialog > .dialog.wide {
        width: 100;
        height: 80%;
    }

    Dialog.-vast > .dialog.wide {
        width: 140;
    }

    Dialog.-narrow > .dialog, Dialog.-narrow > .dialog.wide {
        width: 100%;
        max-width: 100%;
    }
    """

    def on_paste(self, event: events.Paste) -> None:
        """Nothing here takes text, or a field would have it: it goes to the screen below."""
        event.stop()
        below = self.app.screen_stack[-2] if self.is_current else self.app.screen
        (below.focused or below)._forward_event(events.Paste(event.text))

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Go away, once: keys of the same burst still come here, and must not end the screen below."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
