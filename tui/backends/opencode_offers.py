"""What an opencode server offers for a prompt: agents, models, commands, names of files. It sends nothing."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from tui.backends.opencode_wire import read
from tui.backends.readable import checked
from tui.core.model import Offered
from tui.net.http import Http

T = TypeVar("T")
FILES_AT_MOST = 50


class _Agent(msgspec.Struct):
    name: str
    description: str | None = None
    mode: str = "primary"
    hidden: bool | None = None


class _Named(msgspec.Struct):
    name: str = ""
    description: str | None = None


class _Provider(msgspec.Struct):
    id: str
    name: str = ""
    models: dict[str, _Named] = {}


class _Providers(msgspec.Struct):
    providers: list[_Provider] = []


class OpenCodeOffers:
    """Asked anew each time. `scope` gives a directory's header."""

    def __init__(self, http: Http, scope: Callable[[str | None], dict[str, str]]) -> None:
        self._http = http
        self._scope = scope

    async def agents(self, directory: str, session_id: str = "") -> tuple[Offered, ...]:
        """Those that a person may talk to."""
        found = await self._get("/agent", list[_Agent], directory)
        return tuple(Offered(a.name, a.description or "") for a in found if a.mode != "subagent" and not a.hidden)

    async def models(self, directory: str, session_id: str = "") -> tuple[Offered, ...]:
        """`provider/model`, of the providers that can be used."""
        found = await self._get("/config/providers", _Providers, directory)
        return tuple(
            Offered(f"{provider.id}/{model_id}", f"{model.name} · {provider.name}")
            for provider in found.providers
            for model_id, model in provider.models.items()
        )

    async def commands(self, directory: str, session_id: str = "") -> tuple[Offered, ...]:
        found = await self._get("/command", list[_Named], directory)
        return tuple(Offered(command.name, command.description or "") for command in found)

    async def files(self, directory: str, query: str) -> tuple[Offered, ...]:
        """Paths of the directory that `query` may mean, the likeliest first.

        opencode 1.18 names the directory itself too, as `/`, and first of all: that is not offered.
        """
        params = {"query": query, "limit": str(FILES_AT_MOST)}
        found = await self._get("/find/file", list[str], directory, params)
        return tuple(Offered(path) for path in found if path != "/")

    async def _get(self, path: str, shape: type[T], directory: str, params: dict[str, str] | None = None) -> T:
        reply = await self._http.call("GET", path, params=params, headers=self._scope(directory))
        return checked(path, read, reply.value, shape)
