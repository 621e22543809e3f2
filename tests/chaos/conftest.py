"""How many schedules run, and which: `pytest tests/chaos --schedules=2000`, `pytest tests/chaos --seed=17`."""

import pytest

SCHEDULES = 200
"""In the whole suite; `make chaos` runs ten times as many."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--schedules", type=int, default=SCHEDULES, help="how many schedules of faults to play")
    group.addoption("--seed", type=int, action="append", help="play the schedule of this seed only; repeatable")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        # the options are unknown where pytest was started on another folder
        chosen = metafunc.config.getoption("--seed", default=None)
        count = metafunc.config.getoption("--schedules", default=SCHEDULES)
        metafunc.parametrize("seed", chosen or range(count))
