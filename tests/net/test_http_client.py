"""Failures of short exchanges raise our errors, without secrets."""

import asyncio
import logging
import re
import socket
import traceback
from pathlib import Path

import pytest

from tests.net.bytes_server import EVENTS, JSON_HEAD, OK, STREAM_HEAD, Server, answer, client
from tests.processor_time import loop_held_up_at_most
from tests.tracing import memory_traced
from tests.waiting import wait_until
from tui.net import hedging
from tui.net import http_client as module
from tui.net.credentials import BasicAuth, BearerAuth
from tui.net.errors import (
    CertificateError,
    ConnectFailed,
    ConnectionLost,
    HttpStatusError,
    InvalidBody,
    NetError,
    NotJson,
    ProtocolError,
    ReadTimeout,
    ResponseTooSlow,
    TooLarge,
    UnexpectedContentType,
    Unsendable,
)
from tui.net.http_client import BYPASS_PROXY, SHORT, Http
from tui.net.response import SMALL
from tui.net.url import BadAddress, path_segment

SECURITY = Path(__file__).parents[2] / "docs/security.md"


class TestCall:
    async def test_the_response(self, server: Server, http: Http) -> None:
        server.respond(
            answer(b'{"a":"\\u001b[2Jx"}', "201 Created", "X-Next: é\x7f", "date: Thu, 20 Nov 2025 12:00:00 GMT")
        )
        reply = await http.call("GET", "/session")
        assert (reply.status, reply.value, reply.date) == (201, {"a": "x"}, 1763640000.0)
        assert reply.headers["x-next"] == "é"
        assert 0 < reply.elapsed < 2

    async def test_get_is_retried_if_its_connections_are_replaced_before_it_begins(self, http: Http) -> None:
        call = asyncio.create_task(http.call("GET", "/session"))
        await asyncio.sleep(0)  # its first attempt is made, and has not begun
        await http._replace_shared(http._shared)
        assert (await call).status == 200

    async def test_call_of_a_closed_client_is_a_lost_connection(self, server: Server) -> None:
        async with client(server) as http:
            pass
        for method in ("GET", "POST"):
            with pytest.raises(ConnectionLost):
                await http.call(method, "/session")
        assert server.requests == []

    async def test_the_request(self, server: Server) -> None:
        async with client(server, credentials=BasicAuth("opencode", "hunter2"), headers={"x-id": "7"}) as http:
            await http.call(
                "POST",
                f"/session/{path_segment('a/../b')}/{path_segment('..')}",
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
    async def test_no_other_host_is_contacted(self, http: Http, path: str) -> None:
        with pytest.raises(ValueError, match="a path must begin with /"):
            await http.call("GET", path)

    @pytest.mark.parametrize("body", [b"HTTP/1.1 204 No Content\r\n\r\n", answer(b""), answer(b"", kind="")])
    async def test_an_empty_answer_is_none(self, server: Server, http: Http, body: bytes) -> None:
        server.respond(body)
        assert (await http.call("POST", "/x")).value is None

    @pytest.mark.parametrize("kind", ["Application/JSON; charset=utf-8", "application/problem+json", ""])
    async def test_names_for_json(self, server: Server, http: Http, kind: str) -> None:
        server.respond(answer(b"true", kind=kind))
        assert (await http.call("GET", "/x")).value is True

    async def test_a_web_page_is_an_unexpected_content_type(self, server: Server, http: Http) -> None:
        server.respond(answer(b"<html>\x1b[2J<title>Welcome", kind="text/html"))
        with pytest.raises(UnexpectedContentType) as caught:
            await http.call("GET", "/global/health")
        assert caught.value.permanent
        assert caught.value.excerpt == "<html><title>Welcome"

    async def test_no_json(self, server: Server, http: Http) -> None:
        server.respond(answer(b'{"a":'))
        with pytest.raises(NotJson):
            await http.call("GET", "/x")

    async def test_gets_share_a_connection_and_posts_do_not(self, server: Server, http: Http) -> None:
        for _ in range(3):
            await http.call("GET", "/x")
        assert server.connections == 1
        for _ in range(2):
            await http.call("POST", "/x")
        assert server.connections == 3

    async def test_one_connection_of_concurrent_gets_is_kept(self, server: Server, http: Http) -> None:
        await asyncio.gather(*(http.call("GET", "/x") for _ in range(5)))
        await wait_until(lambda: len(server.open) == 1, within=1.0, what="the others to be closed")
        await http.call("GET", "/x")
        assert server.connections == 5

    async def test_a_body_over_the_limit(self, server: Server, http: Http) -> None:
        server.respond(answer(b'"' + b"x" * 100_000 + b'"'))
        assert (await http.call("GET", "/x", limit=100_002)).value == "x" * 100_000
        with pytest.raises(TooLarge):
            await http.call("GET", "/x", limit=100_001)

    def test_the_limit_of_a_body_is_the_documented_one(self) -> None:
        [mebibytes] = re.findall(r"^\| body of a response, and .* \| (\d+) MiB \|$", SECURITY.read_text(), re.MULTILINE)
        assert int(mebibytes) << 20 == module.BODY_LIMIT

    async def test_a_trickling_body_is_aborted(self, server: Server, http: Http) -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(JSON_HEAD + b"content-length: 1000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)

        server.respond(drip)
        with pytest.raises(ResponseTooSlow):
            await http.call("POST", "/x", timeout=0.2)

    async def test_a_slow_body_that_makes_progress_is_read_completely(self, server: Server, http: Http) -> None:
        sizes: list[tuple[int, int | None]] = []

        async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(JSON_HEAD + b'content-length: 20002\r\n\r\n"')
            for _ in range(20):
                writer.write(b"x" * 1000)
                await writer.drain()
                await asyncio.sleep(0.03)
            writer.write(b'"')

        server.respond(trickle)
        reply = await http.call("GET", "/x", timeout=0.2, progress=lambda *come: sizes.append(come))
        assert reply.value == "x" * 20_000
        assert reply.elapsed < 0.2
        assert server.connections == 1
        assert sizes[-1] == (20_002, 20_002)
        assert sizes == sorted(sizes)
        assert len(sizes) > 5

    async def test_a_stalled_body_times_out(self, server: Server, http: Http) -> None:
        server.respond(server.sending(JSON_HEAD + b"content-length: 99\r\n\r\n[1,", hold=True))
        with pytest.raises(ReadTimeout):
            await http.call("POST", "/x", timeout=0.1)

    @pytest.mark.real_time
    async def test_a_large_body_is_parsed_outside_the_event_loop(self, server: Server, http: Http) -> None:
        server.respond(answer(b"[" + b'{"a":"b","c":"d{"},' * 60_000 + b"0]"))
        async with loop_held_up_at_most(0.06):
            reply = await http.call("GET", "/x", timeout=60)
        assert reply.value == [*[{"a": "b", "c": "d{"}] * 60_000, 0]

    async def test_an_error_does_not_keep_the_body(self, server: Server, http: Http) -> None:
        server.respond(answer(b'"' + b"x" * 100_000 + b'"').replace(b"content-length: 100002\r\n", b""))
        with pytest.raises(TooLarge) as caught:
            await http.call("GET", "/x", limit=90_000)
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
        bodies = [found for frame in frames for found in frame.f_locals.values() if isinstance(found, bytearray)]
        assert bodies
        assert not any(bodies)

    async def test_too_large_has_the_size_and_the_head(self, server: Server, http: Http) -> None:
        server.respond(answer(b'["' + b"x" * 300_000 + b'"]', "200 OK", "x-next-cursor: before"))
        with pytest.raises(TooLarge) as caught:
            await http.call("GET", "/x", limit=100_000)
        error = caught.value
        assert (error.limit, error.size, error.headers["x-next-cursor"]) == (100_000, 300_004, "before")
        assert error.head.startswith(b'["xxx')
        assert len(error.head) <= 64 << 10

    async def test_too_much_memory_has_the_head_too(self, server: Server, http: Http) -> None:
        server.respond(answer(b"[" + b"[]," * 1_000_000 + b"[]]", "200 OK", "x-next-cursor: before"))
        with pytest.raises(TooLarge, match="the response would take more than 40 MiB of memory") as caught:
            await http.call("GET", "/x")
        assert caught.value.headers["x-next-cursor"] == "before"
        assert caught.value.head.startswith(b"[[],[]")

    @pytest.mark.parametrize("body", [b"[" + b"[]," * 1_000_000 + b"[]]", b'["' + b"x" * 3_000_000 + b'"'])
    async def test_an_error_keeps_nothing_of_a_document_that_is_refused(
        self, server: Server, http: Http, body: bytes
    ) -> None:
        server.respond(answer(body))
        with memory_traced() as kept:
            with pytest.raises(InvalidBody) as caught:
                await http.call("GET", "/x")
            assert kept() < 500_000, caught.value

    async def test_large_bodies_are_read_one_at_a_time(self, server: Server, http: Http) -> None:
        server.respond(answer(b'"' + b"x" * 4_000_000 + b'"'))
        received = [0, 0, 0]
        most = 0

        async def one(at: int) -> None:
            def progress(come: int, size: int | None) -> None:
                nonlocal most
                received[at] = come
                most = max(most, sum(received))

            reply = await http.call("POST", "/x", progress=progress)
            assert reply.value == "x" * 4_000_000
            received[at] = 0

        await asyncio.gather(*map(one, range(3)))
        assert most < 4_000_002 + 2 * (SMALL + 256_000)

    async def test_a_large_body_that_breaks_off_lets_the_next_one_begin(self, server: Server, http: Http) -> None:
        part = b'"' + b"x" * 2_000_000
        server.respond(
            server.sending(JSON_HEAD + b"content-length: 9999999\r\n\r\n" + part, hold=True), answer(part + b'"')
        )
        begun = asyncio.Event()
        first = asyncio.create_task(http.call("POST", "/x", timeout=1.0, progress=lambda *come: begun.set()))
        await begun.wait()
        second = asyncio.create_task(http.call("POST", "/y"))
        with pytest.raises(ReadTimeout):
            await first
        assert (await second).value == "x" * 2_000_000

    async def test_a_short_call_is_answered_while_a_large_body_is_read(self, server: Server, http: Http) -> None:
        part = b'"' + b"x" * 2_000_000
        server.respond(server.sending(JSON_HEAD + b"content-length: 9999999\r\n\r\n" + part, hold=True), OK)
        received = 0

        def progress(come: int, size: int | None) -> None:
            nonlocal received
            received = come

        large = asyncio.create_task(http.call("POST", "/x", progress=progress))
        await wait_until(lambda: received > SMALL)
        assert (await http.call("GET", "/global/health", limit=SHORT)).value is True
        large.cancel()

    async def test_of_bodies_that_keep_coming_one_is_read_at_a_time(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "BUSY", -1.0)
        body = b"1\r\n[\r\n" + b"2\r\n0,\r\n" * 100 + b"2\r\n0]\r\n" + b"0\r\n\r\n"
        server.respond(server.sending(JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n" + body))
        read = 0

        def progress(received: int, size: int | None) -> None:
            nonlocal read
            read += 1

        calls = [asyncio.create_task(http.call("POST", f"/{at}", progress=progress)) for at in range(8)]
        while not all(call.done() for call in calls):
            before = read
            await asyncio.sleep(0)
            assert read - before <= 1
        assert all(call.result().value == [0] * 101 for call in calls)

    async def test_closed_before_the_answer(self, server: Server, http: Http) -> None:
        server.respond(server.sending())
        with pytest.raises(ConnectionLost, match="the server closed the connection before the first byte"):
            await http.call("POST", "/x")
        assert server.connections == 1

    async def test_connection_refused(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            http = Http(f"http://127.0.0.1:{unused.getsockname()[1]}")
            with pytest.raises(ConnectFailed, match="cannot connect: connection refused"):
                await http.call("GET", "/x")
            await http.close()

    @pytest.mark.real_time
    async def test_unknown_host(self) -> None:
        http = Http("http://nobody.invalid", trust_env=False)
        with pytest.raises(ConnectFailed, match=r"cannot connect: unknown host name$"):
            await http.call("GET", "/x")
        await http.close()


class TestRetry:
    """A GET is retried once, on a new connection; a POST never is."""

    async def test_a_server_that_accepts_and_does_not_respond(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hedging, "FIRST_TRY", 0.1)
        server.respond(server.sending(hold=True), OK)
        reply = await http.call("GET", "/x")
        assert reply.value is True
        assert reply.elapsed < 0.1
        assert server.connections == 2

    async def test_a_kept_connection_closed_while_being_used(self, server: Server, http: Http) -> None:
        async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(OK)
            await server.read_request(reader)

        server.respond(answer_once, OK)
        for _ in range(2):
            assert (await http.call("GET", "/x")).value is True
        assert len(server.requests) == 3

    async def test_on_a_slow_connection_the_first_attempt_may_still_respond(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hedging, "FIRST_TRY", 0.1)

        async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            await asyncio.sleep(0.2)
            writer.write(answer(b"1"))

        server.respond(late, server.sending(hold=True))
        assert (await http.call("GET", "/x", timeout=1.0)).value == 1
        assert server.connections == 2

    async def test_no_retry_within_the_round_trip_of_a_slow_connection(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hedging, "FIRST_TRY", 0.1)

        async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(5):
                await server.read_request(reader)
                await asyncio.sleep(0.3)
                writer.write(OK)

        server.respond(late)
        for _ in range(5):
            assert (await http.call("GET", "/x", timeout=2.0)).value is True
        assert len(server.requests) <= 6

    async def test_the_second_attempt_is_the_last(self, server: Server, http: Http) -> None:
        server.respond(server.sending(hold=True))
        with pytest.raises(ReadTimeout):
            await http.call("GET", "/x", timeout=0.1)
        assert len(server.requests) == 2

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_only_a_get_is_sent_twice(self, server: Server, http: Http, method: str) -> None:
        server.respond(server.sending(hold=True), OK)
        with pytest.raises(ReadTimeout, match=r"no data for 0\.1 s"):
            await http.call(method, "/x", timeout=0.1)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", ["404 Not Found", "503 Busy"])
    async def test_an_error_status_is_not_retried(self, server: Server, http: Http, status: str) -> None:
        server.respond(answer(b"{}", status))
        with pytest.raises(HttpStatusError):
            await http.call("GET", "/x")
        assert len(server.requests) == 1

    async def test_a_stuck_pool_is_replaced(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_SHARED_CONNECTIONS", 1)
        server.respond(server.sending(hold=True), OK)
        async with client(server) as http:
            stuck = asyncio.create_task(http.call("GET", "/stuck", timeout=100))
            await wait_until(lambda: server.requests)
            assert (await http.call("GET", "/x", timeout=0.2)).value is True
            assert (await asyncio.wait_for(stuck, 30)).value is True  # before its own first attempt ends


class TestUpload:
    async def test_a_large_body_gets_time_to_leave(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tui.net.request.SLOWEST_UPLINK", 10_000)
        server.respond(server.sending(hold=True))
        with pytest.raises(ReadTimeout, match=r"no data for 0\.4"):
            await http.call("POST", "/x", json="x" * 2_998, timeout=0.1)


class TestUnsendable:
    """Ids of a server that a request cannot hold: an error, and nothing is sent."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("length", [65_536, 70_000, 1_000_000])
    async def test_an_id_or_a_cursor_that_is_too_long(
        self, server: Server, http: Http, method: str, length: int
    ) -> None:
        for path, params in ((f"/session/{path_segment('x' * length)}", None), ("/session", {"before": "x" * length})):
            with pytest.raises(Unsendable, match=r"the request cannot be sent: its address is too long$") as caught:
                await http.call(method, path, params=params)
            assert len(caught.value.message) < 100
        with pytest.raises(Unsendable):
            async with http.stream("GET", f"/{'x' * length}", first_byte=1, silence=1):
                pass
        assert not server.requests

    @pytest.mark.parametrize("value", ["klient_é", "\ud800", "日本"])
    async def test_a_header_that_is_not_ascii(self, server: Server, http: Http, value: str) -> None:
        with pytest.raises(Unsendable, match=r"the request cannot be sent: a header of it is not ASCII$") as caught:
            await http.call("POST", "/x", headers={"x-qwen-client-id": value})
        assert value not in caught.value.message
        assert not server.requests


class TestSecrets:
    @pytest.mark.parametrize("credentials", [BasicAuth("opencode", "hunter2"), BearerAuth("hunter2")])
    async def test_neither_repr_nor_log_nor_error_shows_one(
        self, server: Server, credentials: BasicAuth | BearerAuth, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        outputs: list[str] = []
        async with client(server, credentials=credentials) as http:
            outputs.append(repr(http))
            for respond in (OK, answer(b"", "401 No"), server.sending(), server.sending(b"HTTP/1.1 200 OK\r\n")):
                server.respond(respond)
                server.connections = 0
                try:
                    await http.call("POST", "/x", timeout=0.5)
                except NetError as error:
                    outputs += [str(error), repr(error), error.hint, repr(error.__cause__)]
        secret = credentials.header().split()[1]
        shown = "\n".join([*outputs, *(record.getMessage() for record in caplog.records)])
        assert b"uthorization" in server.requests[0]
        assert "hunter2" not in shown
        assert secret not in shown.replace(caplog.text, "")
        assert secret not in "\n".join(outputs)

    async def test_a_header_that_cannot_be_sent_is_not_quoted(self, http: Http) -> None:
        with pytest.raises(ProtocolError, match=r"^not valid HTTP: the request cannot be sent$"):
            await http.call("GET", "/x", headers={"x-secret": "hunter2\n"})


class TestSetUp:
    def test_an_invalid_certificate_file(self, tmp_path: Path) -> None:
        with pytest.raises(CertificateError, match=r"missing\.pem: no such file or directory$"):
            Http("https://build.example", ca_file=tmp_path / "missing.pem")
        (tmp_path / "empty.pem").write_text("nothing")
        with pytest.raises(CertificateError, match=r"is not the name of a file$"):
            Http("https://build.example", ca_file=Path("a\0b"))
        with pytest.raises(CertificateError, match=r"empty\.pem holds no certificate$"):
            Http("https://build.example", ca_file=tmp_path / "empty.pem")

    def test_an_invalid_address(self) -> None:
        with pytest.raises(BadAddress, match=r"^The address names a host that is not a valid international name\.$"):
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

    def test_a_socks_proxy_error_names_the_missing_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(BadAddress) as caught:
            Http("http://build.example")
        assert str(caught.value) == (
            "The proxy socks5://127.0.0.1:1 of the environment is a SOCKS proxy: "
            "install socksio, or list the server in NO_PROXY to bypass it."
        )

    @pytest.mark.parametrize("proxy", ["quantum://proxy:1", "http://[::1", "http://proxy:port", "socks4://me:no@p"])
    def test_an_invalid_proxy_is_named_without_its_password(self, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("all_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(
            BadAddress, match=r"^The proxy .* of the environment cannot be used: correct it, or "
        ) as caught:
            Http("http://build.example")
        assert str(caught.value).endswith(f" correct it, or {BYPASS_PROXY}")
        assert "me:no" not in str(caught.value)

    async def test_an_unreachable_proxy_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "me:hunter2@127.0.0.1:1")
        beyond = Http("http://build.example")
        with pytest.raises(ConnectFailed, match=r"proxy http://127\.0\.0\.1:1: connection refused") as caught:
            await beyond.call("GET", "/x")
        assert "NO_PROXY" in caught.value.hint
        await beyond.close()

    async def test_a_refusing_proxy_is_named(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("all_proxy", server.url)
        server.respond(answer(b"not for you", "403 Forbidden", kind="text/plain"))
        plain, tunnelled = Http("http://build.example"), Http("https://build.example")
        with pytest.raises(HttpStatusError, match=f"through the proxy {server.url}"):
            await plain.call("GET", "/x")
        with pytest.raises(ConnectFailed, match=f"through the proxy {server.url}: 403 Forbidden"):
            await tunnelled.call("GET", "/x")
        await plain.close()
        await tunnelled.close()

    async def test_keepalive_is_on(self, server: Server, http: Http) -> None:
        server.respond(server.sending(STREAM_HEAD, hold=True))
        async with http.stream("GET", "/event", headers=EVENTS, first_byte=2, silence=2) as stream:
            raw = stream._response.extensions["network_stream"].get_extra_info("socket")
            assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_tls_to_a_plain_http_server(server: Server) -> None:
    async def bewildered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server.respond(bewildered)
    http = Http(server.url.replace("http:", "https:"))
    with pytest.raises(ConnectFailed, match="no TLS"):
        await http.call("GET", "/x", timeout=1.0)
    await http.close()


def test_plain_http_loads_no_authorities() -> None:
    assert Http("http://127.0.0.1:1")._tls.cert_store_stats()["x509_ca"] == 0
    assert Http("https://127.0.0.1:1")._tls.cert_store_stats()["x509_ca"] > 0


@pytest.mark.parametrize("host", ["xn--a", "xn--0.com"])
def test_a_host_that_is_no_international_name_is_a_bad_address(host: str) -> None:
    with pytest.raises(BadAddress, match=r"^The address names a host that is not a valid international name\.$"):
        Http(f"http://{host}")
