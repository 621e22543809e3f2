"""Answers that a fault holds back: for ever, until it is disarmed, or until the client leaves."""

from server_stub.faults.kinds import Faults, parse
from tests.server_stub.held import END, EVENT, PROMPT, QUIET, TURN, Routes, body_of, chunk
from tests.server_stub.serving import Served, Wire, wire
from tests.waiting import wait_until


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
