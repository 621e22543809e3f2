"""Secrets must not appear in tracebacks with local variables, and in errors."""

import io

import pytest
from rich.console import Console
from rich.traceback import Traceback

from tui.client.client import Client
from tui.config.settings import Settings
from tui.net.credentials import BasicAuth, BearerAuth
from tui.net.http_client import Http

SECRET = "correct-horse-battery"


def traceback_among(*holders: object) -> str:
    """The output of the UI library for a crash: every frame with its local variables."""
    try:
        raise RuntimeError(f"broken among {len(holders)}")
    except RuntimeError:
        printed = Console(file=io.StringIO(), width=400)
        printed.print(Traceback(show_locals=True, locals_max_length=1000, locals_max_string=10_000))
        assert isinstance(printed.file, io.StringIO)
        return printed.file.getvalue()


@pytest.mark.parametrize("credentials", [BasicAuth("opencode", SECRET), BearerAuth(SECRET)])
async def test_a_traceback_shows_no_secret(credentials: BasicAuth | BearerAuth) -> None:
    http = Http("http://127.0.0.1:1", credentials=credentials)
    settings = Settings(password=SECRET)
    client = Client(settings.url, lambda user: http)
    shown = traceback_among(settings, credentials, http, client)
    assert "broken among 4" in shown
    assert "Settings(" in shown
    for secret in (SECRET, credentials.header().split()[1]):
        assert secret not in shown
    await http.close()
    await client.close()
