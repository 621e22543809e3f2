"""Compression is never requested: a compressed response is refused without decoding it."""

import gzip
import zlib

import pytest

from tests.net.bytes_server import STREAM_HEAD, Server, answer, chunk, read
from tui.net.errors import Encoded, HttpStatusError
from tui.net.http_client import Http

BOMB = gzip.compress(gzip.compress(gzip.compress(bytes(64 << 20))))
"""A few hundred bytes that decode to 64 MiB."""

ENCODINGS = {
    "gzip": gzip.compress(b"true"),
    "gzip, gzip, gzip": BOMB,
    "identity, gzip": gzip.compress(b"true"),
    "deflate": zlib.compress(b"true"),
    "br": b"true",
    "GZIP": gzip.compress(b"true"),
    "x-made-up": b"true",
}


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_call_names_the_encoding(server: Server, http: Http, encoding: str, method: str) -> None:
    server.respond(answer(ENCODINGS[encoding], "200 OK", f"content-encoding: {encoding}"))
    with pytest.raises(Encoded) as caught:
        await http.call(method, "/x")
    assert caught.value.message == f"the response has Content-Encoding {encoding}, which was not requested"
    assert not caught.value.permanent


async def test_several_headers_are_one_list(server: Server, http: Http) -> None:
    server.respond(answer(BOMB, "200 OK", *["content-encoding: gzip"] * 3))
    with pytest.raises(Encoded, match="gzip, gzip, gzip"):
        await http.call("GET", "/x")


async def test_the_name_is_short(server: Server, http: Http) -> None:
    server.respond(answer(b"true", "200 OK", "content-encoding: " + "gzip, " * 9000 + "gzip"))
    with pytest.raises(Encoded) as caught:
        await http.call("GET", "/x")
    assert len(caught.value.message) < 120


async def test_a_stream_and_a_held_post(server: Server, http: Http) -> None:
    server.respond(STREAM_HEAD[:-2] + b"content-encoding: gzip\r\n\r\n" + chunk(BOMB))
    with pytest.raises(Encoded):
        await read(http)
    server.respond(answer(BOMB, "200 OK", "content-encoding: gzip, gzip, gzip"))
    with pytest.raises(Encoded):
        async with http.stream("POST", "/x", json={}, first_byte=None, silence=None):
            pass


@pytest.mark.parametrize("encoding", ["", "identity", "Identity, identity"])
async def test_identity_is_accepted(server: Server, http: Http, encoding: str) -> None:
    server.respond(answer(b"true", "200 OK", f"content-encoding: {encoding}"))
    assert (await http.call("GET", "/x")).value is True


async def test_an_error_status_has_precedence(server: Server, http: Http) -> None:
    server.respond(answer(BOMB, "503 Busy", "content-encoding: gzip, gzip, gzip", "retry-after: 3"))
    with pytest.raises(
        HttpStatusError, match=r"\(503 Busy\): its text has Content-Encoding gzip, gzip, gzip"
    ) as caught:
        await http.call("GET", "/x")
    assert (caught.value.status, caught.value.retry_after, caught.value.value) == (503, 3.0, None)


async def test_nothing_is_decoded(server: Server, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> bytes:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("httpx._decoders.GZipDecoder.decode", decode)
    for status in ("200 OK", "404 Not Found", "500 No"):
        server.respond(answer(BOMB, status, "content-encoding: gzip"))
        with pytest.raises(Encoded if status == "200 OK" else HttpStatusError):
            await http.call("POST", "/x")
