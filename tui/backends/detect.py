"""Which family a server is of, found out by what it says. It talks no dialect beyond the few questions."""

from collections.abc import Callable, Mapping, Sequence

from tui.backends import USERS
from tui.backends.base import Backend, ServerInfo
from tui.backends.client_identity import Identities
from tui.backends.opencode.backend import OpenCode
from tui.backends.opencode.mimo import MimoCode
from tui.backends.qwen.backend import QwenServe
from tui.core.sanitize import single_line
from tui.net.errors import HttpStatusError, InvalidBody, NetError, UnexpectedContentType
from tui.net.http_client import SHORT, Http
from tui.net.json_input import JSON

QUOTED = 60
"""Characters of an answer that tell what was found."""


class UnknownServer(NetError):
    """Something answers, and it is no agent server of a family that is known here."""

    def __init__(self, found: Mapping[str, str]) -> None:
        told = "; ".join(f"{path} gives {what}" for path, what in found.items())
        super().__init__(
            f"answers HTTP, but is no agent server that is known here ({told})",
            "Check the address, or name the server's family with --family.",
            final=True,
        )


class WrongFamily(NetError):
    """The server is of another family than the one that was named."""

    def __init__(self, family: str) -> None:
        super().__init__(f"the server is no {family} server", "Leave --family out, or correct it.", final=True)


async def detect_backend(
    open_http: Callable[[str], Http],
    *,
    users: Sequence[str] = USERS,
    directory: str | None = None,
    family: str | None = None,
    identities: Identities | None = None,
) -> tuple[Backend, ServerInfo]:
    """Find out which family answers, by what it says and never by status alone; `family` spares the question.

    `open_http` gives the server as seen by one of `users` (USERS); the next is tried when a password is refused.
    `identities` are kept for a family that gives them out. Raises `NetError`.
    """
    *others, last = users
    for user in others:
        try:
            return await _as_user(open_http(user), directory, family, identities)
        except HttpStatusError as refusal:
            if refusal.status != 401:
                raise
    return await _as_user(open_http(last), directory, family, identities)


async def _as_user(
    http: Http, directory: str | None, family: str | None, identities: Identities | None
) -> tuple[Backend, ServerInfo]:
    try:
        backend: Backend
        match family or await _family(http):
            case "qwen":
                backend = QwenServe(http, directory=directory, identities=identities)
            case "mimo":
                backend = MimoCode(http, directory=directory)
            case known:
                backend = OpenCode(http, directory=directory)
                server = await backend.handshake()
                if known == "opencode" or not _is_mimo(backend.paths):
                    return backend, server
                backend = MimoCode(http, directory=directory)
        return backend, await _greet(backend, http, family)
    except BaseException:  # a cancellation too: nobody else knows of these connections
        await http.close()
        raise


async def _greet(backend: Backend, http: Http, family: str | None) -> ServerInfo:
    try:
        return await backend.handshake()
    except HttpStatusError as refusal:  # MiMo Code answers paths that it does not know as a server does that is down
        if family == "qwen" and refusal.status == 503 and not await _family(http):
            raise WrongFamily(family) from refusal
        raise


async def _family(http: Http) -> str:
    """The family; "" for opencode or MiMo Code, which its answers to `hello` tell apart."""
    found: dict[str, str] = {}
    if "healthy" in await _said(http, "/global/health", found):
        return ""
    if "qwenCodeVersion" in await _said(http, "/capabilities", found):
        return "qwen"
    await _said(http, "/health", found)
    raise UnknownServer(found)


async def _said(http: Http, path: str, found: dict[str, str]) -> dict[str, JSON]:
    """The object that the server gives at `path`; none where it gives something else, which `found` then tells.

    Raises what says nothing about the family: no connection, a refused password, a server that fails.
    """
    try:
        value = (await http.call("GET", path, limit=SHORT)).value
    except HttpStatusError as refusal:
        if refusal.status not in (400, 404, 405, 406, 410):
            raise
        found[path] = f"{refusal.status}"
    except UnexpectedContentType as wrong:
        found[path] = "a web page" if "html" in wrong.content_type else wrong.content_type or "no type"
    except InvalidBody as bad:
        found[path] = bad.message
    else:
        if isinstance(value, dict):
            found[path] = single_line(str(value), QUOTED)
            return value
        found[path] = single_line(repr(value), QUOTED)
    return {}


def _is_mimo(where: JSON) -> bool:
    """By the last folder alone: a person or a project may be called like the program."""
    folders = [where.get("state"), where.get("config")] if isinstance(where, dict) else []
    return any(str(folder).replace("\\", "/").rpartition("/")[2] == "mimocode" for folder in folders)
