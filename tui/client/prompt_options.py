"""The server's agents, models, commands and files for a prompt, and the user's selection per session."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from tui.backends.base import Catalog, HasCatalog
from tui.client.ports import Server
from tui.client.session_actions import UnsupportedByServer
from tui.core.model import CatalogItem, Prompt
from tui.core.store import Store


class Selection(msgspec.Struct, frozen=True):
    """The selected agent and model; None: the server's default."""

    agent: str | None = None
    model: str | None = None


NO_SELECTION = Selection()


class PromptOptions:
    """Queries the server's catalog and stores selections. Every query may raise `NetError`."""

    def __init__(self, store: Store, server: Server) -> None:
        self._store = store
        self._server = server
        self._chosen: dict[str, Selection] = {}

    def of(self, session_id: str) -> Selection:
        return self._chosen.get(session_id, NO_SELECTION)

    def choose(self, session_id: str, *, agent: str | None = None, model: str | None = None) -> None:
        """Select an agent or a model from the next prompt on; None keeps the previous one."""
        before = self.of(session_id)
        self._chosen[session_id] = Selection(agent or before.agent, model or before.model)

    def begin(self, session_id: str) -> None:
        """Assign the selection made before any session existed to this new session."""
        chosen = self._chosen.pop("", None)
        if chosen is not None:
            self._chosen[session_id] = chosen

    def applied(self, prompt: Prompt) -> Prompt:
        """The prompt with its session's selected agent and model."""
        choice = self.of(prompt.session_id)
        return prompt if choice == NO_SELECTION else replace(prompt, agent=choice.agent, model=choice.model)

    async def agents(self, session_id: str) -> Sequence[CatalogItem]:
        return await self._offers().agents(self._store.directory_of(session_id), session_id)

    async def models(self, session_id: str) -> Sequence[CatalogItem]:
        return await self._offers().models(self._store.directory_of(session_id), session_id)

    async def commands(self, session_id: str) -> Sequence[CatalogItem]:
        return await self._offers().commands(self._store.directory_of(session_id), session_id)

    async def files(self, session_id: str, query: str) -> Sequence[CatalogItem]:
        return await self._offers().files(self._store.directory_of(session_id), query)

    def _offers(self) -> Catalog:
        backend = self._server.backend()
        if not isinstance(backend, HasCatalog):
            raise UnsupportedByServer
        return backend.offers
