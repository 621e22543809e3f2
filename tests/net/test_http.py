"""Every way in which a server misbehaves comes out as one of our errors, and nothing stays open behind it."""

import asyncio
import gzip
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until
from tui.net import http as module
from tui.net.address import BadAddress, segment
from tui.net.credentials import BasicAuth, BearerAuth
from tui.net.errors import (
    Cut,
    Garbled,
    NetError,
    NotJson,
    Refused,
    Silent,
    TooLarge,
    Unreachable,
    Untrusted,
    WrongType,
)
from tui.net.http import ByteStream, Http

JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
OK = JSON_HEAD + b"content-length: 4\r\n\r\ntrue"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=latin-1\r\ntransfer-encoding: chunked\r\n\r\n"
)
EVENTS = {"accept": "text/event-stream"}

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(body: bytes, status: str = "200 OK", *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """Plays `plays` in turn, one for each connection, the last for all that follow; keeps what it was sent."""

    def __init__(self, *plays: bytes | Play) -> None:
        self._plays = list(plays)
        self.requests: list[bytes] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        play = self._plays[min(self.connections, len(self._plays) - 1)]
        self.connections += 1
        self.open.add(writer)
        try:
            if not isinstance(play, bytes):
                await play(reader, writer)
                return
            while await self.hear(reader):
                writer.write(play)
                await writer.drain()
        except ConnectionError:
            pass  # the client has left, as many tests make it do
        finally:
            self.open.discard(writer)
            writer.close()

    async def hear(self, reader: asyncio.StreamReader) -> bool:
        """Take one request, body included; False when there is none."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        self.requests.append(head + await reader.readexactly(length))
        return True

    def saying(self, *pieces: bytes, reset: bool = False, hold: bool = False) -> Play:
        """Hear a request, write `pieces` one by one, then close, reset, or keep still until the client leaves."""

        async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self.hear(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if hold:
                await reader.read()
            if reset:
                await wait_until(lambda: not writer.transport.get_write_buffer_size())
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()

        return play

    def play(self, *plays: bytes | Play) -> None:
        self._plays = list(plays)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(OK)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    await wait_until(lambda: not server.open, what="every connection to be closed by the client")
    listening.close()
    await listening.wait_closed()
    await wait_until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, what="every task to end")


@asynccontextmanager
async def client(server: Server, **options: object) -> AsyncIterator[Http]:
    http = Http(server.url, **options)  # type: ignore[arg-type]
    try:
        yield http
    finally:
        await http.close()


@pytest.fixture
async def http(server: Server) -> AsyncIterator[Http]:
    async with client(server) as http:
        yield http


async def read(http: Http, *, silence: float | None = None, first_byte: float | None = 2.0) -> bytes:
    async with http.stream("GET", "/event", headers=EVENTS, first_byte=first_byte, silence=silence) as stream:
        return b"".join([piece async for piece in stream.chunks()])


class TestCall:
    async def test_what_comes_back(self, server: Server, http: Http) -> None:
        server.play(
            answer(b'{"a":"\\u001b[2Jx"}', "201 Created", "X-Next: é\x7f", "date: Thu, 20 Nov 2025 12:00:00 GMT")
        )
        reply = await http.call("GET", "/session")
        assert (reply.status, reply.value, reply.date) == (201, {"a": "x"}, 1763640000.0)
        assert reply.headers["x-next"] == "é"
        assert 0 < reply.elapsed < 2

    async def test_what_is_sent(self, server: Server) -> None:
        async with client(server, credentials=BasicAuth("opencode", "hunter2"), headers={"x-id": "7"}) as http:
            await http.call(
                "POST",
                f"/session/{segment('a/../b')}/{segment('..')}",
                params={"limit": 5, "roots": True, "search": "a b&c", "start": None},
                json={"text": "é\ud83d"},
                headers={"x-one": "1"},
            )
        head, body = server.requests[0].split(b"\r\n\r\n")
        target, *headers = head.decode().split("\r\n")
        sent = dict(line.lower().split(": ") for line in headers)
        assert target == "POST /session/a%2F..%2Fb/%252E%252E?limit=5&roots=true&search=a+b%26c HTTP/1.1"
        assert body == b'{"text":"\\u00e9\\ud83d"}'
        assert sent["authorization"] == "basic b3blbmnvzgu6ahvudgvymg=="
        assert sent["accept-encoding"] == "identity"
        assert sent["accept"] == sent["content-type"] == "application/json"
        assert (sent["x-id"], sent["x-one"], sent["user-agent"]) == ("7", "1", "holdfast")

    async def test_without_json_there_is_no_body(self, server: Server, http: Http) -> None:
        await http.call("POST", "/session/1/abort")
        assert b"content-type" not in server.requests[0].lower()
        assert server.requests[0].endswith(b"\r\n\r\n")

    async def test_the_path_of_the_address_is_kept(self, server: Server) -> None:
        http = Http(f"{server.url}/agent")
        await http.call("GET", "/session")
        await http.close()
        assert server.requests[0].startswith(b"GET /agent/session HTTP")

    @pytest.mark.parametrize("path", ["http://evil.example/", "session", ""])
    async def test_nobody_else_is_called(self, http: Http, path: str) -> None:
        with pytest.raises(ValueError, match="a path begins with /"):
            await http.call("GET", path)

    @pytest.mark.parametrize("body", [b"HTTP/1.1 204 No Content\r\n\r\n", answer(b""), answer(b"", kind="")])
    async def test_an_empty_answer_is_none(self, server: Server, http: Http, body: bytes) -> None:
        server.play(body)
        assert (await http.call("POST", "/x")).value is None

    @pytest.mark.parametrize("kind", ["Application/JSON; charset=utf-8", "application/problem+json", ""])
    async def test_names_for_json(self, server: Server, http: Http, kind: str) -> None:
        server.play(answer(b"true", kind=kind))
        assert (await http.call("GET", "/x")).value is True

    async def test_a_web_page_is_no_answer(self, server: Server, http: Http) -> None:
        server.play(answer(b"<html>\x1b[2J<title>Welcome", kind="text/html"))
        with pytest.raises(WrongType) as caught:
            await http.call("GET", "/global/health")
        assert caught.value.final
        assert caught.value.excerpt == "<html><title>Welcome"

    async def test_no_json(self, server: Server, http: Http) -> None:
        server.play(answer(b'{"a":'))
        with pytest.raises(NotJson):
            await http.call("GET", "/x")

    async def test_gets_share_a_connection_and_posts_do_not(self, server: Server, http: Http) -> None:
        for _ in range(3):
            await http.call("GET", "/x")
        assert server.connections == 1
        for _ in range(2):
            await http.call("POST", "/x")
        assert server.connections == 3

    async def test_of_gets_at_once_one_connection_is_kept(self, server: Server, http: Http) -> None:
        await asyncio.gather(*(http.call("GET", "/x") for _ in range(5)))
        await wait_until(lambda: len(server.open) == 1, within=1.0, what="the others to be closed")
        await http.call("GET", "/x")
        assert server.connections == 5

    async def test_a_body_over_the_limit(self, server: Server, http: Http) -> None:
        server.play(answer(b'"' + b"x" * 100_000 + b'"'))
        assert (await http.call("GET", "/x", limit=100_002)).value == "x" * 100_000
        with pytest.raises(TooLarge):
            await http.call("GET", "/x", limit=100_001)

    async def test_the_limit_counts_what_is_unpacked(self, server: Server, http: Http) -> None:
        packed = gzip.compress(b'"' + b"x" * 1_000_000 + b'"')
        server.play(answer(packed, "200 OK", "content-encoding: gzip"))
        assert (await http.call("GET", "/x")).value == "x" * 1_000_000
        with pytest.raises(TooLarge):
            await http.call("GET", "/x", limit=len(packed) * 2)

    async def test_damaged_gzip(self, server: Server, http: Http) -> None:
        server.play(answer(b"no gzip", "200 OK", "content-encoding: gzip"))
        with pytest.raises(Garbled, match="the compression is damaged"):
            await http.call("GET", "/x")

    async def test_a_drip_ends(self, server: Server, http: Http) -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.hear(reader)
            writer.write(JSON_HEAD + b"content-length: 1000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)

        server.play(drip)
        with pytest.raises(Silent):
            await http.call("POST", "/x", timeout=0.2)

    async def test_closed_before_the_answer(self, server: Server, http: Http) -> None:
        server.play(server.saying())
        with pytest.raises(Cut, match="the server closed the connection before the first byte"):
            await http.call("POST", "/x")
        assert server.connections == 1

    async def test_nobody_there(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            http = Http(f"http://127.0.0.1:{unused.getsockname()[1]}")
            with pytest.raises(Unreachable, match="cannot connect: connection refused"):
                await http.call("GET", "/x")
            await http.close()

    async def test_no_such_host(self) -> None:
        http = Http("http://nobody.invalid", trust_env=False)
        with pytest.raises(Unreachable, match="no host of that name"):
            await http.call("GET", "/x")
        await http.close()


class TestSecondTry:
    """A GET is tried once more, on a new connection; a POST never is."""

    async def test_a_server_that_accepts_and_does_not_answer(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "FIRST_TRY", 0.1)
        server.play(server.saying(hold=True), OK)
        reply = await http.call("GET", "/x")
        assert reply.value is True
        assert reply.elapsed < 0.1
        assert server.connections == 2

    async def test_a_kept_connection_closed_at_the_moment_of_its_use(self, server: Server, http: Http) -> None:
        async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.hear(reader)
            writer.write(OK)
            await server.hear(reader)

        server.play(answer_once, OK)
        for _ in range(2):
            assert (await http.call("GET", "/x")).value is True
        assert len(server.requests) == 3

    async def test_the_second_try_is_the_last(self, server: Server, http: Http) -> None:
        server.play(server.saying(hold=True))
        with pytest.raises(Silent):
            await http.call("GET", "/x", timeout=0.1)
        assert len(server.requests) == 2

    async def test_a_post_is_sent_once(self, server: Server, http: Http) -> None:
        server.play(server.saying(hold=True), OK)
        with pytest.raises(Silent, match=r"nothing came for 0\.1 s"):
            await http.call("POST", "/x", timeout=0.1)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", ["404 Not Found", "503 Busy"])
    async def test_a_refusal_is_an_answer(self, server: Server, http: Http, status: str) -> None:
        server.play(answer(b"{}", status))
        with pytest.raises(Refused):
            await http.call("GET", "/x")
        assert len(server.requests) == 1

    async def test_a_stuck_pool_is_replaced(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_SHARED_CONNECTIONS", 1)
        server.play(server.saying(hold=True), OK)
        async with client(server) as http:
            stuck = asyncio.create_task(http.call("GET", "/stuck"))
            await wait_until(lambda: server.requests)
            assert (await http.call("GET", "/x", timeout=0.2)).value is True
            assert (await asyncio.wait_for(stuck, 1)).value is True  # long before its own first try ends


class TestRefused:
    async def test_words_of_the_server(self, server: Server, http: Http) -> None:
        server.play(answer(b'{"name":"NotFoundError","data":{"message":"no \\u001b[2Jsession"}}', "404 Not Found"))
        with pytest.raises(Refused) as caught:
            await http.call("GET", "/session/x")
        error = caught.value
        assert (error.status, error.excerpt, error.final) == (404, "no session", True)
        assert error.value == {"name": "NotFoundError", "data": {"message": "no session"}}

    async def test_an_empty_401(self, server: Server, http: Http) -> None:
        server.play(answer(b"", "401 Unauthorized", 'www-authenticate: Basic realm="Secure Area"'))
        with pytest.raises(Refused, match=r"^password refused \(401\)$"):
            await http.call("GET", "/x")

    async def test_a_page_of_html(self, server: Server, http: Http) -> None:
        server.play(answer(b"<html>bad gateway", "502 Bad Gateway", kind="text/html"))
        with pytest.raises(Refused, match=r"^the server fails \(502 Bad Gateway\)$") as caught:
            await http.call("GET", "/x")
        assert caught.value.value is None
        assert not caught.value.final

    async def test_a_cookie_is_not_sent_back(self, server: Server, http: Http) -> None:
        """Nothing of one answer goes along with the next request unless it was asked for."""
        server.play(answer(b"true", "200 OK", "set-cookie: who=me; Path=/"))
        await http.call("GET", "/a")
        await http.call("GET", "/b")
        assert len(server.requests) == 2
        assert not any(b"cookie" in request.lower() for request in server.requests)

    async def test_a_redirect_is_not_followed(self, server: Server) -> None:
        server.play(answer(b"", "301 Moved", f"location: {server.url}/elsewhere"))
        async with client(server, credentials=BasicAuth("opencode", "hunter2")) as http:
            with pytest.raises(Refused, match=r"the server points elsewhere \(301\)"):
                await http.call("GET", "/x")
        assert len(server.requests) == 1

    async def test_retry_after(self, server: Server, http: Http) -> None:
        server.play(answer(b"slow down", "429 Too Many Requests", "retry-after: 7", kind="text/plain"))
        with pytest.raises(Refused) as caught:
            await http.call("POST", "/x")
        assert (caught.value.retry_after, caught.value.excerpt, caught.value.final) == (7.0, "slow down", False)

    async def test_a_refusal_whose_body_never_ends(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_QUOTED_SECONDS", 0.1)
        server.play(server.saying(b"HTTP/1.1 500 No\r\ncontent-length: 99\r\n\r\nhalf a wo", hold=True))
        with pytest.raises(Refused, match="half a wo"):
            await http.call("POST", "/x")

    async def test_a_refusal_whose_body_is_huge(self, server: Server, http: Http) -> None:
        server.play(
            server.saying(b"HTTP/1.1 500 No\r\ncontent-length: 99999999\r\n\r\n", *[b"x" * 30_000] * 9, hold=True)
        )
        with pytest.raises(Refused, match="xxx…"):
            await http.call("POST", "/x")

    async def test_a_stream_is_refused_too(self, server: Server, http: Http) -> None:
        server.play(answer(b"", "401 Unauthorized"))
        with pytest.raises(Refused, match="password refused"):
            await read(http)


class TestStream:
    async def test_bytes_as_they_come(self, server: Server, http: Http) -> None:
        server.play(server.saying(STREAM_HEAD + chunk(b"data: a\n\n"), chunk(b": beat\n"), b"0\r\n\r\n"))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2) as stream:
            assert (stream.status, stream.received) == (200, 0)
            assert stream.headers["content-type"] == "Text/Event-Stream; charset=latin-1"
            assert b"".join([piece async for piece in stream.chunks()]) == b"data: a\n\n: beat\n"
            assert stream.received == 16
            assert [piece async for piece in stream.chunks()] == []

    async def test_a_post_may_be_silent_before_its_headers_and_in_its_body(
        self, server: Server, http: Http
    ) -> None:
        go = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.hear(reader)
            await go.wait()
            writer.write(JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"\n"))
            go.clear()
            await go.wait()
            writer.write(chunk(b'{"a":1}') + b"0\r\n\r\n")

        async def held() -> bytes:
            async with http.stream("POST", "/x", json={"a": 1}, first_byte=None, silence=None) as stream:
                padded.append(await anext(stream.chunks()))
                return b"".join([piece async for piece in stream.chunks()])

        server.play(slow)
        padded: list[bytes] = []
        turn = asyncio.create_task(held())
        await wait_until(lambda: server.requests)
        go.set()
        await wait_until(lambda: padded)
        go.set()
        assert json.loads(await turn) == {"a": 1}
        assert server.requests[0].endswith(b'{"a":1}')

    async def test_no_headers_in_time(self, server: Server, http: Http) -> None:
        server.play(server.saying(hold=True))
        with pytest.raises(Silent, match=r"nothing came for 0\.1 s"):
            await read(http, first_byte=0.1, silence=None)

    async def test_silence_after_the_headers_has_its_own_limit(self, server: Server, http: Http) -> None:
        """httpcore must look the limit up again when the body begins; no limit at all would hang here."""
        server.play(server.saying(STREAM_HEAD, chunk(b"x"), hold=True))
        with pytest.raises(Silent, match=r"nothing came for 0\.15 s"):
            await read(http, first_byte=None, silence=0.15)

    async def test_no_limit_before_the_headers_does_not_limit_the_rest(self, server: Server, http: Http) -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.hear(reader)
            writer.write(STREAM_HEAD)
            await asyncio.sleep(0.3)  # a server slower than the first limit: the wait is what is tested
            writer.write(chunk(b"late") + b"0\r\n\r\n")

        server.play(slow)
        assert await read(http, first_byte=0.1, silence=None) == b"late"

    async def test_reset(self, server: Server, http: Http) -> None:
        server.play(server.saying(STREAM_HEAD + chunk(b"12345"), reset=True))
        with pytest.raises(Cut) as caught:
            await read(http)
        assert caught.value.reason == "connection reset by peer"

    async def test_reset_counts_what_had_come(self, server: Server, http: Http) -> None:
        server.play(server.saying(STREAM_HEAD + chunk(b"12345"), hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2) as stream:
            assert await anext(stream.chunks()) == b"12345"
            for writer in server.open:
                writer.transport.abort()
            with pytest.raises(Cut, match="the answer was cut off after 5 bytes"):
                await anext(stream.chunks())

    @pytest.mark.parametrize(
        "play",
        [
            STREAM_HEAD + chunk(b"12345"),
            STREAM_HEAD + b"ff\r\n12345",
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\n12345",
        ],
        ids=["no last chunk", "half a chunk", "short"],
    )
    async def test_cut_in_the_body(self, server: Server, http: Http, play: bytes) -> None:
        server.play(server.saying(play))
        with pytest.raises(Cut, match="the answer was cut off"):
            await read(http)

    async def test_a_body_without_a_length_ends_cleanly_when_cut(self, server: Server, http: Http) -> None:
        """Nobody can tell: the JSON itself must show that it is whole."""
        server.play(server.saying(b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{"a":'))
        assert await read(http) == b'{"a":'

    @pytest.mark.parametrize("head", [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 200 OK\r\nx\x00y: z\r\n\r\n"])
    async def test_no_http(self, server: Server, http: Http, head: bytes) -> None:
        server.play(server.saying(head, hold=True))
        with pytest.raises(Garbled):
            await read(http)

    async def test_an_endless_header(self, server: Server, http: Http) -> None:
        server.play(server.saying(b"HTTP/1.1 200 OK\r\nx: ", *[b"x" * 50_000] * 10, hold=True))
        with pytest.raises(Garbled):
            await read(http)

    @pytest.mark.parametrize("kind", ["application/json", "text/html", "text/event-stream-not", ""])
    async def test_no_event_stream(self, server: Server, http: Http, kind: str) -> None:
        server.play(answer(b"{}", kind=kind))
        with pytest.raises(WrongType):
            await read(http)

    async def test_204_is_a_stream_without_bytes(self, server: Server, http: Http) -> None:
        server.play(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert await read(http) == b""

    async def test_a_damaged_stream_of_gzip(self, server: Server, http: Http) -> None:
        server.play(STREAM_HEAD[:-2] + b"content-encoding: gzip\r\n\r\n" + chunk(b"no gzip"))
        with pytest.raises(Garbled):
            await read(http)


class TestLeaving:
    async def test_leaving_early_closes_the_connection(self, server: Server, http: Http) -> None:
        server.play(server.saying(STREAM_HEAD + chunk(b"x"), hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2) as stream:
            await anext(stream.chunks())
        await wait_until(lambda: server.connections and not server.open)

    async def test_leaving_without_a_look_closes_the_connection(self, server: Server, http: Http) -> None:
        server.play(server.saying(STREAM_HEAD, hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2):
            pass
        await wait_until(lambda: server.connections and not server.open)

    async def test_cancelling_closes_the_connection(self, server: Server, http: Http) -> None:
        server.play(server.saying(STREAM_HEAD, hold=True))
        reading = asyncio.create_task(read(http))
        await wait_until(lambda: server.requests)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await wait_until(lambda: not server.open)

    async def test_a_read_that_was_cancelled_is_no_clean_end(self, server: Server, http: Http) -> None:
        server.play(server.saying(STREAM_HEAD + chunk(b"x"), hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=None) as stream:
            assert await anext(stream.chunks()) == b"x"
            reading = asyncio.ensure_future(anext(stream.chunks()))
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            with pytest.raises(Cut, match="reading was interrupted after 1 byte"):
                await anext(stream.chunks())

    async def test_closing_breaks_what_is_open(self, server: Server) -> None:
        server.play(server.saying(STREAM_HEAD, hold=True))
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
        with pytest.raises(Cut):
            await holding


class TestSecrets:
    @pytest.mark.parametrize("credentials", [BasicAuth("opencode", "hunter2"), BearerAuth("hunter2")])
    async def test_neither_repr_nor_log_nor_error_shows_one(
        self, server: Server, credentials: BasicAuth | BearerAuth, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        said: list[str] = []
        async with client(server, credentials=credentials) as http:
            said.append(repr(http))
            for play in (OK, answer(b"", "401 No"), server.saying(), server.saying(b"HTTP/1.1 200 OK\r\n")):
                server.play(play)
                server.connections = 0
                try:
                    await http.call("POST", "/x", timeout=0.5)
                except NetError as error:
                    said += [str(error), repr(error), error.remedy, repr(error.__cause__)]
        secret = credentials.header().split()[1]
        shown = "\n".join([*said, *(record.getMessage() for record in caplog.records)])
        assert b"uthorization" in server.requests[0]
        assert "hunter2" not in shown
        assert secret not in shown.replace(caplog.text, "")
        assert secret not in "\n".join(said)

    async def test_a_header_that_cannot_be_sent_is_not_quoted(self, http: Http) -> None:
        with pytest.raises(Garbled) as caught:
            await http.call("GET", "/x", headers={"x-secret": "hunter2\n"})
        assert "hunter2" not in caught.value.what


class TestSetUp:
    def test_a_certificate_file_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(Untrusted, match="no such file"):
            Http("https://build.example", ca_file=tmp_path / "missing.pem")
        (tmp_path / "empty.pem").write_text("nothing")
        with pytest.raises(Untrusted, match="holds no certificate"):
            Http("https://build.example", ca_file=tmp_path / "empty.pem")

    def test_an_address_that_is_none(self) -> None:
        with pytest.raises(BadAddress):
            Http("http://_é.example")

    async def test_proxies_of_the_environment(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.delenv("no_proxy", raising=False)
        beyond = Http("http://build.example")
        await beyond.call("GET", "/x")
        await beyond.close()
        assert server.requests[0].startswith(b"GET http://build.example/x")
        async with client(server) as http:
            await http.call("GET", "/x")
        assert server.requests[1].startswith(b"GET /x")

    def test_a_socks_proxy_says_what_it_needs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(BadAddress, match="socksio"):
            Http("http://build.example")

    async def test_keepalive_is_on(self, server: Server, http: Http) -> None:
        server.play(server.saying(STREAM_HEAD, hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2) as stream:
            raw = stream._response.extensions["network_stream"].get_extra_info("socket")
            assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_tls_where_there_is_none(server: Server) -> None:
    async def bewildered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server.play(bewildered)
    http = Http(server.url.replace("http:", "https:"))
    with pytest.raises(Unreachable, match="no TLS"):
        await http.call("GET", "/x", timeout=1.0)
    await http.close()


def test_plain_http_has_no_authorities_to_read() -> None:
    assert Http("http://127.0.0.1:1")._tls.cert_store_stats()["x509_ca"] == 0
    assert Http("https://127.0.0.1:1")._tls.cert_store_stats()["x509_ca"] > 0
