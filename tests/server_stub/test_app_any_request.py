"""The stub answers every request: unexpected ones are refused without an internal error."""

import asyncio
import json
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Message, Scope

from server_stub.app import create_app
from server_stub.domain.profiles import PROFILES
from tests.server_stub.conftest import InstantClock

UNKNOWN_ERROR = "Unexpected server error. Check server logs for details."
"""opencode's own 500 responses to malformed JSON and foreign ids."""
ANSWERS_WITHIN = 60.0
"""Seconds; a request that takes longer hangs."""

TEXTS = st.sampled_from(["", "ses_1", "ses_\0", "\0", "/", "/tmp", "../..", "1e400", "-1", "NaN", "\ud800", "é" * 300])
TEXT = TEXTS | st.text(max_size=20)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        *(
            "id",
            "messageID",
            "sessionID",
            "parts",
            "text",
            "type",
            "agent",
            "model",
            "providerID",
            "modelID",
            "cwd",
        ),
        *(
            "reply",
            "message",
            "answers",
            "title",
            "directory",
            "limit",
            "before",
            "cursor",
            "command",
            "arguments",
        ),
        *(
            "prompt",
            "name",
            "target",
            "times",
            "at",
            "after_bytes",
            "sessionId",
            "clientId",
            "promptId",
            "outcome",
        ),
        *(
            "optionId",
            "requestID",
            "archived",
            "time",
            "metadata",
            "partID",
            "mode",
            "modelId",
            "noReply",
            "tools",
        ),
    ]
)
BODY = st.one_of(
    st.binary(max_size=40),
    st.dictionaries(NAMES, VALUE, max_size=6).map(lambda body: json.dumps(body).encode()),
    st.fixed_dictionaries({"parts": st.lists(st.dictionaries(NAMES, VALUE, max_size=3), max_size=2)}).map(
        lambda body: json.dumps(body).encode()
    ),
    st.sampled_from([b"[" * 100_000, b"{", b"null", b"\xff", b'{"parts":[{"type":"text","text":"\\ud800"}]}']),
)
QUERY = st.binary(max_size=20) | st.sampled_from(
    [b"directory=%00", b"directory=/tmp%00", b"limit=1e400", b"limit=NaN", b"query=%00&directory=%00", b"limit=-1"]
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(b"x-opencode-directory", b"x-mimocode-directory", b"x-qwen-client-id", b"last-event-id"),
                *(b"content-type", b"authorization", b"accept", b"range"),
            ]
        ),
        st.binary(max_size=20).filter(lambda value: not {10, 13, 0} & set(value))
        | st.sampled_from([b"application/json", b"%00", b"%ff", b"a" * 200, b"Basic \xff", b"-1", b"1e9"]),
    ),
    max_size=3,
)


def paths_of(app: Starlette) -> Iterator[tuple[str, str]]:
    for route in app.routes:
        assert isinstance(route, Route)
        for method in sorted(route.methods or {"GET"}):
            yield method, route.path


def request(method: str, path: str, query: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> Scope:
    return {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method},
        **{
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "root_path": "",
        },
        **{"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)},
        "headers": [(b"host", b"127.0.0.1"), *headers],
    }


def as_segment(text: str) -> str:
    """A path segment as a server decodes it: without slashes and incomplete characters."""
    return text.replace("/", "").encode("utf-8", "replace").decode()


async def asked(app: Starlette, scope: Scope, body: bytes) -> tuple[int, bytes]:
    """The status and the first bytes of the body; the client then disconnects."""
    answered: list[Message] = []
    came = asyncio.Event()
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        try:
            return next(sent)
        except StopIteration:
            await came.wait()
            return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answered.append(message)
        if len(answered) > 1:
            came.set()

    task = asyncio.ensure_future(app(scope, receive, send))
    leaving = asyncio.ensure_future(came.wait())
    await asyncio.wait((task, leaving), timeout=ANSWERS_WITHIN, return_when=asyncio.FIRST_COMPLETED)
    hangs = not task.done() and not answered
    leaving.cancel()
    if not task.done():
        task.cancel()
    await asyncio.gather(task, leaving, return_exceptions=True)
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
    assert not hangs
    return answered[0]["status"], b"".join(message.get("body", b"") for message in answered[1:])


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("place", [b"", b"/tmp"])
async def test_a_directory_with_a_null_byte_is_refused(profile: str, place: bytes) -> None:
    app = create_app(PROFILES[profile])
    for path in ("/find/file", "/session/status"):
        scope = request("GET", path, b"query=a&directory=" + place + b"%00")
        status, _ = await asked(app, scope, b"")
        assert 400 <= status < 500


@pytest.mark.parametrize("profile", list(PROFILES))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_request_is_answered(profile: str, data: st.DataObject) -> None:
    async def one() -> None:
        app = create_app(PROFILES[profile], admin=True, clock=InstantClock())
        session = app.state.server.create_session(app.state.server.directory)
        for _ in range(3):
            method, template = data.draw(st.sampled_from(sorted(set(paths_of(app)))))
            path = "/".join(
                data.draw(st.sampled_from([session.id, "msg_1", "7"]) | TEXT.map(as_segment))
                if part.startswith("{")
                else part
                for part in template.split("/")
            )
            scope = request(method, path, data.draw(QUERY), data.draw(HEADERS))
            status, body = await asked(app, scope, data.draw(BODY))
            assert status < 500 or UNKNOWN_ERROR.encode() in body or status == 503, (method, path, status, body)

    asyncio.run(one())
