"""The Textual app: screens, keys, and the client calls for the user's actions. It does no I/O itself."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, TextArea
from textual.worker import Worker, WorkType

from tui.config.display import DEFAULT_LOOK, DEFAULT_NOTIFY, DisplaySettings, NotifySettings
from tui.config.key_lookup import set_keymap
from tui.config.keymap import Scope
from tui.core.changes import Change, Notice
from tui.core.sanitize import sanitize, single_line
from tui.net.errors import NetError
from tui.ui import footer_hints
from tui.ui.alert_hook import AlertHook
from tui.ui.error_boundary import ErrorBoundary
from tui.ui.filters.text_filters import filters_of
from tui.ui.input_dispatcher import InputDispatcher
from tui.ui.job_control import watch_stops
from tui.ui.main_screen import MainScreen
from tui.ui.notifier import Notifier, TerminalEscapes
from tui.ui.pickers import Pickers
from tui.ui.presenter import Presenter
from tui.ui.prompt_controller import QUOTED, PromptController
from tui.ui.quit_warning import warnings
from tui.ui.request_actions import RequestActions
from tui.ui.session_controller import SessionController
from tui.ui.terminal_input import InputDriver, PasteTooLong, TextBurst, adapt
from tui.ui.termination import end_on
from tui.ui.theme import HOLDFAST
from tui.widgets.base.bindings import bindings
from tui.widgets.focus.unused_input import UnusedInput
from tui.widgets.prompt.editor import Editor
from tui.widgets.prompt.prompt import PromptBox
from tui.widgets.prompt.queue_list import QueueList
from tui.widgets.prompt.text_limit import INPUT_AT_MOST, not_inserted
from tui.widgets.requests.panel import RequestPanel
from tui.widgets.status.notices import line_of
from tui.widgets.text.copying import not_copied
from tui.widgets.transcript.view import TranscriptView

if TYPE_CHECKING:
    from tui.client.client import Client
    from tui.core.model import Session
    from tui.core.turn import Turn
    from tui.widgets.dialogs.confirm import Confirm
    from tui.widgets.dialogs.session_picker import SessionPicker

ABORT_WITHIN = 3.0
"""Seconds within which a second Esc aborts the turn."""
ENDING = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGABRT),
    *(signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU),
)
"""Signals that end a program and by default leave the terminal in raw mode with mouse reports on."""
TMUX_KEEPS = "If it did not arrive: tmux forwards it with `set -g set-clipboard on`."
SEVERAL_LINES = Notice("Pasted several lines: press Enter to send.")
MADE_WITHIN = 2.0
"""Seconds that the exit waits for the session of a first prompt, which would otherwise be unknown here."""
NOT_CONNECTED = Notice("Not connected: nothing was sent, your text stays here.", "warning")
NOT_SENT = Notice("Connected. Your prompt was not sent: press Enter to send it.", "warning")
TITLES_WITHIN = 3.0
"""Seconds to wait for session titles before notifying what an earlier run left."""
TOUR = "Give me the tour."
BELOW_DIALOGS = ("sessions", "release", "inbox", "agent", "editor", "command_palette")
"""Actions whose keys have priority on the main screen and are disabled while a dialog is open."""


class HoldfastApp(App[None]):
    """The app: one client on one screen."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "holdfast"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.APP)

    def __init__(
        self,
        client: "Client",
        session: str | None = None,
        resume: bool = False,
        demo: bool = False,
        look: DisplaySettings = DEFAULT_LOOK,
        notify: NotifySettings = DEFAULT_NOTIFY,
        warnings: Sequence[str] = (),
        keep_theme: Callable[[str], None] = lambda theme: None,
    ) -> None:
        """`session` is opened once connected; `resume`: the last used one; `demo`: start a tour.

        `warnings` are shown after startup; `keep_theme` is called with the theme that the user chooses.
        """
        self._more_filters: list[LineFilter] = []
        super().__init__(driver_class=InputDriver)
        self.client = client
        self.main = MainScreen(client.store, client.address, client.now)
        self.writing = PromptController(client, self.main, self._notice)
        self.boundary = ErrorBoundary(
            self, client.now, notify=self._notice, redraw=self._redraw, replace=self.main.replace
        )
        self.presenter = Presenter(
            client,
            self.main,
            self.writing,
            soon=self.call_later,
            later=self.set_timer,
            guard=self.boundary.guard,
            notify=self._notice,
            line_up=self._line_up,
        )
        self.sessions = SessionController(self, client, self.presenter, notify=self._notice)
        self.replies = RequestActions(self, client, self.presenter)
        self.choosing = Pickers(self, client, self.presenter, self.sessions, self.main.prompt, notify=self._notice)
        self.main.older = lambda session_id: self.sessions.ask(client.load_older(session_id))
        self.main.prompt.submit = self._submit
        self._wanted, self._resume, self._demo = session, resume, demo
        self._warnings, self._keep_theme = warnings, keep_theme
        self._begun = self._leaving = self._copy_explained = self._up = False
        self._making: asyncio.Task[Session] | None = None
        self._made_last: str | None = None
        """Id of the session that was created for the first prompt during the exit."""
        self._to_abort: Turn | None = None
        self._abort_until = float("-inf")
        self._refused = ""
        """The prompt that was not sent because there was no connection yet."""
        self.input = InputDispatcher(self, self._dispatch_input, self._split_burst)
        self.register_theme(HOLDFAST)
        self._set_look(look)
        self.terminal = TerminalEscapes(self._write, notify, os.environ)
        self.notifier = Notifier(client, self.terminal, notify)
        self.alerts = AlertHook(client, notify, on_failure=lambda reason: self._notice(Notice(reason, "warning")))

    def _set_look(self, look: DisplaySettings) -> None:
        self.theme = look.theme if look.theme in self.available_themes else HOLDFAST.name
        if self.theme != look.theme:
            self.call_later(self._notice, Notice(f"There is no theme {look.theme!r}.", "warning"))
        self.set_keymap(look.keys)
        set_keymap(look.keys)
        self._more_filters = filters_of(look, (lambda: self.theme_variables) if self.no_color else None)

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

    def _write(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)
            self._driver.flush()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in BELOW_DIALOGS and self.screen is not self.main:
            return False
        if action == "help" and isinstance(self.screen, ModalScreen) and self.screen.id == "help":
            return False  # the help dialog handles its own key
        return super().check_action(action, parameters)

    def get_default_screen(self) -> Screen[None]:
        return self.main

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, self._resumed)
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep_theme(theme.name))
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            modes = self._driver.attrs_before if isinstance(self._driver, InputDriver) else None
            end_on(ENDING, lambda: loop.call_soon_threadsafe(self.exit), modes)
            watch_stops(lambda: loop.call_soon_threadsafe(self._resumed, self))

    async def on_ready(self) -> None:
        """After the first frame: connect to the server."""
        self._up = True
        self.client.subscribe(self._hear)
        self.client.start()
        for warning in self._warnings:
            self._notice(Notice(warning, "warning"))
        self._take_up()
        self.set_interval(1.0, self._tick)
        self.presenter.show_line()
        await self.input.start()

    def _hear(self, change: Change) -> None:
        """Handle a change of the client; exceptions of the screen must not reach the client."""
        with self.boundary.guard():
            self.presenter.on_change(change)
        with self.boundary.guard():
            self.notifier.on_change(change)
        with self.boundary.guard():
            self.alerts.on_change(change)

    async def _tick(self) -> None:
        await self.input.tick()
        with self.boundary.guard():
            self.presenter.tick()
        with self.boundary.guard():
            self.notifier.tick()

    def _redraw(self, transcript: bool) -> None:
        self.presenter.redraw(transcript)

    async def _dispatch_message(self, message: Message) -> None:
        """As `Guarded`: the app's message loop survives exceptions."""
        if not self._up:
            await super()._dispatch_message(message)
            return
        with self.boundary.guard():
            await super()._dispatch_message(message)

    def _handle_exception(self, error: Exception) -> None:
        """Textual's handler of all exceptions. Before startup completes, exit with the traceback."""
        if self._up:
            self.boundary.caught(error)
        else:
            super()._handle_exception(error)

    async def on_unmount(self) -> None:
        self.notifier.close()
        await self._keep_first_prompt()
        await self.alerts.close()
        await self.client.close()

    async def _keep_first_prompt(self) -> None:
        """Wait for a session that is being created for the first prompt, and save the prompt as its draft."""
        if self._making is None or not self.writing.waits_for_session:
            return
        done, _ = await asyncio.wait([self._making], timeout=MADE_WITHIN)
        if done and self._making.exception() is None:
            self._made_last = self._making.result().id
            self.writing.left(self._made_last)

    @property
    def open_session(self) -> str | None:
        """The session to resume at the next start; None if there is none."""
        return self._made_last or (None if self.presenter.gone else self.presenter.session_id)

    def exit(self, *args: Any, **kwargs: Any) -> None:
        if not self.presenter.stopped:
            with self.boundary.guard():
                self.presenter.stop()
            with self.boundary.guard():
                self.writing.save()
        super().exit(*args, **kwargs)

    def _resumed(self, _: App[Any]) -> None:
        """Redraw and check the connection after the process was suspended."""
        self.refresh(layout=True)
        self.presenter.tick()
        self.client.verify_now()

    def on_app_blur(self) -> None:
        self.notifier.focused = False
        self.client.set_focused(False)

    def on_app_focus(self) -> None:
        self.notifier.focused = True
        self.client.set_focused(True)
        self.call_later(self._give_keys)

    def _give_keys(self) -> None:
        """Restore the focus if the focused widget was removed while the terminal was not focused."""
        if self.screen.focused is None:
            self.screen.focus_next(self.screen.AUTO_FOCUS or "*")

    def _notice(self, notice: Notice) -> None:
        self.main.notices.add(notice)
        if self.screen is not self.main:  # a dialog covers the notices
            self.clear_notifications()
            self.notify(line_of(notice).plain, severity=notice.severity, markup=False)

    # Sessions

    def _take_up(self) -> None:
        """Resume the last session if requested, or if it has unfinished prompts or drafts."""
        place = None if self._demo else self.client.journal.last_session()
        if self._wanted is None and place is not None and (self._resume or self.writing.unfinished(place)):
            self._wanted = place
        self.writing.start(self._wanted or "")
        self.writing.notify_recovered(self._wanted or "")
        self.set_timer(TITLES_WITHIN, self.writing.tell_left_elsewhere)

    def _line_up(self) -> None:
        self.main.notices.drop(NOT_CONNECTED)
        if self._refused and self._refused == self.main.prompt.text:
            self._notice(NOT_SENT)
        self._refused = ""
        if not self._begun:
            self._begun = True
            self.run_worker(self._begin(), group="session", exclusive=True)
            if self.writing.recovered_elsewhere:
                self.run_worker(self._tell_left_elsewhere(), group="left")

    async def _begin(self) -> None:
        if self._demo:
            self.writing.hold_for_new_session(TOUR)
            await self._send_in_new_session(TOUR)
            return
        wanted = self._wanted
        if wanted is None and self._resume:
            wanted = await self.sessions.newest()
        if wanted is not None:
            self.writing.open(wanted, carry=True)
            self._begun = await self.sessions.open(wanted)  # on failure, retried on the next connection
            if not self._begun:
                self.writing.open(wanted)

    async def _tell_left_elsewhere(self) -> None:
        try:
            await self.client.list_sessions()
        except NetError:
            return  # shown without titles, after a timeout
        self.writing.tell_left_elsewhere()

    async def _send_in_new_session(self, text: str) -> None:
        sent = False
        gone = self.presenter.session_id if self.presenter.gone else None
        try:
            self._making = asyncio.create_task(self.client.new_session())
            session = await self.sessions.ask(asyncio.shield(self._making))
            if session is not None:
                self.client.choices.begin(session.id)
                self.writing.session_made(session.id)
            if session is not None and await self.sessions.open(session.id):
                if gone is not None:
                    self.client.prompts.move(gone, session.id)
                self.client.prompts.submit(session.id, text)
                sent = True
        finally:
            if not self.presenter.stopped:
                self.writing.release_held(sent=sent)

    # User actions

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self.client.on_user_input()
            await self.input.put(event)
            return
        if isinstance(event, events.MouseEvent):
            self.client.on_user_input()
            self.main.key_came()
        await super().on_event(event)

    async def on_text_burst(self, event: TextBurst) -> None:
        self.client.on_user_input()
        await self.input.put(event)

    async def on_unused_input(self, event: UnusedInput) -> None:
        await self.input.put_back(event.event)

    async def _dispatch_input(self, event: events.Key | events.Paste) -> None:
        """Send the event to the focused widget, unless a priority binding uses it."""
        key, in_line = event.key if isinstance(event, events.Key) else None, isinstance(self.focused, Input)
        if key != "tab":
            self.main.key_came()
        if isinstance(event, events.Paste) and in_line and len(event.text) > INPUT_AT_MOST:
            self._notice(not_inserted(len(event.text), one_line=True))
            return
        adapt(event, single_line=in_line)
        if self._to_abort is not None and key != "escape":
            self._to_abort = None  # only two consecutive Esc abort
            self.presenter.arm_abort(None, self._abort_until)
        await super().on_event(event)

    def _split_burst(self, burst: TextBurst) -> Iterable[events.Key | events.Paste]:
        """Return keys if the focused part takes keys or a field accepts them; else a paste."""
        if footer_hints.are_keys(self.screen, burst):
            return burst.keys
        if "\r" in burst.text and self.focused is self.main.prompt:
            self._notice(SEVERAL_LINES)
        return (burst.pasted,)

    def on_paste_too_long(self, event: PasteTooLong) -> None:
        self._notice(not_inserted(event.characters))

    @on(Editor.Refused)
    def _refused_text(self, event: Editor.Refused) -> None:
        self._notice(not_inserted(event.characters))

    def _submit(self, text: str) -> None:
        self._send(text, now=False)

    @on(PromptBox.SendNow)
    def action_send_now(self) -> None:
        if not self.main.prompt.has_words:
            self._notice(Notice("The prompt is empty."))
            return
        self._send(self.main.prompt.text, now=True)

    def _send(self, text: str, *, now: bool) -> None:
        if self.main.prompt.edited is None and self.choosing.keeps_back(text):
            return
        opens_later = not self._begun and bool(self.writing.session_id)
        if (self.presenter.session_id is None and not opens_later) or (
            self.presenter.gone and self.main.prompt.edited is None
        ):
            self._send_first(text)
            return
        try:
            self.writing.send_now(text) if now else self.writing.submit(text)
        except NetError as error:
            self.sessions.say(error)
        else:
            self.main.transcript.follow()
            self.choosing.look_up_names(text)

    def _send_first(self, text: str) -> None:
        """There is no session, or it was deleted: hold the prompt and create a session."""
        if not text.strip():
            return
        if not self.client.line().up:
            self._refused = text
            self._notice(NOT_CONNECTED)
        elif self.writing.beginning:
            self._notice(Notice("The session is still being created: your text stays here."))
        else:
            self.main.notices.drop(NOT_SENT)
            self.writing.hold_for_new_session(text)
            self.choosing.look_up_names(text)
            self.run_worker(self._send_in_new_session(text), group="session")

    async def on_confirm_typed(self, event: "Confirm.Typed") -> None:
        if self.screen is self.main and self.main.panel.has_focus_within:
            self.main.continue_typing()
            if event.letter:
                await self.input.put_back(events.Key(event.letter, event.letter))
        await self.input.put_back(event.key)

    @on(PromptBox.Changed, "#prompt")
    def _written(self) -> None:
        self.writing.save()

    @on(PromptBox.EditLeft)
    def _edit_left(self, event: PromptBox.EditLeft) -> None:
        self.writing.edit_cancelled(event.changed)

    @on(PromptBox.SearchWanted)
    def _search_wanted(self) -> None:
        self.action_history()

    @on(QueueList.EditWanted)
    def _edit_wanted(self, event: QueueList.EditWanted) -> None:
        self.writing.edit(event.queued)

    @on(QueueList.RemoveWanted)
    def _remove_wanted(self, event: QueueList.RemoveWanted) -> None:
        from tui.widgets.dialogs.confirm import Confirm

        text = f"“{single_line(event.queued.text, QUOTED)}” will not be sent. ↑ in the prompt restores it."
        self.push_screen(
            Confirm("Remove the queued prompt?", text, "remove", "keep"),
            lambda yes: self.writing.remove(event.queued) if yes else None,
        )

    @on(QueueList.SendNowWanted)
    def _send_waiting_now(self, event: QueueList.SendNowWanted) -> None:
        if self.presenter.gone:
            self._leave_gone(event.queued.session_id, event.queued.id)
            return
        try:
            self.writing.send_waiting(event.queued)
        except NetError as error:
            self.sessions.say(error)

    def _leave_gone(self, session_id: str, queued_id: str | None = None) -> None:
        """Move the queue of a deleted session to a new one, and send one of its prompts there, or all."""
        if not self._leaving:
            self._leaving = True
            self.run_worker(self._take_to_new_session(session_id, queued_id), group="session")

    async def _take_to_new_session(self, session_id: str, queued_id: str | None) -> None:
        try:
            session = await self.sessions.ask(self.client.new_session())
            if session is None:
                return
            self.writing.open(session.id, carry=True)
            if await self.sessions.open(session.id):
                self.client.prompts.move(session_id, session.id)
                if queued_id is None:
                    self.client.prompts.release(session.id)
                else:
                    self.client.prompts.send_queued_now(queued_id)
        finally:
            self._leaving = False

    @on(RequestPanel.DraftChanged)
    def _answer_draft_changed(self, event: RequestPanel.DraftChanged) -> None:
        self.client.journal.save_answer_draft(event.request_id, event.body)

    @on(RequestPanel.Answered)
    def _answered(self, event: RequestPanel.Answered) -> None:
        self.replies.answer(event.request, event.answers)

    @on(RequestPanel.Replied)
    def _replied(self, event: RequestPanel.Replied) -> None:
        self.replies.reply(event.request, event.reply, event.reason)

    @on(RequestPanel.RejectWanted)
    def _reject_wanted(self, event: RequestPanel.RejectWanted) -> None:
        self.replies.reject(event.request, event.letter)

    @on(TranscriptView.OlderWanted)
    def _older_wanted(self) -> None:
        session_id = self.presenter.session_id
        if session_id is not None:
            self.run_worker(self._load_older(session_id), group="older")

    async def _load_older(self, session_id: str) -> None:
        try:
            await self.client.load_older(session_id)
        except NetError as error:
            logging.getLogger(__name__).info("older messages: %s", error.message)  # also shown in the transcript

    def action_abort(self) -> None:
        """As Esc in the prompt, but say so if there is nothing to abort."""
        turn = self.client.turn(self.presenter.session_id or "")
        if turn is None or turn.over:
            self._notice(Notice("No turn is running."))
        else:
            self._abort()

    @on(MainScreen.AbortPressed)
    def _abort(self) -> None:
        """Ask to press Esc again; on the second call in time, abort the turn that ran at the first."""
        session_id = self.presenter.session_id
        turn = self.client.turn(session_id or "")
        now, armed = self.client.now(), self._to_abort
        armed_here = armed is not None and now < self._abort_until and armed.session_id == session_id
        self._to_abort = None
        if armed_here and armed is not None and armed.over:
            self._notice(Notice("That turn ended before the second Esc. Nothing was aborted."))
        elif turn is not None and not turn.over and session_id is not None:
            if armed_here and turn is armed:
                self.client.abort(session_id)
            else:
                self._to_abort, self._abort_until = turn, now + ABORT_WITHIN
        self.presenter.arm_abort(self._to_abort, self._abort_until)

    def action_press(self, *names: str) -> None:
        """Press the keys of a clicked hint."""
        for name in names:
            self.post_message(events.Key(name, name if len(name) == 1 else None))

    def action_history(self) -> None:
        from tui.widgets.dialogs.prompt_history import PromptHistory

        self.push_screen(PromptHistory(self.client.journal.history()), self._recall)

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self.main.prompt.recall_earlier(text)
            self.main.prompt.focus()

    def action_release(self) -> None:
        gone = self.presenter.session_id if self.presenter.gone else None
        if gone is not None and self.main.prompt.edited is None and self.client.prompts.waiting(gone):
            self._leave_gone(gone)
        else:
            self.writing.release()

    def action_retry(self) -> None:
        self.client.restart_line()

    def action_sessions(self) -> None:
        self.sessions.pick()

    def action_agent(self) -> None:
        self.choosing.agent()

    def action_model(self) -> None:
        self.choosing.model()

    def action_undo(self) -> None:
        self.sessions.undo()

    def action_redo(self) -> None:
        self.sessions.redo()

    def action_editor(self) -> None:
        self.choosing.editor()

    @on(PromptBox.OffersWanted)
    def _offers_wanted(self, event: PromptBox.OffersWanted) -> None:
        self.choosing.offer(event.word, finish=event.finish)

    def action_inbox(self) -> None:
        self.sessions.inbox()

    def on_session_picker_rename_wanted(self, event: "SessionPicker.RenameWanted") -> None:
        self.sessions.rename(event.session)

    def on_session_picker_fork_wanted(self, event: "SessionPicker.ForkWanted") -> None:
        self.sessions.fork(event.session)

    def on_session_picker_delete_wanted(self, event: "SessionPicker.DeleteWanted") -> None:
        self.sessions.delete(event.session)

    def action_new_session(self) -> None:
        self.sessions.begin()
        self.main.prompt.focus()

    def action_help(self) -> None:
        from tui.widgets.dialogs.help import Help

        self.push_screen(Help(footer_hints.part_of(self.screen, self.main), self._server_at))

    @property
    def _server_at(self) -> str:
        server = self.presenter.server
        return f"{server} at {self.client.address.removeprefix('http://')}" if server else ""

    def action_copy_or_leave(self) -> None:
        focused = self.focused
        in_box = focused.selected_text if isinstance(focused, TextArea) else ""
        selected = in_box or self.screen.get_selected_text()
        if not selected:
            self.action_leave()
            return
        self.copy_to_clipboard(selected)
        if not_copied(selected):
            return
        self._notice(Notice(f"{_lines(selected)} sent to the terminal's clipboard."))
        if not in_box:
            self.screen.clear_selection()

    @on(Editor.Cut)
    def _cut(self, event: Editor.Cut) -> None:
        said = f"{_lines(event.text)} cut, and sent to the terminal's clipboard. ^V pastes it."
        self._notice(Notice(said))

    def copy_to_clipboard(self, text: str) -> None:
        if refused := not_copied(text):
            self._notice(Notice(refused, "warning"))
            return
        text = sanitize(text)
        super().copy_to_clipboard(text)
        self.terminal.copy(text)
        if self.terminal.clipboard_may_be_blocked and not self._copy_explained:
            self._copy_explained = True
            self.call_later(self._notice, Notice(TMUX_KEEPS))

    def action_leave(self) -> None:
        """Quit; with running turns or queued prompts, ask for confirmation. A second call quits."""
        from tui.widgets.dialogs.confirm import Confirm

        found = warnings(self.client, demo=self._demo, beginning=self.writing.beginning)
        if not found or isinstance(self.screen, Confirm):
            self.exit()
            return
        self.push_screen(Confirm("Quit?", "\n".join(found), "quit"), lambda yes: self.exit() if yes else None)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        from tui.ui.command_palette import commands

        return commands(self)


def _lines(text: str) -> str:
    count = text.strip("\n").count("\n") + 1
    return "1 line" if count == 1 else f"{count} lines"
