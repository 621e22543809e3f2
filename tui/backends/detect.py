"""Detects the family of a server by its responses."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from tui.backends.base import Backend, ServerInfo
from tui.backends.client_identity import Identities
from tui.backends.families import FAMILIES, USERS, Family
from tui.core.sanitize import single_line
from tui.net.errors import HttpStatusError, InvalidBody, NetError, SchemaMismatch, UnexpectedContentType
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
    http: Http, directory: str | None, name: str | None, identities: Identities | None
) -> tuple[Backend, ServerInfo]:
    def opened(family: Family) -> Backend:
        module, _, backend = family.backend.partition(":")
        made: Backend = getattr(import_module(module), backend)(http, directory=directory, identities=identities)
        return made

    try:
        family = await _family(http) if name is None else _named(name)
        backend = opened(family)
        try:
            server = await backend.handshake()
        except (HttpStatusError, SchemaMismatch, UnexpectedContentType) as error:
            other = not isinstance(error, HttpStatusError) or error.status == 503  # MiMo Code's for unknown paths
            if name is not None and other and await _family(http) != _original(family):
                raise WrongFamily(name) from error
            raise
        fork = next((one for one in FAMILIES if one.fork_of == family.name and one.folder in server.folders), None)
        if name is None and fork is not None:
            backend = opened(fork)
            server = await backend.handshake()
        return backend, server
    except BaseException:  # including cancellation: nothing else closes these connections
        await http.close()
        raise


def _named(name: str) -> Family:
    return next(family for family in FAMILIES if family.name == name)


def _original(family: Family) -> Family:
    return _named(family.fork_of) if family.fork_of else family


async def _family(http: Http) -> Family:
    """The family, or the one that it is a fork of, which the handshake tells."""
    found: dict[str, str] = {}
    for family in FAMILIES:
        path, field = family.recognised_by
        if path and field in await _object_at(http, path, found):
            return family
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
