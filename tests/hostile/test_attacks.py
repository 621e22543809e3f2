"""Each attack causes at most an error: bounded memory, no freeze, no exit, no raw byte, and F5 recovers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hostile.attacks import ATTACKS
from tests.hostile.runs import Run, run_attack, without_a_screen
from tests.hostile.watched import Watched

COMMANDS = {"status": ("status",), "doctor": ("doctor", "--seconds", "1")}

Record = Callable[[str, object], None]


def test_an_attack_causes_at_most_an_error_in_the_client(
    case: tuple[str, str, str], tmp_path: Path, idle: Watched, record_property: Record
) -> None:
    name, route, family = case
    attack = ATTACKS[name]
    run = run_attack(attack, route, family, tmp_path, idle)
    record_property("run", run.as_json())
    assert run.problems == [], f"{attack.sends}: {run}"


def test_an_attack_causes_at_most_an_error_in_a_command(
    runs: list[tuple[str, str, str, str]], tmp_path: Path, record_property: Record
) -> None:
    """On each route and with each command, concurrently: most of them wait."""

    def run(one: tuple[str, str, str, str]) -> Run:
        name, route, family, command = one
        home = tmp_path / f"{command}-{route}"
        home.mkdir()
        return without_a_screen(ATTACKS[name], route, family, home, *COMMANDS[command])

    with ThreadPoolExecutor(len(runs)) as pool:
        found = list(pool.map(run, runs))
    for one in found:
        record_property("run", one.as_json())
    assert [one for one in found if one.problems] == []
