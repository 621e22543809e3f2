"""Options that select schedules: `pytest tests/chaos --schedules=2000 --first=1000`, `… --profile=qwen --seed=17`."""

import pytest

from tests.chaos.families import FAMILIES, IN_TURN
from tests.chaos.schedule import draw

SCHEDULES = 200
"""Number in the whole suite; `make chaos` runs ten times as many."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--schedules", type=int, default=SCHEDULES, help="how many schedules of faults to play")
    group.addoption("--first", type=int, default=0, help="the seed to begin with")
    group.addoption("--seed", type=int, action="append", help="play the schedule of this seed only; repeatable")
    group.addoption(
        "--profile",
        type=_profiles,
        action="extend",
        metavar="NAME,…",
        help=f"play against these profiles of the stub only, in turn; repeatable. There are {', '.join(FAMILIES)}",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "schedule" in metafunc.fixturenames:
        # the options are unknown where pytest was started on another folder
        chosen = metafunc.config.getoption("--seed", default=None)
        count = metafunc.config.getoption("--schedules", default=SCHEDULES)
        profiles = metafunc.config.getoption("--profile", default=None) or IN_TURN
        first = metafunc.config.getoption("--first", default=0)
        schedules = [draw(seed, profiles) for seed in chosen or range(first, first + count)]
        metafunc.parametrize("schedule", schedules, ids=[f"{one.profile}-{one.seed}" for one in schedules])


def _profiles(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise ValueError(f"there is no profile {', '.join(unknown)}")
    return names
