"""Base class of all dialogs: a centred box above a dimmed screen. Loaded with the first dialog."""

from typing import ClassVar, TypeVar

from textual import events
from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

from tui.widgets.base.guarded import Guarded
from tui.widgets.status.footer import DialogKeys

T = TypeVar("T")

MARGIN_COLUMNS = 110
"""Minimum screen columns at which a dialog leaves a margin; on a narrower one it takes the full width."""
WIDE_COLUMNS = 160
"""Minimum screen columns at which a list dialog is wider."""
LOW = 20
"""Minimum screen rows at which a dialog has blank lines and a margin. The screen's last row is left for notices."""
UNUSED = "Text has no effect here."


class Dialog(ModalScreen[T], Guarded):
    """A modal screen with one child: a container with the class `dialog`."""

    PART: ClassVar[str]
    """Its name among `PARTS`: the help shows this name and its keys."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MARGIN_COLUMNS, "-roomy"), (WIDE_COLUMNS, "-vast")]  # noqa: RUF012 (Textual's own is not a ClassVar)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW, "-high")]  # noqa: RUF012 (Textual's own is not a ClassVar)
    DEFAULT_CSS: ClassVar[str] = """
    Dialog {
        align: center middle;
        background: $background 60%;
    }

    Dialog > .dialog {
        width: 64;
        min-width: 20;
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

    Dialog.-low > .dialog, Dialog.-low > .dialog.wide {
        max-height: 100%;
        margin-bottom: 1;
        padding: 0 2;

        .title { height: 1; margin-bottom: 0; text-wrap: nowrap; text-overflow: ellipsis; }
        Input { margin-bottom: 0; }
        .keys { margin-top: 0; }
    }

    Dialog.-low > .dialog.wide { height: 100%; }

    Dialog.-narrow > .dialog, Dialog.-narrow > .dialog.wide {
        width: 100%;
        max-width: 100%;
    }
    """

    def on_key(self, event: events.Key) -> None:
        """Text that neither a field nor a binding takes has no effect: the screen below is covered."""
        if event.is_printable and event.key not in self.active_bindings:
            event.stop()
            self.say_unused()

    def on_paste(self, event: events.Paste) -> None:
        """As `on_key`: no field of the dialog has the focus."""
        event.stop()
        self.say_unused()

    def say_unused(self) -> None:
        """Say in the last line that typed text has no effect, and how to close the dialog."""
        self.query_one(DialogKeys).say(UNUSED)

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Dismiss once only: further queued keys must not dismiss the screen below."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
