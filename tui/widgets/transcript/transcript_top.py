"""First line of a transcript: whether older messages exist, and the state of loading them."""

import msgspec
from textual.content import Content

from tui.config.key_lookup import key
from tui.widgets.base.static_text import ERROR, MUTED, StaticText


class Loading(msgspec.Struct, frozen=True):
    """What is loaded now, the bytes received of it, and why the last loads failed."""

    activity: str = ""
    received: int = 0
    failed: str = ""
    failed_older: str = ""


class TranscriptTop(StaticText):
    """One line above the messages: older ones exist, load or failed to. Hidden above a short, complete conversation."""

    DEFAULT_CSS = """
    TranscriptTop { height: auto; padding: 0 1; }
    """

    def show_top(self, loading: Loading, *, loaded: bool, more: bool, long: bool, dropped: bool) -> None:
        """Update the line. `more`: older messages exist; `long`: long enough to mark the beginning; `dropped`: the
        oldest content is not kept."""
        activity, failed = loading.activity, loading.failed
        come = f" {loading.received / 1e6:.1f} MB" if loading.received >= 100_000 else ""
        if activity == "newest" and not loaded:
            words = Content.styled(f"loading messages…{come}", MUTED)
        elif failed:
            words = Content.styled(f"✗ messages could not be loaded: {failed} · {key('retry')} retry", ERROR)
        elif activity == "older":
            words = Content.styled(f"loading older messages…{come}", MUTED)
        elif more and loading.failed_older:
            reason = f"✗ older messages could not be loaded: {loading.failed_older} · scroll up to retry"
            words = Content.styled(reason, ERROR)
        elif more:
            words = Content.styled("↑ older messages", MUTED)
        elif dropped:
            words = Content.styled("older messages are not kept in memory: open the session again to read them", MUTED)
        else:
            words = Content.styled("beginning of the session" if loaded and long else "", MUTED)
        self.display = bool(words.plain)
        self.show(words)
