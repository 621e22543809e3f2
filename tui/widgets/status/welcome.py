"""Body of the screen without a conversation: the server and the next steps."""

from typing import assert_never

from textual.content import Content

from tui.config.key_lookup import key
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.sanitize import excerpt, single_line
from tui.widgets.base.format import span
from tui.widgets.base.static_text import BOLD, ERROR, HEADING, MUTED, PLAIN, WARNING, StaticText


def welcome_text(line: ConnectionStatus, address: str, *, ever_up: bool, serve: str, server: str = "") -> Content:
    """Return the body without a session. `server`: its family and version, once known."""
    address = address.removeprefix("http://")
    match line.state:
        case ConnectionState.CONNECTING:
            return _page("◌ connecting…", PLAIN, f"to {address}")
        case ConnectionState.RECONNECTING if not ever_up:
            return _first_page(line, address, serve)
        case ConnectionState.RECONNECTING:
            return _page(f"↻ lost: {line.reason}", WARNING, _when(line), line.hint)
        case ConnectionState.STOPPED:
            hint = line.hint or f"Fix it, then press {key('retry')}."
            return _page(f"■ stopped: {line.reason}", ERROR, hint, f"{key('retry')} retries.")
        case ConnectionState.LIVE | ConnectionState.QUIET:
            return Content.assemble(
                ("holdfast", HEADING),
                (f"\n\nConnected to {address}{f': {server}' if server else '.'}\n", MUTED),
                "\nType a prompt and press Enter.\n",
                (f"{key('sessions')} opens an earlier session.", MUTED),
            )
        case _:
            assert_never(line.state)


def sending_text(prompt: str) -> Content:
    """Return the body while the session of the first prompt is created. The server has not confirmed it yet."""
    return Content.assemble(("sending… the server creates the session\n\n", MUTED), (f"› {excerpt(prompt)}", PLAIN))


def _first_page(line: ConnectionStatus, address: str, serve: str) -> Content:
    """Return what to do without a server. If the address responds with an error, the reason comes first."""
    if line.answers:
        head = f"↻ {address} responds, but cannot be used yet"
        return _page(head, WARNING, line.reason, line.hint, _when(line))
    if not line.reason.startswith("cannot connect: "):
        return _page(f"↻ not connected: {line.reason}", WARNING, f"to {address}", _when(line), line.hint)
    choices = (
        ("Start one", serve),
        ("Try a demo", "holdfast --demo"),
        ("Elsewhere", "holdfast http://host:port"),
        ("Diagnose", "holdfast doctor"),
    )
    column = max(len(about) for about, _ in choices) + 2
    return Content("\n").join(
        [
            Content.styled(f"No server at {address} yet", BOLD),
            Content(""),
            *(Content.assemble(f"{about:<{column}}", (command, HEADING)) for about, command in choices),
            Content(""),
            Content.styled(f"It connects automatically: {_when(line)}", MUTED),
        ]
    )


def _when(line: ConnectionStatus) -> str:
    if line.retry_in is None:
        return "trying now"
    return f"try {line.attempt + 1} in {span(line.retry_in)} · {key('retry')} retry now"


def _page(head: str, style: str, *lines: str) -> Content:
    return Content.assemble(
        (single_line(head), f"{BOLD} {style}"), *[(f"\n\n{excerpt(line)}", MUTED) for line in lines if line]
    )


class Welcome(StaticText):
    """Centred, and only as large as its text."""
