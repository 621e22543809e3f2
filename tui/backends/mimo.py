"""MiMo Code, a fork of opencode: the same routes with another name. Behaviour as measured on 0.1.15."""

from msgspec.structs import replace

from tui.backends.base import ServerInfo, Traits
from tui.backends.opencode import OpenCode

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
