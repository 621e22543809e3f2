"""Every fault's effect on the bytes, on a real server; the routes behind it send what each test tells them."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from server_stub.exchange import FaultMiddleware
from server_stub.faults import CRASHED, Faults, parse
from tests.server_stub.serving import Served, Wire, serving, wire
from tests.waiting import wait_until

QUIET = 0.1  # seconds in which a byte on loopback would have come

TURN = b'{"info":{"id":"msg_1"},"parts":[]}'
EVENT = b'data: {"type":"server.heartbeat"}\n\n'
PROMPT = ("POST", "/session/s/message", b'{"parts":[]}')


class Routes:
    """One held prompt and one event stream; a test puts into `pieces` what they send, None being the end."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.bodies: list[bytes] = []
        self.left = 0

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            while (piece := await self.pieces.get()) is not None:
                yield piece
        except asyncio.CancelledError:
            self.left += 1
            raise

    async def prompt(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        return StreamingResponse(self._stream(), media_type="application/json")

    async def events(self, request: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def status(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    def send(self, *pieces: bytes | None) -> None:
        for piece in pieces:
            self.pieces.put_nowait(piece)


@pytest.fixture
async def routes() -> Routes:
    return Routes()


@pytest.fixture
def faults() -> Faults:
    return Faults(lambda flag, on: None)


@pytest.fixture
async def served(routes: Routes, faults: Faults) -> AsyncIterator[Served]:
    app = Starlette(
        routes=[
            Route("/session/{id}/message", routes.prompt, methods=["POST"]),
            Route("/event", routes.events),
            Route("/session/status", routes.status),
            Route("/_stub/faults", routes.status),
        ],
        middleware=[Middleware(FaultMiddleware, faults=faults)],
    )
    async with serving(app) as served:
        faults.connections = served.server.server_state.connections
        yield served


@pytest.fixture
async def line(served: Served) -> AsyncIterator[Wire]:
    async with wire(served.port) as line:
        yield line


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


async def test_nothing_armed_nothing_changed(line: Wire, routes: Routes) -> None:
    routes.send(b" ", b" ", TURN, None)
    await line.request(*PROMPT)
    answer = await line.read_all()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer) == chunk(b" ") + chunk(b" ") + chunk(TURN) + END


async def test_a_length_that_was_promised_is_kept(line: Wire) -> None:
    await line.request("GET", "/session/status")
    answer = await line.read_all()
    assert b"content-length: 11\r\n" in answer.lower()
    assert body_of(answer) == b'{"ok":true}'


# cut


async def test_cut_at_the_request(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=request"))
    await line.request(*PROMPT)
    assert await line.read_all() == b""
    assert routes.bodies == []


async def test_cut_before_the_headers(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=headers"))
    await line.request(*PROMPT)
    assert await line.read_all() == b""
    assert routes.bodies == [PROMPT[2]], "the route has done its work"


async def test_cut_after_the_headers(line: Wire, faults: Faults) -> None:
    faults.arm(parse("cut=prompt"))
    await line.request(*PROMPT)
    answer = await line.read_all()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer) == b""


async def test_cut_in_the_padding(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=padding"))
    routes.send(b" ", b" ", TURN, None)
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(b" ")


async def test_cut_after_so_much_padding(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=padding,after_bytes=3"))
    routes.send(b" ", b"   ", TURN, None)
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(b" ") + chunk(b"  ")


async def test_a_cut_in_the_padding_spares_an_answer_without_any(
    line: Wire, routes: Routes, faults: Faults
) -> None:
    armed = faults.arm(parse("cut=prompt,at=padding,after_bytes=3"))
    routes.send(b"  " + TURN, None)
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(b"  ") + chunk(TURN) + END
    assert armed.struck == 0


async def test_cut_in_the_json(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=json,after_bytes=10"))
    routes.send(b" ", b" " + TURN, None)
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(b" ") + chunk(b" ") + chunk(TURN[:10])


async def test_cut_just_before_the_json(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=json,after_bytes=0"))
    routes.send(b" ", TURN, None)
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(b" ")


async def test_cut_after_the_last_byte_of_the_json(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse(f"cut=prompt,at=json,after_bytes={len(TURN)}"))
    routes.send(TURN, None)
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(TURN), "whole, but never ended"


async def test_cut_of_an_answer_that_had_promised_its_length(line: Wire, faults: Faults) -> None:
    faults.arm(parse("cut=/session/status,at=json,after_bytes=4"))
    await line.request("GET", "/session/status")
    answer = await line.read_all()
    assert b"content-length" not in answer.lower()
    assert body_of(answer) == chunk(b'{"ok')


async def test_cut_after_some_seconds_of_silence(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=request,after_seconds=0.2"))
    routes.send(b" ")
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(b" ")
    assert routes.bodies == [PROMPT[2]]


async def test_the_route_learns_that_its_client_is_gone(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=padding"))
    routes.send(b" ")
    await line.request(*PROMPT)
    await line.read_all()
    await wait_until(lambda: routes.left == 1, what="the route to be cancelled")


async def test_cut_of_a_stream_that_is_open_already(line: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await line.request("GET", "/event")
    await line.read_until(chunk(EVENT))
    armed = faults.arm(parse("cut=events"))
    assert await line.read_all() == b""
    assert armed.struck == 1


async def test_bytes_and_seconds_count_from_the_arming(line: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await line.request("GET", "/event")
    await line.read_until(chunk(EVENT))
    faults.arm(parse(f"cut=events,after_bytes={len(EVENT)}"))
    assert await line.silent_for(QUIET)
    routes.send(EVENT, EVENT)
    assert await line.read_all() == chunk(EVENT)


@pytest.mark.parametrize("past", ["at=request", "at=headers"])
async def test_a_place_that_is_past_is_not_struck(line: Wire, routes: Routes, faults: Faults, past: str) -> None:
    routes.send(EVENT)
    await line.request("GET", "/event")
    await line.read_until(chunk(EVENT))
    armed = faults.arm(parse(f"cut=events,{past}"))
    routes.send(EVENT, None)
    assert await line.read_all() == chunk(EVENT) + END
    assert armed.struck == 0


async def test_a_padding_that_is_past_is_not_struck(line: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("cut=prompt,at=padding,after_seconds=0.1"))
    routes.send(b" ", TURN)
    await line.request(*PROMPT)
    await line.read_until(chunk(TURN))
    assert await line.silent_for(2 * QUIET)
    late = faults.arm(parse("cut=prompt,at=padding"))
    routes.send(None)
    assert await line.read_all() == END
    assert (armed.struck, late.struck) == (0, 0)


# reset


@pytest.mark.parametrize("at", ["request", "headers", "body", "padding", "json"])
async def test_reset(line: Wire, routes: Routes, faults: Faults, at: str) -> None:
    armed = faults.arm(parse(f"reset=prompt,at={at}"))
    routes.send(b" ", TURN, None)
    await line.request(*PROMPT)
    with pytest.raises(ConnectionResetError):
        await line.read_all()
    assert armed.struck == 1


async def test_reset_of_a_stream_that_is_open_already(line: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await line.request("GET", "/event")
    await line.read_until(chunk(EVENT))
    faults.arm(parse("reset"))
    with pytest.raises(ConnectionResetError):
        await line.read_all()


# stall and hang


async def test_a_stall_lets_nothing_through_and_goes_on_when_disarmed(
    line: Wire, routes: Routes, faults: Faults
) -> None:
    routes.send(EVENT)
    await line.request("GET", "/event")
    await line.read_until(chunk(EVENT))
    armed = faults.arm(parse("stall"))
    routes.send(EVENT, None)
    assert await line.silent_for(QUIET)
    faults.disarm(armed.id)
    assert await line.read_all() == chunk(EVENT) + END


async def test_a_stall_in_the_middle_of_the_json(line: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("stall=prompt,at=json,after_bytes=10"))
    routes.send(b" ", TURN, None)
    await line.request(*PROMPT)
    assert body_of(await line.read_until(chunk(TURN[:10]))) == chunk(b" ") + chunk(TURN[:10])
    assert await line.silent_for(QUIET)
    faults.disarm(armed.id)
    assert await line.read_all() == chunk(TURN[10:]) + END


async def test_a_client_that_leaves_a_stall_ends_its_route(served: Served, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("stall=prompt,at=padding"))
    routes.send(b" ", TURN)
    async with wire(served.port) as leaving:
        await leaving.request(*PROMPT)
        await leaving.read_until(chunk(b" "))
    await wait_until(lambda: not served.server.server_state.tasks, what="the request's task to end")
    assert armed.struck == 1


async def test_a_stalled_connection_can_still_be_cut(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("stall"))
    await line.request("GET", "/event")
    await line.read_until(b"\r\n\r\n")
    routes.send(EVENT)
    assert await line.silent_for(QUIET)
    faults.arm(parse("cut"))
    assert await line.read_all() == b""


async def test_hang_never_answers(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("hang=prompt"))
    await line.request(*PROMPT)
    assert await line.silent_for(QUIET)
    assert routes.bodies == []


async def test_a_hang_that_is_disarmed_is_only_late(line: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("hang=prompt"))
    await line.request(*PROMPT)
    assert await line.silent_for(QUIET)
    routes.send(TURN, None)
    faults.disarm(armed.id)
    assert body_of(await line.read_all()) == chunk(TURN) + END
    assert routes.bodies == [PROMPT[2]], "what had come meanwhile is not lost"


async def test_the_request_of_a_client_that_leaves_a_hang_is_lost(
    served: Served, routes: Routes, faults: Faults
) -> None:
    armed = faults.arm(parse("hang"))
    async with wire(served.port) as leaving:
        await leaving.request(*PROMPT)
        await wait_until(lambda: armed.struck == 1)
    await wait_until(lambda: not served.server.server_state.tasks, what="the request's task to end")
    assert routes.bodies == []


# answers in the server's place


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


# bodies that are not what they should be


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


# how often, and whom


async def test_a_fault_strikes_as_often_as_it_says(served: Served, faults: Faults) -> None:
    faults.arm(parse("502=all,times=2"))
    statuses = []
    for _ in range(3):
        async with wire(served.port) as line:
            await line.request("GET", "/session/status")
            statuses.append((await line.read_all()).split()[1])
    assert statuses == [b"502", b"502", b"200"]


async def test_a_strike_counts_where_it_falls(served: Served, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("cut=prompt,at=json"))
    async with wire(served.port) as failing, wire(served.port) as struck:
        await failing.request(*PROMPT)
        routes.send(b" ", None)
        assert body_of(await failing.read_all()) == chunk(b" ") + END
        assert armed.struck == 0
        await struck.request(*PROMPT)
        routes.send(TURN)
        assert body_of(await struck.read_all()) == chunk(TURN[:1])
        assert armed.struck == 1


async def test_others_are_spared(line: Wire, faults: Faults) -> None:
    for text in ("cut=prompt", "401=events", "hang=/config"):
        faults.arm(parse(text))
    await line.request("GET", "/session/status")
    assert body_of(await line.read_all()) == b'{"ok":true}'


async def test_the_admin_route_is_never_struck(line: Wire, faults: Faults) -> None:
    faults.arm(parse("401=all"))
    faults.arm(parse("hang=/"))
    await line.request("GET", "/_stub/faults")
    assert (await line.read_all()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_disarmed_fault_spares_an_open_exchange(line: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("cut=prompt,at=json"))
    routes.send(b" ")
    await line.request(*PROMPT)
    await line.read_until(chunk(b" "))
    faults.disarm(armed.id)
    routes.send(TURN, None)
    assert await line.read_all() == chunk(TURN) + END


async def test_the_first_armed_of_two_strikes_first(line: Wire, routes: Routes, faults: Faults) -> None:
    hang, unauthorized = faults.arm(parse("hang=prompt")), faults.arm(parse("401=prompt"))
    await line.request(*PROMPT)
    await wait_until(lambda: hang.struck == 1)
    assert unauthorized.struck == 0


async def test_a_crash_in_the_padding(line: Wire, routes: Routes, faults: Faults) -> None:
    statuses: list[int] = []
    faults.exit = statuses.append
    faults.arm(parse("crash=prompt,at=padding"))
    routes.send(b" ", TURN, None)
    await line.request(*PROMPT)
    await line.read_all()
    assert statuses == [CRASHED]


async def test_an_exchange_that_has_ended_leaves_nothing_to_its_connection(
    line: Wire, routes: Routes, faults: Faults
) -> None:
    armed = faults.arm(parse("cut=prompt,at=request,after_seconds=0.2"))
    routes.send(TURN, None)
    await line.request(*PROMPT, connection="keep-alive")
    await line.read_until(chunk(TURN) + END)
    routes.send(EVENT)
    await line.request("GET", "/event")
    await line.read_until(chunk(EVENT))
    assert await line.silent_for(0.2 + QUIET)
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


@pytest.mark.parametrize("name", ["cut", "reset"])
@pytest.mark.parametrize("at", ["request", "headers", "body", "json"])
async def test_the_server_takes_no_offence_at_a_broken_line(
    line: Wire, routes: Routes, faults: Faults, caplog: pytest.LogCaptureFixture, name: str, at: str
) -> None:
    faults.arm(parse(f"{name}=all,at={at}"))
    await line.request("GET", "/session/status")
    try:
        await line.read_all()
    except ConnectionResetError:
        assert name == "reset"
    assert [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"] == []


async def test_a_large_answer_passes_whole(line: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=json,after_bytes=3000000,times=1"))
    large = json.dumps("x" * 2_000_000).encode()
    routes.send(b" ", large, None)
    await line.request(*PROMPT)
    assert body_of(await line.read_all()) == chunk(b" ") + chunk(large) + END
