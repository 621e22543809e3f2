"""`holdfast --plain`: the interactive client as plain lines, for screen readers, TERM=dumb, serial lines and logs.

Nothing is drawn: each change is one line, and what is typed is a prompt, an answer or a command.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from difflib import get_close_matches
from typing import Any

from tui.api.errors import RunError
from tui.api.event_feed import ConnectionFeed
from tui.api.running_turn import RunningTurn
from tui.api.values import Event, ReplyEvent, RequestEvent, TextEvent
from tui.cli.exit_codes import ExitCode
from tui.cli.line_reader import LineReader
from tui.cli.plain_requests import PlainRequests
from tui.cli.plain_texts import HELP, REPLY_STATES, numbered, returned_text, status_text, turn_without_client
from tui.cli.printing import Printer, with_reason
from tui.client.client import Client
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.model import Session, TextPart
from tui.core.sanitize import excerpt, sanitize, single_line, visible
from tui.net.errors import NetError

SESSIONS_LISTED = 20
MISTYPED = 0.75
"""Similarity (0 to 1) from which a word is taken for a mistyped command. Others are the server's, or text."""


class PlainApp:
    """One run of the plain client. `write`: takes text with its newlines."""

    def __init__(
        self, client: Client, reader: LineReader, write: Callable[[str], None], *, session: str | None, resume: bool
    ) -> None:
        self._client = client
        self._reader = reader
        self._write = write
        self._printer = Printer(self._print, how_to_answer=False)
        self.session = session or (client.journal.last_session() if resume else None)
        self._wanted = self.session
        """The session to open once the connection is up; None: a new one, at the first prompt."""
        self._connection = ConnectionFeed(client, self._on_event)
        self._requests = PlainRequests(client, self._printer, self._prompt, typed=reader.interactive)
        self._turns: dict[str, RunningTurn] = {}
        self._reporting = 0
        """The number of turns whose end is still to be said."""
        self._listed: list[Session] = []
        self._earlier_draft = client.journal.draft("")
        self._unsent: list[str] = []
        """Prompts for a session that is not created yet."""
        self._was_live = False
        self._interrupts = 0
        self._commands: Mapping[str, Callable[[str], None]] = {
            "/help": lambda rest: self._say(*HELP.splitlines()),
            "/new": self._new,
            "/sessions": lambda rest: self._spawn(self._list_sessions()),
            "/open": self._open_session,
            "/status": lambda rest: self._status(),
            "/queue": lambda rest: self._queue(),
            "/resume": lambda rest: self._resume(),
            "/remove": self._remove,
            "/draft": lambda rest: self._send_draft(),
            "/prompt": self._prompt,
            "/reject": self._requests.reject,
            "/abort": lambda rest: self._abort(),
            "/quit": lambda rest: self._left.set(),
        }
        self._title = ""
        self._left = asyncio.Event()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> ExitCode:
        """Run until the user leaves, or the input ends and everything sent has ended; returns the exit code."""
        client = self._client
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._on_interrupt)
        loop.add_signal_handler(signal.SIGTERM, self._left.set)
        loop.add_signal_handler(signal.SIGHUP, self._left.set)
        self._say(f"connecting to {client.address}; /help lists the commands")
        client.subscribe(self._on_change)
        client.start()
        self._connection.report()
        self._reader.start(client.journal.history())
        leaving = asyncio.create_task(self._left.wait())
        resting = asyncio.create_task(self._read_and_rest())
        try:
            await asyncio.wait({resting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if resting.done():
                resting.result()
        finally:
            for task in (leaving, resting, *self._tasks):
                task.cancel()
            self._reader.restore()
        return self._end()

    def _end(self) -> ExitCode:
        """Say what is left behind."""
        client = self._client
        if self._unsent:
            self._say(f"not sent, saved as a draft: {single_line(self._unsent[0])}")
        waiting = client.prompts.waiting(self.session) if self.session else ()
        if waiting:
            self._say(f"{len(waiting)} queued, saved for the next start")
        if self.session and client.turns.is_running_in(self.session):
            self._say(turn_without_client(client.traits))
        if self._requests.open:
            self._say(f"{len(self._requests.open)} open: {', '.join(self._requests.open)}")
        if self._reader.interactive:
            return ExitCode.FINISHED
        return ExitCode.NOT_SENT if self._unsent else ExitCode.WAITING if self._needs_answer else ExitCode.FINISHED

    @property
    def _needs_answer(self) -> bool:
        return self.session is not None and bool(self._client.store.requests_of(self.session))

    async def _read_and_rest(self) -> None:
        await self._read()
        await self._until_at_rest()

    async def _read(self) -> None:
        continued: list[str] = []
        while (text := await self._reader.text()) is not None:
            self._interrupts = 0
            if text.endswith("\\") and not text.endswith("\\\\"):
                continued.append(text[:-1])
                continue
            self.take("\n".join([*continued, text]))
            continued = []
        if continued:
            self.take("\n".join(continued))

    def take(self, text: str) -> None:
        """Take what was typed: a command, an answer, or a prompt."""
        if not text.strip():
            return
        word, _, rest = text.partition(" ")
        if word in self._commands:
            self._commands[word](rest.strip())
        elif self._requests.wants_line:
            self._requests.take(text)
        elif word.startswith("/") and (close := get_close_matches(word, self._commands, n=1, cutoff=MISTYPED)):
            self._say(f"no command {word}: {close[0]}? /prompt {word} sends it as it is")
        else:
            self._prompt(text)

    def _prompt(self, text: str) -> None:
        if not text.strip():
            self._say("no text follows /prompt")
            return
        if self.session is None:
            self._unsent.append(text)
            self._save_unsent()
            if len(self._unsent) == 1:
                self._spawn(self._create_session())
            if not self._client.synced:
                self._say("saved; it is sent once the connection is up")
            return
        self._client.prompts.submit(self.session, text)
        self._say_queued(self.session)

    def _say_queued(self, session_id: str) -> None:
        waiting, held = self._client.prompts.waiting(session_id), self._client.prompts.held(session_id)
        if waiting:
            self._say(f"{len(waiting)} queued{f', paused: {held}; /resume sends them' if held else ''}")

    def _new(self, title: str) -> None:
        self.session, self._title = None, title
        self._say("the next prompt begins a new session")

    async def _create_session(self) -> None:
        while self._unsent:
            await self._until(lambda: self._client.synced)
            try:
                session = await self._client.new_session(self._title)
            except NetError as error:
                self._say(f"no session was created: {error.message}")
                if error.permanent:
                    self._say(f"{error.hint} The text is saved: /draft sends it.".strip())
                    self._earlier_draft, self._unsent = self._client.journal.draft(""), []
                    return
                await asyncio.sleep(2)
                continue
            await self._show(session.id)
            texts, self._unsent = self._unsent, []
            for text in texts:
                self._client.prompts.submit(session.id, text)
            self._save_unsent()

    def _save_unsent(self) -> None:
        self._client.journal.save_draft("", "\n\n".join(filter(None, (self._earlier_draft, *self._unsent))))

    async def _list_sessions(self) -> None:
        try:
            found = await self._client.list_sessions()
        except NetError as error:
            self._say(f"the sessions cannot be listed: {error.message}")
            return
        self._listed = [one for one in found if one.parent_id is None][:SESSIONS_LISTED]
        for number, session in enumerate(self._listed, 1):
            here = " (open)" if session.id == self.session else ""
            self._say(f"{number}  {single_line(session.title, 60) or 'untitled'}  {session.id}{here}")
        if not self._listed:
            self._say("no sessions")

    def _open_session(self, which: str) -> None:
        if which.isdecimal():
            if (listed := numbered(self._listed, which)) is None:
                self._say(f"no session {single_line(which)}; /sessions lists them")
                return
            which = listed.id
        if not which:
            self._say("which one? /sessions lists them")
            return
        self._spawn(self._show(which))

    async def _show(self, session_id: str) -> None:
        """Open a session and say where its conversation stands."""
        try:
            await self._client.open_session(session_id)
        except NetError as error:
            self._say(f"session {single_line(session_id, 60)} cannot be opened: {error.message}")
            if self.session == session_id and error.permanent:
                self.session = self._wanted = None
            return
        self.session = self._wanted = session_id
        session = self._client.store.sessions.get(session_id)
        self._say(f"session {single_line(session.title, 60) if session is not None else ''} {session_id}")
        transcript = self._client.store.transcript(session_id)
        newest = transcript.newest_prompt() if transcript is not None else None
        if transcript is not None and newest is not None:
            self._say_message("last prompt", newest.id)
            answer = transcript.answer_to(newest.id)
            if answer is not None and answer.ended:
                self._say_message("answer", answer.id)
        draft = self._client.journal.draft(session_id)
        if draft:
            self._say(f"not sent before: {single_line(draft, 200)}; /draft sends it")
        self._say_queued(session_id)
        self._follow()

    def _say_message(self, what: str, message_id: str) -> None:
        transcript = self._client.store.transcript(self.session or "")
        parts = transcript.parts_of(message_id) if transcript is not None else ()
        text = "\n".join(part.text for part in parts if isinstance(part, TextPart))
        self._say(f"{what}: {excerpt(text)}")

    def _status(self) -> None:
        turn = self._client.turn(self.session) if self.session else None
        connection, now = self._client.connection_status(), self._client.now()
        self._say(status_text(connection, turn, now, self._printer.running_tool))
        self._requests.show()

    def _queue(self) -> None:
        waiting = self._client.prompts.waiting(self.session) if self.session else ()
        for number, queued in enumerate(waiting, 1):
            held = " (paused)" if self._client.prompts.is_held(queued.id) else ""
            self._say(f"{number}  {single_line(queued.text, 200)}{held}")
        if not waiting:
            self._say("nothing is queued")

    def _resume(self) -> None:
        if self.session is None or not self._client.prompts.held(self.session):
            self._say("no prompt is paused")
            return
        self._client.prompts.release(self.session)
        self._say("the queue is sent in order")

    def _remove(self, number: str) -> None:
        waiting = self._client.prompts.waiting(self.session) if self.session else ()
        if (queued := numbered(waiting, number)) is None:
            self._say(f"which of {len(waiting)}? /queue lists them")
            return
        removed = self._client.prompts.cancel(queued.id)
        self._say("it was sent meanwhile" if removed is None else f"removed: {single_line(removed.text, 200)}")

    def _send_draft(self) -> None:
        place = self.session
        draft = self._client.journal.draft(place) if place else self._earlier_draft
        if not draft:
            self._say("there is no draft")
            return
        self._earlier_draft = self._earlier_draft if place else ""
        self._prompt(draft)
        if place:
            self._client.journal.save_draft(place, "")

    def _abort(self) -> None:
        if self.session is None or not self._client.turns.is_running_in(self.session):
            self._say("no turn is running")
            return
        self._say("aborting the turn")
        self._client.abort(self.session)

    def _on_interrupt(self) -> None:
        self._interrupts += 1
        running = self.session is not None and self._client.turns.is_running_in(self.session)
        if self._interrupts > 1:
            self._left.set()
        elif running:
            self._abort()
            self._say("Ctrl-C again exits immediately")
        else:
            self._say("no turn is running; Ctrl-C again exits")

    def _on_change(self, change: c.Change) -> None:
        self._connection.on_change(change)
        self._requests.on_change(change)
        match change:
            case c.TurnChanged(session_id) | c.TurnEnded(session_id) if session_id == self.session:
                self._follow()
            case c.DraftReturned(session_id) if session_id == self.session:
                self._say(returned_text(change))
            case c.ReturnedPromptFound(session_id, text) if session_id == self.session:
                self._client.journal.save_draft(session_id, "")
                self._say(f"the server has it after all, the draft is removed: {single_line(text, 200)}")
            case c.ReplyStatusChanged(request, state, reason) if state in REPLY_STATES:
                self._say(with_reason(f"answer to {request.id}: {REPLY_STATES[state]}", reason))
            case c.QueueChanged(session_id) if session_id == self.session and self._client.prompts.held(session_id):
                self._say(f"queue paused: {self._client.prompts.held(session_id)}; /resume sends it")
        if self._client.synced and not self._was_live:
            self._was_live = True
            self._on_connected()
        self._changed.set()

    def _on_connected(self) -> None:
        info = self._client.server
        self._say(f"connected to {self._client.address}{f', version {single_line(info.version, 40)}' if info else ''}")
        if self._wanted is not None:
            self._spawn(self._show(self._wanted))
        elif self._earlier_draft:
            self._say(f"not sent before: {single_line(self._earlier_draft, 200)}; /draft sends it")

    def _follow(self) -> None:
        """Report the session's newest turn, whoever began it."""
        turn = self._client.turn(self.session) if self.session else None
        reported = {*self._turns, *(one.prompt for one in self._turns.values())}
        if turn is None or turn.over or turn.prompt_id in reported:
            return
        self._turns.clear()
        if turn.prompt is None:
            self._say_message("prompt from another client", turn.prompt_id)
        running = self._turns[turn.prompt_id] = RunningTurn(self._client, turn, on_event=self._on_turn_event)
        self._spawn(self._report(running))

    async def _report(self, turn: RunningTurn) -> None:
        self._reporting += 1
        try:
            await turn.result()
        except RunError as error:
            self._say(f"Error: {error.message}")
        finally:
            self._reporting -= 1
            self._changed.set()

    def _on_turn_event(self, event: Event) -> None:
        if not isinstance(event, RequestEvent | ReplyEvent):  # reported for all sessions
            self._on_event(event)

    def _on_event(self, event: Event) -> None:
        self._printer.event(event)
        if isinstance(event, TextEvent):
            self._print(visible(sanitize(event.text)))

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._printer.line(line)

    def _print(self, text: str) -> None:
        """Write lines above what is being typed."""
        typed = visible(sanitize(self._reader.typed()))
        self._write(f"\n{text}{typed}" if typed else text)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _until_at_rest(self) -> None:
        """Wait until nothing is queued, nothing runs, or a request needs an answer that nobody can type."""

        def at_rest() -> bool:
            if self._needs_answer or self._client.connection_status().state is ConnectionState.STOPPED:
                return True
            if self.session is None or self._unsent or self._reporting or not self._client.synced:
                return self.session is None and not self._unsent and not self._reporting
            waiting = self._client.prompts.waiting(self.session)
            is_idle = not self._client.turns.is_running_in(self.session)
            return is_idle and (not waiting or bool(self._client.prompts.held(self.session)))

        await self._until(at_rest)
