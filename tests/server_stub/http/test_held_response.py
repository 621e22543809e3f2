"""The bytes of a held response, with the event loop's clock and intervals of milliseconds."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import Message

from server_stub.domain.api_errors import ApiError, unexpected
from server_stub.domain.profiles import MIMO, OPENCODE_PADDED, PaddingPolicy
from server_stub.http.held_response import INTERVAL_VARIABLE, HeldResponse, interval_of
from tests.server_stub.conftest import run_loop
from tests.waiting import wait_until

FAST = PaddingPolicy(b" ", 5)
JSON = b'{"info":{}}'


class Exchange:
    """Both ends of one response."""

    def __init__(self, padding: PaddingPolicy | None, body: Coroutine[Any, Any, bytes]) -> None:
        self.sent: list[Message] = []
        self.disconnects = 0
        self._gone = asyncio.Event()
        self._response = HeldResponse(padding, body, self._count)

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._response({}, self._receive, self._send))

    def leave(self) -> None:
        self._gone.set()

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent if message["type"] == "http.response.body"]

    def _count(self) -> None:
        self.disconnects += 1

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


class Turn:
    def __init__(self) -> None:
        self._ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def body(self) -> bytes:
        return await self._ended

    def end(self, result: bytes = JSON) -> None:
        self._ended.set_result(result)

    def fail(self, error: Exception) -> None:
        self._ended.set_exception(error)


async def no_tasks_left() -> None:
    """Wait until the test's own task is the only one."""
    await wait_until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def test_headers_at_once_then_padding_then_the_json_in_one_piece() -> None:
    turn = Turn()
    exchange = Exchange(FAST, turn.body())
    task = exchange.start()
    await run_loop(2)
    assert exchange.sent[0]["status"] == 200
    assert exchange.bodies == []
    await wait_until(lambda: len(exchange.bodies) >= 3)
    turn.end()
    await task
    *padding, body = exchange.bodies
    assert set(padding) == {b" "}
    assert body == JSON
    assert "more_body" not in exchange.sent[-1]
    await no_tasks_left()
    assert exchange.disconnects == 0


async def test_headers_with_the_first_byte_of_padding() -> None:
    exchange = Exchange(replace(FAST, headers="with the first byte"), Turn().body())
    task = exchange.start()
    await run_loop(2)
    assert exchange.sent == []
    await wait_until(lambda: exchange.bodies)
    assert [message["type"] for message in exchange.sent[:2]] == ["http.response.start", "http.response.body"]
    exchange.leave()
    await task


async def test_headers_with_the_first_byte_of_an_early_answer() -> None:
    turn = Turn()
    exchange = Exchange(PaddingPolicy(b" ", 60_000, "with the first byte"), turn.body())
    task = exchange.start()
    turn.end()
    await task
    assert exchange.sent[0]["status"] == 200
    assert exchange.bodies == [JSON]


async def test_without_padding_no_headers_are_sent_until_the_end() -> None:
    turn = Turn()
    exchange = Exchange(None, turn.body())
    task = exchange.start()
    await run_loop(20)
    assert exchange.sent == []
    turn.end()
    await task
    assert exchange.bodies == [JSON]


@pytest.mark.parametrize("padding", [FAST, None])
async def test_a_disconnect_is_noticed_at_once_and_nothing_more_is_sent(padding: PaddingPolicy | None) -> None:
    exchange = Exchange(padding, Turn().body())
    task = exchange.start()
    await run_loop(2)
    exchange.leave()
    await asyncio.wait_for(task, 1)
    assert exchange.disconnects == 1
    await no_tasks_left()
    assert JSON not in exchange.bodies


async def test_an_api_error_under_padding_sends_only_whitespace() -> None:
    turn = Turn()
    exchange = Exchange(FAST, turn.body())
    task = exchange.start()
    await wait_until(lambda: exchange.bodies)
    turn.fail(unexpected())
    await task
    assert b"".join(exchange.bodies).strip() == b""
    assert exchange.sent[-1]["body"] == b""
    await no_tasks_left()


async def test_an_api_error_without_padding_is_the_response() -> None:
    turn = Turn()
    exchange = Exchange(None, turn.body())
    task = exchange.start()
    turn.fail(unexpected())
    with pytest.raises(ApiError):
        await task
    assert exchange.sent == []


@pytest.mark.parametrize("padding", [FAST, None])
async def test_any_other_error_stops_the_padding_and_is_raised(padding: PaddingPolicy | None) -> None:
    turn = Turn()
    exchange = Exchange(padding, turn.body())
    task = exchange.start()
    turn.fail(LookupError("a mistake"))
    with pytest.raises(LookupError):
        await task
    await no_tasks_left()


async def test_server_shutdown_stops_the_padding() -> None:
    exchange = Exchange(FAST, Turn().body())
    task = exchange.start()
    await wait_until(lambda: exchange.bodies)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await no_tasks_left()


@pytest.mark.parametrize(
    ("set_to", "seconds"),
    [("50", 0.05), ("0.5", 0.0005), ("", 10), ("0", 10), ("-3", 10), ("soon", 10), ("nan", 10)],
)
def test_the_environment_overrides_the_interval(monkeypatch: pytest.MonkeyPatch, set_to: str, seconds: float) -> None:
    monkeypatch.setenv(INTERVAL_VARIABLE, set_to)
    assert MIMO.padding is not None
    assert interval_of(MIMO.padding) == seconds


async def test_the_interval_is_read_at_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = PaddingPolicy(b"\n", 60_000)
    first, second = Exchange(slow, Turn().body()), Exchange(slow, Turn().body())
    monkeypatch.delenv(INTERVAL_VARIABLE, raising=False)
    tasks = [first.start()]
    await wait_until(lambda: first.sent)
    monkeypatch.setenv(INTERVAL_VARIABLE, "5")
    tasks.append(second.start())
    await wait_until(lambda: len(second.bodies) > 2)
    assert first.bodies == []
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_padding_policies_of_the_profiles() -> None:
    assert MIMO.padding == PaddingPolicy(b" ", 10_000, "with the first byte", commands=False)
    assert OPENCODE_PADDED.padding == PaddingPolicy(b"\n", 30_000)
