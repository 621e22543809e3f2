"""Work that is wanted often: what share of the time it takes, and that its last wish is done."""

from collections.abc import Callable

import pytest

from tui.net.pacing import BURST, SHARE, SLICE, Paced, Slice


class Time:
    """A clock that work moves, and calls that come when their time does."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.worked = 0

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.calls.append((self.now + seconds, call))

    def work(self) -> None:
        self.now += 0.02
        self.worked += 1

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        due = [call for at, call in self.calls if at <= self.now]
        self.calls = [(at, call) for at, call in self.calls if at > self.now]
        for call in due:
            call()


@pytest.fixture
def time() -> Time:
    return Time()


def test_work_is_done_at_once_while_it_takes_little(time: Time) -> None:
    paced = Paced(time.work, later=time.later, clock=lambda: time.now)
    for done in range(1, 100):
        paced()
        assert time.worked == done
        time.pass_by(0.1)


def test_work_that_is_always_wanted_takes_its_share_of_the_time(time: Time) -> None:
    paced = Paced(time.work, later=time.later, clock=lambda: time.now)
    began = time.now
    for _ in range(100_000):
        paced()
        time.pass_by(0.0001)
    took = time.now - began
    assert time.worked * 0.02 <= SHARE * took + BURST + 0.02
    assert time.worked * 0.02 >= SHARE * took / 2


def test_the_last_wish_is_done_though_nothing_comes_after_it(time: Time) -> None:
    paced = Paced(time.work, later=time.later, clock=lambda: time.now)
    for _ in range(1_000):
        paced()
    before = time.worked
    assert before < 20
    assert len(time.calls) == 1
    time.pass_by(10.0)
    assert time.worked == before + 1
    assert time.calls == []


def test_work_that_fails_is_done_at_the_next_wish_all_the_same(time: Time) -> None:
    def fail() -> None:
        time.work()
        raise ValueError("broken")

    paced = Paced(fail, later=time.later, clock=lambda: time.now)
    for done in range(1, 4):
        with pytest.raises(ValueError, match="broken"):
            paced()
        assert time.worked == done


def test_a_slice_is_over_after_its_time_and_begins_anew(time: Time) -> None:
    turn = Slice(clock=lambda: time.now)
    seen = [turn.over]
    time.now += SLICE
    seen.append(turn.over)
    turn.begin()
    assert [*seen, turn.over] == [False, True, False]
