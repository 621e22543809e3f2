"""MiMo Code, a fork of opencode: the same routes with another name. Behaviour as measured on 0.1.15."""

from typing import Any

from msgspec.structs import replace

from tui.backends import opencode_wire as wire
from tui.backends.base import ServerInfo, Traits
from tui.backends.opencode import OpenCode
from tui.backends.readable import checked
from tui.core.model import Session
from tui.net.address import segment
from tui.net.errors import Refused

MIMO = Traits(family="mimo", cancels_on_disconnect=None, queues_prompts=False, answers_in_id_order=True)
GOES_ON = frozenset({"0.1.15"})
"""Versions that were seen to go on with a turn whose client had left; of earlier ones the opposite is told."""


class MimoCode(OpenCode):
    """One MiMo Code server."""

    directory_header = "x-mimocode-directory"
    default_traits = MIMO

    async def hello(self) -> ServerInfo:
        server = await super().hello()
        if server.version in GOES_ON:
            self._traits = replace(self._traits, cancels_on_disconnect=False)
        return server

    async def rename(self, session_id: str, title: str) -> Session:
        """The server wants to be told which of the session's titles is replaced; it may give it one meanwhile."""
        path = f"/session/{segment(session_id)}"
        try:
            return await self._rename(path, title)
        except Refused as refusal:
            if refusal.status != 409:
                raise
            return await self._rename(path, title)

    async def _rename(self, path: str, title: str) -> Session:
        known = (await self._get(path)).value
        body: dict[str, Any] = {"title": title}
        if isinstance(known, dict) and "titleRevision" in known:
            body["expectedRevision"] = known["titleRevision"]
        return checked(path, wire.session, (await self._http.call("PATCH", path, json=body)).value)

    async def _resolve(self, path: str, body: dict[str, Any], directory: str) -> bool:
        """The server says `true` to an answer to what is not open (any more): whether it is, is asked before."""
        _, kind, request_id, _ = path.split("/")
        listed = (await self._get(f"/{kind}", headers=self._scope(directory))).value
        if isinstance(listed, list) and request_id not in [wire.field(one, "id") for one in listed]:
            return False
        return await super()._resolve(path, body, directory)
