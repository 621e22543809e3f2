"""Inbox: the open questions and permissions of all sessions, oldest first, answered in place.

New requests are appended and take neither focus nor keys. Esc goes back one step, from the answer to the list and from
the list to the main screen; it never rejects.
"""

from collections.abc import Callable
from itertools import chain
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.config.key_lookup import Keys, hints
from tui.config.keymap import Scope
from tui.core.model import PermissionRequest, Request, Session
from tui.core.sanitize import single_line
from tui.core.store import Store
from tui.widgets.base.bindings import bindings
from tui.widgets.base.format import span
from tui.widgets.base.static_text import ACCENT, AS_LAST_KNOWN, BOLD, MUTED, StaticText, spread
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.requests.panel import RequestPanel
from tui.widgets.requests.request_ui_state import RequestUiState
from tui.widgets.status.footer import DialogKeys

NOTHING_PENDING = "Nothing needs your answer."
AGENT = 40
"""Maximum characters of an agent's name."""
NOT_KNOWN = "Whether something needs your answer is unknown while disconnected."


class InboxPanel(RequestPanel):
    """Panel of the selected request. It does not collapse: Esc moves the focus back to the list."""

    def action_fold(self) -> None:
        self._release_focus()


class Inbox(Dialog[str | None]):
    """Dismissed with None, or with the id of the session to open."""

    DEFAULT_CSS: ClassVar[str] = """
    Inbox > .dialog.wide {
        OptionList { height: auto; max-height: 8; margin-bottom: 1; }
        InboxPanel { height: auto; max-height: 1fr; border-top: solid $foreground 18%; }
        .head { height: 1; text-wrap: nowrap; }
        .fare { height: auto; }
    }
    Inbox.-low > .dialog.wide {
        OptionList { max-height: 2; margin-bottom: 0; }
        InboxPanel { height: 1fr; border-top: none; }
    }
    """
    PART = "the inbox"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.INBOX)

    def __init__(
        self,
        store: Store,
        ui_state: RequestUiState,
        now: Callable[[], float],
        *,
        reject_with_reason: bool,
    ) -> None:
        """`ui_state` is the main panel's; `now` is the clock of `ui_state.since`."""
        super().__init__()
        self._store, self._ui_state, self._now = store, ui_state, now
        self._listed: list[Request] = []
        self._title = StaticText(classes="title")
        self._options = OptionList(markup=False, compact=True)
        self._panel = InboxPanel(now, self._options.focus, ui_state)
        self._keys = DialogKeys()
        self._panel.reject_with_reason = reject_with_reason

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield self._title
            yield self._options
            yield self._panel
            yield self._keys

    def on_mount(self) -> None:
        self.draw()
        self._options.focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def on_descendant_focus(self) -> None:
        self._draw_keys()

    def on_question_form_keys_changed(self) -> None:
        self._draw_keys()

    @on(RequestPanel.KeysChanged)
    def _draw_keys(self) -> None:
        self._keys.show_keys(self._keys_of_now)

    @property
    def _keys_of_now(self) -> Keys:
        panel = self._panel
        if not panel.has_focus_within:
            return hints(Scope.INBOX, "switch", "open", "dismiss") if self._listed else hints(Scope.INBOX, "dismiss")
        opens = not panel.input_guard.runs and self.focused is panel.open_form
        back = hints(Scope.INBOX, "dismiss", *(("open",) if opens else ()))
        fold = hints(Scope.REQUEST, "fold")[0]
        return tuple(chain.from_iterable(back if hint == fold else (hint,) for hint in panel.keys))

    def draw(self) -> None:
        """Update the list; the selected request stays selected, wherever it is now."""
        if not self._panel.is_mounted:
            return
        options = self._options
        at = options.highlighted or 0
        keep = self._listed[at].id if at < len(self._listed) else ""
        self._listed = sorted(self._store.requests.values(), key=self._since)
        rows = [self._row(request) for request in self._listed]
        at = next((row for row, one in enumerate(self._listed) if one.id == keep), min(at, len(rows) - 1))
        if len(rows) == options.option_count:
            for row, words in enumerate(rows):
                options.replace_option_prompt_at_index(row, words)
        else:
            options.clear_options()
            options.add_options([Option(row) for row in rows])
        options.highlighted = at if rows else None
        self._title.show(self._count(len(rows)))
        self._draw_keys()
        self._show_request()

    def _count(self, waiting: int) -> Content:
        up = self._ui_state.is_connected
        if waiting:
            known, beyond = "" if up else AS_LAST_KNOWN, self._store.requests_not_loaded
            more = f" · the first {waiting:,} are listed" if beyond else ""
            return Content.assemble((f"Inbox · {waiting + beyond:,} waiting", BOLD), (more + known, MUTED))
        return Content.styled(f"Inbox · {NOTHING_PENDING if up else NOT_KNOWN}", BOLD)

    def _show_request(self) -> None:
        request = self._looked_at
        agents = {} if request is None else {request.session_id: self._agent(request)}
        self._panel.show_requests([] if request is None else [request], agents)
        self._panel.draw_fare()

    @property
    def _looked_at(self) -> Request | None:
        at = self._options.highlighted
        return self._listed[at] if at is not None and at < len(self._listed) else None

    def _agent(self, request: Request | None) -> str:
        session = None if request is None else self._store.sessions.get(request.session_id)
        return "" if session is None else single_line(session.agent, AGENT)

    def _row(self, request: Request) -> Content:
        age = span(self._now() - self._since(request))
        agent = self._agent(request)
        left = Content.assemble(("? ", ACCENT), _about(request))
        width = max(12, self._options.size.width - 2)
        names = _tail(self._names(request.session_id), width // 2 - len(agent))
        where = Content.assemble(names, (f" · {agent}" if agent else "", MUTED))
        return spread(left, Content.assemble(where, (f"{age:>8} ", MUTED)), width)

    def _since(self, request: Request) -> float:
        return self._ui_state.since.get(request.id, self._now())

    def _names(self, session_id: str) -> str:
        """Return the titles of the session's parents and its own."""
        names: list[str] = []
        session: Session | None = self._store.sessions.get(session_id)
        seen: set[str] = set()
        while session is not None and session.id not in seen:
            seen.add(session.id)
            names.append(single_line(session.title) or "untitled")
            session = self._store.sessions.get(session.parent_id or "")
        return " › ".join(reversed(names)) or session_id

    def action_switch(self) -> None:
        form = self._panel.open_form
        if form is None or self._panel.has_focus_within:
            self._options.focus()
        else:
            self._panel.input_guard.cancel()  # the user chose this request, so the next key is meant for it
            self.set_focus(form)

    def action_open(self) -> None:
        request = self._looked_at
        if request is not None:
            self.dismiss(request.session_id)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._show_request()

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_switch()

    @on(RequestPanel.KeyForwarded)
    def _passed_on(self, event: RequestPanel.KeyForwarded) -> None:
        """Text has no use here: what is typed behind a letter answers nothing."""
        event.stop()
        self.say_unused()
        if isinstance(event.event, events.Key):
            self._panel.ignore_earlier_keys()


def _tail(names: str, cells: int) -> str:
    """Return the end of a path of names, which is more specific than its beginning."""
    return names if len(names) <= cells else "…" + names[-max(1, cells - 1) :]


def _about(request: Request) -> str:
    if isinstance(request, PermissionRequest):
        what = single_line(request.detail or " ".join(request.patterns))
        return f"allow {single_line(request.action)}? {what}"
    more = f" (+{len(request.questions) - 1})" if len(request.questions) > 1 else ""
    return (single_line(request.questions[0].text) if request.questions else "a question") + more
