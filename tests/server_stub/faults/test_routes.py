from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from server_stub.faults import routes
from server_stub.faults.kinds import CRASHED, Faults


@pytest.fixture
def faults() -> Faults:
    faults = Faults(lambda flag, on: None)
    faults.connections = []
    return faults


@pytest.fixture
async def http(faults: Faults) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=routes.routes(faults)))
    async with httpx.AsyncClient(transport=transport, base_url="http://stub") as client:
        yield client


async def test_nothing_is_armed_at_first(http: httpx.AsyncClient) -> None:
    assert (await http.get(routes.PATH)).json() == {"faults": []}


async def test_arming_returns_the_armed_fault(http: httpx.AsyncClient, faults: Faults) -> None:
    response = await http.post(routes.PATH, json={"name": "cut", "target": "prompt", "at": "json", "after_bytes": 3})
    assert response.status_code == 201
    assert response.json() == faults.armed()[0].listed()
    assert (await http.get(routes.PATH)).json() == {"faults": [response.json()]}
    assert (response.json()["at"], response.json()["after_bytes"], response.json()["struck"]) == ("json", 3, 0)


async def test_the_list_counts_strikes(http: httpx.AsyncClient, faults: Faults) -> None:
    await http.post(routes.PATH, json={"name": "401"})
    faults.armed()[0].use()
    assert (await http.get(routes.PATH)).json()["faults"][0]["struck"] == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "object"),
        (b"{}", "unknown fault ''"),
        (b'{"name":"cutt"}', "unknown fault 'cutt'"),
        (b'{"name":"cut","target":"unknown"}', "target"),
        (b'{"name":"crash"}', "process of its own"),
    ],
)
async def test_invalid_faults_are_refused_with_a_reason(
    http: httpx.AsyncClient, faults: Faults, body: bytes, reason: str
) -> None:
    response = await http.post(routes.PATH, content=body)
    assert response.status_code == 400
    assert reason in response.json()["error"]
    assert faults.armed() == []


async def test_disarming_one(http: httpx.AsyncClient, faults: Faults) -> None:
    for name in ("cut", "hang"):
        await http.post(routes.PATH, json={"name": name})
    assert (await http.delete(f"{routes.PATH}/1")).status_code == 204
    assert [armed.fault.name for armed in faults.armed()] == ["hang"]


async def test_disarming_all(http: httpx.AsyncClient, faults: Faults) -> None:
    for name in ("cut", "hang"):
        await http.post(routes.PATH, json={"name": name})
    assert (await http.delete(routes.PATH)).status_code == 204
    assert faults.armed() == []


async def test_disarming_an_unknown_fault_is_not_found(http: httpx.AsyncClient) -> None:
    response = await http.delete(f"{routes.PATH}/7")
    assert (response.status_code, response.json()) == (404, {"error": "no fault 7 is armed"})


async def test_a_crash_ends_the_process_at_once(http: httpx.AsyncClient, faults: Faults) -> None:
    statuses: list[int] = []
    faults.exit = statuses.append
    await http.post(routes.PATH, json={"name": "crash"})
    assert statuses == [CRASHED]
