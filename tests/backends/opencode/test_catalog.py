import pytest

from tests.backends.opencode_server import GREETED, after_handshake
from tests.backends.scripted import scripted
from tui.backends.decoding import MAX_CATALOG_ITEMS, MAX_TEXT_CHARACTERS
from tui.backends.opencode.backend import OpenCode
from tui.core.model import CatalogItem
from tui.net.errors import SchemaMismatch

OFFERED = {
    "GET /agent": [
        {"name": "build", "description": "does it", "mode": "primary"},
        {"name": "title", "mode": "primary", "hidden": True},
        {"name": "explore", "description": "looks", "mode": "subagent"},
        {"name": "both", "mode": "all"},
    ],
    "GET /config/providers": {
        "providers": [{"id": "acme", "name": "Acme", "models": {"big/1": {"name": "Big"}}}],
        "default": {"acme": "big/1"},
    },
    "GET /command": [{"name": "init", "description": None, "template": "…"}],
    "GET /find/file": ["/", "src/", "src/store.py"],
}


async def test_the_catalog() -> None:
    async with after_handshake(OFFERED) as (script, backend):
        offers = backend.offers
        assert await offers.agents("/other") == (CatalogItem("build", "does it"), CatalogItem("both"))
        assert script.last("GET /agent").headers["x-opencode-directory"] == "/other"
        assert await offers.models("") == (CatalogItem("acme/big/1", "Big · Acme"),)
        assert await offers.commands("") == (CatalogItem("init"),)
        assert await offers.files("/other", "st") == (CatalogItem("src/"), CatalogItem("src/store.py"))
        assert script.last("GET /find/file").query == {"query": "st", "limit": "50"}


async def test_an_unknown_schema_is_an_error() -> None:
    async with scripted({**GREETED, "GET /agent": {"mode": 3}}) as (_, http):
        with pytest.raises(SchemaMismatch):
            await OpenCode(http).offers.agents("")


async def test_a_long_catalog_is_read_up_to_a_limit_and_the_rest_counted() -> None:
    more = MAX_CATALOG_ITEMS + 7
    long = {"name": "n" * 5_000, "description": "of a name that is too long"}
    listed = {
        "GET /agent": [{"name": f"agent{at}"} for at in range(more)],
        "GET /config/providers": {"providers": [{"id": "a", "models": {f"m{at}": {} for at in range(more)}}]},
        "GET /command": [
            long,
            {"name": "c", "description": "d" * 5_000},
            *({"name": f"c{at}"} for at in range(more - 2)),
        ],
    }
    async with after_handshake(OFFERED | listed) as (_, backend):
        agents, models = await backend.offers.agents(""), await backend.offers.models("")
        commands = await backend.offers.commands("")
    assert [(len(found), found.beyond) for found in (agents, models)] == [(MAX_CATALOG_ITEMS, 7)] * 2
    assert (len(commands), commands.unreadable, commands.beyond) == (MAX_CATALOG_ITEMS - 1, 1, 7)
    assert commands[0] == CatalogItem("c", "d" * MAX_TEXT_CHARACTERS)
