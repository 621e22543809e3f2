"""Dispatches client changes to the part of the screen that shows them. One `match`, no I/O.

It computes nothing: parts read the store, and a change names what to redraw. It knows the session on the screen.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, assert_never

from textual.content import Content

from tui.backends.families import SERVE_COMMAND
from tui.core import changes as c
from tui.core.connection_status import ConnectionStatus
from tui.core.model import Failure
from tui.core.open_requests import asks_the_same
from tui.core.sanitize import excerpt
from tui.core.session_state import SessionState, SessionStates
from tui.net.pacing import Slice
from tui.ui.abort_key import AbortKey
from tui.ui.backlog import Backlog, is_outcome
from tui.ui.heading import heading_of, server_name
from tui.ui.main_screen import MainScreen
from tui.ui.paced_redraw import PacedRedraw
from tui.ui.pending_prompts import show_pending
from tui.ui.prompt_controller import PromptController
from tui.ui.request_display import RequestDisplay
from tui.ui.turn_end_notes import TurnEndNotes
from tui.ui.turn_line import TurnLine
from tui.widgets.base.static_text import ERROR
from tui.widgets.requests.outcome_text import Outcomes
from tui.widgets.requests.panel import RequestPanel
from tui.widgets.status.welcome import sending_text, welcome_text
from tui.widgets.transcript.notes import MAX_NOTES

if TYPE_CHECKING:
    from tui.client.client import Client

MAX_PAUSE = 0.5
"""Maximum seconds between two slices while changes arrive faster than they can be shown."""


class Presenter:
    """Keeps the main screen in sync with the client.

    `soon` schedules a function in the screen's loop, `later` after so many seconds; `guard` handles exceptions of the
    screen; `notify` shows a notice; `on_connected` is called each time the connection is established.
    """

    def __init__(
        self,
        client: "Client",
        main: MainScreen,
        writing: PromptController,
        abort_key: AbortKey,
        *,
        soon: Callable[[Callable[[], None]], object],
        later: Callable[[float, Callable[[], None]], object],
        guard: Callable[[], AbstractContextManager[None]],
        notify: Callable[[c.Notice], None],
        on_connected: Callable[[], None],
    ) -> None:
        self._client = client
        self._main = main
        self._writing = writing
        self._soon, self._later = soon, later
        self._guard = guard
        self._notify = notify
        self._on_connected = on_connected
        self._changes = Backlog()
        self._up = self._ever_up = False
        self.end_notes = TurnEndNotes(client, main.transcript)
        self._turn_line = TurnLine(client, main, abort_key)
        self.requests = RequestDisplay(client, main, notify)
        self.stopped = False
        self._standings = SessionStates(client.store, client.turn, client.turns.patience)
        self.outcomes = Outcomes()
        self.refresh_dialog: Callable[[], None] | None = None
        self._showing = self._overlay_stale = False
        self._redraw_transcript = PacedRedraw(
            self._draw_transcript, after_refresh=main.transcript.call_after_refresh, later=later
        )
        self._stale: dict[Callable[[], None], None] = {}
        """Parts to draw once after the current slice of changes."""
        self.session_id: str | None = None
        self._undone_from = ""

    @property
    def panel(self) -> RequestPanel:
        """The request panel of the session on the screen."""
        return self._main.panel

    def on_change(self, change: c.Change) -> None:
        """Queue a change of the client; queued changes are shown in slices.

        Appended text is passed on directly if the queue is empty: the detour through the screen's loop costs more.
        """
        if isinstance(change, c.TextAppended) and not self._changes:
            if change.session_id == self.session_id and not self.stopped:
                self._main.transcript.schedule_part_redraw(change.message_id, change.part_id)
            return
        if not self._changes and not self._showing:
            self._soon(self._show_changes)
        self._changes.add(change, self.session_id)

    def stop(self) -> None:
        """Show the queued changes, which may contain text for the user, and ignore later ones."""
        self._changes.gather(self.session_id)
        while self._changes:
            self._show_changes()
        self.stopped = True
        self._redraw_transcript.cancel()

    def tick(self) -> None:
        """Update ages and countdowns, once a second. All else is redrawn by the change that alters it."""
        if self.stopped:
            return
        line = self._client.connection_status()
        self._standings.refresh(self._client.now())
        self._draw_overlay()
        self._main.health.show_connection(line)
        if not line.up:
            self._show_welcome(line)
        if self._main.turn_runs:
            self.show_turn_line(line)
        self.end_notes.tick(line.up)
        self._writing.tick()
        self._main.tick()

    def show_session(self, session_id: str | None) -> None:
        """Show another session, or none."""
        self.session_id = session_id
        session = self._client.store.sessions.get(session_id or "")
        self._undone_from = "" if session is None else session.undone_from
        self._standings.set_focused(session_id)
        self._redraw_transcript.cancel()
        self._main.restore()
        self._show_loading()
        self._main.show_session(session_id)
        self.end_notes.recall(session_id or "")
        self._writing.open(session_id or "")
        self.show_heading()
        self._main.plan.open(self._client.store.todos(session_id or ""))
        self._show_requests()
        self.show_line()
        self._show_all_pending()

    def redraw(self, transcript: bool = True) -> None:
        """Redraw the main screen from the client's state; a part that fails does not affect the others."""
        if transcript:
            self._redraw_transcript.cancel()
            with self._guard():
                self._main.show_session(self.session_id)
                self.end_notes.recall(self.session_id or "")
        for draw in (
            self.show_heading,
            self._show_plan,
            self._show_requests,
            self._main.panel.redraw,
            self.show_line,
            self._show_all_pending,
        ):
            with self._guard():
                draw()
        self._main.refresh(layout=True)

    @property
    def server(self) -> str:
        """Display name of the server's family, and its version; "" before the first connection."""
        return server_name(self._client.traits, self._client.server)

    @property
    def gone(self) -> bool:
        """Whether the session on the screen no longer exists on the server."""
        return self.session_id in self._client.store.deleted

    def standing_of(self, session_id: str) -> SessionState:
        """Return the current state of a session."""
        return self._standings.of(session_id, self._client.now())

    def show_line(self) -> None:
        """Update what depends on the connection, after it changed."""
        line = self._client.connection_status()
        self._main.panel.show_line(line.up)
        self._main.health.show_server(self.server)
        self._main.health.show_connection(line)
        came_up, self._up = line.up and not self._up, line.up
        if came_up:
            self._ever_up = True
            self._on_connected()
        self._show_welcome(line)
        self.show_turn_line(line)
        self._writing.show_queue()

    def _show_welcome(self, line: ConnectionStatus) -> None:
        if self.session_id is not None:
            return
        if held := self._writing.held_in(""):
            words = sending_text(held)
        else:
            words = welcome_text(
                line, self._client.address, ever_up=self._ever_up, serve=SERVE_COMMAND, server=self.server
            )
        self._main.welcome.show(words)

    def _show_changes(self) -> None:
        self._showing = True
        turn, began = Slice(), time.perf_counter()
        try:
            while self._changes and not self.stopped and not turn.over:
                with self._guard():
                    self._show(self._changes.next(self.session_id))
            stale, self._stale = self._stale, {}
            for draw in stale:
                with self._guard():
                    draw()
        finally:
            self._showing = False
        if self._overlay_stale:
            with self._guard():
                self._draw_overlay()
        if self._changes and not self.stopped:
            self._main.transcript.call_after_refresh(self._rest, began)

    def _rest(self, began: float) -> None:
        """Schedule the next slice after a pause as long as the last one took, so that keys are handled."""
        took = time.perf_counter() - began
        self._later(max(min(took, MAX_PAUSE), self._client.input_pause), self._show_changes)

    def _draw_once(self, *parts: Callable[[], None]) -> None:
        """Schedule these functions for the end of the slice."""
        self._stale.update(dict.fromkeys(parts))

    def _show_session_state(self) -> None:
        """Update what depends on the session's entry in the session list."""
        self._main.transcript.show_alive()
        self.end_notes.update_recorded()
        self._show_undone()
        self.show_turn_line()

    def _show(self, change: c.Change) -> None:
        match change:
            case c.ConnectionChanged():
                self.show_line()
                self._draw_overlay()
            case c.TurnChanged(session_id):
                self.end_notes.remove_resumed(session_id)
                self._writing.known(session_id)
                if session_id == self.session_id:
                    self._draw_once(self._show_all_pending, self.show_turn_line)
            case c.TurnEnded(session_id, prompt_id):
                self._writing.known(session_id)
                if session_id == self.session_id:
                    self.end_notes.show_end(session_id, prompt_id)
            case c.SessionsChanged(session_id):
                self._standings.refresh_session(session_id, self._client.now())
                if session_id == self.session_id:
                    self._draw_once(self._show_session_state)
                self._draw_once(self.show_heading, self._show_requests)
            case c.RequestsChanged():
                self._draw_once(self._show_requests)
            case c.RequestClosed(request):
                self._tell_outcome(change, self.outcomes.closed(change))
                self._main.panel.ui_state.forget(request.id)
                self._draw_once(self._show_requests)
            case c.ReplyStatusChanged(request):
                self._tell_outcome(change, self.outcomes.changed(change))
                now = self._client.store.requests.get(request.id)
                if now is not None and asks_the_same(request, now):
                    self._main.panel.show_reply_status(change)
                self._draw_overlay()
            case c.Notice():
                self._notify(change)
            case c.QueueChanged():
                self._draw_once(self._writing.show_queue)
            case c.DraftReturned():
                self._writing.returned(change, quiet=change.session_id == self.session_id)
            case c.ReturnedPromptFound():
                self._writing.returned_found(change)
            case c.FailureSeen(session_id, failure) if session_id != self.session_id:
                self._standings.record_failure(session_id, failure)
            case _ if change.session_id == self.session_id:
                self._show_in_transcript(change)
            case _:
                pass  # another session: drawn from the store when opened

    def _show_in_transcript(
        self,
        change: c.TextAppended
        | c.PartChanged
        | c.PartRemoved
        | c.MessageChanged
        | c.MessageRemoved
        | c.TranscriptReset
        | c.OlderLoaded
        | c.LoadingChanged
        | c.FailureSeen
        | c.PlanChanged,
    ) -> None:
        transcript = self._main.transcript
        match change:
            case c.TextAppended(_, message_id, part_id):
                transcript.schedule_part_redraw(message_id, part_id)
            case c.PartChanged(_, message_id, part_id):
                transcript.show_part(message_id, part_id)
            case c.PartRemoved(_, message_id, part_id):
                transcript.drop_part(message_id, part_id)
            case c.MessageChanged(_, message_id):
                transcript.show_message(message_id)
                self._draw_once(self.end_notes.update_recorded, self.show_heading, self.show_turn_line)
            case c.MessageRemoved(_, message_id):
                transcript.drop_message(message_id)
                self._draw_once(transcript.show_top, self.show_turn_line)
            case c.TranscriptReset():
                self._redraw_transcript()
            case c.OlderLoaded():
                self.end_notes.recall(change.session_id)
                self._show_loading()
                transcript.older_loaded()
                self._draw_once(self.show_turn_line)
            case c.LoadingChanged():
                self._draw_once(self._show_loading)
            case c.FailureSeen(session_id, failure):
                self._standings.record_failure(session_id, failure)
                if not self._is_outdated(change) and not self._reported_elsewhere(session_id, failure):
                    self._main.transcript.note(Content.styled(f"✗ {excerpt(failure.message)}", ERROR))
            case c.PlanChanged():
                self._draw_once(self._show_plan)
            case _:
                assert_never(change)

    def _show_loading(self) -> None:
        loading = self._client.loadings.of(self.session_id or "")
        self._main.transcript.show_loading(loading.activity, loading.received, loading.failed, loading.failed_older)

    def show_turn_line(self, line: ConnectionStatus | None = None) -> None:
        """Draw the turn of the session on the screen."""
        line = line or self._client.connection_status()
        self._turn_line.show(self.session_id or "", line, takes_now=self._writing.takes_now)

    def _show_undone(self) -> None:
        """Redraw the transcript if this or another client changed what is undone."""
        session = self._client.store.sessions.get(self.session_id or "")
        undone_from = "" if session is None else session.undone_from
        if undone_from != self._undone_from:
            self._undone_from = undone_from
            self._redraw_transcript()

    def _draw_transcript(self) -> None:
        with self._guard():
            self._main.transcript.draw()
            self.end_notes.recall(self.session_id or "")
            self._show_all_pending()
            self.show_heading()
            self.show_turn_line()

    def _show_all_pending(self) -> None:
        shown = self.session_id or ""
        show_pending(self._client, self._main.transcript, shown, self._writing.held_in(shown))

    def show_held(self) -> None:
        """Show the prompt that waits for its session, or no longer show it."""
        self._show_all_pending()
        self._show_welcome(self._client.connection_status())

    def _tell_outcome(self, closed: c.RequestClosed | c.ReplyStatusChanged, words: Content | None) -> None:
        if words is not None and not self._is_outdated(closed):
            self.requests.show_outcome(closed.request, words, self.session_id)

    def _is_outdated(self, change: c.Change) -> bool:
        """Whether so many newer notes are queued that this one would be dropped."""
        return self._changes.outcomes > MAX_NOTES and is_outcome(change, self.session_id)

    def _reported_elsewhere(self, session_id: str, failure: Failure) -> bool:
        """Whether a turn's end or an answer reports the failure, or will do so."""
        turns, transcript = self._client.turns.of(session_id), self._client.store.transcript(session_id)
        return (
            failure.kind == "aborted"
            or (transcript is not None and bool(transcript.failed_with(failure)))
            or any(not turn.over or turn.reason == failure.message for turn in turns)
        )

    def show_heading(self) -> None:
        """Update title, agent, model and usage in the header."""
        self._main.health.show_heading(heading_of(self._client.store, self._client.choices, self.session_id or ""))

    def _show_plan(self) -> None:
        self._main.plan.show_todos(self._client.store.todos(self.session_id or ""))

    def _show_requests(self) -> None:
        self.requests.show(self.session_id)
        self._draw_overlay()

    def _draw_overlay(self) -> None:
        """Update the open dialog, once for many changes."""
        self._overlay_stale = self._showing
        if self.refresh_dialog is not None and not self._showing:
            self.refresh_dialog()
