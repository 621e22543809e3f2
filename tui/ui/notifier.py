"""Telling a person who looks elsewhere: bell, terminal title, desktop notices (OSC 9, OSC 777), through tmux too.

It decides and encodes; `write` alone touches the terminal. Words from a server are cleaned here as everywhere,
and the title says states only, never words of a session: titles end up in lists, logs and screenshots.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui.config.display import NotifySettings
from tui.core import changes as c
from tui.core.model import Idle, PermissionRequest, Request
from tui.core.sanitize import single_line
from tui.core.turn_state import TurnState
from tui.net.pacing import Paced

if TYPE_CHECKING:
    from tui.client.client import Client

AT_MOST_EVERY = 1.0
"""Seconds between two notices; what comes between is told with the next."""
LOST_FOR = 2.0
"""Seconds that the line must be down to be told: servers and proxies end long streams on purpose."""
LONGEST = 120
"""Characters of a notice."""
NAMED_777 = ("rxvt", "foot")
"""Beginnings of TERM whose terminals show OSC 777; the others that show anything show OSC 9."""
BELL = "\a"


class TerminalEscapes:
    """The escape sequences that reach the person, for the terminal that `environ` names."""

    def __init__(self, write: Callable[[str], None], settings: NotifySettings, environ: Mapping[str, str]) -> None:
        self._write = write
        self._settings = settings
        self._tmux = "TMUX" in environ
        speaks_777 = environ.get("TERM", "").startswith(NAMED_777)
        self._osc9 = (not speaks_777) if settings.osc9 is None else settings.osc9
        self._osc777 = speaks_777 if settings.osc777 is None else settings.osc777
        self._title: str | None = None

    def notify(self, words: str) -> None:
        """Bell and notices, as far as they are switched on."""
        text = single_line(words, LONGEST)
        out = BELL if self._settings.bell else ""
        if self._osc9:
            out += self._through(f"\x1b]9;Holdfast: {text}\a")
        if self._osc777:
            out += self._through(f"\x1b]777;notify;Holdfast;{text.replace(';', ',')}\a")
        if out:
            self._write(out)

    def copy(self, text: str) -> None:
        """Past tmux, which may keep a program's OSC 52 to itself. Elsewhere Textual's own is enough."""
        if self._tmux:
            words = b64encode(text.encode("utf-8", "replace")).decode("ascii")
            self._write(self._through(f"\x1b]52;c;{words}\a"))

    @property
    def clipboard_may_be_blocked(self) -> bool:
        """Whether something between us and the terminal keeps OSC 52 to itself, unless it was told otherwise."""
        return self._tmux

    def show_title(self, words: str) -> None:
        """Name the terminal's window; the name that it had is put aside the first time."""
        title = single_line(f"holdfast · {words}" if words else "holdfast", LONGEST)
        if self._settings.title and title != self._title:
            self._write(("\x1b[22;2t" if self._title is None else "") + f"\x1b]2;{title}\a")
            self._title = title

    def restore_title(self) -> None:
        if self._title is not None:
            self._write("\x1b[23;2t")
            self._title = None

    def _through(self, sequence: str) -> str:
        """Past tmux, which keeps these to itself (`allow-passthrough` must be on there)."""
        if not self._tmux:
            return sequence
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


class Notifier:
    """Hears what the client tells; rings when a request arrives, a turn ends or the line is lost.

    `focused` is whether the person looks at this terminal, as far as it says so.
    """

    def __init__(self, client: "Client", terminal: TerminalEscapes, settings: NotifySettings) -> None:
        self._client = client
        self._terminal = terminal
        self._settings = settings
        self._known: set[str] = set()
        self._busy: set[str] = set()
        self._up = self._ever_up = False
        self._lost_at: float | None = None
        self._waiting: list[str] = []
        self._rang_at = float("-inf")
        self.focused = True
        self._look = Paced(self._look_now, later=self._look_with_tick)
        self._put_off: Callable[[], None] | None = None

    def hear(self, change: c.Change) -> None:
        match change:
            case c.RequestsChanged() | c.RequestClosed():
                pass  # they are looked at below
            case c.TurnEnded(session_id, prompt_id):
                self._look_at_end(session_id, prompt_id)
            case c.SessionsChanged(session_id) if session_id is not None:
                self._look_at_session(session_id)
            case c.ConnectionChanged():
                self._look_at_line()
            case _:
                return
        self._look()

    def tick(self) -> None:
        """Time passed: what had to wait may be told now."""
        put_off, self._put_off = self._put_off, None
        (put_off or self._look_now)()

    def _look_with_tick(self, wait: float, call: Callable[[], None]) -> None:
        self._put_off = call

    def _look_now(self) -> None:
        self._look_at_requests()
        self._terminal.show_title(self._state())
        now = self._client.now()
        if self._lost_at is not None and now - self._lost_at >= LOST_FOR:
            self._lost_at, reason = None, self._client.line().reason
            self._tell(f"connection lost{f': {reason}' if reason else ''}")
        if self._waiting and now - self._rang_at >= AT_MOST_EVERY:
            words, more = self._waiting[-1], len(self._waiting) - 1
            self._waiting.clear()
            self._rang_at = now
            self._terminal.notify(f"{words} (and {more} more)" if more else words)

    def close(self) -> None:
        self._terminal.restore_title()

    def _state(self) -> str:
        waiting = len(self._client.store.requests) + self._client.store.requests_not_loaded
        if self._ever_up and not self._client.line().up:
            return "connection lost"
        if waiting:
            return f"{waiting} waiting for you"
        store = self._client.store
        running = sum(not isinstance(store.status(session_id), Idle) for session_id in store.sessions)
        return f"{running} running" if running else ""

    def _tell(self, words: str) -> None:
        if self._settings.when == "always" or (self._settings.when == "unfocused" and not self.focused):
            self._waiting.append(words)

    def _look_at_requests(self) -> None:
        requests = self._client.store.requests
        for request in requests.values():
            if request.id not in self._known:
                self._tell(f"{self._name(request.session_id)} needs your answer: {_about(request)}")
        self._known = set(requests)

    def _look_at_end(self, session_id: str, prompt_id: str) -> None:
        for turn in self._client.turns.of(session_id):
            wanted = turn.state is TurnState.ABORTED and turn.stops.by_this_client
            if turn.prompt_id == prompt_id and not wanted:
                self._tell(f"{self._name(session_id)}: {turn.state.value}")

    def _look_at_session(self, session_id: str) -> None:
        """Turns that others began are seen by their session's coming to rest."""
        session = self._client.store.sessions.get(session_id)
        if not isinstance(self._client.store.status(session_id), Idle):
            self._busy.add(session_id)
        elif session_id in self._busy:
            self._busy.discard(session_id)
            ours = bool(self._client.turns.of(session_id))
            if session is not None and session.parent_id is None and not ours:
                self._tell(f"{self._name(session_id)}: done")

    def _look_at_line(self) -> None:
        line = self._client.line()
        if line.up:
            self._lost_at = None
        elif self._up:
            self._lost_at = self._client.now()
        self._up = line.up
        self._ever_up = self._ever_up or line.up

    def _name(self, session_id: str) -> str:
        session = self._client.store.sessions.get(session_id)
        return (session.title if session is not None else "") or "a session"


def _about(request: Request) -> str:
    if isinstance(request, PermissionRequest):
        return f"allow {request.action}?"
    return request.questions[0].text if request.questions else "a question"
