"""qwen serve's catalog, and how options are set; titles, forks and deletions."""

from typing import Any

import pytest
from msgspec.structs import replace
from starlette.responses import JSONResponse

from tests.backends.daemon import LIST, NO_CONTENT, NOT_FOUND, Daemon, daemon, listed, loaded
from tests.backends.feeding import Watcher
from tui.backends.base import HasCatalog, PromptRejected, SessionEditing
from tui.backends.decoding import MAX_CATALOG_ITEMS
from tui.backends.qwen.backend import QwenServe
from tui.core.model import CatalogItem
from tui.net.errors import HttpStatusError, SchemaMismatch
from tui.net.http_client import Http

BASE = "/session/s1"
MODE, MODEL, PROMPT = (f"POST {BASE}/{what}" for what in ("approval-mode", "model", "prompt"))
CONTEXT = {
    "state": {
        "modes": {"currentModeId": "default", "availableModes": [{"id": "plan", "description": "looks only"}]},
        "models": {"availableModels": [{"modelId": "$runtime|m", "name": "m", "description": None}]},
    }
}


async def after_handshake(http: Http) -> QwenServe:
    backend = QwenServe(http)
    await backend.handshake()
    return backend


async def test_the_catalog() -> None:
    answers = {
        f"GET {BASE}/context": CONTEXT,
        f"GET {BASE}/supported-commands": {"availableCommands": [{"name": "init", "description": "sets up"}]},
        "GET /glob": {"matches": ["src/store.py", "store.py"]},
        "GET /workspaces//srv/glob": {"matches": []},
    }
    async with daemon(**answers) as (server, http):
        backend = await after_handshake(http)
        assert isinstance(backend, HasCatalog)
        offers = backend.offers
        assert await offers.agents("/srv", "s1") == (CatalogItem("plan", "looks only"),)
        assert await offers.models("/srv", "s1") == (CatalogItem("$runtime|m", "m"),)
        assert await offers.commands("/srv", "s1") == (CatalogItem("init", "sets up"),)
        assert await offers.files("", "sto*") == (CatalogItem("store.py"), CatalogItem("src/store.py"))
        assert server.last("GET /glob").query == {"pattern": "**/*sto[*]*", "maxResults": "50"}
        assert await offers.files("/srv", "x") == ()


async def test_a_long_catalog_is_read_up_to_a_limit_and_the_rest_counted() -> None:
    more = MAX_CATALOG_ITEMS + 7
    state = {
        "modes": {"availableModes": [{"id": f"mode{at}"} for at in range(more)]},
        "models": {"availableModels": [{"modelId": f"model{at}"} for at in range(more)]},
    }
    commands = {"availableCommands": [{"name": f"command{at}"} for at in range(more)]}
    answers = {f"GET {BASE}/context": {"state": state}, f"GET {BASE}/supported-commands": commands}
    async with daemon(**answers) as (_, http):
        backend = await after_handshake(http)
        assert isinstance(backend, HasCatalog)
        for offered in (backend.offers.agents, backend.offers.models, backend.offers.commands):
            found = await offered("/srv", "s1")
            assert (len(found), found.beyond) == (MAX_CATALOG_ITEMS, 7)


async def test_the_catalog_is_empty_without_a_session() -> None:
    async with daemon() as (server, http):
        offers = (await after_handshake(http)).offers
        server.asked.clear()
        assert (await offers.agents(""), await offers.models(""), await offers.commands("")) == ((), (), ())
        assert server.calls == []


async def test_an_unknown_schema_is_an_error() -> None:
    async with daemon(**{f"GET {BASE}/context": {"state": 3}}) as (_, http):
        with pytest.raises(SchemaMismatch):
            await (await after_handshake(http)).offers.agents("", "s1")


async def test_options_are_set_before_the_prompt_is_sent() -> None:
    async with daemon(**{MODE: {}, MODEL: {}}) as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        prompt = backend.new_prompt("s1", "do it")
        server.asked.clear()
        await backend.post_prompt(prompt, Watcher())
        assert server.calls == [PROMPT]
        server.asked.clear()
        await backend.post_prompt(replace(prompt, agent="plan", model="m"), Watcher())
        assert server.calls == [MODE, MODEL, PROMPT]
        assert (server.sent(MODE), server.sent(MODEL)) == ([{"mode": "plan"}], [{"modelId": "m"}])
        assert server.identities(MODE) == ["client_1"]


async def test_a_refused_option_rejects_the_prompt() -> None:
    body = {"error": "Internal error", "code": -32603, "data": {"details": "Model 'm' not found"}}
    async with daemon(**{MODEL: JSONResponse(body, 500)}) as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        with pytest.raises(PromptRejected, match="Model 'm' not found"):
            await backend.post_prompt(replace(backend.new_prompt("s1", "do it"), model="m"), Watcher())
        assert PROMPT not in server.calls


@pytest.mark.parametrize("awake", [True, False])
async def test_a_session_is_loaded_to_be_renamed(awake: bool) -> None:
    answers: dict[str, Any] = {f"PATCH {BASE}/metadata": {"displayName": "shorter"}}
    answers |= {} if awake else {f"GET {BASE}/status": NOT_FOUND}
    async with daemon(**answers) as (server, http):
        backend = await after_handshake(http)
        assert isinstance(backend, SessionEditing)
        assert (await backend.rename("s1", "a long one")).title == "shorter"
        assert server.sent(f"PATCH {BASE}/metadata") == [{"displayName": "a long one"}]
        before = server.calls[: server.calls.index(f"PATCH {BASE}/metadata")]
        assert (f"POST {BASE}/load" in before) is not awake


async def test_a_fork_is_made_by_the_server() -> None:
    copy = loaded(sessionId="s2", clientId="client_2")
    answers = {
        f"POST {BASE}/branch": JSONResponse(copy, 201),
        "GET /session/s2/status": listed("s2"),
        LIST: {"sessions": [listed("s2", title="one(1)")]},
    }
    async with daemon(**answers) as (_, http):
        assert (await (await after_handshake(http)).fork("s1")).title == "one(1)"


async def deletion(server: Daemon, http: Http, **answer: Any) -> None:
    server.answers["POST /sessions/delete"] = {"removed": [], "notFound": [], "errors": [], **answer}
    await (await after_handshake(http)).delete("s1")


async def test_a_stored_session_is_deleted() -> None:
    async with daemon() as (server, http):
        await deletion(server, http, removed=["s1"])
        assert server.sent("POST /sessions/delete") == [{"sessionIds": ["s1"]}]
        assert f"DELETE {BASE}" not in server.calls


@pytest.mark.parametrize("answer", [NO_CONTENT, NOT_FOUND])
async def test_a_session_that_was_never_stored_is_closed(answer: Any) -> None:
    async with daemon(**{f"DELETE {BASE}": answer}) as (server, http):
        await deletion(server, http, notFound=["s1"])
        assert f"DELETE {BASE}" in server.calls


async def test_an_unconfirmed_deletion_is_an_error() -> None:
    async with daemon() as (server, http):
        with pytest.raises(SchemaMismatch):
            await deletion(server, http, errors=[{"sessionId": "s1"}])


async def test_another_error_status_is_raised() -> None:
    async with daemon(**{f"DELETE {BASE}": JSONResponse({}, 500)}) as (server, http):
        with pytest.raises(HttpStatusError):
            await deletion(server, http, notFound=["s1"])
