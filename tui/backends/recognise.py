"""Which family a server is of, found out by what it says. It talks no dialect beyond the one question."""

from collections.abc import Callable, Sequence

from tui.backends.base import Backend, ServerInfo
from tui.backends.mimo import MimoCode
from tui.backends.opencode import OpenCode
from tui.net.clean_json import JSON
from tui.net.errors import Refused
from tui.net.http import Http

USERS = ("opencode", "mimocode")
"""The user names of Basic auth, by family. Which one a server wants shows only by trying."""


async def recognise(
    open_http: Callable[[str], Http], *, users: Sequence[str] = USERS, directory: str | None = None
) -> tuple[Backend, ServerInfo]:
    """Find out which family answers, by what it says and never by status alone.

    `open_http` gives the server as seen by one of `users`; the next is tried when a password is refused. MiMo Code
    answers opencode's routes; what tells it apart is the folder in which it keeps its state. Raises `NetError`.
    """
    *others, last = users
    for user in others:
        try:
            return await _as_user(open_http(user), directory)
        except Refused as refusal:
            if refusal.status != 401:
                raise
    return await _as_user(open_http(last), directory)


async def _as_user(http: Http, directory: str | None) -> tuple[Backend, ServerInfo]:
    try:
        where = (await http.call("GET", "/path")).value
        backend = (MimoCode if _is_mimo(where) else OpenCode)(http, directory=directory)
        return backend, await backend.hello()
    except BaseException:  # a cancellation too: nobody else knows of these connections
        await http.close()
        raise


def _is_mimo(where: JSON) -> bool:
    """By the last folder alone: a person or a project may be called like the program."""
    folders = [where.get("state"), where.get("config")] if isinstance(where, dict) else []
    return any(str(folder).replace("\\", "/").rpartition("/")[2] == "mimocode" for folder in folders)
