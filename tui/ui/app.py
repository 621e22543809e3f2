"""The Textual app: screens, keys, and the client calls for the user's actions. It does no I/O itself."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, TextArea

from tui.config.display import DEFAULT_LOOK, DEFAULT_NOTIFY, DisplaySettings, NotifySettings
from tui.config.keymap import Scope
from tui.core.changes import Change, Notice
from tui.ui import footer_hints
from tui.ui.abort_key import AbortKey
from tui.ui.alert_hook import AlertHook
from tui.ui.clipboard import Clipboard
from tui.ui.dialogs import Dialogs
from tui.ui.error_boundary import ErrorBoundary
from tui.ui.input_dispatcher import InputDispatcher
from tui.ui.main_ports import MainPorts
from tui.ui.main_screen import MainScreen
from tui.ui.notifier import Notifier, TerminalEscapes
from tui.ui.pickers import Pickers
from tui.ui.presenter import Presenter
from tui.ui.prompt_controller import PromptController
from tui.ui.prompt_sender import PromptSender
from tui.ui.request_actions import RequestActions
from tui.ui.session_controller import SessionController
from tui.ui.startup import Startup
from tui.ui.terminal_app import TerminalApp
from tui.ui.terminal_input import PasteTooLong, TextBurst, adapt
from tui.widgets.base.bindings import bindings
from tui.widgets.focus.unused_input import UnusedInput
from tui.widgets.prompt.editor import Editor
from tui.widgets.prompt.prompt import PromptBox
from tui.widgets.prompt.queue_list import QueueList
from tui.widgets.prompt.text_limit import MAX_INPUT_CHARACTERS, not_inserted
from tui.widgets.requests.panel import RequestPanel
from tui.widgets.status.notices import line_of
from tui.widgets.transcript.view import TranscriptView

if TYPE_CHECKING:
    from tui.client.client import Client
    from tui.widgets.dialogs.confirm import Confirm

SEVERAL_LINES = Notice("Pasted several lines: press Enter to send.")
BELOW_DIALOGS = ("sessions", "release", "inbox", "agent", "editor", "command_palette")
"""Actions whose keys have priority on the main screen and are disabled while a dialog is open."""


class HoldfastApp(TerminalApp):
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
        super().__init__(look, keep_theme)
        self.client = client
        ports = MainPorts(
            older=lambda session_id: self.sessions.ask(client.load_older(session_id)),
            submit=lambda text: self.sender.send(text, now=False),
            past=client.journal.history,
            keep_long=lambda text: self.writing.keep_long(text),
            answer_draft=client.journal.answer_draft,
            recorded_end=lambda session_id, prompt_id: self.presenter.end_notes.recorded_end(session_id, prompt_id),
        )
        self.main = MainScreen(client.store, client.address, client.now, ports)
        self.writing = PromptController(client, self.main, self.show_notice)
        self.boundary = ErrorBoundary(
            self,
            client.now,
            notify=self.show_notice,
            redraw=lambda transcript: self.presenter.redraw(transcript),
            replace=self.main.replace,
        )
        self.abort_key = AbortKey(client, notify=self.show_notice, changed=lambda: self.presenter.show_turn_line())
        self.presenter = Presenter(
            client,
            self.main,
            self.writing,
            self.abort_key,
            soon=self.call_later,
            later=self.set_timer,
            guard=self.boundary.guard,
            notify=self.show_notice,
            on_connected=self._on_connected,
        )
        self.sessions = SessionController(self, client, self.presenter, notify=self.show_notice)
        self.replies = RequestActions(self, client, self.presenter)
        self.choosing = Pickers(self, client, self.presenter, self.sessions, self.main.prompt, notify=self.show_notice)
        self.sender = PromptSender(
            client,
            self.main,
            self.presenter,
            self.writing,
            self.sessions,
            self.choosing,
            work=partial(self.run_worker, group="session"),
            opens_later=lambda: self.startup.opens_later,
            notify=self.show_notice,
        )
        self.startup = Startup(
            self, client, self.writing, self.sessions, self.sender, session=session, resume=resume, demo=demo
        )
        self.dialogs = Dialogs(self, client, self.main, self.writing, demo=demo)
        self._warnings = warnings
        self._made_last: str | None = None
        """Id of the session that was created for the first prompt during the exit."""
        self.input = InputDispatcher(self, self._dispatch_input, self._split_burst)
        self.terminal = TerminalEscapes(self.write, notify, os.environ)
        copy = super().copy_to_clipboard
        self.copies = Clipboard(copy, self.terminal, notify=self.show_notice, later=self.call_later)
        self.notifier = Notifier(client, self.terminal, notify)
        self.alerts = AlertHook(client, notify, on_failure=lambda reason: self.show_notice(Notice(reason, "warning")))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in BELOW_DIALOGS and self.screen is not self.main:
            return False
        if action == "help" and isinstance(self.screen, ModalScreen) and self.screen.id == "help":
            return False  # the help dialog handles its own key
        return super().check_action(action, parameters)

    def get_default_screen(self) -> Screen[None]:
        return self.main

    async def on_ready(self) -> None:
        """After the first frame: connect to the server."""
        self.is_up = True
        self.client.subscribe(self._hear)
        self.client.start()
        for warning in self._warnings:
            self.show_notice(Notice(warning, "warning"))
        self.startup.start()
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

    async def on_unmount(self) -> None:
        self.notifier.close()
        self._made_last = await self.sender.keep_first_prompt()
        await self.alerts.close()
        await self.client.close()

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

    def on_resumed(self) -> None:
        """Redraw and check the connection."""
        self.refresh(layout=True)
        self.presenter.tick()
        self.client.verify_now()

    def on_app_blur(self) -> None:
        self.notifier.focused = False
        self.client.set_focused(False)

    def on_app_focus(self) -> None:
        self.notifier.focused = True
        self.client.set_focused(True)
        self.call_later(self.restore_focus)

    def show_notice(self, notice: Notice) -> None:
        self.main.notices.add(notice)
        if self.screen is not self.main:  # a dialog covers the notices
            self.clear_notifications()
            self.notify(line_of(notice).plain, severity=notice.severity, markup=False)

    def _on_connected(self) -> None:
        self.sender.on_connected()
        self.startup.on_connected()

    # User actions

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self.client.on_user_input()
            await self.input.put(event)
            return
        if isinstance(event, events.MouseEvent):
            self.client.on_user_input()
            self.main.on_key_event()
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
            self.main.on_key_event()
        if isinstance(event, events.Paste) and in_line and len(event.text) > MAX_INPUT_CHARACTERS:
            self.show_notice(not_inserted(len(event.text), one_line=True))
            return
        adapt(event, single_line=in_line)
        if key != "escape":
            self.abort_key.other_key()
        await super().on_event(event)

    def _split_burst(self, burst: TextBurst) -> Iterable[events.Key | events.Paste]:
        """Return keys if the focused part takes keys or a field accepts them; else a paste."""
        if footer_hints.are_keys(self.screen, burst):
            return burst.keys
        if "\r" in burst.text and self.focused is self.main.prompt:
            self.show_notice(SEVERAL_LINES)
        return (burst.pasted,)

    def on_paste_too_long(self, event: PasteTooLong) -> None:
        self.show_notice(not_inserted(event.characters))

    @on(Editor.Refused)
    def _refused_text(self, event: Editor.Refused) -> None:
        self.show_notice(not_inserted(event.characters))

    @on(PromptBox.SendNow)
    def action_send_now(self) -> None:
        if not self.main.prompt.has_words:
            self.show_notice(Notice("The prompt is empty."))
            return
        self.sender.send(self.main.prompt.text, now=True)

    async def on_confirm_typed(self, event: "Confirm.Typed") -> None:
        if self.screen is self.main and self.main.panel.has_focus_within:
            self.main.continue_typing()
            if event.letter:
                await self.input.put_back(events.Key(event.letter, event.letter))
        await self.input.put_back(event.key)

    @on(PromptBox.Changed, "#prompt")
    def _written(self) -> None:
        self.writing.save()

    @on(PromptBox.EditCancelled)
    def _edit_left(self, event: PromptBox.EditCancelled) -> None:
        self.writing.edit_cancelled(event.changed)

    @on(PromptBox.HistoryRequested)
    def _history_requested(self) -> None:
        self.action_history()

    @on(QueueList.EditRequested)
    def _edit_requested(self, event: QueueList.EditRequested) -> None:
        self.writing.edit(event.queued)

    @on(QueueList.RemoveRequested)
    def _remove_requested(self, event: QueueList.RemoveRequested) -> None:
        self.dialogs.remove(event.queued)

    @on(QueueList.SendNowRequested)
    def _send_waiting_now(self, event: QueueList.SendNowRequested) -> None:
        self.sender.send_waiting(event.queued)

    @on(RequestPanel.DraftChanged)
    def _answer_draft_changed(self, event: RequestPanel.DraftChanged) -> None:
        self.client.journal.save_answer_draft(event.request_id, event.body)

    @on(RequestPanel.Answered)
    def _answered(self, event: RequestPanel.Answered) -> None:
        self.replies.answer(event.request, event.answers)

    @on(RequestPanel.Replied)
    def _replied(self, event: RequestPanel.Replied) -> None:
        self.replies.reply(event.request, event.reply, event.reason)

    @on(RequestPanel.RejectRequested)
    def _reject_requested(self, event: RequestPanel.RejectRequested) -> None:
        self.replies.reject(event.request, event.letter)

    @on(TranscriptView.OlderRequested)
    def _older_requested(self) -> None:
        self.sessions.load_older()

    def action_abort(self) -> None:
        self.abort_key.press_or_tell(self.presenter.session_id)

    @on(MainScreen.AbortPressed)
    def _abort(self) -> None:
        self.abort_key.press(self.presenter.session_id)

    def action_history(self) -> None:
        self.dialogs.history()

    def action_release(self) -> None:
        self.sender.release()

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

    @on(PromptBox.CompletionsRequested)
    def _completions_requested(self, event: PromptBox.CompletionsRequested) -> None:
        self.choosing.offer(event.word, finish=event.finish)

    def action_inbox(self) -> None:
        self.sessions.inbox()

    def action_new_session(self) -> None:
        self.sessions.begin()
        self.main.prompt.focus()

    def action_help(self) -> None:
        self.dialogs.help(self.presenter.server)

    def action_copy_or_leave(self) -> None:
        focused = self.focused
        in_box = focused.selected_text if isinstance(focused, TextArea) else ""
        selected = in_box or self.screen.get_selected_text()
        if not selected:
            self.action_leave()
            return
        if self.copies.copy_selection(selected) and not in_box:
            self.screen.clear_selection()

    @on(Editor.Cut)
    def _cut(self, event: Editor.Cut) -> None:
        self.copies.tell_cut(event.text)

    def copy_to_clipboard(self, text: str) -> None:
        self.copies.copy(text)

    def action_leave(self) -> None:
        self.dialogs.quit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        from tui.ui.command_palette import commands

        return commands(self)
