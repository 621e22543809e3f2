"""The harness finds what it looks for: a double of the client does each thing that a client must not do."""

import sys
from pathlib import Path

import pytest

from tests.hostile import runs
from tests.hostile.attacks import ATTACKS
from tests.hostile.output import strange, strange_in_lines
from tests.hostile.payloads import CONTROLS
from tests.hostile.runs import on_the_screen, play
from tests.hostile.watched import Watched

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
        assert play(ATTACKS["HTML"], "lists", "opencode", tmp_path, idle, double).problems == []
    else:
        monkeypatch.setattr(runs, "RECOVERS", 5.0)  # what is waited for in vain
        monkeypatch.setattr(runs, "LEAVES", 2.0)
        run = on_the_screen(ATTACKS["HTML"], "lists", "opencode", tmp_path, idle, double)
        assert [problem for problem in run.problems if wanted in problem], run.problems


OBEYED = (
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


@pytest.mark.parametrize("text", OBEYED)
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
