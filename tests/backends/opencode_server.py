"""A scripted opencode after the handshake, and an observer of a held prompt."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.backends.scripted import Scripted, scripted
from tui.backends.opencode.backend import OpenCode
from tui.core.model import Prompt

HEALTH = {"healthy": True, "version": "1.18.33"}
PATHS = {"state": "/home/me/.local/state/opencode", "directory": "/srv/project"}
GREETED = {"GET /global/health": HEALTH, "GET /path": PATHS}
HEADER = "x-opencode-directory"
MISSING = JSONResponse({"name": "NotFoundError", "data": {"message": "not found"}}, 404)
PROMPT = Prompt("ses_1", "do it", "msg_1", "prt_1")


@asynccontextmanager
async def server(answers: dict[str, Any], directory: str | None = None) -> AsyncIterator[tuple[Scripted, OpenCode]]:
    async with scripted(answers) as (script, http):
        yield script, OpenCode(http, directory=directory)


@asynccontextmanager
async def after_handshake(
    answers: dict[str, Any], directory: str | None = None
) -> AsyncIterator[tuple[Scripted, OpenCode]]:
    """After the handshake, which begins every connection."""
    async with server({**GREETED, **answers}, directory) as (script, backend):
        await backend.handshake()
        script.asked.clear()
        yield script, backend


class Watcher:
    def __init__(self) -> None:
        self.reports: list[str | int] = []

    def headers(self) -> None:
        self.reports.append("headers")

    def padding(self, total: int) -> None:
        self.reports.append(total)


def streamed(*chunks: str, kind: str = "text/event-stream") -> Response:
    return Response("".join(chunks), media_type=kind)
