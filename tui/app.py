"""The app: which screen, which keys, and who hears what. No I/O of its own.

Changes of the client come in here and go on to the part that shows them; what the person does comes in as
messages and goes on to the client. Nothing is computed on the way.
"""

import asyncio
import signal
import time
from collections import deque
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, ClassVar, TypeVar, assert_never

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import TextArea

from tui.client import Client
from tui.core import changes as c
from tui.core.model import Answers, PermissionRequest, QuestionRequest, Request
from tui.core.turn import Turn, TurnState
from tui.net.errors import NetError
from tui.theme import HOLDFAST
from tui.widgets.editor import Editor
from tui.widgets.health import Heading
from tui.widgets.main_screen import MainScreen
from tui.widgets.outcomes import Outcomes
from tui.widgets.request_panel import RequestPanel
from tui.widgets.transcript import Transcript
from tui.widgets.turn_line import end_words
from tui.widgets.welcome import welcome_words

if TYPE_CHECKING:
    from tui.widgets.sessions import SessionPicker

ABORT_WITHIN = 3.0
"""Seconds between the two Esc that abort a turn."""
TOUR = "Give me the tour."

T = TypeVar("T")


class HoldfastApp(App[None]):
    """One client on one screen."""

    CSS_PATH = "app.tcss"
    TITLE = "holdfast"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "help", show=False),
        Binding("f2", "sessions", "sessions", show=False),
        Binding("f5", "retry", "try the line now", show=False),
        Binding("ctrl+q", "leave", "quit", show=False, priority=True),
        Binding("ctrl+c", "copy_or_leave", "copy or quit", show=False, priority=True),
    ]

    def __init__(
        self, client: Client, session: str | None = None, resume: bool = False, demo: bool = False
    ) -> None:
        """`session` is opened once the line is up; `resume`: the newest one; `demo`: a tour is started."""
        super().__init__()
        self.client = client
        self.session_id: str | None = None
        self._wanted, self._resume, self._demo = session, resume, demo
        self._begun = False
        self._ever_up = False
        self._changes: deque[c.Change] = deque()
        self._outcomes = Outcomes()
        self._told: set[str] = set()
        self._unsent: dict[str, list[str]] = {}
        self._abort_armed = float("-inf")
        self.main = MainScreen(client.store, client.address, client.now)

    def get_default_screen(self) -> Screen[None]:
        return self.main

    def on_mount(self) -> None:
        self.register_theme(HOLDFAST)
        self.theme = HOLDFAST.name
        if not self.is_headless:  # without this they would leave the terminal as it is now
            loop = asyncio.get_running_loop()
            for sign in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(sign, self.exit)

    def on_ready(self) -> None:
        """The first frame is on the screen: now connect."""
        self.client.subscribe(self._hear)
        self.client.start()
        self.set_interval(1.0, self.tick)
        self.tick()

    async def on_unmount(self) -> None:
        await self.client.close()

    def on_app_focus(self) -> None:
        if not self.client.line().up:
            self.client.retry_now()

    # What the client tells

    def _hear(self, change: c.Change) -> None:
        self._changes.append(change)
        if len(self._changes) == 1:
            self.call_later(self._show_changes)

    def _show_changes(self) -> None:
        while self._changes:
            change = self._changes[0]
            self._show(change)
            self._changes.popleft()

    def _show(self, change: c.Change) -> None:
        transcript = self.main.transcript
        match change:
            case c.TextGrew(session_id, message_id, part_id):
                if session_id == self.session_id:
                    transcript.grow(message_id, part_id)
            case c.PartChanged(session_id, message_id, part_id):
                if session_id == self.session_id:
                    transcript.show_part(message_id, part_id)
            case c.PartGone(session_id, message_id, part_id):
                if session_id == self.session_id:
                    transcript.drop_part(message_id, part_id)
            case c.MessageChanged(session_id, message_id):
                if session_id == self.session_id:
                    transcript.show_message(message_id)
                    self._show_heading()
            case c.MessageGone(session_id, message_id):
                if session_id == self.session_id:
                    transcript.drop_message(message_id)
            case c.TranscriptReset(session_id):
                if session_id == self.session_id:
                    transcript.draw()
                    self._show_heading()
            case c.OlderLoaded(session_id):
                if session_id == self.session_id:
                    transcript.older_loaded()
            case c.SessionsChanged():
                self._show_heading()
                self._show_requests()
            case c.RequestsChanged():
                self._show_requests()
            case c.RequestClosed(request):
                self._note(self._outcomes.closed(change))
                self.main.panel.forget(request.id)
                self._show_requests()
            case c.AnswerChanged():
                self._note(self._outcomes.changed(change))
                self.main.panel.show_fare(change)
            case c.TurnChanged(session_id):
                self._show_turn(session_id)
            case c.LineChanged():
                self._show_line()
            case c.FailureSeen(session_id, failure):
                turn = self.client.turn(session_id)
                if session_id == self.session_id and (turn is None or turn.over):
                    self._note(Content.styled(f"✗ {failure.message}", "$error"))
            case c.Notice(text, severity):
                self.notify(text, severity=severity, markup=False)
            case c.QueueChanged() | c.DraftReturned():
                pass  # shown with the queue
            case c.PlanChanged():
                pass  # shown with the inbox and the plan, later
            case _:
                assert_never(change)

    def tick(self) -> None:
        """Once a second: ages and countdowns. Parts redraw only what changed."""
        self._show_line()
        self.main.panel.tick()

    def _show_line(self) -> None:
        line = self.client.line()
        self.main.health.show_line(line)
        if line.up and not self._begun:
            self._begun = self._ever_up = True
            self.run_worker(self._begin(), group="session", exclusive=True)
        if self.session_id is None:
            self.main.welcome.show(welcome_words(line, self.client.address, ever_up=self._ever_up))
        self._show_turn_line()

    def _show_turn_line(self) -> None:
        turn = self.client.turn(self.session_id or "")
        now = self.client.now()
        if now < self._abort_armed:
            self.main.turn_line.say(Content.styled("Esc once more aborts the turn", "bold $warning"))
            return
        self.main.turn_line.show_turn(turn, self.client.line(), now, self.server_now())

    def server_now(self) -> float:
        """The server's clock, in epoch seconds, as far as it is known."""
        server = self.client.server
        skew = server.clock_skew if server is not None else None
        return time.time() + (skew or 0.0)

    def _show_turn(self, session_id: str) -> None:
        for turn in self.client.turns.of(session_id):
            if turn.over and turn.prompt_id not in self._told:
                self._told.add(turn.prompt_id)
                self._turn_ended(turn)
        if session_id == self.session_id:
            self._show_turn_line()

    def _turn_ended(self, turn: Turn) -> None:
        here = turn.session_id == self.session_id
        if turn.state is TurnState.NOT_SENT and turn.prompt is not None:
            if here:
                self.main.transcript.drop_pending(turn.prompt_id)
                self.main.prompt.give_back(turn.prompt.text)
            else:
                self._unsent.setdefault(turn.session_id, []).append(turn.prompt.text)
        answer = self.client.store.answer_to(turn.session_id, turn.prompt_id)
        told_by_message = answer is not None and answer.failure is not None
        if here and not (told_by_message and turn.state in (TurnState.FAILED, TurnState.ABORTED)):
            self._note(end_words(turn))

    def _note(self, words: Content | None) -> None:
        if words is not None:
            self.main.transcript.note(words)

    def _show_heading(self) -> None:
        session = self.client.store.sessions.get(self.session_id or "")
        title = session.title.replace("\n", " ") if session is not None else ""
        self.main.health.show_heading(Heading(title, self._agent()))

    def _agent(self) -> str:
        transcript = self.client.store.transcript(self.session_id or "")
        messages = [] if transcript is None else transcript.ordered()
        return next((m.agent for m in reversed(messages) if m.role == "assistant" and m.agent), "")

    def _show_requests(self) -> None:
        traits = self.client.traits
        self.main.panel.reject_with_reason = traits is None or traits.reject_with_reason
        requests = self.client.store.requests_of(self.session_id) if self.session_id else []
        if self.main.panel.show_requests(requests, self._agent()):
            self.main.request_appeared()
        self.main.refresh_hints()

    # Sessions

    async def _begin(self) -> None:
        if self._demo:
            await self._send_in_new_session(TOUR)
            return
        wanted = self._wanted
        if wanted is None and self._resume:
            sessions = await self._ask(self.client.list_sessions())
            wanted = next((s.id for s in sessions or () if s.parent_id is None), None)
        if wanted is not None:
            await self._open(wanted)

    async def _open(self, session_id: str) -> bool:
        before = self.session_id
        self.session_id = session_id
        self.main.show_session(session_id)
        if not await self._did(self.client.open_session(session_id)):
            self.session_id = before
            self._begun = self._begun and before is not None  # the next time the line is up, try again
            self.main.show_session(before)
            return False
        self._show_heading()
        self._show_requests()
        self._show_line()
        for text in self._unsent.pop(session_id, []):
            self.main.prompt.give_back(text)
        return True

    async def _send_in_new_session(self, text: str) -> None:
        session = await self._ask(self.client.new_session())
        if session is not None and await self._open(session.id):
            self._send(session.id, text)
        else:
            self.main.prompt.give_back(text)

    def _send(self, session_id: str, text: str) -> None:
        try:
            turn = self.client.send(session_id, text)
        except NetError as error:
            self._say(error)
            self.main.prompt.give_back(text)
            return
        self.main.transcript.show_pending(turn.prompt_id, text)
        self.main.transcript.follow()
        self._show_turn_line()

    async def _ask(self, call: Awaitable[T]) -> T | None:
        """The call's answer, or None after saying why there is none."""
        try:
            return await call
        except NetError as error:
            self._say(error)
            return None

    async def _did(self, call: Awaitable[object]) -> bool:
        try:
            await call
        except NetError as error:
            self._say(error)
            return False
        return True

    def _say(self, error: NetError) -> None:
        self.notify(f"{error.what}\n{error.remedy}", severity="warning", markup=False)

    # What the person does

    @on(Editor.Submitted, "#prompt")
    def _submitted(self, event: Editor.Submitted) -> None:
        text = event.text.strip("\n")
        if not text.strip():
            return
        if self.session_id is None and not self.client.line().up:
            self.notify("Not connected: nothing was sent, your words stay here.", severity="warning", markup=False)
            return
        self.main.prompt.remember(text)
        self.main.prompt.clear()
        if self.session_id is None:
            self.run_worker(self._send_in_new_session(text), group="session")
        else:
            self._send(self.session_id, text)

    @on(RequestPanel.Answered)
    def _answered(self, event: RequestPanel.Answered) -> None:
        answers: Answers = event.draft.answers()
        self._outcomes.sent(event.draft.request, answers)
        self.client.answer(event.draft.request.id, answers)

    @on(RequestPanel.Replied)
    def _replied(self, event: RequestPanel.Replied) -> None:
        self._outcomes.sent(event.request, event.reply)
        self.client.reply(event.request.id, event.reply, event.words)

    @on(RequestPanel.RejectWanted)
    def _reject_wanted(self, event: RequestPanel.RejectWanted) -> None:
        from tui.widgets.confirm import Confirm

        request = event.request
        what = "this permission" if isinstance(request, PermissionRequest) else "the question"
        self.push_screen(
            Confirm(f"Reject {what}?", "The agent is told so, and its turn may end.", "reject", "keep it open"),
            lambda yes: self._reject(request) if yes else None,
        )

    def _reject(self, request: Request) -> None:
        self._outcomes.sent(request, None)
        match request:
            case QuestionRequest():
                self.client.reject(request.id)
            case PermissionRequest():
                self.client.reply(request.id, "reject")
            case _:
                assert_never(request)

    @on(Transcript.OlderWanted)
    def _older_wanted(self) -> None:
        if self.session_id is not None:
            self.run_worker(self._ask(self.client.load_older(self.session_id)), group="older", exclusive=True)

    @on(MainScreen.AbortPressed)
    def _abort_pressed(self) -> None:
        turn = self.client.turn(self.session_id or "")
        if turn is None or turn.over or self.session_id is None:
            return
        now = self.client.now()
        if now < self._abort_armed:
            self._abort_armed = float("-inf")
            self.run_worker(self._did(self.client.abort(self.session_id)), group="abort")
        else:
            self._abort_armed = now + ABORT_WITHIN
        self._show_turn_line()

    def action_retry(self) -> None:
        self.client.retry_now()

    def action_sessions(self) -> None:
        from tui.widgets.sessions import New, Open, SessionPicker

        picker = SessionPicker(self.client.store, self.client.turn, self.server_now, self.session_id)

        def chosen(choice: Open | New | None) -> None:
            match choice:
                case Open(session_id):
                    self.run_worker(self._open(session_id), group="session", exclusive=True)
                case New():
                    self._begin_anew()
                case None:
                    pass

        self.push_screen(picker, chosen)
        self.run_worker(self._list_for(picker), group="list", exclusive=True)

    async def _list_for(self, picker: "SessionPicker") -> None:
        if await self._ask(self.client.list_sessions()) is not None and picker.is_mounted:
            picker.draw()

    def _begin_anew(self) -> None:
        self.session_id = None
        self.main.show_session(None)
        self._show_heading()
        self._show_requests()
        self._show_line()
        self.main.prompt.focus()

    def action_help(self) -> None:
        from tui.widgets.help import Help

        self.push_screen(Help(*self.main.part))

    def action_copy_or_leave(self) -> None:
        focused = self.focused
        if isinstance(focused, TextArea) and focused.selected_text:
            self.copy_to_clipboard(focused.selected_text)
        elif selected := self.screen.get_selected_text():
            self.copy_to_clipboard(selected)
            self.screen.clear_selection()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        from tui.widgets.confirm import Confirm

        if isinstance(self.screen, Confirm):
            self.exit()
            return
        running = len(self.client.turns.running())
        if not running and not self.main.prompt.text.strip():
            self.exit()
            return
        self.push_screen(
            Confirm("Leave?", self._what_goes_on(running), "leave"), lambda yes: self.exit() if yes else None
        )

    def _what_goes_on(self, running: int) -> str:
        told = []
        if running:
            turns = "A turn runs" if running == 1 else f"{running} turns run"
            ends = self.client.traits is not None and self.client.traits.cancels_on_disconnect
            told.append(
                f"{turns}. "
                + (
                    "This server ends a turn when you leave."
                    if ends
                    else "It goes on at the server without you; a question will wait there."
                )
            )
        if self.main.prompt.text.strip():
            told.append("What stands in the prompt is not kept.")
        return "\n".join(told)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield SystemCommand("Sessions", "Open another session, or begin a new one (F2)", self.action_sessions)
        yield SystemCommand("New session", "Begin anew", self._begin_anew)
        yield SystemCommand("Try the line now", "Connect at once instead of waiting (F5)", self.action_retry)
        yield SystemCommand("Keys", "The keys of this part and everywhere (F1)", self.action_help)
        yield SystemCommand("Theme", "Other colours", self.action_change_theme)
        yield SystemCommand("Quit", "Leave; says what goes on without you (Ctrl-Q)", self.action_leave)
