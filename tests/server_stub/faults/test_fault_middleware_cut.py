"""Lines that a fault cuts or resets: after which byte, and what the route learns of it."""

import pytest

from server_stub.faults.kinds import CRASHED, Faults, parse
from tests.server_stub.held import END, EVENT, PROMPT, QUIET, TURN, Routes, body_of, chunk
from tests.server_stub.serving import Wire
from tests.waiting import wait_until


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


async def test_a_cut_in_the_padding_spares_an_answer_without_any(line: Wire, routes: Routes, faults: Faults) -> None:
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


async def test_a_crash_in_the_padding(line: Wire, routes: Routes, faults: Faults) -> None:
    statuses: list[int] = []
    faults.exit = statuses.append
    faults.arm(parse("crash=prompt,at=padding"))
    routes.send(b" ", TURN, None)
    await line.request(*PROMPT)
    await line.read_all()
    assert statuses == [CRASHED]


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
