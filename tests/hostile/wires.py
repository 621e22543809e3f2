"""The attacks whose bytes are not a valid HTTP response, each for any route. True: the connection is kept."""

import zlib
from functools import cache

from tests.hostile import documents as d
from tests.hostile.exchange import Exchange
from tests.hostile.payloads import CONTROLS

BLOCK = 16 << 20
"""Bytes of white space that are compressed once, and sent many times."""


def _healthy(exchange: Exchange) -> bytes:
    """The body that a healthy server would send first."""
    if exchange.is_stream:
        return d.sse(d.frame("server.connected")) * 20
    found = d.look_up(exchange.family, exchange.request.method, exchange.request.path.partition("?")[0])
    return d.encode(None if found is None else found[1])


def _packed(data: bytes, wbits: int, times: int = 1) -> bytes:
    """`data` repeated `times` times, compressed once: its blocks are the same each time. The checksum is invalid."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    packed = packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)
    if times > 1:
        packed += (packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)) * (times - 1)
    return packed + packer.flush()


@cache
def _bomb(wbits: int) -> bytes:
    return _packed(b" " * BLOCK, wbits, 64)


@cache
def _triple_bomb() -> bytes:
    gzip = 16 + zlib.MAX_WBITS
    inner = _packed(b" " * BLOCK, gzip, 384)
    return _packed(_packed(inner, gzip), gzip)


async def _encoded(exchange: Exchange, encoding: str, body: bytes) -> bool:
    await exchange.head(exchange.content_type, length=len(body), headers={"Content-Encoding": encoding})
    await exchange.send(body)
    return True


async def gzip_once(exchange: Exchange) -> bool:
    return await _encoded(exchange, "gzip", _bomb(16 + zlib.MAX_WBITS))


async def gzip_thrice(exchange: Exchange) -> bool:
    return await _encoded(exchange, "gzip, gzip, gzip", _triple_bomb())


async def deflate(exchange: Exchange) -> bool:
    return await _encoded(exchange, "deflate", _bomb(zlib.MAX_WBITS))


async def gigabyte(exchange: Exchange) -> bool:
    await exchange.head(exchange.content_type, length=1 << 30)
    for _ in range(1024):
        await exchange.send(b'"' + b"x" * ((1 << 20) - 1))
    return False


async def endless_chunks(exchange: Exchange) -> bool:
    await exchange.head(exchange.content_type, length=None)
    await exchange.chunk(b'{"info":"')
    while True:
        await exchange.chunk(b"x" * (64 << 10))


async def tiny_chunks(exchange: Exchange) -> bool:
    await exchange.head(exchange.content_type, length=None)
    await exchange.chunk(b"[")
    piece = b"".join(b"1\r\n%c\r\n" % byte for byte in b"0,") * 1000
    while True:
        await exchange.send(piece)


async def trickled_body(exchange: Exchange) -> bool:
    await exchange.head(exchange.content_type, length=1000)
    while True:
        await exchange.send(b":" if exchange.is_stream else b" ")
        await exchange.pause(1.0)


async def trickled_headers(exchange: Exchange) -> bool:
    await exchange.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        await exchange.send(b"x")
        await exchange.pause(1.0)


async def endless_102(exchange: Exchange) -> bool:
    while True:
        await exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        await exchange.pause(0.01)


async def silence(exchange: Exchange) -> bool:
    while not exchange.writer.transport.is_closing():
        await exchange.pause(0.2)
    return False


async def _with_headers(exchange: Exchange, lines: bytes) -> bool:
    body = _healthy(exchange)
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: " + exchange.content_type.encode() + b"\r\n" + lines)
    await exchange.send(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    return True


async def many_headers(exchange: Exchange) -> bool:
    return await _with_headers(exchange, b"".join(b"X-%d: %d\r\n" % (one, one) for one in range(10_000)))


async def long_header(exchange: Exchange) -> bool:
    return await _with_headers(exchange, b"X-Long: " + b"x" * (1 << 20) + b"\r\n")


async def endless_headers(exchange: Exchange) -> bool:
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.send(b"X-More: and more\r\n" * 1000)


async def redirect(exchange: Exchange) -> bool:
    await exchange.respond(b"", status="302 Found", headers={"Location": exchange.request.path})
    return True


async def close_at_once(exchange: Exchange) -> bool:
    return False


async def close_in_status(exchange: Exchange) -> bool:
    await exchange.send(b"HTTP/1.1 20")
    return False


async def close_in_headers(exchange: Exchange) -> bool:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: appli")
    return False


async def close_in_body(exchange: Exchange) -> bool:
    body = _healthy(exchange)
    await exchange.head(exchange.content_type, length=len(body))
    await exchange.send(body[: len(body) // 2])
    return False


async def reset_in_body(exchange: Exchange) -> bool:
    await close_in_body(exchange)
    exchange.reset()
    return False


async def garbage(exchange: Exchange) -> bool:
    await exchange.send(bytes(range(256)) * 16 + b"\r\n\r\n")
    return False


async def html(exchange: Exchange) -> bool:
    await exchange.respond(b"<!doctype html><title>\x1b[2J</title>", content_type="text/html")
    return True


async def html_500(exchange: Exchange) -> bool:
    page = b"<!doctype html><title>\x1b[2J</title>" + b"<p>words</p>" * 900_000
    await exchange.respond(page, status="500 Internal Server Error", content_type="text/html")
    return True


async def wrong_type(exchange: Exchange) -> bool:
    await exchange.respond(_healthy(exchange), content_type=f"image/png{CONTROLS.partition(chr(10))[0][:60]!r}")
    return True


async def _body(exchange: Exchange, body: bytes) -> bool:
    if exchange.is_stream:
        body = _healthy(exchange) + b"data: " + body.replace(b"\n", b"\ndata: ") + b"\n\n"
    await exchange.respond(body, content_type=exchange.content_type)
    return True


async def deep_arrays(exchange: Exchange) -> bool:
    return await _body(exchange, b"[" * 100_000 + b"]" * 100_000)


async def deep_objects(exchange: Exchange) -> bool:
    return await _body(exchange, b'{"a":' * 100_000 + b"1" + b"}" * 100_000)


async def invalid_utf8(exchange: Exchange) -> bool:
    return await _body(exchange, _healthy(exchange).replace(b"a", b"\xff\xc0\x80\xed\xa0\x80"))


async def utf_16(exchange: Exchange) -> bool:
    return await _body(exchange, _healthy(exchange).decode().encode("utf-16"))


async def hostile_headers(exchange: Exchange) -> bool:
    words = CONTROLS.encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"")
    head = b"HTTP/1.1 503 %s\r\nServer: %s\r\nContent-Type: %s\r\nLocation: http://x/%s\r\n" % ((words,) * 4)
    await exchange.send(head + b"Content-Length: %d\r\n\r\n%s" % (len(words), words))
    return True


async def dates(exchange: Exchange) -> bool:
    far = "Fri, 31 Dec 99999999999 23:59:59 GMT"
    body = _healthy(exchange)
    headers = {"Date": far, "Retry-After": far, "Last-Modified": far, "Expires": "-1", "Age": "9" * 400}
    await exchange.respond(body, headers=headers, content_type=exchange.content_type)
    return True


async def retry_after(exchange: Exchange) -> bool:
    await exchange.respond(b"{}", status="429 Too Many Requests", headers={"Retry-After": "9" * 400})
    return True


async def lengths(exchange: Exchange) -> bool:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {exchange.content_type}\r\nContent-Length: -1\r\nContent-Length: 5\r\n"
    await exchange.send(head.encode() + b"\r\n12345")
    return False


async def unauthorised(exchange: Exchange) -> bool:
    challenge = {"WWW-Authenticate": 'Basic realm="\x1b]0;pwned\x07\u202e' + "r" * 10_000 + '"'}
    await exchange.respond(b"", status="401 Unauthorized", headers=challenge)
    return True


async def status_999(exchange: Exchange) -> bool:
    await exchange.respond(_healthy(exchange), status="999 Odd", content_type=exchange.content_type)
    return True


async def no_content(exchange: Exchange) -> bool:
    await exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    return True


async def padding(exchange: Exchange) -> bool:
    await exchange.head(exchange.content_type, length=None)
    for _ in range(60):
        await exchange.chunk((b"\n" if exchange.is_stream else b" ") * (1 << 20))
    await exchange.chunk(_healthy(exchange))
    await exchange.send(b"0\r\n\r\n")
    return True


async def null(exchange: Exchange) -> bool:
    return await _body(exchange, b"null")


async def long_number(exchange: Exchange) -> bool:
    return await _body(exchange, b"9" * 10_000)
