"""Connections that a fault cuts or resets: after which byte, and what the route sees."""

import pytest

from server_stub.faults.kinds import CRASHED, Faults, parse
from tests.server_stub.held import END, EVENT, PROMPT, QUIET, TURN, Routes, body_of, chunk
from tests.server_stub.serving import Wire
from tests.waiting import wait_until


async def test_cut_at_the_request(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=request"))
    await connection.request(*PROMPT)
    assert await connection.read_all() == b""
    assert routes.bodies == []


async def test_cut_before_the_headers(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=headers"))
    await connection.request(*PROMPT)
    assert await connection.read_all() == b""
    assert routes.bodies == [PROMPT[2]], "the route has done its work"


async def test_cut_after_the_headers(connection: Wire, faults: Faults) -> None:
    faults.arm(parse("cut=prompt"))
    await connection.request(*PROMPT)
    answer = await connection.read_all()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer) == b""


async def test_cut_in_the_padding(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=padding"))
    routes.send(b" ", b" ", TURN, None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(b" ")


async def test_cut_after_n_bytes_of_padding(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=padding,after_bytes=3"))
    routes.send(b" ", b"   ", TURN, None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(b" ") + chunk(b"  ")


async def test_a_cut_in_the_padding_ignores_responses_without_padding(
    connection: Wire, routes: Routes, faults: Faults
) -> None:
    armed = faults.arm(parse("cut=prompt,at=padding,after_bytes=3"))
    routes.send(b"  " + TURN, None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(b"  ") + chunk(TURN) + END
    assert armed.times_applied == 0


async def test_cut_in_the_json(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=json,after_bytes=10"))
    routes.send(b" ", b" " + TURN, None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(b" ") + chunk(b" ") + chunk(TURN[:10])


async def test_cut_just_before_the_json(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=json,after_bytes=0"))
    routes.send(b" ", TURN, None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(b" ")


async def test_cut_after_the_last_byte_of_the_json(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse(f"cut=prompt,at=json,after_bytes={len(TURN)}"))
    routes.send(TURN, None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(TURN), "complete, but not terminated"


async def test_cut_of_a_response_with_content_length(connection: Wire, faults: Faults) -> None:
    faults.arm(parse("cut=/session/status,at=json,after_bytes=4"))
    await connection.request("GET", "/session/status")
    answer = await connection.read_all()
    assert b"content-length" not in answer.lower()
    assert body_of(answer) == chunk(b'{"ok')


async def test_cut_after_some_seconds_of_silence(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=request,after_seconds=0.2"))
    routes.send(b" ")
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(b" ")
    assert routes.bodies == [PROMPT[2]]


async def test_the_route_sees_a_client_disconnect(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=padding"))
    routes.send(b" ")
    await connection.request(*PROMPT)
    await connection.read_all()
    await wait_until(lambda: routes.left == 1, what="the route to be cancelled")


async def test_cut_of_a_stream_that_is_already_open(connection: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await connection.request("GET", "/event")
    await connection.read_until(chunk(EVENT))
    armed = faults.arm(parse("cut=events"))
    assert await connection.read_all() == b""
    assert armed.times_applied == 1


async def test_bytes_and_seconds_count_from_the_arming(connection: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await connection.request("GET", "/event")
    await connection.read_until(chunk(EVENT))
    faults.arm(parse(f"cut=events,after_bytes={len(EVENT)}"))
    assert await connection.silent_for(QUIET)
    routes.send(EVENT, EVENT)
    assert await connection.read_all() == chunk(EVENT)


@pytest.mark.parametrize("past", ["at=request", "at=headers"])
async def test_a_place_already_passed_is_not_struck(
    connection: Wire, routes: Routes, faults: Faults, past: str
) -> None:
    routes.send(EVENT)
    await connection.request("GET", "/event")
    await connection.read_until(chunk(EVENT))
    armed = faults.arm(parse(f"cut=events,{past}"))
    routes.send(EVENT, None)
    assert await connection.read_all() == chunk(EVENT) + END
    assert armed.times_applied == 0


async def test_padding_already_passed_is_not_struck(connection: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("cut=prompt,at=padding,after_seconds=0.1"))
    routes.send(b" ", TURN)
    await connection.request(*PROMPT)
    await connection.read_until(chunk(TURN))
    assert await connection.silent_for(2 * QUIET)
    late = faults.arm(parse("cut=prompt,at=padding"))
    routes.send(None)
    assert await connection.read_all() == END
    assert (armed.times_applied, late.times_applied) == (0, 0)


@pytest.mark.parametrize("at", ["request", "headers", "body", "padding", "json"])
async def test_reset(connection: Wire, routes: Routes, faults: Faults, at: str) -> None:
    armed = faults.arm(parse(f"reset=prompt,at={at}"))
    routes.send(b" ", TURN, None)
    await connection.request(*PROMPT)
    with pytest.raises(ConnectionResetError):
        await connection.read_all()
    assert armed.times_applied == 1


async def test_reset_of_a_stream_that_is_already_open(connection: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await connection.request("GET", "/event")
    await connection.read_until(chunk(EVENT))
    faults.arm(parse("reset"))
    with pytest.raises(ConnectionResetError):
        await connection.read_all()


async def test_a_crash_in_the_padding(connection: Wire, routes: Routes, faults: Faults) -> None:
    statuses: list[int] = []
    faults.exit = statuses.append
    faults.arm(parse("crash=prompt,at=padding"))
    routes.send(b" ", TURN, None)
    await connection.request(*PROMPT)
    await connection.read_all()
    assert statuses == [CRASHED]


@pytest.mark.parametrize("name", ["cut", "reset"])
@pytest.mark.parametrize("at", ["request", "headers", "body", "json"])
async def test_a_broken_connection_logs_no_error(
    connection: Wire, routes: Routes, faults: Faults, caplog: pytest.LogCaptureFixture, name: str, at: str
) -> None:
    faults.arm(parse(f"{name}=all,at={at}"))
    await connection.request("GET", "/session/status")
    try:
        await connection.read_all()
    except ConnectionResetError:
        assert name == "reset"
    assert [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"] == []


async def test_an_ended_exchange_does_not_affect_a_reused_connection(
    connection: Wire, routes: Routes, faults: Faults
) -> None:
    armed = faults.arm(parse("cut=prompt,at=request,after_seconds=0.2"))
    routes.send(TURN, None)
    await connection.request(*PROMPT, connection="keep-alive")
    await connection.read_until(chunk(TURN) + END)
    routes.send(EVENT)
    await connection.request("GET", "/event")
    await connection.read_until(chunk(EVENT))
    assert await connection.silent_for(0.2 + QUIET)
    assert armed.times_applied == 0
