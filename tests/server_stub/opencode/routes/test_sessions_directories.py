"""MiMo Code acts on a session in the directory that the request names."""

import asyncio

import pytest

from server_stub.domain.profiles import MIMO, Profile
from tests.server_stub.conftest import Stub
from tests.waiting import wait_until


@pytest.fixture
def profile() -> Profile:
    return MIMO


async def test_two_turns_of_one_session_run_in_two_directories(stub_on_a_socket: Stub) -> None:
    stub, requests = stub_on_a_socket, stub_on_a_socket.server.requests
    below = f"{stub.server.directory}/below"
    there = {"x-mimocode-directory": below}
    session = await stub.session()

    def prompt(text: str, headers: dict[str, str]) -> "asyncio.Task[int]":
        async def post() -> int:
            body = {"parts": [{"type": "text", "text": text}]}
            return (await stub.http.post(f"/session/{session}/message", json=body, headers=headers)).status_code

        return asyncio.create_task(post())

    first = prompt("ASK1", there)
    await wait_until(lambda: requests.questions(below))
    assert not requests.questions(stub.server.directory)
    second = prompt("ASK1", {})
    await wait_until(lambda: requests.questions(stub.server.directory))
    assert await prompt("PLAIN", there) == 409
    await stub.http.post(f"/session/{session}/abort")
    assert await second == 200
    assert (await stub.http.get("/session/status")).json() == {}
    assert (await stub.http.get("/session/status", headers=there)).json() == {session: {"type": "busy"}}
    (asked,) = requests.questions(below)
    for headers in ({}, there):
        assert asked in requests.questions(below)
        await stub.http.post(f"/question/{asked['id']}/reply", json={"answers": [["SQLite"]]}, headers=headers)
    assert asked not in requests.questions(below)
    await stub.http.post(f"/session/{session}/abort", headers=there)  # the other directory's prompt continues
    assert await first == 200


async def test_metrics_are_among_the_events(stub: Stub) -> None:
    reported: list[str] = []
    stub.server.bus.listeners.append(lambda event: reported.append(event.payload["type"]))
    await stub.prompt(await stub.session(), "PLAIN")
    figures = [kind for kind in reported if kind.startswith(("metrics.", "actor."))]
    assert figures == ["actor.registered", "metrics.model_call", "metrics.agent_request"]
    after = reported[reported.index("metrics.agent_request") :]
    assert after.index("session.idle") > 0
