"""First line of a transcript: whether older messages exist, and the state of loading them."""

from textual.content import Content

from tui.config.keymap import key
from tui.widgets.base.static_text import ERROR, MUTED, StaticText


class Top(StaticText):
    """Hidden if a short conversation is completely loaded."""

    DEFAULT_CSS = """
    Top { height: auto; padding: 0 1; }
    """

    def show_top(
        self,
        *,
        loaded: bool,
        more: bool,
        long: bool,
        dropped: bool,
        doing: str,
        received: int,
        failed: str,
        failed_older: str,
    ) -> None:
        """Update the line. `more`: older messages exist; `long`: long enough to mark the beginning; `dropped`: the
        oldest content is not kept."""
        come = f" {received / 1e6:.1f} MB" if received >= 100_000 else ""
        if doing == "newest" and not loaded:
            words = Content.styled(f"loading messages…{come}", MUTED)
        elif failed:
            words = Content.styled(f"✗ messages could not be loaded: {failed} · {key('retry')} retry", ERROR)
        elif doing == "older":
            words = Content.styled(f"loading older messages…{come}", MUTED)
        elif more and failed_older:
            reason = f"✗ older messages could not be loaded: {failed_older} · scroll up to retry"
            words = Content.styled(reason, ERROR)
        elif more:
            words = Content.styled("↑ older messages", MUTED)
        elif dropped:
            words = Content.styled("older messages are not kept in memory: open the session again to read them", MUTED)
        else:
            words = Content.styled("beginning of the session" if loaded and long else "", MUTED)
        self.display = bool(words.plain)
        self.show(words)
