"""Session list dialog: filter by typing; open, create, rename, copy or delete a session.

It does not know the client: its result requests an action, or `SessionPort` takes it while the dialog stays open.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Protocol

from textual import on
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.config.key_lookup import hints
from tui.config.keymap import Scope
from tui.core.model import Session
from tui.core.sanitize import single_line
from tui.core.session_state import SessionState
from tui.core.store import Store
from tui.widgets.base.bindings import bindings
from tui.widgets.base.format import span
from tui.widgets.base.static_text import (
    ACCENT,
    AS_LAST_KNOWN,
    BOLD,
    ERROR,
    MUTED,
    ONE_ROW,
    PRIMARY,
    SUCCESS,
    WARNING,
    spread,
)
from tui.widgets.dialogs.filter_dialog import FilterDialog

MAX_LISTED = 200
"""Sessions listed at first; more are added near the end of the list."""
NEAR_THE_END = 5
"""Rows before the end of the list at which more are fetched."""
PLACE_CELLS = 24
"""Cells for a session's folder, if the list is wide enough."""
WIDE = 80
SEARCHED = 1_000
"""Maximum characters of a title and of a folder that the filter searches."""

STANDINGS = {
    SessionState.WAITING: ("?", ACCENT),
    SessionState.RETRYING: ("↻", WARNING),
    SessionState.STALLED: ("◐", WARNING),
    SessionState.RUNNING: ("●", SUCCESS),
    SessionState.FAILED: ("✗", ERROR),
    SessionState.INTERRUPTED: ("!", ERROR),
    SessionState.UNREAD: ("✓", PRIMARY),
    SessionState.IDLE: ("·", MUTED),
    SessionState.GONE: ("■", WARNING),
}
"""Glyph and colour of each state; the word alone is sufficient."""


@dataclass(frozen=True, slots=True)
class Open:
    session_id: str


@dataclass(frozen=True, slots=True)
class New:
    """Create a new session."""


class SessionPort(Protocol):
    """Actions while the dialog stays open."""

    def rename(self, session: Session) -> None: ...
    def fork(self, session: Session) -> None: ...
    def delete(self, session: Session) -> None: ...
    def fetch(self, search: str, cursor: str | None) -> None:
        """Request a page of the sessions whose title contains `search`, for the open dialog."""


