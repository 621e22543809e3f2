"""Frequently requested work: its share of the time, and that the last request is served."""

from collections.abc import Callable

import pytest

from tui.net.pacing import BURST, ECHO, SHARE, SLICE, InputPriority, Paced, Slice


class Time:
    """A clock advanced by work, with scheduled calls."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.worked = 0

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.calls.append((self.now + seconds, call))

    def work(self) -> None:
        self.now += 0.02
        self.worked += 1

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [call for at, call in self.calls if at <= self.now]
        self.calls = [(at, call) for at, call in self.calls if at > self.now]
        for call in due:
            call()


@pytest.fixture
def time() -> Time:
    return Time()


def test_short_work_runs_at_once(time: Time) -> None:
    paced = Paced(time.work, later=time.later, clock=lambda: time.now)
    for done in range(1, 100):
        paced()
        assert time.worked == done
        time.advance(0.1)


def test_frequent_work_takes_its_share_of_the_time(time: Time) -> None:
    paced = Paced(time.work, later=time.later, clock=lambda: time.now)
    began = time.now
    for _ in range(100_000):
        paced()
        time.advance(0.0001)
    took = time.now - began
    assert time.worked * 0.02 <= SHARE * took + BURST + 0.02
    assert time.worked * 0.02 >= SHARE * took / 2


def test_the_last_request_is_served(time: Time) -> None:
    paced = Paced(time.work, later=time.later, clock=lambda: time.now)
    for _ in range(1_000):
        paced()
    before = time.worked
    assert before < 20
    assert len(time.calls) == 1
    time.advance(10.0)
    assert time.worked == before + 1
    assert time.calls == []


def test_failed_work_runs_again_on_the_next_request(time: Time) -> None:
    def fail() -> None:
        time.work()
        raise ValueError("broken")

    paced = Paced(fail, later=time.later, clock=lambda: time.now)
    for done in range(1, 4):
        with pytest.raises(ValueError, match="broken"):
            paced()
        assert time.worked == done


def test_a_slice_ends_after_its_time_and_can_restart(time: Time) -> None:
    turn = Slice(clock=lambda: time.now)
    seen = [turn.over]
    time.now += SLICE
    seen.append(turn.over)
    turn.begin()
    assert [*seen, turn.over] == [False, True, False]


def test_long_work_waits_for_the_echo_of_a_key_and_no_longer(time: Time) -> None:
    priority = InputPriority(clock=lambda: time.now)
    assert priority.pause == 0
    priority.input_received()
    assert priority.pause == pytest.approx(ECHO)
    time.advance(ECHO)
    assert priority.pause == 0
