"""Detects the family of a server by its responses."""

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
"""Characters of a response that are quoted."""


class UnknownServer(NetError):
    """A server answers that is not of a supported family."""

    def __init__(self, found: Mapping[str, str]) -> None:
        details = "; ".join(f"{path} returns {what}" for path, what in found.items())
        super().__init__(
            f"answers HTTP, but is not a supported server ({details})",
            "Check the address, or name the server's family with --family.",
            final=True,
        )


class WrongFamily(NetError):
    """The server is of another family than requested."""

    def __init__(self, family: str) -> None:
        super().__init__(f"the server is not a {family} server", "Leave --family out, or correct it.", final=True)


async def detect_backend(
    open_http: Callable[[str], Http],
    *,
    users: Sequence[str] = USERS,
    directory: str | None = None,
    family: str | None = None,
    identities: Identities | None = None,
) -> tuple[Backend, ServerInfo]:
    """Detect the family by the contents of responses, never by status alone; `family` skips detection.

    `open_http` returns the server as seen by one of `users` (USERS); the next is tried if the password is refused.
    `identities` is for families that issue client ids. Raises `NetError`.
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
    except BaseException:  # including cancellation: nothing else closes these connections
        await http.close()
        raise


async def _greet(backend: Backend, http: Http, family: str | None) -> ServerInfo:
    try:
        return await backend.handshake()
    except (HttpStatusError, InvalidBody, UnexpectedContentType) as error:
        other = not isinstance(error, HttpStatusError) or error.status == 503  # MiMo Code's for unknown paths
        if family == "qwen" and other and not await _family(http):
            raise WrongFamily(family) from error
        raise


async def _family(http: Http) -> str:
    """The family; "" for opencode or MiMo Code, which `handshake` distinguishes."""
    found: dict[str, str] = {}
    if "healthy" in await _object_at(http, "/global/health", found):
        return ""
    if "qwenCodeVersion" in await _object_at(http, "/capabilities", found):
        return "qwen"
    await _object_at(http, "/health", found)
    raise UnknownServer(found)


async def _object_at(http: Http, path: str, found: dict[str, str]) -> dict[str, JSON]:
    """The object at `path`; {} if the response is something else, which is noted in `found`.

    Raises errors that tell nothing about the family: no connection, a refused password, a server error.
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
    """By the last folder only: a user or a project may have the program's name."""
    folders = [where.get("state"), where.get("config")] if isinstance(where, dict) else []
    return any(str(folder).replace("\\", "/").rpartition("/")[2] == "mimocode" for folder in folders)
