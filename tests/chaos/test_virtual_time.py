"""Waiting takes no real time on this clock, and a stuck program is detected."""

import asyncio
import time

import pytest

from tests.chaos import virtual_time
from tests.chaos.virtual_time import VirtualTime, run


def test_an_hour_of_sleep_takes_no_real_time() -> None:
    async def wait(loop: VirtualTime) -> float:
        await asyncio.sleep(3600)
        return loop.time()

    began = time.monotonic()
    assert 3600 <= run(wait) < 3601
    assert time.monotonic() - began < 600


def test_pending_bytes_arrive_before_time_advances() -> None:
    async def wait(loop: VirtualTime) -> float:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"there and back\n")
        async with asyncio.timeout(1):
            await reader.readline()
        writer.close()
        server.close()
        return loop.time()

    assert run(wait) < 0.1


def test_a_program_waiting_for_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "STUCK", 0.2)

    async def wait_for_ever(loop: VirtualTime) -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing is left to happen"):
        run(wait_for_ever)


def test_a_program_that_never_waits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "STUCK", 0.2)

    async def spin(loop: VirtualTime) -> None:
        def again() -> None:
            loop.call_soon(again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="round and round"):
        run(spin)


def test_unhandled_task_exceptions_are_collected() -> None:
    async def fall(loop: VirtualTime) -> list[str]:
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)
        return loop.broken

    assert "ZeroDivisionError" in run(fall)[0]
