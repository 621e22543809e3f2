"""Options that select attacks: `pytest tests/hostile --attacks=all`, `--attack="gzip"`, `--attacks=10 --attack-seed=3`.

With `--write-table` the results of the run become the table in docs/security.md.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.attacks import ATTACKS
from tests.hostile.report import write_table
from tests.hostile.runs import Run, idle_client
from tests.hostile.watched import Watched

SHARE = 10
"""The whole suite runs one in so many attacks on the screen; `make hostile` runs all of them."""
COMMAND_SHARE = 20
"""The same for attacks on the commands."""

OPEN: set[str] = set()
"""Attacks that the client does not withstand yet: run by `--attacks=all` and by name, not in the sample."""

Case = tuple[str, str, str]
CASES: tuple[Case, ...] = tuple(
    (attack.name, route, family) for attack in ATTACKS.values() for family in attack.families for route in attack.routes
)

ON_COMMANDS = tuple(
    (*case, command)
    for case in CASES
    for command, routes in (("status", ("health", "lists")), ("doctor", ("health", "events")))
    if case[1] in routes
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hostile")
    group.addoption("--attacks", default="tenth", choices=("tenth", "all"), help="how many attacks to play")
    group.addoption("--attack-seed", type=int, default=0, help="chooses the tenth")
    group.addoption("--attack", action="append", help="play the attack of this name only; repeatable")
    group.addoption("--write-table", action="store_true", help="write the results into docs/security.md")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-table", default=False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Table())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # the options are unknown where pytest was started on another folder
    named = metafunc.config.getoption("--attack", default=None)
    share = metafunc.config.getoption("--attacks", default="tenth")
    seed = metafunc.config.getoption("--attack-seed", default=0)

    def chosen(cases: list[tuple[str, ...]], parts: int) -> list[tuple[str, ...]]:
        if named:
            return [case for case in cases if case[0] in named]
        if share == "all":
            return cases
        held = [case for case in cases if case[0] not in OPEN]
        return random.Random(seed).sample(held, len(cases) // parts)

    if "runs" in metafunc.fixturenames:
        pairs = chosen(list(dict.fromkeys((name, family) for name, _, family, _ in ON_COMMANDS)), COMMAND_SHARE)
        found = [[one for one in ON_COMMANDS if (one[0], one[2]) == pair] for pair in pairs]
        metafunc.parametrize("runs", found, ids=["-".join(pair) for pair in pairs])
    elif "case" in metafunc.fixturenames:
        cases = chosen(list(CASES), SHARE)
        metafunc.parametrize("case", cases, ids=["-".join(case) for case in cases])


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A client that is not attacked, running beside all those that are."""
    with idle_client(tmp_path_factory.mktemp("idle")) as client:
        yield client


class _Table:
    """Collects what each test recorded, in the main process."""

    def __init__(self) -> None:
        self._runs: list[Run] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            found: list[Any] = [value for name, value in report.user_properties if name == "run"]
            self._runs += [Run(**one) for one in found]

    def pytest_sessionfinish(self) -> None:
        page = Path(__file__).parents[2] / "docs" / "security.md"
        write_table(self._runs, page, len(CASES) + len(ON_COMMANDS))
