import sys
from pathlib import Path

import pytest

from benchmarks.recording import NeverShown, Recording, longest_gap, worded
from tests.processes import clean_environment


@pytest.mark.parametrize(("moments", "gap"), [([], 10.0), ([2.0, 3.0], 7.0), ([6.0, 9.0], 6.0), ([1.0, 5.0, 6.0], 4.0)])
def test_the_longest_gap_includes_the_start_and_the_end(moments: list[float], gap: float) -> None:
    assert longest_gap(moments, 0.0, 10.0) == gap


def test_a_time_is_that_of_the_output_and_not_of_the_check(home: Path) -> None:
    program = "import time; print('words', flush=True); time.sleep(60)"
    with Recording([sys.executable, "-c", program], env=clean_environment(home), cwd=home) as recording:
        recording.wait_for("words")
        moment, _ = recording.pieces[0]
    with Recording([sys.executable, "-c", program], env=clean_environment(home), cwd=home) as recording:
        shown = recording.moment(worded, quiet=0.2)
        assert shown == recording.pieces[0][0]
    assert moment > 0


def test_a_failed_wait_prints_the_screen(home: Path) -> None:
    program = "print('other words', flush=True); input()"
    with Recording([sys.executable, "-c", program], env=clean_environment(home), cwd=home) as recording:
        recording.wait_for("other")
        with pytest.raises(NeverShown, match="other words"):
            recording.wait_for("never", within=0.1)
