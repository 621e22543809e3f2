"""The catalog of a `qwen serve`: modes, models, commands, file names. It sends no prompt.

A mode (how much the agent may do without permission) is shown like an agent of other families. Mode and model belong
to the session: the chosen ones are set just before the prompt is sent.
"""

from typing import Any, TypeVar

import msgspec

from tui.backends.client_identity import ClientIdentity
from tui.backends.decoding import RawJSON, Rows, catalog, catalog_item, decode, decode_items, read
from tui.core.model import CatalogItem, Prompt
from tui.net.http_client import Http
from tui.net.url import path_segment

T = TypeVar("T")
MAX_FILES = 50
LIMIT = 10.0
GLOB = str.maketrans({sign: f"[{sign}]" for sign in "*?[]{}!()"})
"""Escapes glob characters in typed text."""


class _Mode(msgspec.Struct):
    id: str
    description: str | None = None


class _Modes(msgspec.Struct, rename="camel"):
    available_modes: list[Any] = []


class _Model(msgspec.Struct, rename="camel"):
    model_id: str
    name: str | None = None


class _Models(msgspec.Struct, rename="camel"):
    available_models: list[Any] = []


class _State(msgspec.Struct):
    modes: _Modes = msgspec.field(default_factory=_Modes)
    models: _Models = msgspec.field(default_factory=_Models)


class _Context(msgspec.Struct):
    state: _State


class _Command(msgspec.Struct):
    name: str
    description: str | None = None


class _Commands(msgspec.Struct, rename="camel"):
    available_commands: list[Any]


class _Found(msgspec.Struct):
    matches: list[Any]


class QwenCatalog:
    """Fetched on each call. A session that is not live at the server gives 404."""

    def __init__(self, http: Http, presence: ClientIdentity) -> None:
        self._http = http
        self._identity = presence

    async def agents(self, directory: str, session_id: str = "") -> Rows[CatalogItem]:
        """The modes of the session."""
        state = await self._state(session_id)
        return catalog(state.modes.available_modes, _mode, "a mode")

    async def models(self, directory: str, session_id: str = "") -> Rows[CatalogItem]:
        state = await self._state(session_id)
        return catalog(state.models.available_models, _model, "a model")

    async def commands(self, directory: str, session_id: str = "") -> Rows[CatalogItem]:
        """The commands; the server itself parses a prompt that begins with `/` and one of these."""
        if not session_id:
            return Rows()
        found = await self._get(f"/session/{path_segment(session_id)}/supported-commands", _Commands)
        return catalog(found.available_commands, _command, "a command")

    async def files(self, directory: str, query: str) -> Rows[CatalogItem]:
        """Paths of the workspace that contain `query`, the shortest first."""
        pattern = f"**/*{query.translate(GLOB)}*"
        path = f"/workspaces/{path_segment(directory)}/glob" if directory else "/glob"
        found = await self._get(path, _Found, {"pattern": pattern, "maxResults": str(MAX_FILES)})
        paths = decode_items(sorted(found.matches, key=lambda one: len(str(one))), lambda one: read(one, str), "a path")
        return paths.map(CatalogItem)

    async def choose(self, prompt: Prompt) -> None:
        """Set the prompt's mode and model in its session. Raises `NetError`."""
        for what, key, chosen in (("approval-mode", "mode", prompt.agent), ("model", "modelId", prompt.model)):
            if chosen is not None:
                await self._identity.call(prompt.session_id, what, json={key: chosen}, timeout=LIMIT)

    async def _state(self, session_id: str) -> _State:
        if not session_id:
            return _State()
        return (await self._get(f"/session/{path_segment(session_id)}/context", _Context)).state

    async def _get(self, path: str, shape: type[T], params: dict[str, str] | None = None) -> T:
        value = (await self._http.call("GET", path, params=params, timeout=LIMIT)).value
        return decode(path, read, value, shape)


def _mode(value: RawJSON) -> CatalogItem:
    raw = read(value, _Mode)
    return catalog_item(raw.id, raw.description)


def _model(value: RawJSON) -> CatalogItem:
    raw = read(value, _Model)
    return catalog_item(raw.model_id, raw.name)


def _command(value: RawJSON) -> CatalogItem:
    raw = read(value, _Command)
    return catalog_item(raw.name, raw.description)
