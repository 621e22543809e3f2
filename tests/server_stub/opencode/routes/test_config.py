from typing import Any

import pytest

from tests.server_stub.conftest import Stub

Json = dict[str, Any]
SCHEMA = {"$schema": "https://opencode.ai/config.json"}


def heartbeat(value: object) -> Json:
    return {"server": {"event_stream": {"heartbeat_ms": value}}}


async def test_health(stub: Stub) -> None:
    assert (await stub.http.get("/global/health")).json() == {"healthy": True, "version": "1.18.33"}


async def test_known_settings_are_stored_and_unknown_ones_dropped(stub: Stub) -> None:
    changed = await stub.http.patch("/global/config", json={"username": "me", "zzz": 1})
    assert changed.json() == {**SCHEMA, "username": "me"}
    assert (await stub.http.get("/global/config")).json() == {**SCHEMA, "username": "me"}
    assert (await stub.http.get("/config")).json()["username"] == "me"
    assert (await stub.http.patch("/config", json={"username": None})).json() == {"username": None}
    assert (await stub.http.get("/global/config")).json() == SCHEMA


@pytest.mark.parametrize("path", ["/config", "/global/config"])
@pytest.mark.parametrize("interval", [1_000, 60_000])
async def test_the_heartbeat_interval_may_be_1_to_60_seconds(stub: Stub, path: str, interval: int) -> None:
    assert stub.server.heartbeat_ms == 10_000
    changed = await stub.http.patch(path, json=heartbeat(interval))
    assert changed.status_code == 200
    assert changed.json()["server"] == {"event_stream": {"heartbeat_ms": interval}}
    assert stub.server.heartbeat_ms == interval


@pytest.mark.parametrize("path", ["/config", "/global/config"])
@pytest.mark.parametrize("interval", [999, 60_001, 0, -1, 1500.5, "2000", True, None, [2000]])
async def test_any_other_heartbeat_interval_is_refused(stub: Stub, path: str, interval: object) -> None:
    refused = await stub.http.patch(path, json=heartbeat(interval))
    assert refused.status_code == 400
    assert refused.json()["name"] == "BadRequest"
    assert '["server"]["event_stream"]["heartbeat_ms"]' in refused.json()["data"]["message"]
    assert stub.server.heartbeat_ms == 10_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"username": 3}, 'Expected string | null, got 3\n  at ["username"]'),
        ({"server": 3}, 'Expected object, got 3\n  at ["server"]'),
        ([1], "Expected object, got [1]"),
    ],
)
async def test_invalid_configurations_are_refused(stub: Stub, body: object, message: str) -> None:
    refused = await stub.http.patch("/global/config", json=body)
    assert refused.status_code == 400
    assert refused.json()["data"]["message"] == message


@pytest.mark.parametrize(
    ("path", "body", "event_types"),
    [
        ("/config", {"username": "me"}, ["server.instance.disposed"]),
        ("/global/config", {"username": "me"}, ["server.instance.disposed", "global.disposed"]),
        ("/global/config", heartbeat(2_000), []),
        ("/global/config", {}, []),
        ("/global/config", {"zzz": 1}, []),
        ("/config", {}, ["server.instance.disposed"]),
        ("/config", {"zzz": 1}, ["server.instance.disposed"]),
    ],
)
async def test_changes_dispose_instances_except_of_the_heartbeat(
    stub: Stub, path: str, body: Json, event_types: list[str]
) -> None:
    await stub.session()
    with stub.server.bus.subscribe() as subscription:
        await stub.http.patch(path, json=body)
    assert [event.payload["type"] for event in subscription.events] == event_types


async def test_log_accepts_a_line(stub: Stub) -> None:
    line = {"service": "client", "level": "info", "message": "hello"}
    assert (await stub.http.post("/log", json=line)).json() is True
    for wrong in ({"service": "client"}, {**line, "level": "loud"}, {**line, "message": 3}):
        assert (await stub.http.post("/log", json=wrong)).status_code == 400


async def test_an_unchanged_configuration_disposes_no_instance(stub: Stub) -> None:
    await stub.session()
    await stub.http.patch("/global/config", json={"username": "me"})
    with stub.server.bus.subscribe() as subscription:
        await stub.http.patch("/global/config", json={"username": "me", **heartbeat(2_000)})
    assert not subscription.events
