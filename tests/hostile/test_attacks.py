"""Each attack costs at most an error: bounded memory, no freeze, no exit, no raw byte, and F5 leads out of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.hostile.attacks import ATTACKS, Attack
from tests.hostile.runs import FREEZE, Run, on_the_screen, without_a_screen
from tests.hostile.watched import Watched

TRIES = 3
"""An echo that was late is measured anew: a freeze comes again, the machine's noise does not."""
COMMANDS = {"status": ("status",), "doctor": ("doctor", "--seconds", "1")}

Record = Callable[[str, object], None]


def test_an_attack_costs_the_client_at_most_an_error(
    case: tuple[str, str, str], tmp_path: Path, idle: Watched, record_property: Record
) -> None:
    name, route, family = case
    attack = ATTACKS[name]
    run = play(attack, route, family, tmp_path, idle)
    record_property("run", run.as_json())
    assert run.problems == [], f"{attack.sends}: {run}"


def play(attack: Attack, route: str, family: str, folder: Path, idle: Watched) -> Run:
    """The best of as many runs as a late echo asks for."""
    runs: list[Run] = []
    for attempt in range(TRIES):
        home = folder / str(attempt)
        home.mkdir()
        runs.append(on_the_screen(attack, route, family, home, idle))
        late = [one for one in runs[-1].problems if "a key was echoed" in one]
        if not late or len(late) < len(runs[-1].problems) or runs[-1].echo > FREEZE * 10:
            break
    best = min(runs, key=lambda run: len(run.problems))
    return replace(best, memory=max(run.memory for run in runs))


def test_an_attack_costs_a_command_at_most_an_error(
    case: tuple[str, str, str], command: str, tmp_path: Path, record_property: Record
) -> None:
    name, route, family = case
    run = without_a_screen(ATTACKS[name], route, family, tmp_path, *COMMANDS[command])
    record_property("run", run.as_json())
    assert run.problems == [], f"{ATTACKS[name].sends}: {run}"
