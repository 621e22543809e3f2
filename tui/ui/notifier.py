"""Notifies a user who looks elsewhere: bell, terminal title, notifications (OSC 9, OSC 777), also through tmux.

It decides and encodes; only `write` accesses the terminal. Server text is sanitized, and the title shows states only,
never session text, as titles appear in lists, logs and screenshots.
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

MIN_INTERVAL = 1.0
"""Minimum seconds between notifications; what happens meanwhile is counted in the next one."""
LOST_FOR = 2.0
"""Seconds disconnected before a notification: servers and proxies end long event streams on purpose."""
MAX_CHARACTERS = 120
"""Maximum characters of a notification."""
NAMED_777 = ("rxvt", "foot")
"""Prefixes of TERM for terminals with OSC 777; other terminals with notifications support OSC 9."""
BELL = "\a"


class TerminalEscapes:
    """Writes notification, title and clipboard sequences for the terminal that `environ` describes."""

    def __init__(self, write: Callable[[str], None], settings: NotifySettings, environ: Mapping[str, str]) -> None:
        self._write = write
        self._settings = settings
        self._tmux = "TMUX" in environ
        speaks_777 = environ.get("TERM", "").startswith(NAMED_777)
        self._osc9 = (not speaks_777) if settings.osc9 is None else settings.osc9
        self._osc777 = speaks_777 if settings.osc777 is None else settings.osc777
        self._title: str | None = None

    def notify(self, words: str) -> None:
        """Ring the bell and send notifications, as enabled in the settings."""
        text = single_line(words, MAX_CHARACTERS)
        out = BELL if self._settings.bell else ""
        if self._osc9:
            out += self._through(f"\x1b]9;Holdfast: {text}\a")
        if self._osc777:
            out += self._through(f"\x1b]777;notify;Holdfast;{text.replace(';', ',')}\a")
        if out:
            self._write(out)

    def copy(self, text: str) -> None:
        """Copy to the clipboard through tmux, which may intercept OSC 52; elsewhere Textual's own copy is enough."""
        if self._tmux:
            words = b64encode(text.encode("utf-8", "replace")).decode("ascii")
            self._write(self._through(f"\x1b]52;c;{words}\a"))

    @property
    def clipboard_may_be_blocked(self) -> bool:
        """Whether tmux may block OSC 52, depending on its configuration."""
        return self._tmux

    def show_title(self, words: str) -> None:
        """Set the window title; the previous title is saved the first time."""
        title = single_line(f"holdfast · {words}" if words else "holdfast", MAX_CHARACTERS)
        if self._settings.title and title != self._title:
            self._write(("\x1b[22;2t" if self._title is None else "") + f"\x1b]2;{title}\a")
            self._title = title

    def restore_title(self) -> None:
        if self._title is not None:
            self._write("\x1b[23;2t")
            self._title = None

    def _through(self, sequence: str) -> str:
        """Wrap the sequence to pass through tmux (requires its option `allow-passthrough`)."""
        if not self._tmux:
            return sequence
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


class Notifier:
    """Notifies on a new request, a turn's end and a lost connection, from changes of the client.

    `focused`: whether the terminal window has the focus, as far as the terminal reports it.
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

    def on_change(self, change: c.Change) -> None:
        match change:
            case c.RequestsChanged() | c.RequestClosed():
                pass  # checked in `_look_now`
            case c.TurnEnded(session_id, prompt_id):
                self._look_at_end(session_id, prompt_id)
            case c.SessionsChanged(session_id):
                self._look_at_session(session_id)
            case c.ConnectionChanged():
                self._look_at_line()
            case _:
                return
        self._look()

    def tick(self) -> None:
        """Send notifications that are due."""
        put_off, self._put_off = self._put_off, None
        (put_off or self._tell_due)()

    def _look_with_tick(self, wait: float, call: Callable[[], None]) -> None:
        self._put_off = call

    def _look_now(self) -> None:
        self._look_at_requests()
        self._terminal.show_title(self._state())
        self._tell_due()

    def _tell_due(self) -> None:
        now = self._client.now()
        if self._lost_at is not None and now - self._lost_at >= LOST_FOR:
            self._lost_at, reason = None, self._client.connection_status().reason
            self._tell(f"connection lost{f': {reason}' if reason else ''}")
        if self._waiting and now - self._rang_at >= MIN_INTERVAL:
            words, more = self._waiting[-1], len(self._waiting) - 1
            self._waiting.clear()
            self._rang_at = now
            self._terminal.notify(f"{words} (and {more} more)" if more else words)

    def close(self) -> None:
        self._terminal.restore_title()

    def _state(self) -> str:
        waiting = len(self._client.store.requests) + self._client.store.requests_not_loaded
        if self._ever_up and not self._up:
            return "connection lost"
        if waiting:
            return f"{waiting} {'needs' if waiting == 1 else 'need'} your answer"
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
                self._tell(f"{self._name(session_id)}: {turn.known_state.value}")

    def _look_at_session(self, session_id: str) -> None:
        """Notify the end of a turn that another client started, seen from the session becoming idle."""
        session = self._client.store.sessions.get(session_id)
        if not isinstance(self._client.store.status(session_id), Idle):
            self._busy.add(session_id)
        elif session_id in self._busy:
            self._busy.discard(session_id)
            ours = bool(self._client.turns.of(session_id))
            if session is not None and session.parent_id is None and not ours:
                self._tell(f"{self._name(session_id)}: done")

    def _look_at_line(self) -> None:
        line = self._client.connection_status()
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
