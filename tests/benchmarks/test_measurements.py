"""Each measurement runs, with sizes that take a second or two. Results are not checked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner

from benchmarks import (
    deltas,
    first_paint,
    idle,
    opening,
    peer,
    recovery,
    run_memory,
    run_start,
    streams,
    throughput,
    typing,
)
from benchmarks.__main__ import MEASUREMENTS, main
from benchmarks.recording import NeverShown
from benchmarks.table import Row

TINY: dict[str, Callable[[], list[Row]]] = {
    "first_paint": lambda: first_paint.rows(runs=1),
    "idle": lambda: idle.rows(seconds=0.2, settle=0.1),
    "typing": lambda: typing.rows(count=5, kilobytes=1, settle=0.5),
    "streams": lambda: streams.rows([streams.Stream("a few deltas", "FLOOD 60 30", 2.0, 1.0)]),
    "opening": lambda: opening.rows(few=2, many=60, runs=1),
    "deltas": lambda: deltas.rows({"code": "an open fence"}, large=2, short=2, long=4, seconds=0.2, lead=0.2),
    "recovery": lambda: recovery.rows(runs=1, outage=0.1),
    "run_start": lambda: run_start.rows(runs=1),
    "run_memory": lambda: run_memory.rows(minutes=2),
    "throughput": lambda: throughput.rows(events=100, rounds=1),
}


def test_each_measurement_has_a_test() -> None:
    assert set(TINY) == set(MEASUREMENTS)


@pytest.mark.parametrize("name", TINY)
def test_a_measurement_runs(name: str) -> None:
    rows = TINY[name]()
    assert rows
    assert [row for row in rows if row.met is None or not row.measured] == []


def test_a_missing_opencode_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peer, "INSTALLED", tmp_path / "opencode")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClickException, match="make real"):
        peer.opencode()


def test_a_measurement_that_times_out_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> list[Row]:
        raise NeverShown("the screen is empty")

    monkeypatch.setitem(MEASUREMENTS, "idle", never)
    result = CliRunner().invoke(main, ["idle"])
    assert result.exit_code == 0
    assert "| idle | did not finish |" in result.stdout
    assert "the screen is empty" in result.stderr