class SessionPicker(FilterDialog[Open | New | None]):
    """Dismissed with the user's choice. `standing_of` returns a session's state, `server_now` epoch seconds."""

    PART = "the sessions"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.SESSIONS)

    def __init__(
        self,
        store: Store,
        standing_of: Callable[[str], SessionState],
        server_now: Callable[[], float],
        current: str | None,
        port: SessionPort,
        *,
        edits: bool,
        is_connected: Callable[[], bool] = lambda: True,
        kept: Callable[[], Sequence[Session]] = tuple,
        waited: Callable[[str], float | None] = lambda session_id: None,
    ) -> None:
        """`edits`: the server supports renaming, copying and deleting sessions.

        `is_connected`: if not, states are as last known. `kept`: deleted sessions that still have unsent
        text. `waited`: seconds that a session's oldest request has waited.
        """
        actions = ("rename", "fork", "delete") if edits else ()
        super().__init__("Sessions", hints(Scope.SESSIONS, "submit", "new", *actions, "dismiss"))
        self._store, self._standing_of, self._server_now = store, standing_of, server_now
        self._current, self._edits, self._is_connected, self._kept = current, edits, is_connected, kept
        self._waited, self._port = waited, port
        self._listed: list[Session] = []
        self._most = MAX_LISTED
        self._cursor: str | None = None
        self._all_known = False
        """Whether the server has listed all of its sessions, not only search results."""
        self._failure = ""
        self._drawn: list[Content] = []
        self._searched = ""
        self._searching = False
        self._unreadable = 0

    def draw(self) -> None:
        """List the sessions that match the filter, newest first, each above its children."""
        if not self._options.is_mounted:
            return
        options = self._options
        chosen = self._chosen()
        keep = chosen.id if chosen is not None else self._current
        wanted = self.words
        self._listed = list(islice(self._fitting(wanted), self._most))
        if self._searching:
            empty = " · searching…"
        elif self._listed:
            empty = ""
        else:
            none = "no matches" if self._all_known or not self._is_connected() else "no title matches"
            empty = f" · {none}" if wanted else " · not loaded yet"
        if self._failure:
            empty += f" · ✗ the list could not be fetched: {self._failure}"
        if self._unreadable:
            empty += f" · {self._unreadable} cannot be read"
        here = any(session.id == self._current for session in self._listed)
        mark = Content.assemble(("   › ", PRIMARY), ("current", MUTED)) if here else ""
        known = "" if self._is_connected() else AS_LAST_KNOWN
        self._title.show(Content.assemble((f"Sessions{empty}", BOLD), (known, MUTED), mark))
        rows = [self._row(session) for session in self._listed]
        if [row.plain for row in rows] != [row.plain for row in self._drawn]:
            self._drawn = rows
            options.clear_options()
            options.add_options([Option(row) for row in rows])
        at = next((row for row, session in enumerate(self._listed) if session.id == keep), 0)
        with options.prevent(OptionList.OptionHighlighted):  # the user did not move, so fetch no more
            options.highlighted = at if self._listed else None

    def show_searching(self, searching: bool) -> None:
        """Set whether a request to the server is running."""
        self._searching = searching
        if searching:
            self._failure = ""
        self.draw()

    def show_page(self, search: str, cursor: str | None, unreadable: int, *, first: bool) -> None:
        """Take the result of a request: the next page's cursor, and how many sessions were unreadable."""
        self._searching = False
        self._cursor = cursor
        self._unreadable = unreadable + (0 if first else self._unreadable)
        self._all_known = self._all_known or not (search or cursor)
        self.draw()
        if self._options.is_mounted and not self._listed:
            self._want_more()

    def show_failure(self, what: str, cursor: str | None) -> None:
        """Show a failed request for the page at `cursor`; the next move retries it."""
        self._searching, self._failure, self._cursor = False, what, cursor
        self.draw()

    def _fitting(self, wanted: list[str]) -> Iterator[Session]:
        listed = (*self._kept(), *self._store.sessions.values())
        newest = sorted(listed, key=lambda s: s.updated, reverse=True)
        children: dict[str, list[Session]] = {}
        for session in newest:
            children.setdefault(session.parent_id or "", []).append(session)
        for session in newest:
            if session.parent_id is None or session.parent_id not in self._store.sessions:
                yield from self._family(session, children, wanted)

    def _family(
        self, session: Session, children: Mapping[str, Sequence[Session]], wanted: list[str]
    ) -> Iterator[Session]:
        """Yield a session and its descendants, each once, at any depth and even if parents form a cycle."""
        left, seen = [session], {session.id}
        while left:
            one = left.pop()
            if all(word in f"{_searched(one)} {self._standing_of(one.id).value}" for word in wanted):
                yield one
            new = [child for child in children.get(one.id, ()) if child.id not in seen]
            seen.update(child.id for child in new)
            left += reversed(new)

    def action_move(self, rows: int) -> None:
        """Move the cursor, wrapping around unless more sessions can be loaded at the end."""
        options = self._options
        at_end = options.highlighted == len(self._listed) - 1
        if rows > 0 and at_end and self._has_more:
            self._want_more()
        else:
            super().action_move(rows)

    def action_new(self) -> None:
        self.dismiss(New())

    def action_submit(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self.dismiss(Open(chosen.id))

    def action_rename(self) -> None:
        self._edit(self._port.rename)

    def action_fork(self) -> None:
        self._edit(self._port.fork)

    def action_delete(self) -> None:
        self._edit(self._port.delete)

    def _edit(self, edit: Callable[[Session], None]) -> None:
        chosen = self._chosen()
        if self._edits and chosen is not None and chosen.id in self._store.sessions:
            edit(chosen)

    def _chosen(self) -> Session | None:
        at = self._options.highlighted
        return self._listed[at] if at is not None and at < len(self._listed) else None

    def _row(self, session: Session) -> Content:
        standing = self._standing_of(session.id)
        glyph, colour = STANDINGS[standing]
        width = max(12, self._options.size.width - 2)
        waited = self._waited(session.id) if standing is SessionState.WAITING else None
        age = span(self._server_now() - session.updated) if session.updated else ""
        age = age if waited is None else span(waited)
        here = "› " if session.id == self._current else "  "
        child = "└ " if session.parent_id is not None else ""
        left = Content.assemble((here, PRIMARY), (child, MUTED), single_line(session.title) or "untitled")
        place = f"{_tail(session.directory):>{PLACE_CELLS}}  " if width >= WIDE else ""
        right = Content.assemble((place, MUTED), (f"{glyph} {standing.value:<15}", colour), (f"{age:>7} ", MUTED))
        return spread(left, right, width)

    def filter_changed(self) -> None:
        """Filter the loaded sessions at once; search the server for the longest word, as it supports only one."""
        search = max(self._filter_box.value.split(), key=len, default="")
        if search != self._searched:
            self._searched, self._cursor = search, None
            self._searching = bool(search)
            self._port.fetch(search, None)
        self.draw()
        if not self._listed:
            self._want_more()

    @property
    def _has_more(self) -> bool:
        return self._cursor is not None or self._searching or len(self._listed) == self._most

    @on(OptionList.OptionHighlighted)
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index >= len(self._listed) - NEAR_THE_END:
            self._want_more()

    def on_mouse_scroll_down(self) -> None:
        """Load more: the list itself could not scroll further."""
        self._want_more()

    def _want_more(self) -> None:
        """Near the end of the list: list more sessions and request more from the server."""
        if self._listed and len(self._listed) == self._most:
            self._most += MAX_LISTED
            self.call_later(self.draw)
        if self._cursor is not None and not self._searching and not self._failure:
            cursor, self._cursor = self._cursor, None
            self._searching = True
            self._port.fetch(self._searched, cursor)


def _tail(directory: str) -> str:
    """Return the end of a path, which is more specific than its beginning."""
    end = directory[-PLACE_CELLS:].translate(ONE_ROW)
    return end if len(directory) <= PLACE_CELLS else "…" + end[1:]


def _searched(session: Session) -> str:
    return f"{session.title[:SEARCHED]} {session.directory[:SEARCHED]}".casefold()
