"""Faults on a real server: which requests they strike, and how often; other requests are unchanged."""

import json

from server_stub.faults.kinds import Faults, parse
from tests.server_stub.held import END, PROMPT, TURN, Routes, body_of, chunk
from tests.server_stub.serving import Served, Wire, wire
from tests.waiting import wait_until


async def test_without_faults_nothing_changes(connection: Wire, routes: Routes) -> None:
    routes.send(b" ", b" ", TURN, None)
    await connection.request(*PROMPT)
    answer = await connection.read_all()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer) == chunk(b" ") + chunk(b" ") + chunk(TURN) + END


async def test_content_length_is_kept(connection: Wire) -> None:
    await connection.request("GET", "/session/status")
    answer = await connection.read_all()
    assert b"content-length: 11\r\n" in answer.lower()
    assert body_of(answer) == b'{"ok":true}'


async def test_a_fault_strikes_as_often_as_it_says(served: Served, faults: Faults) -> None:
    faults.arm(parse("502=all,times=2"))
    statuses = []
    for _ in range(3):
        async with wire(served.port) as connection:
            await connection.request("GET", "/session/status")
            statuses.append((await connection.read_all()).split()[1])
    assert statuses == [b"502", b"502", b"200"]


async def test_a_strike_counts_when_it_happens(served: Served, routes: Routes, faults: Faults) -> None:
    armed = faults.arm(parse("cut=prompt,at=json"))
    async with wire(served.port) as failing, wire(served.port) as times_applied:
        await failing.request(*PROMPT)
        routes.send(b" ", None)
        assert body_of(await failing.read_all()) == chunk(b" ") + END
        assert armed.times_applied == 0
        await times_applied.request(*PROMPT)
        routes.send(TURN)
        assert body_of(await times_applied.read_all()) == chunk(TURN[:1])
        assert armed.times_applied == 1


async def test_other_routes_are_not_struck(connection: Wire, faults: Faults) -> None:
    for text in ("cut=prompt", "401=events", "hang=/config"):
        faults.arm(parse(text))
    await connection.request("GET", "/session/status")
    assert body_of(await connection.read_all()) == b'{"ok":true}'


async def test_the_admin_route_is_never_struck(connection: Wire, faults: Faults) -> None:
    faults.arm(parse("401=all"))
    faults.arm(parse("hang=/"))
    await connection.request("GET", "/_stub/faults")
    assert (await connection.read_all()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_disarmed_fault_does_not_strike_an_open_exchange(
    connection: Wire, routes: Routes, faults: Faults
) -> None:
    armed = faults.arm(parse("cut=prompt,at=json"))
    routes.send(b" ")
    await connection.request(*PROMPT)
    await connection.read_until(chunk(b" "))
    faults.disarm(armed.id)
    routes.send(TURN, None)
    assert await connection.read_all() == chunk(TURN) + END


async def test_the_first_armed_of_two_strikes_first(connection: Wire, routes: Routes, faults: Faults) -> None:
    hang, unauthorized = faults.arm(parse("hang=prompt")), faults.arm(parse("401=prompt"))
    await connection.request(*PROMPT)
    await wait_until(lambda: hang.times_applied == 1)
    assert unauthorized.times_applied == 0


async def test_a_large_response_is_complete(connection: Wire, routes: Routes, faults: Faults) -> None:
    faults.arm(parse("cut=prompt,at=json,after_bytes=3000000,times=1"))
    large = json.dumps("x" * 2_000_000).encode()
    routes.send(b" ", large, None)
    await connection.request(*PROMPT)
    assert body_of(await connection.read_all()) == chunk(b" ") + chunk(large) + END
