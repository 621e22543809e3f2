"""The backend with a scripted qwen serve: sessions, identities, votes."""

import pytest
from starlette.responses import JSONResponse

from tests.backends.daemon import (
    ASKED,
    DETACH,
    LIST,
    LOAD,
    NOT_FOUND,
    Daemon,
    daemon,
    echo,
    loaded,
)
from tests.backends.feeding import after_handshake
from tui.backends.qwen.backend import QwenServe
from tui.core.model import Todo
from tui.net.errors import HttpStatusError, SchemaMismatch


async def test_traits_and_protocols() -> None:
    async with daemon() as (_, http):
        backend = QwenServe(http)
        info = await backend.handshake()
        assert info.version == "0.24.4"
        assert info.clock_skew is not None
        assert abs(info.clock_skew) < 60
        traits = backend.traits
        assert (traits.accepts_client_ids, traits.reject_with_reason, traits.reject_ends_turn) == (False, False, True)
        assert traits.client_heartbeat


async def test_capabilities_of_an_unknown_schema_are_an_error() -> None:
    async with daemon(**{"GET /capabilities": {"features": []}}) as (_, http):
        with pytest.raises(SchemaMismatch):
            await QwenServe(http).handshake()


async def test_a_session_is_created_and_titled() -> None:
    made = {"sessionId": "s9", "workspaceCwd": "/srv", "clientId": "client_9", "createdAt": ""}
    answers = {"POST /session": made, "PATCH /session/s9/metadata": {"displayName": "mine"}}
    async with daemon(**answers) as (server, http):
        backend = await after_handshake(http)
        assert (await backend.create_session("mine")).title == "mine"
        assert server.sent("POST /session") == [{"sessionScope": "thread"}]
        assert server.identities("PATCH /session/s9/metadata") == ["client_9"]


async def test_a_stored_session_is_loaded_and_an_unknown_one_refused() -> None:
    async with daemon(**{"GET /session/s1/status": NOT_FOUND, LOAD: loaded(), LIST: {"sessions": []}}) as (
        server,
        http,
    ):
        backend = await after_handshake(http)
        assert (await backend.session("s1")).id == "s1"
        assert LOAD in server.calls
        server.answers |= {"GET /session/nope/status": NOT_FOUND, "POST /session/nope/load": NOT_FOUND}
        with pytest.raises(HttpStatusError) as refused:
            await backend.session("nope")
        assert refused.value.status == 404


async def test_each_load_with_a_known_client_id_is_detached_again() -> None:
    """The server counts attachments, and never closes a session with clients."""
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        for _ in range(3):
            await backend.messages("s1")
        assert server.identities(LOAD) == [None, "client_1", "client_1"]
        assert server.identities(DETACH) == ["client_1", "client_1"]
        await backend.close()
        assert server.identities(DETACH) == ["client_1"] * 3


async def test_a_load_returns_the_plan() -> None:
    entries = [{"content": "first", "status": "completed", "priority": "low"}]
    plan = {"id": 1, "type": "session_update", "data": {"update": {"sessionUpdate": "plan", "entries": entries}}}
    async with daemon(**{LOAD: loaded(plan, last=1)}) as (_, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        assert await backend.todos("s1") == (Todo("first", "completed", "low"),)


async def asked(server: Daemon, backend: QwenServe) -> None:
    server.answers[LOAD] = loaded(echo(0, "hi"), ASKED, last=1, busy=True)
    server.answers["POST /session/s1/permission/r1"] = {}
    await backend.messages("s1")


async def test_answers_are_strings_by_index_without_unanswered_ones() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await asked(server, backend)
        assert await backend.answer("r1", (("a", "own words"), (), ("c",)), directory="/srv")
        assert server.sent("POST /session/s1/permission/r1") == [
            {
                "outcome": {"outcome": "selected", "optionId": "submit"},
                "answers": {"0": "a, own words", "2": "c"},
            }
        ]
        assert server.identities("POST /session/s1/permission/r1") == ["client_1"]


async def test_a_dismissal_and_a_rejection() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await asked(server, backend)
        await backend.reject("r1", directory="")
        await backend.reply("r1", "reject", "", directory="")
        assert server.sent("POST /session/s1/permission/r1") == [
            {"outcome": {"outcome": "cancelled"}},
            {"outcome": {"outcome": "selected", "optionId": "no"}},
        ]


async def test_a_reply_of_an_earlier_run_uses_the_route_without_a_session() -> None:
    async with daemon(**{"POST /permission/r9": {}}) as (server, http):
        backend = await after_handshake(http)
        assert await backend.answer("r9", (("a",),), directory="/srv")
        assert server.sent("POST /permission/r9") == [
            {"outcome": {"outcome": "selected", "optionId": "proceed_once"}, "answers": {"0": "a"}}
        ]


async def test_a_late_vote_is_refused() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await asked(server, backend)
        server.answers["POST /session/s1/permission/r1"] = JSONResponse({"error": "No pending permission"}, 404)
        with pytest.raises(HttpStatusError) as refused:
            await backend.answer("r1", (("a",),), directory="/srv")
        assert refused.value.status == 404


async def test_a_heartbeat_of_a_closed_session_loads_it() -> None:
    async with daemon(**{"POST /session/s1/heartbeat": NOT_FOUND}) as (server, http):
        backend = await after_handshake(http)
        await backend.send_heartbeat("s1")
        assert server.calls.count("POST /session/s1/heartbeat") == 0
        await backend.messages("s1")
        await backend.send_heartbeat("s1")
        assert server.calls.count(LOAD) == 2


async def test_cancelling_in_a_closed_session_is_no_error() -> None:
    async with daemon(**{"POST /session/s1/cancel": NOT_FOUND}) as (_, http):
        await (await after_handshake(http)).abort("s1")
