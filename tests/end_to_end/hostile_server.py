"""A relay before the stub that appends an attack to every text, to test the terminal's safety.

The attack consists only of control sequences, so that after sanitizing any text is unchanged: ids keep their meaning,
and the whole client can be used while all fields are under attack.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeAlias

import httpx

ATTACK = (
    "\x1b]52;c;cHduZWQ=\x07"  # writes the clipboard
    "\x1b]0;pwned\x07"  # sets the title
    "\x1b[2J\x1b[H"  # clears the screen
    "\x1b[?1049l"  # leaves the screen
    "\x9b2J\x9d0;pwned\x9c"  # the same in C1
    "\x1b[6n"  # makes the terminal type
    "\x07\x08\x0e"  # rings the bell, moves back, changes the character set
    "\u202e\u2066"  # reverses the direction
)
ATTACK_MARKERS = (
    b"\x1b]52;", b"\x1b]0;pwned", b"\x9d0;pwned", b"\x1b[2J\x1b[H", b"\x1b[6n", b"\x07\x08", b"\x0e",
    "\x9b2J".encode(), "\u202e".encode(), "\u2066".encode(),
)  # fmt: skip
"""Parts of it that must not be among the bytes that the terminal gets."""

_HOP_BY_HOP = ("transfer-encoding", "content-length", "connection", "content-encoding", "host")


Change: TypeAlias = Callable[[Any], str]
"""A JSON value → its text as sent to the client."""


def with_attack_text(value: Any) -> Any:
    """The JSON value with the attack appended to each of its texts."""
    match value:
        case str():
            return value + ATTACK
        case list():
            return [with_attack_text(item) for item in value]
        case dict():
            return {key: with_attack_text(item) for key, item in value.items()}
        case _:
            return value


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: ClassVar[str]
    change: ClassVar[Change]

    def log_message(self, format: str, *args: object) -> None:
        pass  # standard error is the test's

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        with (
            httpx.Client(trust_env=False, timeout=None) as client,
            client.stream(
                self.command,
                self.upstream + self.path,
                content=body,
                headers=headers | {"accept-encoding": "identity"},
            ) as answer,
        ):
            self.close_connection = True
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.end_headers()
            try:
                if answer.headers.get("content-type", "").startswith("text/event-stream"):
                    for line in answer.iter_lines():
                        self._write(_event_line(line, type(self).change) + "\n")
                else:
                    self._write(_whole(answer.read().decode(), type(self).change))
            except OSError:
                return  # the client has disconnected

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _relay

    def _write(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()


def _event_line(line: str, change: Change) -> str:
    field, _, value = line.partition(": ")
    return f"data: {change(json.loads(value))}" if field == "data" else line


def _whole(text: str, change: Change) -> str:
    try:
        return change(json.loads(text))
    except json.JSONDecodeError:
        return text + ATTACK if text else text


def _poisoned(value: Any) -> str:
    return json.dumps(with_attack_text(value))


@contextmanager
def hostile_relay(upstream: str, change: Change = _poisoned) -> Iterator[str]:
    """The address of a relay to `upstream` that attacks in every text, or encodes each JSON value by `change`."""
    attributes = {"upstream": upstream, "change": staticmethod(change)}
    with _serving(type("Relay", (_Relay,), attributes)) as address:
        yield address


@contextmanager
def hostile_headers() -> Iterator[str]:
    """The address of a server that attacks in the status line and headers of every response."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass  # standard error is the test's

        def do_GET(self) -> None:
            head = f"HTTP/1.1 503 {ATTACK}\r\nServer: {ATTACK}\r\nRetry-After: 1{ATTACK}\r\n\r\n{ATTACK}"
            self.wfile.write(head.encode())
            self.close_connection = True

    with _serving(Handler) as address:
        yield address


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, name="hostile server")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
