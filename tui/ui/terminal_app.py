"""A Textual app in a terminal: its look, its workers, the signals that end it, and exceptions, which do not end it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from textual import events
from textual.app import App
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.worker import Worker, WorkType

from tui.config.display import DisplaySettings
from tui.config.key_lookup import set_keymap
from tui.core.changes import Notice
from tui.ui.error_boundary import ErrorBoundary
from tui.ui.filters.text_filters import filters_of
from tui.ui.terminal_input import InputDriver
from tui.ui.termination import ENDING, end_on
from tui.ui.theme import HOLDFAST


class TerminalApp(App[None]):
    """Subclasses set `boundary`, and `is_up` once exceptions no longer end the app."""

    boundary: ErrorBoundary

    def __init__(self, look: DisplaySettings, keep_theme: Callable[[str], None]) -> None:
        """`keep_theme` is called with the theme that the user chooses."""
        self._more_filters: list[LineFilter] = []
        super().__init__(driver_class=InputDriver)
        self.is_up = False
        self._keep_theme = keep_theme
        self.register_theme(HOLDFAST)
        self.theme = look.theme if look.theme in self.available_themes else HOLDFAST.name
        if self.theme != look.theme:
            self.call_later(self.show_notice, Notice(f"There is no theme {look.theme!r}.", "warning"))
        self.set_keymap(look.keys)
        set_keymap(look.keys)
        self._more_filters = filters_of(look, (lambda: self.theme_variables) if self.no_color else None)

    def show_notice(self, notice: Notice) -> None:
        raise NotImplementedError

    def on_resumed(self) -> None:
        """Called after the process was suspended."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.on_resumed())
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep_theme(theme.name))
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            modes = self._driver.attrs_before if isinstance(self._driver, InputDriver) else None
            end_on(ENDING, lambda: loop.call_soon_threadsafe(self.exit), modes)

    def restore_focus(self) -> None:
        """Restore the focus if the focused widget was removed while the terminal was not focused."""
        if self.screen.focused is None:
            self.screen.focus_next(self.screen.AUTO_FOCUS or "*")

    def action_press(self, *names: str) -> None:
        """Press the keys of a clicked hint."""
        for name in names:
            self.post_message(events.Key(name, name if len(name) == 1 else None))

    def run_worker(self, work: WorkType[Any], *args: Any, **options: Any) -> Worker[Any]:
        """Start a worker; close a coroutine whose worker is cancelled before it starts, to avoid a warning."""
        worker: Worker[Any] = super().run_worker(work, *args, **options)
        if asyncio.iscoroutine(work) and worker._task is not None:
            worker._task.add_done_callback(lambda _: work.close())
        return worker

    def get_line_filters(self) -> Sequence[LineFilter]:
        usual = super().get_line_filters()
        if self.no_color:
            usual = [one for one in usual if not isinstance(one, Monochrome | NoColor)]
        return [*usual, *self._more_filters]

    def write(self, sequence: str) -> None:
        """Write an escape sequence to the terminal, if it is open."""
        if self._driver is not None:
            self._driver.write(sequence)
            self._driver.flush()

    async def _dispatch_message(self, message: Message) -> None:
        """As `Guarded`: the app's message loop survives exceptions."""
        if not self.is_up:
            await super()._dispatch_message(message)
            return
        with self.boundary.guard():
            await super()._dispatch_message(message)

    def _handle_exception(self, error: Exception) -> None:
        """Textual's handler of all exceptions. Before startup completes, exit with the traceback."""
        if self.is_up:
            self.boundary.caught(error)
        else:
            super()._handle_exception(error)
