"""The harness detects each forbidden behaviour of a fake client."""

import sys
import time
from pathlib import Path
from typing import cast

import pytest

from tests.hostile import runs
from tests.hostile.attacks import ATTACKS
from tests.hostile.output import strange, strange_in_lines
from tests.hostile.payloads import CONTROLS
from tests.hostile.runs import AttackServer, on_the_screen, run_attack, watch
from tests.hostile.watched import TypingThread, Watched

FAULTS = {
    "none": None,
    "leak": r"the terminal got '\t'",
    "freeze": "a key was echoed after",
    "grow": "MiB above the idle client",
    "exit": "it ended with 1",
    "traceback": "it says 'Traceback'",
    "stay": "it cannot be left by its key",
    "deaf": "F5 does not begin anew",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_forbidden_client_behaviour_is_detected(
    fault: str, tmp_path: Path, idle: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = (sys.executable, "-m", "tests.hostile.double", fault)
    wanted = FAULTS[fault]
    if wanted is None:
        assert run_attack(ATTACKS["HTML"], "lists", "opencode", tmp_path, idle, double).problems == []
    else:
        monkeypatch.setattr(runs, "RECOVERS", 5.0)  # a wait that must time out
        monkeypatch.setattr(runs, "LEAVES", 2.0)
        run = on_the_screen(ATTACKS["HTML"], "lists", "opencode", tmp_path, idle, double)
        assert [problem for problem in run.problems if wanted in problem], run.problems


@pytest.mark.parametrize("busy", ["sending", "computing", "silent", "nothing"])
def test_a_client_is_observed_until_it_is_idle(busy: str) -> None:
    began = time.perf_counter()

    def passed() -> float:
        return time.perf_counter() - began

    class Server:
        attacked = 1

        @property
        def sent(self) -> int:
            return int(busy != "sending" or passed() > 1.5)

    class Client:
        ended = False

        def __init__(self, is_attacked: bool) -> None:
            self._computes = is_attacked and busy == "computing"

        def work(self) -> float:
            return min(passed(), 1.5) if self._computes else 0.0

    class Typing:
        def __init__(self, is_attacked: bool) -> None:
            self.client = Client(is_attacked)
            self._answers = not is_attacked or busy != "silent"

        @property
        def echoes(self) -> list[float]:
            return [0.0] * int(10 * (passed() if self._answers else max(0.0, passed() - 1.5)))

    watch(cast("AttackServer", Server()), cast("TypingThread", Typing(True)), cast("TypingThread", Typing(False)), 60.0)
    assert (0.9 if busy == "nothing" else 1.5) < passed() < 20.0


CONTROL_CHARACTERS = (
    *(
        "a\tb",
        "a\nb",
        "a\x07b",
        "\x1b[2J",
        "\x1b[H",
        "\x1b[6n",
        "\x1b]52;c;eA==\x07",
        "\x1b]0;a\u202eb\x07",
        "\x1bPq\x1b\\",
    ),
    *("a\u202eb", "a\u2066b", "a\u200bb", "a\u2028b", "\x9b2J", "\x85", "\x7f", "\x1b]8;;a b\x1b\\"),
    CONTROLS.encode("utf-8", "replace").decode(),
)


@pytest.mark.parametrize("text", CONTROL_CHARACTERS)
def test_terminal_control_sequences_are_detected(text: str) -> None:
    assert strange(f"\x1b[1;1Hbefore {text} after".encode()) != []


def test_the_clients_own_output_is_accepted() -> None:
    frame = "\x1b[?1049h\x1b[?2026h\x1b[1;1H\x1b[38;2;1;2;3;48;2;4;5;6mtitle \x1b[0m\r\n\x1b[2;1H"
    words = "é 👩\u200d👧 ─\x1b[?2026l"
    link = "\x1b]8;id=1;http://127.0.0.1/\x1b\\there\x1b]8;;\x1b\\"
    title = "\x1b]0;holdfast: a title\x07"
    assert strange(f"{frame}{words}{link}{title}\x1b[?1049lSession: 1\r\n".encode()) == []


def test_invalid_text_is_detected() -> None:
    assert strange(b"a\xffb") != []


def test_piped_output_is_text_only() -> None:
    assert strange_in_lines("● live\n  ✓ all\n".encode()) == []
    assert strange_in_lines(b"a\x1b[31mred") != []
    assert strange_in_lines("a\u202eb".encode()) != []
