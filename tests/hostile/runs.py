"""One attack on the running client and on the non-interactive commands: measured cost and failed checks."""

import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

from tests.hostile import documents
from tests.hostile.attacks import ATTACKS, Attack
from tests.hostile.output import strange, strange_in_lines
from tests.hostile.watched import COMMAND, FAILURE_OUTPUT, TypingThread, Watched, poll
from tests.processes import clean_environment, read_line, running
from tests.processor_time import slowness
from tests.waiting import MAX_WAIT

ROOT: Final = Path(__file__).parents[2]
TRIES: Final = 3
"""A run that was only late is repeated: a freeze recurs, the machine's noise does not."""
FREEZE: Final = 0.15
"""Seconds that an echo may take longer than that of an idle client measured at the same time."""
BEGINS: Final = 60.0
"""Seconds within which the client must reach the attack."""
ENTER_SECONDS: Final = 5.0
"""Seconds for which no key is typed after Enter, unless the attack begins before."""
COLLECT_SECONDS: Final = 0.3
"""Seconds within which a client that refetches everything has sent its requests."""
IDLE_SECONDS: Final = 0.7
"""Seconds for which a client must have been idle before the observation ends."""
IDLE_CPU: Final = 0.1
"""Seconds of processor time that an idle client may take more than one that is not attacked."""
RECOVERS: Final = 40.0
"""Seconds within which F5 must reconnect to a server that is healthy again."""
LEAVES: Final = 40.0
"""Seconds within which the client must exit after its quit key."""
COMMAND_MEMORY: Final = 48 << 20
"""Bytes of memory of a non-interactive command that is not attacked."""
OWN_LINE: Final = re.compile(rb"^\s*(behind|it \[/\]|line$)", re.MULTILINE)
"""Parts of a hostile text that must not begin a line."""
COMMAND_ENDS: Final = 90.0
"""Seconds within which a non-interactive command must have exited."""
LONGEST_LOG: Final = 4 << 20
"""Maximum bytes of the log of such a short run."""
LIVE: Final = re.compile(r"● live")
STATE: Final = re.compile(r"(● live|◐ quiet|↻ [^\n]*|■ [^\n]*|◌ connecting)")
PROMPT: Final = re.compile(r"^ ?› ", re.MULTILINE)
SETTINGS: Final = """
[notify]
when = "always"
bell = false
osc9 = true
osc777 = true
"""


