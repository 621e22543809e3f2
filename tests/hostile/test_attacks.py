"""Each attack costs at most an error: bounded memory, no freeze, no exit, no raw byte, and F5 leads out of it."""

from collections.abc import Callable
from pathlib import Path

from tests.hostile.attacks import ATTACKS
from tests.hostile.runs import play, without_a_screen
from tests.hostile.watched import Watched

COMMANDS = {"status": ("status",), "doctor": ("doctor", "--seconds", "1")}

Record = Callable[[str, object], None]


def test_an_attack_causes_at_most_an_error_in_the_client(
    case: tuple[str, str, str], tmp_path: Path, idle: Watched, record_property: Record
) -> None:
    name, route, family = case
    attack = ATTACKS[name]
    run = play(attack, route, family, tmp_path, idle)
    record_property("run", run.as_json())
    assert run.problems == [], f"{attack.sends}: {run}"


def test_an_attack_causes_at_most_an_error_in_a_command(
    case: tuple[str, str, str], command: str, tmp_path: Path, record_property: Record
) -> None:
    name, route, family = case
    run = without_a_screen(ATTACKS[name], route, family, tmp_path, *COMMANDS[command])
    record_property("run", run.as_json())
    assert run.problems == [], f"{ATTACKS[name].sends}: {run}"
