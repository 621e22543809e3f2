"""Responses that a fault stalls: for ever, until it is disarmed, or until the client disconnects."""

from server_stub.faults.kinds import Faults, parse
from tests.server_stub.held import END, EVENT, PROMPT, QUIET, TURN, Routes, body_of, chunk
from tests.server_stub.serving import Served, Wire, wire
from tests.waiting import wait_until


async def test_a_stall_sends_nothing_until_it_is_disarmed(connection: Wire, routes: Routes, faults: Faults) -> None:
    routes.send(EVENT)
    await connection.request("GET", "/event")
    await connection.read_until(chunk(EVENT))
    armed = faults.arm(parse("stall"))
    routes.send(EVENT, None)
    assert await connection.silent_for(QUIET)
    faults.disarm(armed.id)
    assert await connection.read_all() == chunk(EVENT) + END


async def test_a_stall_in_the_middle_of_the_json(connection: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("stall=prompt,at=json,after_bytes=10"))
    routes.send(b" ", TURN, None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_until(chunk(TURN[:10]))) == chunk(b" ") + chunk(TURN[:10])
    assert await connection.silent_for(QUIET)
    faults.disarm(armed.id)
    assert await connection.read_all() == chunk(TURN[10:]) + END


async def test_a_disconnect_during_a_stall_ends_the_route(served: Served, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("stall=prompt,at=padding"))
    routes.send(b" ", TURN)
    async with wire(served.port) as leaving:
        await leaving.request(*PROMPT)
        await leaving.read_until(chunk(b" "))
    await wait_until(lambda: not served.server.server_state.tasks, what="the request's task to end")
    assert armed.times_applied == 1


async def test_a_stalled_connection_can_still_be_cut(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("stall"))
    await connection.request("GET", "/event")
    await connection.read_until(b"\r\n\r\n")
    routes.send(EVENT)
    assert await connection.silent_for(QUIET)
    faults.arm(parse("cut"))
    assert await connection.read_all() == b""


async def test_hang_never_answers(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("hang=prompt"))
    await connection.request(*PROMPT)
    assert await connection.silent_for(QUIET)
    assert routes.bodies == []


async def test_a_disarmed_hang_answers_late(connection: Wire, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("hang=prompt"))
    await connection.request(*PROMPT)
    assert await connection.silent_for(QUIET)
    routes.send(TURN, None)
    faults.disarm(armed.id)
    assert body_of(await connection.read_all()) == chunk(TURN) + END
    assert routes.bodies == [PROMPT[2]], "a request body received meanwhile is kept"


async def test_a_request_is_lost_if_its_client_disconnects_during_a_hang(
    served: Served, routes: Routes, faults: Faults
) -> None:
    armed = faults.arm(parse("hang"))
    async with wire(served.port) as leaving:
        await leaving.request(*PROMPT)
        await wait_until(lambda: armed.times_applied == 1)
    await wait_until(lambda: not served.server.server_state.tasks, what="the request's task to end")
    assert routes.bodies == []
