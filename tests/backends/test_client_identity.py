"""Client heartbeats with a scripted server."""

from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.backends.scripted import RecordedRequest, Scripted, scripted
from tui.backends.client_identity import HEARTBEAT, IDENTITY, LIMIT, ClientIdentity
from tui.net.errors import HttpStatusError, NetError
from tui.net.http_client import Http

BEAT, RESUME, DETACH = (f"POST /session/ses_1/{what}" for what in ("heartbeat", "resume", "detach"))
KNOWS_CLIENTS = {
    "GET /capabilities": {"features": [HEARTBEAT, IDENTITY]},
    RESUME: {"clientId": "client_1"},
    BEAT: {"sessionId": "ses_1"},
    DETACH: Response(status_code=204),
}
UNKNOWN_CLIENT = JSONResponse({"error": "unknown client", "code": "invalid_client_id"}, 400)


def identities(script: Scripted, call: str) -> list[str | None]:
    return [asked.headers.get("x-qwen-client-id") for asked in script.asked if asked.call == call]


async def learned(http: Http) -> ClientIdentity:
    client = ClientIdentity(http)
    await client.fetch_features()
    return client


@pytest.mark.parametrize(
    ("capabilities", "features"),
    [
        ({"features": [HEARTBEAT, 3, None]}, {HEARTBEAT}),
        ({"features": "client_heartbeat"}, set()),
        ({}, set()),
        ([], set()),
        (JSONResponse({"error": "no"}, 404), set()),
        (Response("upstream connect error", media_type="application/json"), set()),
    ],
)
async def test_features_are_listed(capabilities: Any, features: set[str]) -> None:
    async with scripted({"GET /capabilities": capabilities}) as (_, http):
        client = ClientIdentity(http, features=frozenset({"from before"}))
        assert set(await client.fetch_features()) == features
        assert set(client.features) == features


@pytest.mark.parametrize("identity", ["klient_é", "a b", "a\nb", "x" * 2000])
async def test_an_invalid_identity_is_not_sent(identity: str) -> None:
    async with scripted(KNOWS_CLIENTS | {RESUME: {"clientId": identity}}) as (script, http):
        client = await learned(http)
        await client.send_heartbeat("ses_1")
        assert identities(script, BEAT) == [None]
        await client.detach_all()
        assert identities(script, DETACH) == [None]


async def test_a_web_page_has_no_features() -> None:
    async with scripted({}) as (_, http):
        assert not await ClientIdentity(http).fetch_features()


async def test_an_unreachable_server_has_no_features() -> None:
    async with scripted({}) as (_, http):
        pass
    unreachable = Http(http.base_url)
    assert not await ClientIdentity(unreachable).fetch_features()
    await unreachable.close()


async def test_a_heartbeat_has_the_issued_identity() -> None:
    async with scripted(KNOWS_CLIENTS) as (script, http):
        client = await learned(http)
        await client.send_heartbeat("ses_1")
        await client.send_heartbeat("ses_1")
        assert script.calls == ["GET /capabilities", RESUME, BEAT, BEAT]
        assert identities(script, BEAT) == ["client_1", "client_1"]


async def test_without_identities_a_heartbeat_is_anonymous() -> None:
    async with scripted({**KNOWS_CLIENTS, "GET /capabilities": {"features": [HEARTBEAT]}}) as (script, http):
        client = await learned(http)
        await client.send_heartbeat("ses_1")
        assert script.calls == ["GET /capabilities", BEAT]
        assert identities(script, BEAT) == [None]
        await client.detach_all()
        assert len(script.calls) == 2


@pytest.mark.parametrize("issued", [{}, {"clientId": ""}, {"clientId": 3}, []])
async def test_an_invalid_issued_identity_is_ignored(issued: object) -> None:
    async with scripted({**KNOWS_CLIENTS, RESUME: issued}) as (script, http):
        await (await learned(http)).send_heartbeat("ses_1")
        assert identities(script, BEAT) == [None]


async def test_an_unknown_identity_is_renewed_once() -> None:
    async with scripted({**KNOWS_CLIENTS, BEAT: UNKNOWN_CLIENT}) as (script, http):
        client = await learned(http)
        with pytest.raises(HttpStatusError):
            await client.send_heartbeat("ses_1")
        assert script.calls == ["GET /capabilities", RESUME, BEAT, RESUME, BEAT]


async def test_an_anonymous_heartbeat_is_not_repeated_with_a_new_identity() -> None:
    script = {**KNOWS_CLIENTS, "GET /capabilities": {"features": [HEARTBEAT]}, BEAT: UNKNOWN_CLIENT}
    async with scripted(script) as (server, http):
        client = await learned(http)
        with pytest.raises(HttpStatusError):
            await client.send_heartbeat("ses_1")
        assert server.calls == ["GET /capabilities", BEAT]


async def test_a_session_without_an_identity_is_not_detached_from() -> None:
    async with scripted(KNOWS_CLIENTS) as (script, http):
        client = await learned(http)
        await client.unfollow("ses_1")
        assert script.calls == ["GET /capabilities"]


async def test_a_call_has_its_body_also_with_a_renewed_identity() -> None:
    renewed: list[RecordedRequest] = []

    def first_forgets(asked: RecordedRequest) -> JSONResponse:
        renewed.append(asked)
        return UNKNOWN_CLIENT if len(renewed) == 1 else JSONResponse({})

    async with scripted({**KNOWS_CLIENTS, BEAT: first_forgets}) as (_, http):
        await (await learned(http)).call("ses_1", "heartbeat", json={"text": "do it"}, timeout=LIMIT)
    assert [asked.body for asked in renewed] == [{"text": "do it"}] * 2


async def test_another_error_status_is_raised() -> None:
    async with scripted({**KNOWS_CLIENTS, BEAT: JSONResponse({}, 404)}) as (script, http):
        client = await learned(http)
        with pytest.raises(HttpStatusError):
            await client.send_heartbeat("ses_1")
        assert script.calls.count(RESUME) == 1


async def test_leaving_detaches_from_every_session_once() -> None:
    other = {"POST /session/ses_2/resume": {"clientId": "client_2"}, "POST /session/ses_2/heartbeat": {}}
    async with scripted({**KNOWS_CLIENTS, **other}) as (script, http):
        client = await learned(http)
        await client.send_heartbeat("ses_1")
        await client.send_heartbeat("ses_2")
        await client.detach_all()  # one of them gets a web page
        assert identities(script, DETACH) == ["client_1"]
        assert identities(script, "POST /session/ses_2/detach") == ["client_2"]
        script.asked.clear()
        await client.detach_all()
        assert script.calls == []


async def test_a_heartbeat_that_cannot_be_sent_is_a_net_error() -> None:
    async with scripted(KNOWS_CLIENTS) as (_, http):
        pass
    unreachable = Http(http.base_url)
    with pytest.raises(NetError):
        await ClientIdentity(unreachable).send_heartbeat("ses_1")
    await unreachable.close()
