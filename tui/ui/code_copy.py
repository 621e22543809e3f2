"""Copies the code block that is visible in the transcript; if repeated soon, the block above it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.config.key_lookup import key
from tui.core.changes import Notice
from tui.widgets.text.copying import not_copied

if TYPE_CHECKING:
    from tui.widgets.text.blocks import Code
    from tui.widgets.transcript.view import TranscriptView

COPY_AGAIN = 4.0
"""Seconds after copying a code block in which the same key copies the block above."""


class CodeCopy:
    """`copy` sends a text to the clipboard; `notify` shows a notice."""

    def __init__(
        self,
        transcript: "TranscriptView",
        now: Callable[[], float],
        *,
        copy: Callable[[str], None],
        notify: Callable[[Notice], None],
    ) -> None:
        self._transcript, self._now = transcript, now
        self._copy, self._notify = copy, notify
        self._copied: Code | None = None
        self._copied_at = float("-inf")

    def next(self) -> None:
        """Copy the visible block, or the one above the block that was just copied."""
        from tui.widgets.transcript.search_targets import code_above  # imported after the first frame

        again = self._copied if self._now() - self._copied_at < COPY_AGAIN else None
        code = code_above(self._transcript, again)
        if code is None:
            self._notify(Notice("No more code above." if again is not None else "No visible code."))
            return
        self._copied, self._copied_at = code, self._now()
        self._copy(code.text)
        if not_copied(code.text):
            return
        lines = "1 line" if len(code.code) == 1 else f"{len(code.code)} lines"
        sent = f"{lines} of code sent to the terminal's clipboard"
        self._notify(Notice(f"{sent}. {key('copy_code')} again copies the block above."))
