"""Runs a turn in the foreground for `run` and `wait`: output, progress, signals, time limit, exit code."""

import asyncio
import gc
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
import msgspec

from tui.api.connection import Connection, connection_for
from tui.api.errors import CannotConnect, KeyNotKept, PromptNotSent, RunError
from tui.api.request_policy import OnRequest
from tui.api.running_turn import RunningTurn
from tui.api.values import EndEvent, Event, Outcome, Result, TextEvent
from tui.cli.exit_codes import OUTCOME_CODES, ExitCode
from tui.cli.printing import Printer, seconds_text, turn_state
from tui.cli.turn_output import Format, TurnOutput
from tui.config.settings import Settings

if TYPE_CHECKING:
    from tui.net.http_client import Http

STATUS_INTERVAL = 1.0
"""Seconds between two updates of the status line."""
STORE_TIMEOUT = 10.0
"""Seconds that SIGTERM leaves for the server to confirm that it has the prompt."""
ABORT_TIMEOUT = 60.0
"""Seconds to wait for the end of a turn that --abort-on-timeout aborts."""

Start = Callable[[Connection, OnRequest, Callable[[Event], None]], Awaitable[RunningTurn]]
"""Sends the prompt, or finds the turn."""


class TurnOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that `run` and `wait` share. `timeout`: seconds from the start of the command; None: no limit."""

    form: Format = Format.TEXT
    on_request: OnRequest = "wait"
    timeout: float | None = None
    abort_on_timeout: bool = False
    detach: bool = False
    connect_within: float = 10.0


@dataclass(slots=True)
class TurnCommand:
    """One run of `run` or `wait`."""

    settings: Settings
    open_http: "Callable[[str], Http]"
    users: Sequence[str]
    options: TurnOptions
    _turn: RunningTurn | None = None
    _work: "asyncio.Task[ExitCode] | None" = None
    _code: ExitCode | None = None
    """The exit code that a signal, the time limit or a failed write decided."""
    _reason: str = ""
    _interrupts: int = 0
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    _printer: Printer = field(init=False)
    _output: TurnOutput = field(init=False)

    def __post_init__(self) -> None:
        width = shutil.get_terminal_size().columns if _is_capable_terminal() else None
        self._printer = Printer(_write_progress, status_width=width, url=self.settings.url)
        self._output = TurnOutput(sys.stdout.buffer, self.options.form, on_failure=self._on_output_failure)

    async def run(self, start: Start) -> ExitCode:
        """Run to the end; returns the exit code."""
        loop = asyncio.get_running_loop()
        self._work = asyncio.create_task(self._run(start))
        loop.add_signal_handler(signal.SIGINT, self._on_interrupt)
        loop.add_signal_handler(signal.SIGTERM, self._on_terminate)
        if self.options.timeout is not None:
            loop.call_later(self.options.timeout, self._on_timeout)
        try:
            return await self._work
        except asyncio.CancelledError:
            if self._code is None:
                raise
            outcome: Outcome = "timeout" if self._code is ExitCode.TIMEOUT else "not sent"
            return self._end_unsent(outcome, f"{self._reason}; nothing was sent", self._code)
        finally:
            for task in self._tasks:
                task.cancel()
            self._printer.status("")

    async def _run(self, start: Start) -> ExitCode:
        gc.disable()  # connecting imports what is never freed
        try:
            async with connection_for(
                self.settings,
                self.open_http,
                self.users,
                within=self.options.connect_within,
                on_event=self._on_event,
            ) as connection:
                gc.freeze()  # the first collection would look at all of it, before the prompt is sent
                gc.enable()
                if self.options.detach:
                    _refuse_detach(connection)
                self._turn = await start(connection, self.options.on_request, self._on_event)
                return await self._follow(connection, self._turn)
        except CannotConnect as error:
            self._print_error(error)
            return self._end_unsent("cannot connect", error.message, ExitCode.CANNOT_CONNECT)
        except (PromptNotSent, KeyNotKept) as error:
            self._print_error(error)
            return self._end_unsent("not sent", error.message, ExitCode.NOT_SENT)
        except RunError as error:
            self._print_error(error)
            return ExitCode.USAGE
        finally:
            gc.enable()

    async def _follow(self, connection: Connection, turn: RunningTurn) -> ExitCode:
        self._spawn(self._show_status(connection, turn))
        if self.options.detach and await turn.until_stored():
            turn.leave("detached")
        result = await turn.result()
        self._printer.status("")
        if result.outcome == "detached" and self._code is None:
            self._output.detached(result.session, result.prompt)
        self._output.result(result)
        if result.outcome in ("detached", "timeout", "waiting"):
            self._print_wait_command(turn)
        return OUTCOME_CODES[result.outcome] if self._code is None else self._code

    def _on_event(self, event: Event) -> None:
        if self.options.form is Format.STREAM or isinstance(event, TextEvent | EndEvent):
            self._printer.status("")  # standard output may be the same terminal
        self._output.event(event)
        self._printer.event(event)

    async def _show_status(self, connection: Connection, turn: RunningTurn) -> None:
        while True:
            self._printer.status(status_line(connection, turn, self._printer.running_tool))
            await asyncio.sleep(STATUS_INTERVAL)

    def _on_interrupt(self) -> None:
        self._interrupts += 1
        self._code, self._reason = ExitCode.CTRL_C, "stopped by Ctrl-C"
        if self._turn is None:
            self._cancel()
        elif self._turn.over:
            self._turn.leave("detached", self._reason)
        elif self._interrupts == 1:
            self._printer.line("aborting the turn; Ctrl-C again exits immediately")
            self._turn.abort()
        else:
            self._turn.leave("detached", "exited before the abort was confirmed")

    def _on_terminate(self) -> None:
        self._code, self._reason = ExitCode.TERMINATED, "stopped by SIGTERM"
        if self._turn is None:
            self._cancel()
        else:
            self._spawn(self._detach(self._turn))

    async def _detach(self, turn: RunningTurn) -> None:
        with suppress(TimeoutError, CannotConnect):
            async with asyncio.timeout(STORE_TIMEOUT):
                await turn.until_stored()
        turn.leave("detached", self._reason if turn.stored else "the server has not confirmed that it has the prompt")

    def _on_timeout(self) -> None:
        if self._code is not None:
            return
        self._code, self._reason = ExitCode.TIMEOUT, f"the timeout of {self.options.timeout:g} s expired"
        if self._turn is None:
            self._cancel()
        elif self.options.abort_on_timeout:
            self._printer.line(f"{self._reason}: aborting the turn")
            self._turn.abort()
            turn = self._turn
            asyncio.get_running_loop().call_later(ABORT_TIMEOUT, lambda: turn.leave("timeout", self._reason))
        else:
            self._turn.leave("timeout", self._reason)

    def _on_output_failure(self, error: OSError) -> None:
        self._code, self._reason = ExitCode.OUTPUT, f"standard output cannot be written: {error.strerror}"
        discard_stdout()
        self._printer.line(f"Error: {self._reason}")
        if self._turn is not None:
            self._turn.leave("detached", self._reason)
        else:
            self._cancel()

    def _cancel(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def _end_unsent(self, outcome: Outcome, reason: str, code: ExitCode) -> ExitCode:
        """Report an end without a turn, or of a turn that cannot be followed any more."""
        turn = self._turn
        result = Result(
            session=turn.session if turn is not None else "",
            prompt=turn.prompt if turn is not None else "",
            outcome=outcome,
            reason=reason,
        )
        self._output.result(result)
        if turn is not None:
            self._print_wait_command(turn)
        elif code not in (ExitCode.CANNOT_CONNECT, ExitCode.NOT_SENT):
            self._printer.line(reason)
        return code

    def _print_wait_command(self, turn: RunningTurn) -> None:
        what = "the turn ended; to read its result" if turn.over else "the turn continues; to follow it"
        command = shlex.join(["holdfast", "wait", turn.session, self.settings.url])
        self._printer.line(f"{what}: {command}")

    def _print_error(self, error: RunError) -> None:
        self._printer.line(f"Error: {error.message}")
        if error.hint:
            self._printer.line(error.hint)

    def _spawn(self, work: "Awaitable[None]") -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def status_line(connection: Connection, turn: RunningTurn, tool: str) -> str:
    """Connection, turn, elapsed time, heartbeats and the running tool, as one line."""
    status = turn.status()
    words = [status.connection, turn_state(status.state), seconds_text(status.seconds)]
    if status.heartbeats:
        words.append(f"{status.heartbeats} heartbeat{'s' if status.heartbeats != 1 else ''}")
    return " · ".join([*words, *([tool] if tool else [])])


def _refuse_detach(connection: Connection) -> None:
    """Raises `PromptNotSent` if the server ends a turn when its client leaves, or may do so."""
    traits = connection.client.traits
    if traits is None or traits.cancels_on_disconnect is False:
        return
    does = "ends" if traits.cancels_on_disconnect else "may end"
    raise PromptNotSent(f"--detach: this server {does} a turn when its client leaves", "Run it without --detach.")


def _is_capable_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _write_progress(text: str) -> None:
    """Write to standard error; what cannot be written there is lost, the turn is not."""
    with suppress(OSError, ValueError):
        click.echo(text, err=True, nl=False)


def discard_stdout() -> None:
    """Let nothing that is still buffered fail when the process ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
