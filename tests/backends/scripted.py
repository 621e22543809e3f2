"""A scripted server on a real socket, which records requests."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.listening import listening
from tui.net.http_client import Http

PAGE = HTMLResponse("<!doctype html><title>OpenCode</title>")
"""opencode's response to unknown paths, with status 200."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    call: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class Scripted:
    """`answers`: "METHOD /path" → a JSON value, a response, or a function that returns one for the request.

    Everything else gets the web page.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[RecordedRequest] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        call = f"{request.method} {request.url.path}"
        body = json.loads(raw) if raw else None
        asked = RecordedRequest(call, dict(request.query_params), request.headers, body)
        self.asked.append(asked)
        answer = self.answers.get(call, PAGE)
        if isinstance(answer, FunctionType):
            answer = answer(asked)
        response = answer if isinstance(answer, Response) else JSONResponse(answer)
        await response(scope, receive, send)

    @property
    def calls(self) -> list[str]:
        return [asked.call for asked in self.asked]

    def last(self, call: str) -> RecordedRequest:
        return next(asked for asked in reversed(self.asked) if asked.call == call)


@asynccontextmanager
async def scripted(answers: Mapping[str, Any], *, date: float | None = None) -> AsyncIterator[tuple[Scripted, Http]]:
    """The server, and a client for it. `date`: its clock in epoch seconds."""
    script = Scripted(dict(answers))
    async with listening(script, date=date) as served:
        http = Http(served.url)
        try:
            yield script, http
        finally:
            await http.close()
