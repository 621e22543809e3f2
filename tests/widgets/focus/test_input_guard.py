from typing import Any

from textual.app import App
from textual.timer import Timer
from textual.widget import Widget

from tests.waiting import wait_until
from tui.widgets.focus.input_guard import INPUT_GUARD_SECONDS, InputGuard


class Clock:
    """The clock of the guard; the timer itself is real."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.read = 0

    def __call__(self) -> float:
        self.read += 1
        return self.seconds


async def test_the_guard_runs_for_half_a_second() -> None:
    clock = Clock()
    async with App[None]().run_test() as pilot:
        grace = InputGuard(pilot.app.screen, clock, lambda: None)
        runs = [grace.runs]
        grace.begin()
        for seconds in (0.0, INPUT_GUARD_SECONDS - 0.01, 0.01):
            clock.seconds += seconds
            runs.append(grace.runs)
        assert runs == [False, True, True, False]


async def test_start_and_end_are_reported() -> None:
    clock, reported = Clock(), list[bool]()
    async with App[None]().run_test() as pilot:
        grace = InputGuard(pilot.app.screen, clock, lambda: reported.append(grace.runs))
        grace.begin()
        assert reported == [True]
        clock.seconds += INPUT_GUARD_SECONDS
        await wait_until(lambda: reported == [True, False])


async def test_a_restart_delays_the_end_and_reports_it_once() -> None:
    clock, reported = Clock(), list[bool]()
    async with App[None]().run_test() as pilot:
        grace = InputGuard(pilot.app.screen, clock, lambda: reported.append(grace.runs))
        grace.begin()
        clock.seconds += INPUT_GUARD_SECONDS - 0.05
        grace.begin()
        looked = clock.read
        await wait_until(lambda: clock.read > looked, what="the timer's first look")
        assert reported == [True, True], "it is not over yet"
        clock.seconds += INPUT_GUARD_SECONDS
        await wait_until(lambda: reported == [True, True, False])


async def test_restarts_use_one_timer() -> None:
    class Counting(Widget):
        timers = 0

        def set_timer(self, *args: Any, **options: Any) -> Timer:
            self.timers += 1
            return super().set_timer(*args, **options)

    async with App[None]().run_test() as pilot:
        widget = Counting()
        await pilot.app.mount(widget)
        grace = InputGuard(widget, Clock(), lambda: None)
        for _ in range(9):
            grace.begin()
        assert widget.timers == 1


async def test_cancelling_ends_the_guard() -> None:
    clock, reported = Clock(), list[bool]()
    async with App[None]().run_test() as pilot:
        grace = InputGuard(pilot.app.screen, clock, lambda: reported.append(grace.runs))
        grace.begin()
        grace.cancel()
        assert reported == [True, False]
