"""Request panel above the prompt: shows one open request at a time.

For half a second after a request appears, an input guard sends keys meant for the prompt to the prompt. `keys` lists
only keys that work now. Collapsing does not reject. Drafts are stored per request, so they survive collapsing,
switching requests and a lost connection.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.config.key_lookup import Keys, action_of, hints
from tui.config.keymap import Scope
from tui.core.answer_draft import AnswerDraft, PermissionDraft
from tui.core.changes import ReplyStatusChanged
from tui.core.model import Answers, PermissionReply, PermissionRequest, QuestionRequest, Request
from tui.core.open_requests import asks_the_same
from tui.widgets.base.guarded import Guarded
from tui.widgets.base.static_text import StaticText
from tui.widgets.focus.input_guard import InputGuard
from tui.widgets.requests.head_text import head_text
from tui.widgets.requests.outcome_text import progress_text
from tui.widgets.requests.request_form import RequestForm
from tui.widgets.requests.request_ui_state import RequestUiState

if TYPE_CHECKING:
    from tui.widgets.requests.permission import PermissionForm
    from tui.widgets.requests.question import QuestionForm


IGNORED = "just appeared: press Enter again"
"""Hint after an Enter that came too early to be meant for the form."""


class RequestPanel(Vertical, Guarded):
    """Shows the active request of the open ones."""

    @dataclass
    class Answered(Message):
        request: QuestionRequest
        answers: Answers

    @dataclass
    class Replied(Message):
        request: PermissionRequest
        reply: PermissionReply
        reason: str

    @dataclass
    class RejectRequested(Message):
        """`letter`: the key that was pressed, if it may begin a word."""

        request: Request
        letter: str

    @dataclass
    class KeyForwarded(Message):
        """A key or paste for the prompt."""

        event: events.Key | events.Paste

    @dataclass
    class DraftChanged(Message):
        """The draft of an answer changed and is to be saved."""

        request_id: str
        body: bytes

    class KeysChanged(Message):
        """`keys` changed: the input guard started or ended, or an answer's status changed."""

    class AnswerInterrupted(Message):
        """The request closed while the user typed a custom answer: further text goes to the prompt."""

    def __init__(
        self,
        now: Callable[[], float],
        release_focus: Callable[[], object],
        ui_state: RequestUiState,
        *,
        id: str | None = None,
    ) -> None:
        """`release_focus` moves the focus out of the panel. `ui_state` is shared with other panels."""
        super().__init__(id=id)
        self._now = now
        self._release_focus = release_focus
        self._requests: dict[str, Request] = {}
        self._active: str | None = None
        self.ui_state = ui_state
        self._form: QuestionForm | PermissionForm | None = None
        self.input_guard = InputGuard(self, now, lambda: self.post_message(self.KeysChanged()))
        self._seen_at = self._ignored_before = 0.0
        self._hint = ""
        self._agents: Mapping[str, str] = {}
        self._head = StaticText(classes="head")
        self._reply_status = StaticText(classes="fare")
        self.reject_with_reason = True
        self.folded = False

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._reply_status

    def on_mount(self) -> None:
        self.display = False

    @property
    def active(self) -> Request | None:
        return self._requests.get(self._active or "")

    @property
    def open_form(self) -> "QuestionForm | PermissionForm | None":
        """The form that can get the focus; None while collapsed or without a request."""
        return None if self.folded else self._form

    @property
    def keys(self) -> Keys:
        """The keys that work now, most important first."""
        if self._form is None:
            return ()
        fold = hints(Scope.REQUEST, "fold")
        if self.input_guard.runs and self.screen.focused is self._form:
            return fold
        more = hints(Scope.REQUEST, self._next_action) if len(self._requests) > 1 else ()
        return (*(fold if self._locked else self._form.keys), *more)

    def show_requests(self, requests: list[Request], agents: Mapping[str, str]) -> bool:
        """Show the open requests, whose agents have names by session id; return True if a new one appeared."""
        self._agents = agents
        appeared = [request for request in requests if request.id not in self._requests]
        before = self.active
        self._requests = {request.id: request for request in requests}
        for request in appeared:
            self.ui_state.since.setdefault(request.id, self._now())
        if self._active not in self._requests:
            self._activate(next(iter(self._requests), None), input_guard=True)
        elif before is not None and self.active is not None and not asks_the_same(before, self.active):
            self._activate(self._active, input_guard=True)
        elif isinstance(self.active, PermissionRequest) and before != self.active:
            self._tell_more(self.active)
        self._draw_head()
        return bool(appeared)

    def show_reply_status(self, change: ReplyStatusChanged) -> None:
        """Show the status of sending an answer."""
        self.ui_state.reply_statuses[change.request.id] = change
        self.draw_fare()
        self.post_message(self.KeysChanged())

    def show_line(self, up: bool) -> None:
        """Set whether the connection is up; if not, the request may no longer be open."""
        if up != self.ui_state.is_connected:
            self.ui_state.is_connected = up
            self._draw_head()

    def tick(self) -> None:
        """Update the age in the header."""
        if self._active is not None:
            self._draw_head()

    def redraw(self) -> None:
        """Redraw the form: another panel may have changed the draft."""
        self._activate(self._active, input_guard=False)

    def unfold(self) -> None:
        self.folded = False
        self._draw_folding()
        if self._form is not None:
            self.screen.set_focus(self._form)

    def action_fold(self) -> None:
        self.folded = True
        if self.has_focus_within:
            self._release_focus()
        self._draw_folding()
        self.post_message(self.KeysChanged())

    def _reject(self, letter: str) -> None:
        if self.active is not None and not self._locked and not self.input_guard.runs:
            self.post_message(self.RejectRequested(self.active, letter))

    def action_turn(self, by: int) -> None:
        """Show the next, or previous, open request."""
        ids = list(self._requests)
        if len(ids) > 1 and self._active in ids:
            self._activate(ids[(ids.index(self._active) + by) % len(ids)], input_guard=False)
            self.unfold()

    @property
    def _locked(self) -> bool:
        reply_status = self.ui_state.reply_statuses.get(self._active or "")
        return reply_status is not None and reply_status.state in ("sending", "retrying", "acknowledged")

    def _activate(self, request_id: str | None, *, input_guard: bool) -> None:
        had_keys, before = self.has_focus_within, self._form
        if before is not None and before.editor.has_focus and request_id != self._active:
            self.post_message(self.AnswerInterrupted())
        self._active, self._form, self._hint = request_id, None, ""
        request = self.active
        if request is None:
            self.folded = False
            if had_keys:
                self._release_focus()
        else:
            if input_guard:
                self.input_guard.begin()
            self._form = self._make_form(request)
            self.mount(self._form, before=self._reply_status)
            self._seen_at = math.inf
            self._form.call_after_refresh(self._is_seen, self._form)
            if had_keys and not self.folded:
                self.screen.set_focus(self._form)
            self._draw_folding()
            self.draw_fare()
        if before is not None:
            before.remove()
        self.display = request is not None

    def _is_seen(self, form: Widget) -> None:
        if form is self._form:
            self._seen_at = time.monotonic()

    def _make_form(self, request: Request) -> "QuestionForm | PermissionForm":
        from tui.widgets.requests.permission import PermissionForm  # imported after the first frame
        from tui.widgets.requests.question import QuestionForm

        match request:
            case QuestionRequest():
                return QuestionForm(self.ui_state.question_draft(request), self, self._answer)
            case PermissionRequest():
                draft = self.ui_state.permission_draft(request)
                return PermissionForm(draft, self, self._reply, reject_with_reason=self.reject_with_reason)
            case _:
                assert_never(request)

    def _tell_more(self, request: PermissionRequest) -> None:
        from tui.widgets.requests.permission import PermissionForm

        if isinstance(self._form, PermissionForm):
            self._form.show_request(request)

    def _draw_folding(self) -> None:
        self.set_class(self.folded, "-folded")
        if self._form is not None:
            self._form.display = not self.folded
        self._draw_head()

    def _draw_head(self) -> None:
        request = self.active
        if request is None or not self.is_mounted:
            return
        waited = self._now() - self.ui_state.since.get(request.id, self._now())
        agent, width = self._agents.get(request.session_id, ""), self.size.width or 80
        state = {"up": self.ui_state.is_connected, "folded": self.folded}
        words = head_text(request, agent, waited, self._place, width, **state, hint=self._hint)
        self._head.show(words, layout=False)

    def draw_fare(self) -> None:
        """Redraw the answer's status, which is in `ui_state`."""
        reply_status = self.ui_state.reply_statuses.get(self._active or "")
        words = Content("") if reply_status is None else progress_text(reply_status)
        self._reply_status.display = bool(words)
        self._reply_status.show(words)

    def has_left(self, form: RequestForm) -> bool:
        """Whether the form is closed or collapsed: input that still reaches it is for the prompt."""
        return form is not self.open_form

    @property
    def may_write(self) -> bool:
        """Whether the form accepts text: not just after it appeared, nor after it was answered."""
        return not (self.input_guard.runs or self._locked)

    def forward(self, event: events.Key | events.Paste) -> None:
        """Forward the event to the prompt."""
        self.post_message(self.KeyForwarded(event))

    def ignore_earlier_keys(self) -> None:
        """Ignore keys pressed before now: they are part of text that has no use here."""
        self._ignored_before = time.monotonic()

    def takes_key(self, event: events.Key) -> bool:
        """Handle a key before the form: ignore it, forward it or run an action of the panel; returns whether it did."""
        self._show_hint("")
        if event.key == "enter" and event.time < self._seen_at:  # pressed before the form was drawn
            self._show_hint(IGNORED)
            return True
        is_text = event.is_printable and event.character is not None
        if event.time < self._ignored_before and (is_text or event.key == "enter"):
            return True
        if self.input_guard.runs and (is_text or event.key == "enter"):
            self.input_guard.begin()
            if is_text:
                self.forward(event)
            else:
                self._show_hint(IGNORED)
            return True
        if self._acts(event.key):
            return True
        unbound = self._turns_nothing(event.key) or event.key not in self.screen.active_bindings
        if is_text and unbound and not event.key.isdecimal():
            self.forward(event)
            return True
        return self._locked and (event.key in ("enter", "space") or event.key.isdecimal())

    def _acts(self, key: str) -> bool:
        """Run the key's action before the next key is handled; return whether it has one."""
        if self._turns_nothing(key):
            return False
        match action_of(Scope.REQUEST, key):
            case "fold":
                self.action_fold()
            case "reject":
                self._reject(key)
            case "reject_typing":
                self._reject("")
            case "next_request" | "next_request_typing":
                self.action_turn(1)
            case "previous_request":
                self.action_turn(-1)
            case _:
                return False
        return True

    def _turns_nothing(self, key: str) -> bool:
        """Whether the key is a letter that shows another request, and there is none."""
        turns = action_of(Scope.REQUEST, key) in ("next_request", "previous_request")
        return turns and len(self._requests) < 2

    def on_click(self, event: events.Click) -> None:
        """Handle a click on the header: next request at its right end, else collapse or expand."""
        if not self._head.region.contains_point(event.screen_offset):
            return
        event.stop()
        if len(self._requests) > 1 and event.screen_x >= self._head.region.right - len(self._place):
            self.action_turn(1)
        elif self.folded:
            self.unfold()
        else:
            self.action_fold()

    @property
    def _place(self) -> str:
        """Position among several requests, and the key for the next one."""
        ids = list(self._requests)
        return (
            f"{ids.index(self._active) + 1} of {len(ids)} · {hints(Scope.REQUEST, self._next_action)[0].label} next "
            if len(ids) > 1 and self._active
            else ""
        )

    @property
    def _next_action(self) -> str:
        return "next_request_typing" if self._form is not None and self._form.takes_text else "next_request"

    def on_resize(self) -> None:
        self._draw_head()

    def on_request_form_changed(self, event: RequestForm.Changed) -> None:
        event.stop()
        body = self.ui_state.unsaved(event.draft)
        if body is not None:
            self._show_hint("")
            self.post_message(self.DraftChanged(event.draft.request.id, body))

    def _answer(self, draft: AnswerDraft) -> None:
        """Send the draft as it is now: keys queued behind this one may change it."""
        if self._lock(draft.request):
            self.post_message(self.Answered(draft.request, draft.answers()))

    def _reply(self, draft: PermissionDraft, reply: PermissionReply, words: str) -> None:
        if self._lock(draft.request):
            self.post_message(self.Replied(draft.request, reply, words))

    def _lock(self, request: Request) -> bool:
        """Lock the request and return True; return False if it cannot be answered."""
        if self._locked or request.id != self._active:
            return False
        self.show_reply_status(ReplyStatusChanged(request, "sending"))
        return True

    def on_request_form_hint(self, event: RequestForm.Hint) -> None:
        event.stop()
        self._show_hint(event.text)

    def _show_hint(self, text: str) -> None:
        """Show a hint until the next key, in the header, which is visible on a small screen too."""
        if text != self._hint:
            self._hint = text
            self._draw_head()
