"""Responses that a fault replaces or rewrites."""

import pytest

from server_stub.faults.kinds import Faults, parse
from tests.server_stub.held import END, EVENT, PROMPT, TURN, Routes, body_of, chunk
from tests.server_stub.serving import Served, Wire, wire
from tests.waiting import wait_until


@pytest.mark.parametrize(
    ("text", "status", "header", "body"),
    [
        ("401", b"401 Unauthorized", b'www-authenticate: Basic realm="Secure Area"', b""),
        ("429=all,retry_after=7", b"429 Too Many Requests", b"retry-after: 7", b"Too Many Requests"),
        ("502", b"502 Bad Gateway", b"content-type: text/html", b"<html>"),
    ],
)
async def test_a_fault_answers_instead_of_the_route(
    connection: Wire, routes: Routes, faults: Faults, text: str, status: bytes, header: bytes, body: bytes
) -> None:
    faults.arm(parse(text))
    await connection.request(*PROMPT)
    answer = await connection.read_all()
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert header + b"\r\n" in answer
    assert body_of(answer).startswith(body)
    assert routes.bodies == []


async def test_answer_faults_do_not_touch_open_streams(connection: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await connection.request("GET", "/event")
    await connection.read_until(chunk(EVENT))
    faults.arm(parse("401"))
    routes.send(EVENT, None)
    assert await connection.read_all() == chunk(EVENT) + END


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("truncated", TURN[: len(TURN) // 2]),
        ("trailing", TURN + b"\n-- \n"),
        ("doubled", TURN + TURN),
        ("garbled", b"upstream connect error"),
        ("whitespace", b"\n"),
    ],
)
async def test_rewritten_json_ends_normally(
    connection: Wire, routes: Routes, faults: Faults, name: str, body: bytes
) -> None:
    faults.arm(parse(name))
    routes.send(b" ", TURN[:5], b" "[:0], TURN[5:], None)
    await connection.request(*PROMPT)
    answer = await connection.read_all()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer) == chunk(b" ") + chunk(body) + END


async def test_whitespace_between_withheld_pieces_is_not_padding(
    connection: Wire, routes: Routes, faults: Faults
) -> None:
    faults.arm(parse("doubled"))
    routes.send(b" ", b'{"a":', b" 1}", None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(b" ") + chunk(b'{"a": 1}{"a": 1}') + END


async def test_a_rewritten_response_has_no_content_length(connection: Wire, faults: Faults) -> None:
    faults.arm(parse("truncated=/session/status"))
    await connection.request("GET", "/session/status")
    answer = await connection.read_all()
    assert b"content-length" not in answer.lower()
    assert body_of(answer) == chunk(b'{"ok"') + END


async def test_only_json_is_rewritten(connection: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("truncated=all"))
    routes.send(EVENT, None)
    await connection.request("GET", "/event")
    assert body_of(await connection.read_all()) == chunk(EVENT) + END
    assert armed.times_applied == 0


async def test_one_strike_rewrites_one_of_two_open_responses(served: Served, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("truncated"))
    async with wire(served.port) as one, wire(served.port) as other:
        for connection in (one, other):
            await connection.request(*PROMPT)
        await wait_until(lambda: len(routes.bodies) == 2)
        routes.send(TURN, None, TURN, None)
        bodies = {body_of(await connection.read_all()) for connection in (one, other)}
    assert bodies == {chunk(TURN) + END, chunk(TURN[: len(TURN) // 2]) + END}