@dataclass(frozen=True)
class Run:
    """One row of the table, as measured. Times in seconds, memory in bytes above the idle client."""

    attack: str
    route: str
    family: str
    memory: int = 0
    echo: float = 0.0
    noise: float = 0.0
    outcome: str = ""
    problems: list[str] = field(default_factory=list)
    late: bool = False
    """Whether the only problems are delays."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class AttackServer:
    """The attacking server as a process: `lines` is its output so far."""

    def __init__(self, process: Popen[bytes], address: str) -> None:
        self._process = process
        self.address = address
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, name="reads the server", daemon=True)
        self._reader.start()

    def order(self, word: str) -> None:
        """`arm` or `disarm`; returns once that is done."""
        assert self._process.stdin is not None
        before = self.lines.count(f"{word}ed")
        self._process.stdin.write(f"{word}\n".encode())
        self._process.stdin.flush()
        assert poll(lambda: self.lines.count(f"{word}ed") > before, within=MAX_WAIT), f"the server does not {word}"

    @property
    def attacked(self) -> int:
        """How often an attack was started."""
        return sum(line.startswith("attacked ") for line in list(self.lines))

    @property
    def sent(self) -> int:
        """How often an attack was sent completely, or aborted by the client."""
        return sum(line.startswith("sent ") for line in list(self.lines))

    @property
    def streams_asked(self) -> int:
        """How often an event stream was requested."""
        return sum("/event" in line for line in self.lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.decode().strip())


@contextmanager
def attack_server(attack: str, route: str, family: str, home: Path) -> Iterator[AttackServer]:
    command = (sys.executable, "-m", "tests.hostile.server", attack, route, family)
    log = home / "server.stderr"
    with running(command, env=environment(home), cwd=home, log=log) as process:
        try:
            yield AttackServer(process, read_line(process, beginning=b"http"))
        except AssertionError as failure:
            failure.add_note(log.read_text())
            raise


def environment(home: Path) -> dict[str, str]:
    """The environment of a client: its own home, and this checkout."""
    return clean_environment(home) | {"PYTHONPATH": str(ROOT)}


@contextmanager
def idle_client(home: Path) -> Iterator[Watched]:
    """A connected client that is not attacked, as the baseline for this machine."""
    name, attack = next(iter(ATTACKS.items()))
    with attack_server(name, attack.routes[0], "opencode", home) as server:
        with Watched((*COMMAND, server.address), env=environment(home), cwd=home) as client:
            client.wait_for(PROMPT)
            with TypingThread(client) as typist:
                client.wait_for(LIVE)
                poll(lambda: client.ended, within=1)
            client.begins = typist.longest
            yield client


def run_attack(
    attack: Attack, route: str, family: str, folder: Path, idle: Watched, command: Sequence[str] = COMMAND
) -> Run:
    """The best of as many runs on the screen as delays require."""
    runs: list[Run] = []
    for attempt in range(TRIES):
        home = folder / str(attempt)
        home.mkdir()
        runs.append(on_the_screen(attack, route, family, home, idle, command))
        if not runs[-1].late:
            break
    best = min(runs, key=lambda run: len(run.problems))
    return replace(best, memory=max(run.memory for run in runs))


def on_the_screen(
    attack: Attack, route: str, family: str, home: Path, idle: Watched, command: Sequence[str] = COMMAND
) -> Run:
    """Attack a client in a terminal; the problems are its forbidden behaviour."""
    settings = home / ".config" / "holdfast" / "settings.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(SETTINGS)
    log = home / "holdfast.log"
    log.unlink(missing_ok=True)
    with attack_server(attack.name, route, family, home) as server:
        arguments = (server.address, "--session", documents.session_of(family), "--log", str(log))
        if route == "health":
            server.order("arm")
        with Watched((*command, *arguments), env=environment(home), cwd=home) as client:
            if route == "health":
                client.wait_for(PROMPT)
            else:
                client.wait_for(LIVE)
                client.wait_for("all is well")
            before = client.memory()
            client.forget_peak()
            with TypingThread(client) as typist, TypingThread(idle) as beside:
                if route == "prompt":
                    poll(lambda: len(typist.echoes) > 0, within=MAX_WAIT)
                    server.order("arm")
                    with typist.paused():
                        client.type("go\r")
                        poll(lambda: server.attacked > 0 or client.ended, within=ENTER_SECONDS)
                elif route != "health":
                    server.order("arm")
                begun = poll(lambda: server.attacked > 0 or client.ended, within=BEGINS)
                watch(server, typist, beside, attack.watch)
            poll(lambda: client.ended or not state_problems(attack, client.text()), within=RECOVERS)
            memory, screen = client.peak() - before, client.text()
            noise = max(beside.longest, idle.begins if route == "health" else 0.0)
            late = [] if begun else ["the client never came to the attack"]
            found: list[str] = []
            if typist.longest > FREEZE * slowness() + noise:
                late.append(f"a key was echoed after {typist.longest:.2f} s (idle: {noise:.2f} s)")
            if memory > attack.mebibytes << 20:
                found.append(f"{memory >> 20} MiB above the idle client, {attack.mebibytes} are allowed")
            if client.overgrown:
                found.append("it was ended because of its memory")
            elif client.ended:
                found.append(f"it ended with {client.exit_status(within=1)}")
            else:
                found += state_problems(attack, screen)
                late += leaving(client, server)
            output = client.raw
    found += [f"the terminal got {one}" for one in strange(output)[:2]]
    if failure_text := FAILURE_OUTPUT.search(output.decode("utf-8", "replace")):
        found.append(f"it says {failure_text[0]!r}: {_failure(output)}")
    found += log_problems(log)
    shown = STATE.search(screen)
    outcome = " ".join(shown[1].split()) if shown is not None else "no state is shown"
    problems, only_late = late + found, bool(late) and not found
    return Run(attack.name, route, family, max(0, memory), typist.longest, noise, outcome, problems, only_late)


def watch(server: AttackServer, typist: TypingThread, beside: TypingThread, seconds: float) -> None:
    """Let the client be attacked for so many seconds, or until it has exited or is idle.

    It is idle if all attacks started within COLLECT_SECONDS were sent or aborted, and if for IDLE_SECONDS it echoed
    keys and computed no more than the idle client beside it.
    """
    client, deadline = typist.client, time.perf_counter() + seconds
    poll(lambda: client.ended, within=COLLECT_SECONDS)
    begun = server.attacked
    while (left := deadline - time.perf_counter()) > 0 and not client.ended:
        sent, echoes = server.sent, len(typist.echoes)
        work, idle_work = client.work(), beside.client.work()
        poll(lambda: client.ended, within=min(IDLE_SECONDS, left))
        more = (client.work() - work) - (beside.client.work() - idle_work)
        if sent >= begun and len(typist.echoes) > echoes and more < IDLE_CPU:
            return


def state_problems(attack: Attack, screen: str) -> list[str]:
    """Connection states that must not be shown under this attack."""
    shown = STATE.search(screen)
    state = "none" if shown is None else shown[1]
    if attack.must == "either":
        return [] if shown is not None else ["no state of the connection is shown"]
    allowed = {"live": "●◐", "lost": "↻■"}[attack.must]
    return [] if state[0] in allowed else [f"the connection is shown as {state!r}: it must be {attack.must}"]


def leaving(client: Watched, server: AttackServer) -> Iterator[str]:
    """Problems once the server is healthy again: F5 must reconnect, and the quit key must exit."""
    server.order("disarm")
    before = server.streams_asked
    client.press("f5")
    if not poll(lambda: server.streams_asked > before, within=RECOVERS):
        yield "F5 does not begin anew"
    elif not client.shows(LIVE, within=RECOVERS):
        shown = STATE.search(client.text())
        yield f"F5 does not lead back to a healthy server: {shown[1] if shown else client.text()!r}"
    client.type("\x11")
    status = client.exit_status(within=1)
    if status is None:  # it asks for confirmation while a turn runs
        client.type("\x11")
        status = client.exit_status(within=LEAVES)
    if status is None:
        yield "it cannot be left by its key"
    elif status:
        yield f"left by its key it ended with {status}"


def log_problems(log: Path) -> Iterator[str]:
    """Text that must not be in a log."""
    data = log.read_bytes() if log.exists() else b""
    for one in strange_in_lines(data)[:2]:
        yield f"the log got {one}"
    if len(data) > LONGEST_LOG:
        yield f"the log has {len(data) >> 20} MiB"
    if b"Traceback" in data:
        yield f"the log has a traceback: {_failure(data)}"


def without_a_screen(attack: Attack, route: str, family: str, home: Path, *words: str) -> Run:
    """Attack `holdfast status` or `doctor`; the problems are their forbidden behaviour."""
    found: list[str] = []
    with attack_server(attack.name, route, family, home) as server:
        server.order("arm")
        command = ("sh", "-c", 'exec "$0" "$@" >out 2>err', *COMMAND, *words, server.address)
        with Watched(command, env=environment(home), cwd=home) as client:
            status = client.exit_status(within=COMMAND_ENDS)
            memory = max(0, client.peak() - COMMAND_MEMORY)
            if memory > attack.mebibytes << 20:
                found.append(f"{memory >> 20} MiB more than by itself, {attack.mebibytes} are allowed")
            if client.overgrown:
                found.append("it was ended because of its memory")
            elif status is None:
                found.append(f"it has not ended within {COMMAND_ENDS:g} s")
            elif status not in (0, 1, 3, 4):
                found.append(f"it ended with {status}")
    output = (home / "out").read_bytes() + (home / "err").read_bytes()
    if FAILURE_OUTPUT.search(output.decode("utf-8", "replace")):
        found.append(f"it says {_failure(output)}")
    found += [f"the pipe got {one}" for one in strange_in_lines(output)[:2]]
    if own := OWN_LINE.search(output):
        found.append(f"a text has lines of its own: {own[0]!r}")
    if not output.strip():
        found.append("it says nothing")
    return Run(attack.name, route, family, memory, outcome=f"{words[0]} {status}", problems=found)


def _failure(output: bytes) -> str:
    """The last line of a traceback in the output, if there is one, without colours."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[│╭╰─╮╯]", "", output.decode("utf-8", "replace"))
    lines = [" ".join(line.split()) for line in text.splitlines() if re.match(r"\s*[\w.]*(Error|Exception)\b", line)]
    return lines[-1][:200] if lines else "…"
