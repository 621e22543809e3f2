"""The catalog of an opencode server: agents, models, commands, file names. It only reads."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from tui.backends.decoding import RawJSON, Rows, catalog, catalog_item, checked_aside, decode_items, read, shortened
from tui.core.model import CatalogItem
from tui.net.http_client import Http

T = TypeVar("T")
MAX_FILES = 50


class _Agent(msgspec.Struct):
    name: str
    description: str | None = None
    mode: str | None = "primary"
    hidden: bool | None = None


class _Command(msgspec.Struct):
    name: str
    description: str | None = None


class _Model(msgspec.Struct):
    name: str = ""
    description: str | None = None


class _Provider(msgspec.Struct):
    id: str
    name: str = ""
    models: dict[str, Any] = {}


class _Providers(msgspec.Struct):
    providers: list[Any] = []


class OpenCodeCatalog:
    """Fetched on each call. `scope` returns a directory's header."""

    def __init__(self, http: Http, scope: Callable[[str | None], Awaitable[dict[str, str]]]) -> None:
        self._http = http
        self._scope = scope

    async def agents(self, directory: str, session_id: str = "") -> Rows[CatalogItem]:
        """The agents that a user can prompt."""
        return await self._get("/agent", _agents, directory)

    async def models(self, directory: str, session_id: str = "") -> Rows[CatalogItem]:
        """`provider/model`, of the configured providers."""
        return await self._get("/config/providers", _models, directory)

    async def commands(self, directory: str, session_id: str = "") -> Rows[CatalogItem]:
        return await self._get("/command", _commands, directory)

    async def files(self, directory: str, query: str) -> Rows[CatalogItem]:
        """Paths of the directory that match `query`, the best first.

        opencode 1.18 lists the directory itself as `/`, first of all: that is omitted.
        """
        params = {"query": query, "limit": str(MAX_FILES)}
        return await self._get("/find/file", _files, directory, params)

    async def _get(
        self, path: str, translate: Callable[[RawJSON], T], directory: str, params: dict[str, str] | None = None
    ) -> T:
        reply = await self._http.call("GET", path, params=params, headers=await self._scope(directory))
        return await checked_aside(path, translate, reply.value)


def _agents(value: RawJSON) -> Rows[CatalogItem]:
    return catalog(read(value, list[Any]), _agent, "an agent")


def _agent(value: RawJSON) -> CatalogItem | None:
    raw = read(value, _Agent)
    return None if raw.mode == "subagent" or raw.hidden else catalog_item(raw.name, raw.description)


def _models(value: RawJSON) -> Rows[CatalogItem]:
    providers = decode_items(read(value, _Providers).providers, lambda one: read(one, _Provider), "a provider")
    named = [(provider, item) for provider in providers for item in provider.models.items()]
    found: Rows[CatalogItem] = providers.map(lambda one: None)
    return found.with_more(catalog(named, lambda one: _model_of(*one), "a model"))


def _commands(value: RawJSON) -> Rows[CatalogItem]:
    return catalog(read(value, list[Any]), _command, "a command")


def _command(value: RawJSON) -> CatalogItem:
    raw = read(value, _Command)
    return catalog_item(raw.name, raw.description)


def _files(value: RawJSON) -> Rows[CatalogItem]:
    paths = decode_items(read(value, list[Any])[:MAX_FILES], lambda one: read(one, str), "the name of a file")
    return paths.map(lambda path: CatalogItem(path) if path != "/" else None)


def _model_of(provider: _Provider, item: tuple[str, Any]) -> CatalogItem:
    model_id, model = item
    name = shortened(read(model, _Model).name)
    return catalog_item(f"{provider.id}/{model_id}", f"{name} · {shortened(provider.name)}")
