"""Handles all exceptions of the screen: logs them, notifies the user, and redraws the failed part.

No widget may end the app, as a turn may run for hours behind the screen. If a failure recurs right after the redraw,
the widget is replaced by one line; this prevents loops and a flooded log.
"""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from textual.app import App
from textual.dom import NoScreen
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import WorkerFailed

from tui.core.changes import Notice

REDRAWS = 2
"""Redraws of a recurring failure before the widget is replaced by a line..."""
RECURRENCE_WINDOW = 10.0
"""...if it recurs within this many seconds; later it counts as new."""
REDRAW_FAILED_WITHIN = 0.5
"""Seconds after a redraw in which the same failure means that the redraw did not help."""
LOGGED_WHOLE = 3
"""Failures of one kind that are logged with a traceback; after that, every hundredth is logged with its count."""
OURS = Path(__file__).parent
PARTS = {
    "transcript": "The transcript",
    "request": "The request",
    "plan": "The plan",
    "turn": "The turn status",
    "queue": "The queue",
    "notices": "The notices",
    "health": "The header",
    "keys": "The key hints",
    "welcome": "The start page",
    "unread": "The new-lines indicator",
    "completions": "The completions",
    "search": "The search",
    "entry": "The prompt",
}
"""Display names of the main screen's widgets, by id."""

logger = logging.getLogger(__name__)


class Failure(msgspec.Struct):
    """Exceptions of one type at one place in the code."""

    name: str
    place: str
    times: int = 0
    redraws: int = 0
    redraw: Literal["", "wanted", "done"] = ""
    again_in: list[Widget] | None = None
    """Widgets in which it recurred since the redraw."""
    last: float = float("-inf")

    @property
    def words(self) -> str:
        return f"{self.name} at {self.place}"


class ErrorBoundary:
    """Handles the exceptions of `app`.

    `redraw` redraws the main screen from the store, with the transcript if its argument is true; `replace` replaces a
    widget by a line, and returns False if the widget must stay.
    """

    def __init__(
        self,
        app: App[Any],
        now: Callable[[], float],
        *,
        notify: Callable[[Notice], None],
        redraw: Callable[[bool], None],
        replace: Callable[[Widget, str], bool],
    ) -> None:
        self._app, self._now = app, now
        self._notify, self._redraw, self._replace = notify, redraw, replace
        self._failures: dict[str, Failure] = {}

    @property
    def errors(self) -> list[str]:
        """Caught exceptions: each type with its place."""
        return [failure.words for failure in self._failures.values()]

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Pass exceptions of the block to `caught`, and continue after it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (a widget can raise anything)
            self.caught(error)

    def caught(self, error: Exception) -> None:
        """Handle an exception that reached the app."""
        if isinstance(error, WorkerFailed) and isinstance(error.error, Exception):
            error = error.error
        name, place = type(error).__name__, _place_of(error)
        failure = self._failures.setdefault(f"{name} {place}", Failure(name, place))
        failure.times += 1
        if failure.times <= LOGGED_WHOLE:
            logger.error("the screen failed: %s", failure.words, exc_info=error)
        elif failure.times % 100 == 0:
            logger.error("the screen failed: %s, %d times", failure.words, failure.times)
        widgets = _widgets_of(error)
        if failure.redraw == "":
            self._mend(widgets, failure)
        elif failure.redraw == "done":
            failure.again_in = widgets

    def _mend(self, widgets: list[Widget], failure: Failure) -> None:
        """Redraw, close or replace the failed part. `widgets`: where it happened, the innermost first."""
        now = self._now()
        if now - failure.last > RECURRENCE_WINDOW:
            failure.redraws = 0
        failure.last = now
        widget = next((one for one in widgets if one.is_attached), None)
        screen, part = _screen_of(widget), _part_of(widget)
        name = PARTS.get(part, "A part of the screen")
        if screen is not None and screen in self._app.screen_stack[1:]:
            self._say(f"The dialog failed and was closed: {failure.words}.")
            self._app.call_later(self._close, screen)
        elif failure.redraws < REDRAWS:
            failure.redraws += 1
            failure.redraw = "wanted"
            if failure.redraws == 1:
                self._say(f"{name} failed and was redrawn: {failure.words}.")
            self._app.call_later(self._draw_anew, failure, part in ("transcript", ""))
        elif failure.redraws == REDRAWS:
            failure.redraws += 1
            text = f"{name} keeps failing: {failure.words}."
            if widget is None or not self._replace(widget, f"✗ This cannot be shown: {failure.words}"):
                self._say(text)

    def _say(self, words: str) -> None:
        self._app.call_later(self._notify, Notice(words, "error"))

    def _close(self, screen: Screen[Any]) -> None:
        if self._app.screen is screen:
            screen.dismiss()

    def _draw_anew(self, failure: Failure, transcript: bool) -> None:
        def settled() -> None:
            widgets, failure.again_in, failure.redraw = failure.again_in, None, ""
            if widgets is not None:
                self._mend(widgets, failure)

        self._app.set_timer(REDRAW_FAILED_WITHIN, settled)
        failure.redraw = "done"
        self._redraw(transcript)


def _place_of(error: Exception) -> str:
    """Return file and line: the innermost frame in this package, else the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        frame
        for frame in frames
        if Path(frame.filename).is_relative_to(OURS) and frame.name not in ("guard", "_dispatch_message")
    ]
    frame = next(reversed(ours or frames), None)
    return "an unknown place" if frame is None else f"{Path(frame.filename).name}:{frame.lineno}"


def _widgets_of(error: Exception) -> list[Widget]:
    found = []
    for frame, _ in traceback.walk_tb(error.__traceback__):
        one = frame.f_locals.get("self")
        if isinstance(one, Widget):
            found.append(one)
    return found[::-1]


def _screen_of(widget: Widget | None) -> Screen[Any] | None:
    try:
        return None if widget is None else widget.screen
    except NoScreen:
        return None


def _part_of(widget: Widget | None) -> str:
    """Return the id of the main screen's part that contains the widget; "" if unknown."""
    ways = () if widget is None else widget.ancestors_with_self
    return next((node.id for node in ways if node.id in PARTS), "")
