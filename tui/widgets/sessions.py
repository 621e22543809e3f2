"""The list of sessions: filter by typing, open one, or begin a new one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.core.model import Busy, Idle, Retrying, Session
from tui.core.store import Store
from tui.core.turn import Turn, TurnState
from tui.widgets.dialog import Dialog
from tui.widgets.duration import span
from tui.widgets.key_hints import hints_of
from tui.widgets.plain import MUTED, Plain, spread

LISTED_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Open:
    session_id: str


@dataclass(frozen=True, slots=True)
class New:
    """Begin a new session."""


def state_words(store: Store, turn: Turn | None, session_id: str) -> tuple[str, str]:
    """(glyph and word, colour) of what the session does now."""
    if store.requests_of(session_id):
        return "? waiting for you", "$accent"
    if turn is not None and turn.over:
        match turn.state:
            case TurnState.FAILED | TurnState.INTERRUPTED | TurnState.CANCELLED | TurnState.NOT_SENT:
                return f"✗ {turn.state.value}", "$error"
            case TurnState.ABORTED:
                return "■ aborted", "$warning"
            case _:
                pass
    match store.status(session_id):
        case Retrying():
            return "↻ provider retry", "$warning"
        case Busy():
            return "● running", "$success"
        case Idle():
            return "· idle", MUTED


class SessionPicker(Dialog[Open | New | None]):
    """Dismissed with what was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2", "dismiss", "close", show=False),
        Binding("ctrl+n", "new", "new session", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("up", "move(-1)", "up", show=False),
    ]

    def __init__(
        self,
        store: Store,
        turn_of: Callable[[str], Turn | None],
        server_now: Callable[[], float],
        current: str | None,
    ) -> None:
        super().__init__()
        self._store, self._turn_of, self._server_now, self._current = store, turn_of, server_now, current
        self._listed: list[Session] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Plain(Content.styled("Sessions", "bold"), classes="title")
            yield Input(placeholder="filter", compact=True)
            yield OptionList(markup=False, compact=True)
            keys = (
                ("Enter", "open", "screen.open"),
                ("^N", "new", "screen.new"),
                ("Esc", "close", "screen.dismiss"),
            )
            yield Plain(hints_of(keys), classes="keys")

    def on_mount(self) -> None:
        self.draw()
        self.query_one(Input).focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """List the sessions of the store that fit the filter, newest first."""
        options = self.query_one(OptionList)
        chosen = self._chosen()
        keep = chosen.id if chosen is not None else self._current
        wanted = self.query_one(Input).value.casefold().split()
        sessions = sorted(
            (s for s in self._store.sessions.values() if s.parent_id is None),
            key=lambda s: s.updated,
            reverse=True,
        )
        self._listed = [s for s in sessions if all(word in _searched(s) for word in wanted)][:LISTED_AT_MOST]
        options.clear_options()
        options.add_options([Option(self._row(session)) for session in self._listed])
        at = next((row for row, session in enumerate(self._listed) if session.id == keep), 0)
        options.highlighted = at if self._listed else None

    def action_move(self, rows: int) -> None:
        options = self.query_one(OptionList)
        (options.action_cursor_down if rows > 0 else options.action_cursor_up)()

    def action_new(self) -> None:
        self.dismiss(New())

    def action_open(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self.dismiss(Open(chosen.id))

    def _chosen(self) -> Session | None:
        at = self.query_one(OptionList).highlighted
        return self._listed[at] if at is not None and at < len(self._listed) else None

    def _row(self, session: Session) -> Content:
        state, colour = state_words(self._store, self._turn_of(session.id), session.id)
        age = span(self._server_now() - session.updated) if session.updated else ""
        here = "› " if session.id == self._current else "  "
        left = Content.assemble((here, "$primary"), session.title.replace("\n", " ") or "untitled")
        right = Content.assemble((state, colour), (f"{age:>8} ", MUTED))
        return spread(left, right, max(20, self.query_one(OptionList).size.width - 2))

    @on(Input.Changed)
    def _filter(self) -> None:
        self.draw()

    @on(Input.Submitted)
    def _enter(self) -> None:
        self.action_open()

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_open()


def _searched(session: Session) -> str:
    return f"{session.title} {session.directory}".casefold()
