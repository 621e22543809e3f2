"""Answers that a fault gives in the place of the route, or spoils."""

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
async def test_an_answer_in_the_server_s_place(
    line: Wire, routes: Routes, faults: Faults, text: str, status: bytes, header: bytes, body: bytes
) -> None:
    faults.arm(parse(text))
    await line.request(*PROMPT)
    answer = await line.read_all()
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert header + b"\r\n" in answer
    assert body_of(answer).startswith(body)
    assert routes.bodies == []


async def test_an_answer_leaves_open_streams_alone(line: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await line.request("GET", "/event")
    await line.read_until(chunk(EVENT))
    faults.arm(parse("401"))
    routes.send(EVENT, None)
    assert await line.read_all() == chunk(EVENT) + END


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
async def test_the_json_is_rewritten_and_the_answer_ends_well(
    line: Wire, routes: Routes, faults: Faults, name: str, body: bytes
) -> None:
    faults.arm(parse(name))
    routes.send(b" ", TURN[:5], b" "[:0], TURN[5:], None)
    await line.request(*PROMPT)
    answer = await line.read_all()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer) == chunk(b" ") + chunk(body) + END


async def test_whitespace_between_withheld_pieces_is_not_taken_for_padding(
    line: Wire, routes: Routes, faults: Faults
) -> None:
    faults.arm(parse("doubled"))
    routes.send(b" ", b'{"a":', b" 1}", None)
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(b" ") + chunk(b'{"a": 1}{"a": 1}') + END


async def test_a_rewritten_answer_promises_no_length(line: Wire, faults: Faults) -> None:
    faults.arm(parse("truncated=/session/status"))
    await line.request("GET", "/session/status")
    answer = await line.read_all()
    assert b"content-length" not in answer.lower()
    assert body_of(answer) == chunk(b'{"ok"') + END


async def test_only_json_is_rewritten(line: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("truncated=all"))
    routes.send(EVENT, None)
    await line.request("GET", "/event")
    assert body_of(await line.read_all()) == chunk(EVENT) + END
    assert armed.struck == 0


async def test_of_two_open_answers_one_strike_rewrites_one(served: Served, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("truncated"))
    async with wire(served.port) as one, wire(served.port) as other:
        for line in (one, other):
            await line.request(*PROMPT)
        await wait_until(lambda: len(routes.bodies) == 2)
        routes.send(TURN, None, TURN, None)
        bodies = {body_of(await line.read_all()) for line in (one, other)}
    assert bodies == {chunk(TURN) + END, chunk(TURN[: len(TURN) // 2]) + END}
