"""One file a server family: its routes and the translation into `tui.core`, nothing else."""

from collections.abc import Callable, Sequence

from tui.backends.base import Backend, ServerInfo
from tui.backends.mimo import MimoCode
from tui.backends.opencode import OpenCode
from tui.net.errors import NetError, Refused
from tui.net.http import Http

USERS = ("opencode", "mimocode")
"""The user names of Basic auth, by family. Which one a server wants shows only by trying."""


async def recognise(
    open_http: Callable[[str], Http], *, users: Sequence[str] = USERS, directory: str | None = None
) -> tuple[Backend, ServerInfo]:
    """Find out which family answers, by what it says and never by status alone.

    `open_http` gives the server as seen by one of `users`; the next is tried when a password is refused. MiMo Code
    answers opencode's routes; what tells it apart is where it keeps its state. Raises `NetError`.
    """
    for user in users:
        http = open_http(user)
        try:
            where = (await http.call("GET", "/path")).value
            homes = [str(where.get(name, "")) for name in ("state", "config")] if isinstance(where, dict) else []
            family = MimoCode if any("mimocode" in home for home in homes) else OpenCode
            backend = family(http, directory=directory)
            return backend, await backend.hello()
        except NetError as error:
            await http.close()
            if not (isinstance(error, Refused) and error.status == 401) or user == users[-1]:
                raise
    raise ValueError("no user to try")
