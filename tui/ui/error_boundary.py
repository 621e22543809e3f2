"""The one place where exceptions of the screen end: logged, told in one line, the part drawn anew.

A turn may be held for hours behind the screen: no widget may end it. A failure that comes again right after its
part was drawn anew has the widget replaced by a line that says so; it neither loops nor fills the log.
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
"""Times that a failure which comes again has its part drawn anew, before the widget is replaced by a line..."""
AGAIN_WITHIN = 10.0
"""...seconds after the one before; later it counts as the first."""
SETTLES = 0.5
"""Seconds after a redraw in which the same failure shows that the redraw did not help."""
LOGGED_WHOLE = 3
"""Failures of one kind that are logged with their traceback; of the others every hundredth is counted there."""
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
"""By the id of a widget of the main screen, what a person calls it."""

logger = logging.getLogger(__name__)


class Failure(msgspec.Struct):
    """Exceptions of one type at one place."""

    name: str
    place: str
    times: int = 0
    redraws: int = 0
    redraw: Literal["", "wanted", "done"] = ""
    again_in: list[Widget] | None = None
    """Where it came again since the redraw."""
    last: float = float("-inf")

    @property
    def words(self) -> str:
        return f"{self.name} at {self.place}"


class ErrorBoundary:
    """Takes the exceptions of `app` from now on.

    `redraw` draws the main screen anew from the store, the transcript too unless told otherwise; `replace` puts a
    line in the place of a widget, and returns false where it must stay.
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
        """What was caught so far: each type of exception with its place."""
        return [failure.words for failure in self._failures.values()]

    @contextmanager
    def guard(self) -> Iterator[None]:
        """What is done here may fail, and what comes after it is done all the same."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (what a widget raises can be anything)
            self.caught(error)

    def caught(self, error: Exception) -> None:
        """An exception came up to the app."""
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
        """`widgets`: those in which it happened, the innermost first."""
        now = self._now()
        if now - failure.last > AGAIN_WITHIN:
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
            said = f"{name} keeps failing: {failure.words}."
            if widget is None or not self._replace(widget, f"✗ This cannot be shown: {failure.words}"):
                self._say(said)

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

        self._app.set_timer(SETTLES, settled)
        failure.redraw = "done"
        self._redraw(transcript)


def _place_of(error: Exception) -> str:
    """File and line: the innermost of ours, else the innermost."""
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
    """The part of the main screen in which a widget is; "" where that is not known."""
    ways = () if widget is None else widget.ancestors_with_self
    return next((node.id for node in ways if node.id in PARTS), "")
