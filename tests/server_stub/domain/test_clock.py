import asyncio
import time
from contextlib import aclosing

import pytest

from server_stub.domain import clock as clock_module
from server_stub.domain.clock import PacedClock


class LateLoop:
    """Replaces asyncio: every sleep ends 5 ms late."""

    def __init__(self) -> None:
        self.moment = 0.0

    def get_running_loop(self) -> "LateLoop":
        return self

    def time(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += seconds + 0.005 if seconds else 0.0001


def test_now_is_epoch_time_in_milliseconds() -> None:
    assert PacedClock().now() == pytest.approx(time.time() * 1000, abs=1000)


def test_after_predicts_the_end_of_a_pause() -> None:
    clock = PacedClock(speed=20)
    assert clock.after(10) - clock.now() == pytest.approx(500, abs=50)


async def test_speed_shortens_every_pause() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await PacedClock(speed=1000).sleep(60)
    assert 0.06 <= loop.time() - begun < 10


@pytest.mark.parametrize(("rate", "speed"), [(10, 1), (10, 5), (1000, 1)])
async def test_ticks_keep_their_rate_when_sleeps_are_late(
    monkeypatch: pytest.MonkeyPatch, rate: float, speed: float
) -> None:
    late = LateLoop()
    monkeypatch.setattr(clock_module, "asyncio", late)
    async with aclosing(PacedClock(speed).ticks(rate)) as ticks:
        for _ in range(500):
            await anext(ticks)
    assert late.moment == pytest.approx(500 / rate / speed, abs=0.01)
