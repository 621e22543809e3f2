"""The main screen: header, transcript, request, turn status, prompt, footer. Handles layout and focus.

It does not know the client: it posts messages for actions and is given what to show.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from tui.config.keymap import Scope
from tui.core.changes import Notice
from tui.core.store import Store
from tui.ui import footer_hints
from tui.ui.code_copy import CodeCopy
from tui.ui.main_ports import MainPorts
from tui.widgets.base.bindings import bindings
from tui.widgets.base.replaced import Replaced
from tui.widgets.base.static_text import SkipsCoveredBackground, StaticText
from tui.widgets.focus.unused_input import UnusedInput
from tui.widgets.prompt.completions import CompletionList
from tui.widgets.prompt.prompt import PromptBox
from tui.widgets.prompt.queue_list import QueueList
from tui.widgets.requests.panel import RequestPanel
from tui.widgets.requests.request_ui_state import RequestUiState
from tui.widgets.status.footer import HintBar
from tui.widgets.status.header import HeaderBar
from tui.widgets.status.notices import SMALL, Notices
from tui.widgets.status.plan import Plan
from tui.widgets.status.turn_status import TurnStatus
from tui.widgets.status.welcome import Welcome
from tui.widgets.transcript.foldable import Foldable
from tui.widgets.transcript.view import TranscriptView, Unread

if TYPE_CHECKING:
    from tui.widgets.transcript.search_bar import SearchBar

TYPING = 1.0
"""Seconds after a key during which the user counts as typing, so that focus does not move."""

ENTER_IGNORED = Notice("The question has just appeared or closed: press Enter again to send.")
PASSED_ON = Notice("The question has just appeared: what you typed went to the prompt. Tab returns to it.")


class Body(Container, SkipsCoveredBackground):
    """The transcript, or the welcome text."""


class Entry(Horizontal, SkipsCoveredBackground):
    """The prompt mark and the prompt."""


class PromptArea(Vertical, SkipsCoveredBackground):
    """The part that is always visible: the prompt and the key hints."""


class ContentBelowHeader(Vertical, SkipsCoveredBackground):
    """Everything below the header. If only the header changes, as it does each second, the compositor skips this."""


class MainScreen(Screen[None], SkipsCoveredBackground):
    """All widgets that are always mounted."""

    AUTO_FOCUS = "#prompt"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (SMALL, "-tall")]  # noqa: RUF012 (Textual's own is not a ClassVar)
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.MAIN)

    class AbortPressed(Message):
        """Esc was pressed in the prompt, to abort the turn."""

    def __init__(self, store: Store, address: str, now: Callable[[], float], ports: MainPorts) -> None:
        super().__init__()
        self._ports = ports
        self._store = store
        self._now = now
        self._typed_at = float("-inf")
        self._keys_wanted = False
        self._came = False
        self._search: SearchBar | None = None
        self.waiting = 0
        self.turn_runs = False
        self.takes_now = True
        self._completes = self._written = self._covered = False
        self.health = HeaderBar(address, id="health")
        self.notices = Notices(id="notices")
        self.transcript = TranscriptView(store, ports.recorded_end, id="transcript")
        self.welcome = Welcome(id="welcome")
        self.unread = Unread(id="unread")
        self.panel = RequestPanel(now, self._release_focus, RequestUiState(ports.answer_draft), id="request")
        self.plan = Plan(id="plan")
        self.turn_line = TurnStatus(id="turn")
        self.queue = QueueList(id="queue")
        self.prompt = PromptBox(now, submit=ports.submit, past=ports.past, save_long=ports.keep_long, id="prompt")
        self.key_hints = HintBar(id="keys")
        self._replaced: list[Replaced] = []
        self._code = CodeCopy(
            self.transcript, now, copy=lambda text: self.app.copy_to_clipboard(text), notify=self.notices.add
        )

    def compose(self) -> ComposeResult:
        yield self.health
        with ContentBelowHeader(id="rest"):
            with Body(id="body"):
                yield self.transcript
                yield self.welcome
                yield self.unread
            yield self.panel
            yield self.plan
            yield self.notices
            yield self.turn_line
            yield self.queue
            with PromptArea(id="foot"):
                yield self.prompt.completions
                with Entry(id="entry"):
                    yield StaticText(" ›", id="mark")
                    yield self.prompt
                yield self.key_hints

    def on_mount(self) -> None:
        self.unread.display = False
        self.transcript.display = False
        self.watch(self, "focused", self._focus_moved, init=True)

    def show_session(self, session_id: str | None) -> None:
        """Show a session's transcript, or the welcome text if None."""
        self.leave_search()
        self.transcript.display = session_id is not None
        self.welcome.display = session_id is None
        self.transcript.show_session(session_id)

    def replace(self, widget: Widget, words: str) -> bool:
        """Replace a widget that cannot be drawn by a line; return False if it, or its content, must stay."""
        while isinstance(widget.parent, Widget) and widget not in widget.parent.children:
            widget = widget.parent  # a scrollbar is not in `children`
        if isinstance(widget, Body) or widget in self.prompt.ancestors_with_self:
            return False
        if self.focused is not None and widget in self.focused.ancestors_with_self:
            self.prompt.focus()
        if all(widget is not one.widget for one in self._replaced):
            self._replaced.append(Replaced(widget, words))
        return True

    def restore(self) -> None:
        """Restore replaced widgets: another session may be drawable."""
        while self._replaced:
            self._replaced.pop().restore()

    def request_appeared(self) -> None:
        """Note that a request appeared; it gets the focus as soon as the user is not typing."""
        self._keys_wanted = True
        self._offer_keys()
        self.refresh_hints()

    def tick(self) -> None:
        """Update what depends on time."""
        self.panel.tick()
        self._offer_keys()

    def _offer_keys(self) -> None:
        form = self.panel.open_form
        if form is None or not self._keys_wanted:
            return
        writing = self.focused is not self.prompt or bool(self.prompt.text)
        if not writing and self._now() - self._typed_at > TYPING:
            self._keys_wanted = False
            self.panel.input_guard.begin()
            self._came = True
            form.focus()

    @property
    def searching(self) -> bool:
        """Whether the search bar has the focus."""
        return self._search is not None and self._search.has_focus_within

    def refresh_hints(self) -> None:
        """Update the key hints. Under a dialog, which shows its own hints, only help is shown."""
        self._completes = footer_hints.completes(self)
        self._written = self.prompt.has_words
        if self._covered:
            self.key_hints.show_only_help()
        else:
            self.key_hints.show_keys(footer_hints.named(self), self.waiting)

    def on_screen_suspend(self) -> None:
        self._covered = True
        self.refresh_hints()

    def on_screen_resume(self) -> None:
        self._covered = False
        self.app.clear_notifications()  # `notices` shows them
        self.refresh_hints()

    def show_running(self, running: bool, *, takes_now: bool = True) -> None:
        """Set whether a turn of the session runs, and whether a prompt is accepted meanwhile."""
        if (running, takes_now) != (self.turn_runs, self.takes_now):
            self.turn_runs, self.takes_now = running, takes_now
            self.refresh_hints()

    @property
    def just_focused(self) -> bool:
        """Whether the request was focused automatically and no key came since: Tab was meant to focus it."""
        return self._came and self.panel.has_focus_within

    def on_key_event(self) -> None:
        """Handle a key other than Tab: the user has seen where the focus is."""
        if self._came:
            self._came = False
            self.refresh_hints()

    def action_next_part(self, by: int = 1) -> None:
        if by > 0 and self.just_focused:
            self._came = False
            self.panel.input_guard.cancel()  # the user wants to answer it
            return
        parts: list[Widget | None] = [self.prompt, self.panel.open_form]
        parts.append(self.transcript if self.transcript.display else None)
        parts.append(self.queue if self.queue.display else None)
        there = [part for part in parts if part is not None]
        at = next((row for row, part in enumerate(there) if part.has_focus or part.has_focus_within), -1)
        part = there[(at + by) % len(there)]
        if part is self.prompt:
            self._lead_to_prompt()
            return
        if part is self.panel.open_form:
            self.panel.input_guard.cancel()  # the user wants to answer it
        part.focus()

    def action_back(self) -> None:
        if self.focused is self.prompt:
            self.post_message(self.AbortPressed())
        else:
            self._lead_to_prompt()

    def action_fold(self) -> None:
        if self.panel.active is None:
            self.notices.add(Notice("Nothing in this session needs your answer."))
            return
        if self.panel.folded or not self.panel.has_focus_within:
            self.panel.unfold()
        else:
            self.panel.action_fold()

    async def action_search(self) -> None:
        from tui.widgets.transcript.search_bar import SearchBar  # imported after the first frame

        if self._search is not None:
            self.leave_search()
        elif self.transcript.display:
            self._search = SearchBar(self.transcript, self._store, self._ports.older, id="search")
            await self.mount(self._search, before=self.panel)
        else:
            self.notices.add(Notice("There is no transcript to search."))

    def on_search_bar_closed(self) -> None:
        self.leave_search()

    def leave_search(self) -> None:
        """Close the search."""
        if self._search is not None:
            self._search.end()
            self._search.remove()
            self._search = None
            self.prompt.focus()

    def action_copy_code(self) -> None:
        """Copy the visible code block; if repeated within a few seconds, the block above it."""
        self._code.next()

    def action_attach(self) -> None:
        """List the files of the project, as `@` in the prompt."""
        self.prompt.begin_name("@")

    def action_server_command(self) -> None:
        """List the commands of the server, as `/` in the prompt."""
        self.prompt.begin_name("/")

    def action_plan(self) -> None:
        if self.plan.is_empty:
            self.notices.add(Notice("This session has no plan."))
        else:
            self.plan.fold()

    def on_key(self, event: events.Key) -> None:
        """Insert a letter into the prompt if the focused widget does not handle it."""
        nobody_s = (
            isinstance(self.focused, TranscriptView | Foldable | QueueList | None)
            and event.key not in self.active_bindings
        )
        if event.is_printable and nobody_s:
            event.stop()
            self._pass_on(event)

    def on_paste(self, event: events.Paste) -> None:
        """Insert a paste into the prompt if the focused widget does not handle it."""
        event.stop()
        self._pass_on(event)

    def on_resize(self, event: events.Resize) -> None:
        self.queue.show_room(event.size.height < SMALL)
        self.refresh_hints()

    def _focus_moved(self) -> None:
        if self.panel.has_focus_within:
            self._keys_wanted = False  # leaving it from now on is deliberate
        self.queue.show_reach(self.focused is self.prompt)
        self.refresh_hints()

    def _pass_on(self, event: events.Key | events.Paste) -> None:
        """Send the event to the prompt, which gets the focus."""
        self._lead_to_prompt()
        self.post_message(UnusedInput(event))

    def _lead_to_prompt(self) -> None:
        self.set_focus(self.prompt)

    def continue_typing(self) -> None:
        """Move the focus to the prompt for text that another part received; Enter at its end sends nothing."""
        self.prompt.suppress_enter()
        self._lead_to_prompt()

    @on(PromptBox.Changed, "#prompt")
    def _typed(self) -> None:
        self._typed_at = self._now()
        if self._written != self.prompt.has_words:
            self.refresh_hints()

    @on(PromptBox.SelectionChanged, "#prompt")
    def _cursor_moved(self) -> None:
        if self._completes != bool(self.prompt.unfinished):
            self.refresh_hints()

    @on(PromptBox.ScrollRequested)
    def _scroll(self, event: PromptBox.ScrollRequested) -> None:
        match event.where:
            case "up":
                self.transcript.action_page_up()
            case "down":
                self.transcript.scroll_page_down(animate=False)
            case "end":
                self.action_follow()

    @on(TranscriptView.ReadingMoved)
    def _reading_moved(self) -> None:
        self.unread.show_unread(self.transcript.following, self.transcript.unread)

    @on(events.Click, "#unread")
    def action_follow(self) -> None:
        self.transcript.follow()

    @on(CompletionList.Switched)
    def _list_switched(self) -> None:
        self.refresh_hints()

    @on(QueueList.Emptied)
    def _queue_emptied(self) -> None:
        self.prompt.focus()

    def on_question_form_keys_changed(self) -> None:
        self.refresh_hints()

    @on(PromptBox.KeysChanged)
    @on(RequestPanel.KeysChanged)
    def _keys_changed(self) -> None:
        self.refresh_hints()

    @on(PromptBox.EnterIgnored)
    def _enter_ignored(self) -> None:
        self.notices.add(ENTER_IGNORED)

    @on(RequestPanel.KeyForwarded)
    def _passed_on(self, event: RequestPanel.KeyForwarded) -> None:
        passed = event.event
        if isinstance(passed, events.Key) and passed.key.isdecimal() and not self.prompt.text:
            self.prompt.suppress_enter()  # it was meant for the question, so Enter after it must not submit it
            self.notices.add(PASSED_ON)
        self._pass_on(passed)

    @on(RequestPanel.AnswerInterrupted)
    def _cut_off(self) -> None:
        self.prompt.suppress_enter()

    def _release_focus(self) -> None:
        if self.panel.active is None:
            self.prompt.input_guard.begin()  # an Enter right now is meant for the closed request
        self._lead_to_prompt()
