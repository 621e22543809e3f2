"""Bytes that arrive one by one and complete nothing raise ResponseTooSlow in time; a silent turn does not."""

import asyncio

import pytest

from tests.net.bytes_server import JSON_HEAD, OK, STREAM_HEAD, Play, Server, chunk, read
from tests.processor_time import loop_held_up_at_most
from tui.net import response, slow_response
from tui.net.errors import ProtocolError, ResponseTooSlow
from tui.net.http_client import Http

HEAD = b"HTTP/1.1 200 OK\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


def slow_body(server: Server, begin: bytes, drop: bytes = b"x", every: float = 0.02) -> Play:
    """Read a request, write `begin`, and then `drop` repeatedly until the client disconnects."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        writer.write(begin)
        while not reader.at_eof():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(every)

    return respond


@pytest.mark.parametrize(
    ("begin", "drop"),
    [(HEAD + b"x: ", b"y"), (b"", PROCESSING), (b"", b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n")],
    ids=["header", "102", "103"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_headers_have_one_limit(server: Server, http: Http, begin: bytes, drop: bytes, method: str) -> None:
    server.respond(slow_body(server, begin, drop))
    async with asyncio.timeout(5):
        with pytest.raises(ResponseTooSlow, match=rf"^{method} /x is too slow: \d+ bytes in \d s"):
            await http.call(method, "/x", timeout=0.3)


async def test_headers_of_a_stream_have_one_limit(server: Server, http: Http) -> None:
    server.respond(slow_body(server, STREAM_HEAD[:-2] + b"x: "))
    async with asyncio.timeout(5):
        with pytest.raises(ResponseTooSlow, match=r"^GET /event is too slow"):
            await read(http, first_byte=0.3)


async def test_the_retry_of_a_get_may_be_answered(server: Server, http: Http) -> None:
    server.respond(slow_body(server, HEAD), OK)
    assert (await http.call("GET", "/x", timeout=0.5)).value is True


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_head_of_a_chunk_that_never_ends(server: Server, http: Http, method: str) -> None:
    server.respond(slow_body(server, JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n4;x="))
    async with asyncio.timeout(5):
        with pytest.raises(ResponseTooSlow):
            await http.call(method, "/x", timeout=0.3)


async def test_a_body_just_above_the_minimum_rate(server: Server, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "RATE_CHECK_AFTER", 0.5)
    server.respond(slow_body(server, JSON_HEAD + b"content-length: 9999999\r\n\r\n", b" " * 8))  # 400 bytes a second
    async with asyncio.timeout(5):
        with pytest.raises(ResponseTooSlow, match=r"^GET /x is too slow"):
            await http.call("GET", "/x", timeout=0.2)


class TestHeldPost:
    """It has no limit in seconds."""

    async def hold(self, http: Http) -> bytes:
        async with http.stream("POST", "/x", json={}, first_byte=None, silence=None) as stream:
            return b"".join([piece async for piece in stream.chunks()])

    async def test_half_of_the_headers_at_once_and_the_rest_later(self, server: Server, http: Http) -> None:
        """As MiMo Code does: the rest arrives with the first byte of the body."""
        go = asyncio.Event()

        async def mimo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(JSON_HEAD + b"vary: Origin\r\n")
            await go.wait()
            writer.write(b"transfer-encoding: chunked\r\n\r\n" + chunk(b" ") + chunk(b"true") + b"0\r\n\r\n")

        server.respond(mimo)
        turn = asyncio.create_task(self.hold(http))
        assert await asyncio.wait({turn}, timeout=0.5) == (set(), {turn})
        go.set()
        assert await turn == b" true"

    async def test_many_interim_responses(self, server: Server, http: Http) -> None:
        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            for _ in range(2 * slow_response.PIECES):
                writer.write(PROCESSING)
                await writer.drain()
                await asyncio.sleep(0.002)
            writer.write(OK)

        server.respond(respond)
        async with http.stream("POST", "/x", json={}, first_byte=None, silence=None) as stream:
            assert await anext(stream.chunks()) == b"true"

    async def test_too_many_interim_responses_are_refused(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slow_response, "INTERIM", 1000)
        server.respond(slow_body(server, b"", PROCESSING * 100, 0.0))
        async with asyncio.timeout(10):
            with pytest.raises(ProtocolError, match="more than 1,000 interim responses"):
                await self.hold(http)

    @pytest.mark.parametrize(
        "begin",
        [HEAD + b"x: ", JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n4;x="],
        ids=["header", "head of a chunk"],
    )
    async def test_pieces_that_complete_nothing_end(self, server: Server, http: Http, begin: bytes) -> None:
        server.respond(slow_body(server, begin, every=0.01))
        async with asyncio.timeout(10):
            with pytest.raises(ResponseTooSlow, match=r"^POST /x is too slow"):
                await self.hold(http)

    async def test_padding_does_not_trickle(self, server: Server, http: Http) -> None:
        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n")
            for _ in range(2 * slow_response.PIECES):
                writer.write(chunk(b" "))
                await writer.drain()
                await asyncio.sleep(0.002)
            writer.write(chunk(b"true") + b"0\r\n\r\n")

        server.respond(respond)
        assert (await self.hold(http)).strip() == b"true"


@pytest.mark.real_time
async def test_small_chunks_yield_to_the_event_loop(server: Server, http: Http) -> None:
    server.respond(
        JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b" ") * 100_000 + b"4\r\ntrue\r\n0\r\n\r\n"
    )
    async with loop_held_up_at_most(0.15):
        assert (await http.call("GET", "/x", timeout=60)).value is True
