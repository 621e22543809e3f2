"""Streams that are held, cut, garbled and abandoned; none leaves a connection open."""

import asyncio
import json
import math

import pytest

from tests.net.bytes_server import EVENTS, JSON_HEAD, STREAM_HEAD, Server, answer, chunk, read
from tests.waiting import wait_until
from tui.net.errors import (
    ConnectionLost,
    ProtocolError,
    ReadTimeout,
    UnexpectedContentType,
)
from tui.net.http_client import ByteStream, Http


class TestStream:
    async def test_bytes_are_passed_on_as_received(self, server: Server, http: Http) -> None:
        server.respond(server.sending(STREAM_HEAD + chunk(b"data: a\n\n"), chunk(b": beat\n"), b"0\r\n\r\n"))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2) as stream:
            assert (stream.status, stream.received) == (200, 0)
            assert stream.headers["content-type"] == "Text/Event-Stream; charset=latin-1"
            assert b"".join([piece async for piece in stream.chunks()]) == b"data: a\n\n: beat\n"
            assert stream.received == 16
            assert [piece async for piece in stream.chunks()] == []

    async def test_a_post_may_be_silent_before_its_headers_and_in_its_body(self, server: Server, http: Http) -> None:
        go = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            await go.wait()
            writer.write(JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"\n"))
            go.clear()
            await go.wait()
            writer.write(chunk(b'{"a":1}') + b"0\r\n\r\n")

        async def held() -> bytes:
            async with http.stream("POST", "/x", json={"a": 1}, first_byte=None, silence=None) as stream:
                padded.append(await anext(stream.chunks()))
                return b"".join([piece async for piece in stream.chunks()])

        server.respond(slow)
        padded: list[bytes] = []
        turn = asyncio.create_task(held())
        await wait_until(lambda: server.requests)
        go.set()
        await wait_until(lambda: padded)
        go.set()
        assert json.loads(await turn) == {"a": 1}
        assert server.requests[0].endswith(b'{"a":1}')

    async def test_no_headers_in_time(self, server: Server, http: Http) -> None:
        server.respond(server.sending(hold=True))
        with pytest.raises(ReadTimeout, match=r"no data for 0\.1 s"):
            await read(http, first_byte=0.1, silence=None)

    async def test_silence_after_the_headers_has_its_own_limit(self, server: Server, http: Http) -> None:
        """httpcore must read the limit again when the body begins; without a limit this would hang."""
        server.respond(server.sending(STREAM_HEAD, chunk(b"x"), hold=True))
        with pytest.raises(ReadTimeout, match=r"no data for 0\.15 s"):
            await read(http, first_byte=None, silence=0.15)

    async def test_no_limit_before_the_headers_does_not_limit_the_rest(self, server: Server, http: Http) -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(STREAM_HEAD)
            await asyncio.sleep(0.3)  # a server slower than the first limit: the wait itself is under test
            writer.write(chunk(b"late") + b"0\r\n\r\n")

        server.respond(slow)
        assert await read(http, first_byte=0.1, silence=None) == b"late"

    async def test_reset(self, server: Server, http: Http) -> None:
        server.respond(server.sending(STREAM_HEAD + chunk(b"12345"), reset=True))
        with pytest.raises(ConnectionLost) as caught:
            await read(http)
        assert caught.value.reason == "connection reset by peer"

    async def test_reset_counts_the_received_bytes(self, server: Server, http: Http) -> None:
        server.respond(server.sending(STREAM_HEAD + chunk(b"12345"), hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2) as stream:
            assert await anext(stream.chunks()) == b"12345"
            for writer in server.open:
                writer.transport.abort()
            with pytest.raises(ConnectionLost, match="the response was cut off after 5 bytes"):
                await anext(stream.chunks())

    @pytest.mark.parametrize(
        "respond",
        [
            STREAM_HEAD + chunk(b"12345"),
            STREAM_HEAD + b"ff\r\n12345",
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\n12345",
        ],
        ids=["no last chunk", "half a chunk", "short"],
    )
    async def test_cut_in_the_body(self, server: Server, http: Http, respond: bytes) -> None:
        server.respond(server.sending(respond))
        with pytest.raises(ConnectionLost, match="the response was cut off"):
            await read(http)

    async def test_a_cut_body_without_a_length_ends_normally(self, server: Server, http: Http) -> None:
        """HTTP cannot tell: the JSON itself must show that it is complete."""
        server.respond(server.sending(b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{"a":'))
        assert await read(http) == b'{"a":'

    @pytest.mark.parametrize("head", [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 200 OK\r\nx\x00y: z\r\n\r\n"])
    async def test_invalid_http(self, server: Server, http: Http, head: bytes) -> None:
        server.respond(server.sending(head, hold=True))
        with pytest.raises(ProtocolError):
            await read(http)

    async def test_an_endless_header(self, server: Server, http: Http) -> None:
        server.respond(server.sending(b"HTTP/1.1 200 OK\r\nx: ", *[b"x" * 50_000] * 10, hold=True))
        with pytest.raises(ProtocolError):
            await read(http)

    @pytest.mark.parametrize("kind", ["application/json", "text/html", "text/event-stream-not", ""])
    async def test_an_unexpected_content_type(self, server: Server, http: Http, kind: str) -> None:
        server.respond(answer(b"{}", kind=kind))
        with pytest.raises(UnexpectedContentType) as caught:
            await read(http)
        assert caught.value.content_type == kind

    async def test_204_is_a_stream_without_bytes(self, server: Server, http: Http) -> None:
        server.respond(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert await read(http) == b""


class TestLeaving:
    async def test_leaving_early_closes_the_connection(self, server: Server, http: Http) -> None:
        server.respond(server.sending(STREAM_HEAD + chunk(b"x"), hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2) as stream:
            await anext(stream.chunks())
        await wait_until(lambda: server.connections and not server.open)

    async def test_leaving_without_reading_closes_the_connection(self, server: Server, http: Http) -> None:
        server.respond(server.sending(STREAM_HEAD, hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2):
            pass
        await wait_until(lambda: server.connections and not server.open)

    async def test_cancelling_closes_the_connection(self, server: Server, http: Http) -> None:
        server.respond(server.sending(STREAM_HEAD, hold=True))
        reading = asyncio.create_task(read(http))
        await wait_until(lambda: server.requests)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await wait_until(lambda: not server.open)

    async def test_a_cancelled_read_is_not_a_normal_end(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tui.net.http_client.BUSY", math.inf)  # a slow machine would cancel it before it reads
        server.respond(server.sending(STREAM_HEAD + chunk(b"x"), hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=None) as stream:
            assert await anext(stream.chunks()) == b"x"
            reading = asyncio.ensure_future(anext(stream.chunks()))
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            with pytest.raises(ConnectionLost, match="reading was interrupted after 1 byte"):
                await anext(stream.chunks())

    async def test_closing_breaks_open_streams(self, server: Server) -> None:
        server.respond(server.sending(STREAM_HEAD, hold=True))
        http = Http(server.url)
        streams: list[ByteStream] = []

        async def hold() -> None:
            async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=None) as stream:
                streams.append(stream)
                await anext(stream.chunks())

        holding = asyncio.create_task(hold())
        await wait_until(lambda: streams)
        await asyncio.sleep(0)
        await http.close()
        with pytest.raises(ConnectionLost):
            await holding
