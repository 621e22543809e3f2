"""Completes the values of parameters that only the server knows: ids of sessions and requests.

Nothing is printed or raised if it does not answer at once: there are no completions then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

import click

from tui.cli.options import SESSION_ID, target_of
from tui.cli.time_limit import within
from tui.config.settings import SettingsError
from tui.net.errors import NetError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tui.backends.base import Backend, ServerInfo

TIMEOUT = 1.0
"""Seconds that the server has to answer."""

Found: TypeAlias = Iterable[tuple[str, str]]
"""Ids and what is shown beside them."""


def session_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """The newest sessions, with their titles."""

    async def sessions(backend: "Backend", server: "ServerInfo") -> Found:
        return [(one.id, one.title) for one in await backend.sessions()]

    return _completions(ctx, incomplete, sessions)


def request_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """The open requests, with what they ask."""

    async def requests(backend: "Backend", server: "ServerInfo") -> Found:
        from tui.cli.status import look

        return [(one.id, f"{one.kind}: {one.what}") for one in (await look("", backend, server)).requests]

    return _completions(ctx, incomplete, requests)


def _completions(
    ctx: click.Context, incomplete: str, ask: "Callable[[Backend, ServerInfo], Awaitable[Found]]"
) -> "list[CompletionItem[str]]":
    from click.shell_completion import CompletionItem

    import tui.net.http_client  # noqa: F401  # httpx is slow to import: before the server's time begins
    from tui.backends.detect import detect_backend

    target = {name: ctx.params.get(name) for name in ("url", "directory", "family", "ca_file")}

    async def found() -> Found:
        settings, open_http, users = target_of(**target)
        backend, server = await detect_backend(
            open_http, users=users, directory=settings.directory, family=settings.family
        )
        try:
            return await ask(backend, server)
        finally:
            await backend.close()

    try:
        ids = asyncio.run(within(TIMEOUT, found()))
    except (SettingsError, NetError):
        return []
    # an id of other characters could change the command line
    return [
        CompletionItem(id_, help=text) for id_, text in ids if SESSION_ID.fullmatch(id_) and id_.startswith(incomplete)
    ]
