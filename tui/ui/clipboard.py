"""Copies text to the terminal's clipboard, and tells the user what was sent there."""

from collections.abc import Callable

from tui.core.changes import Notice
from tui.core.sanitize import sanitize
from tui.ui.notifier import TerminalEscapes
from tui.widgets.text.copying import not_copied

TMUX_HINT = "If it did not arrive: tmux forwards it with `set -g set-clipboard on`."


class Clipboard:
    """`copy` is Textual's own copy; `notify` shows a notice, `later` after the current message."""

    def __init__(
        self,
        copy: Callable[[str], None],
        terminal: TerminalEscapes,
        *,
        notify: Callable[[Notice], None],
        later: Callable[..., object],
    ) -> None:
        self._copy = copy
        self._terminal = terminal
        self._notify = notify
        self._later = later
        self._explained = False

    def copy(self, text: str) -> None:
        """Copy a text; if it is too long, say so."""
        if refused := not_copied(text):
            self._notify(Notice(refused, "warning"))
            return
        text = sanitize(text)
        self._copy(text)
        self._terminal.copy(text)
        if self._terminal.clipboard_may_be_blocked and not self._explained:
            self._explained = True
            self._later(self._notify, Notice(TMUX_HINT))

    def copy_selection(self, text: str) -> bool:
        """Copy a selected text and say how much it was; return False if it is too long."""
        self.copy(text)
        if not_copied(text):
            return False
        self._notify(Notice(f"{_lines(text)} sent to the terminal's clipboard."))
        return True

    def tell_cut(self, text: str) -> None:
        """Tell that a text was cut; the field has copied it."""
        cut_text = f"{_lines(text)} cut, and sent to the terminal's clipboard. ^V pastes it."
        self._notify(Notice(cut_text))


def _lines(text: str) -> str:
    count = text.strip("\n").count("\n") + 1
    return "1 line" if count == 1 else f"{count} lines"
