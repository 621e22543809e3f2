"""The relay acts on each side as a network would."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.chaos.listener import Listener
from tests.chaos.relay import Relay
from tests.chaos.virtual_time import run


class Echo(asyncio.Protocol):
    """Sends back what it receives."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@asynccontextmanager
async def relayed() -> AsyncIterator[tuple[Relay, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection through a relay to a server that echoes."""
    listener = Listener(Echo)
    relay = Relay(listener.port)
    relay.accept()
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(b"GET /event\r\n")
    assert await reader.readuntil(b"\n") == b"GET /event\r\n"
    try:
        yield relay, reader, writer
    finally:
        writer.close()
        relay.close()
        listener.close()
        await asyncio.sleep(1)


def run_relay(play_relay: Coroutine[Any, Any, None]) -> None:
    run(lambda loop: play_relay)


def test_latency_delays_both_directions_in_order() -> None:
    async def play_relay() -> None:
        async with relayed() as (relay, reader, writer):
            relay.latency = 3.0
            began = asyncio.get_running_loop().time()
            writer.write(b"one\n")
            relay.latency = 1.0
            writer.write(b"two\n")
            assert await reader.readline() == b"one\n"
            assert asyncio.get_running_loop().time() - began >= 2.0
            assert await reader.readline() == b"two\n"

    run_relay(play_relay())


def test_a_stall_delays_bytes_until_it_ends() -> None:
    async def play_relay() -> None:
        async with relayed() as (relay, reader, writer):
            relay.stall("prompt")
            writer.write(b"passes\n")
            assert await reader.readline() == b"passes\n"
            relay.stall("events")
            writer.write(b"waits\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readexactly(1), 3600)
            relay.flow()
            assert await reader.readline() == b"waits\n"

    run_relay(play_relay())


def test_reset_close_and_half_open_are_distinguishable() -> None:
    async def play_relay() -> None:
        async with relayed() as (relay, reader, _):
            relay.sever("reset")
            with pytest.raises(ConnectionResetError):
                await reader.read()
        async with relayed() as (relay, reader, _):
            relay.sever("close")
            assert await reader.read() == b""
        async with relayed() as (relay, reader, _):
            relay.sever("half-open")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 3600)

    run_relay(play_relay())


def test_the_next_connection_of_a_kind_is_cut_after_n_bytes() -> None:
    async def play_relay() -> None:
        async with relayed() as (relay, _, _):
            relay.cut_after(6, "prompt")
            for line, gets in (
                (b"GET /event\r\n", b"GET /event\r\n"),
                (b"POST /session/s/message\r\n", b"POST /"),
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
                writer.write(line)
                assert await reader.readexactly(len(gets)) == gets
                writer.close()

    run_relay(play_relay())


def test_refusing_affects_only_new_connections() -> None:
    async def play_relay() -> None:
        async with relayed() as (relay, reader, writer):
            relay.refuse()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", relay.port)
            writer.write(b"still here\n")
            assert await reader.readline() == b"still here\n"
            relay.accept()
            _, again = await asyncio.open_connection("127.0.0.1", relay.port)
            again.close()

    run_relay(play_relay())
