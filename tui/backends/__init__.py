"""One file a server family: its routes and the translation into `tui.core`, nothing else."""

from tui.backends.base import Backend, ServerInfo
from tui.backends.mimo import MimoCode
from tui.backends.opencode import OpenCode
from tui.net.errors import Refused
from tui.net.http import Http

USERS = ("opencode", "mimocode")
"""The user names of Basic auth, by family. Which one a server wants shows only by trying."""


async def recognise(http: Http, *, directory: str | None = None) -> tuple[Backend, ServerInfo]:
    """Find out which family answers, by what it says and never by status alone.

    MiMo Code answers opencode's routes; what tells it apart is where it keeps its state. Raises `NetError`.
    """
    try:
        where = (await http.call("GET", "/path")).value
    except Refused as refusal:
        if refusal.status != 401 or not http.try_user(USERS[1]):
            raise
        where = (await http.call("GET", "/path")).value
    homes = [str(where.get(name, "")) for name in ("state", "config")] if isinstance(where, dict) else []
    family = MimoCode if any("mimocode" in home for home in homes) else OpenCode
    backend = family(http, directory=directory)
    return backend, await backend.hello()
