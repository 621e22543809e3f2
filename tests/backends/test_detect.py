"""Detection of the family, even if any path is answered with a web page and 200."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.backends.opencode_server import GREETED, PATHS
from tests.backends.scripted import PAGE, scripted
from tests.listening import listening
from tests.waiting import wait_until
from tui.backends.detect import UnknownServer, detect_backend
from tui.backends.families import USERS
from tui.backends.opencode.backend import OpenCode
from tui.backends.opencode.mimo import MimoCode
from tui.backends.qwen.backend import QwenServe
from tui.net.credentials import BasicAuth
from tui.net.errors import HttpStatusError, NetError
from tui.net.http_client import Http

MIMO = {"state": "/home/me/.local/state/mimocode", "config": "/home/me/.config/mimocode", "directory": "/srv"}
LOCKED = Response(status_code=401, headers={"www-authenticate": 'Basic realm="Secure Area"'})


class Watched(Http):
    """Records that it was closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True
        await super().close()


class ClientFactory:
    """Opens a client for each user."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.opened: dict[str, Watched] = {}

    def __call__(self, user: str) -> Http:
        self.opened[user] = Watched(self._url, credentials=BasicAuth(user, "secret"))
        return self.opened[user]


@pytest.mark.parametrize(
    ("paths", "family"),
    [
        (PATHS, OpenCode),
        (MIMO, MimoCode),
        ({"config": "C:\\Users\\me\\AppData\\mimocode", "directory": "C:\\"}, MimoCode),
        ({"state": "/home/mimocode/.local/state/opencode", "directory": "/srv/mimocode"}, OpenCode),
        ({"state": 3, "config": None}, OpenCode),
        ([], OpenCode),
    ],
)
async def test_the_family_is_detected_by_its_state_folder(paths: object, family: type) -> None:
    async with scripted({**GREETED, "GET /path": paths}) as (_, http):
        backend, info = await detect_backend(lambda user: http)
        assert type(backend) is family
        assert info.version == "1.18.33"


@pytest.mark.parametrize("path", ["GET /path", "GET /global/health"])
async def test_a_web_page_is_not_a_supported_server(path: str) -> None:
    async with scripted({**GREETED, path: PAGE}) as (script, _):
        async with listening(script) as served:
            doors = ClientFactory(served.url)
            with pytest.raises(NetError) as wrong:
                await detect_backend(doors)
    assert wrong.value.permanent
    assert [door.closed for door in doors.opened.values()] == [True]


@pytest.mark.parametrize("health", [{"status": "ok"}, {"healthy": "true"}, "healthy", None])
async def test_a_server_that_is_not_healthy_is_not_supported(health: object) -> None:
    async with scripted({**GREETED, "GET /global/health": health}) as (_, http):
        with pytest.raises(NetError):
            await detect_backend(lambda user: http)


def accepts_user(name: str) -> Callable[[Scope, Receive, Send], Any]:
    wanted = BasicAuth(name, "secret").header()
    known: dict[str, object] = {
        "/path": MIMO if name == "mimocode" else PATHS,
        "/global/health": GREETED["GET /global/health"],
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(b"authorization", b"").decode()
        document = known.get(scope["path"])
        answer = LOCKED if given != wanted else PAGE if document is None else JSONResponse(document)
        await answer(scope, receive, send)

    return app


@pytest.mark.parametrize(("name", "family"), [("opencode", OpenCode), ("mimocode", MimoCode)])
async def test_the_accepted_user_is_kept(name: str, family: type) -> None:
    async with listening(accepts_user(name)) as served:
        doors = ClientFactory(served.url)
        backend, _ = await detect_backend(doors)
        assert type(backend) is family
        assert [user for user, door in doors.opened.items() if not door.closed] == [name]
        await backend.close()


async def test_a_refused_password_is_tried_once_per_user() -> None:
    async with listening(accepts_user("somebody")) as served:
        doors = ClientFactory(served.url)
        with pytest.raises(HttpStatusError) as refused:
            await detect_backend(doors)
    assert refused.value.status == 401
    assert {user: door.closed for user, door in doors.opened.items()} == dict.fromkeys(USERS, True)


async def test_a_named_user_is_the_only_one_tried() -> None:
    async with listening(accepts_user("opencode")) as served:
        doors = ClientFactory(served.url)
        with pytest.raises(HttpStatusError):
            await detect_backend(doors, users=("me",))
    assert list(doors.opened) == ["me"]


async def test_only_a_refused_password_is_tried_with_another_user() -> None:
    async with scripted({"GET /global/health": JSONResponse({}, 403)}) as (script, http):
        doors = ClientFactory(http.base_url)
        with pytest.raises(HttpStatusError):
            await detect_backend(doors)
    assert list(doors.opened) == ["opencode"]
    assert script.calls == ["GET /global/health"]


async def test_a_cancelled_detection_leaves_no_connection() -> None:
    asked = asyncio.Event()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    async with listening(silent) as served:
        doors = ClientFactory(served.url)
        trying = asyncio.create_task(detect_backend(doors))
        await wait_until(asked.is_set)
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
    assert [door.closed for door in doors.opened.values()] == [True]


async def test_the_directory_is_passed_to_the_backend() -> None:
    async with scripted({**GREETED, "GET /path": MIMO, "GET /session": []}) as (script, http):
        backend, _ = await detect_backend(lambda user: http, directory="/mine")
        await backend.sessions()
        assert script.last("GET /session").headers["x-mimocode-directory"] == "/mine"


CAPABLE = {"v": 1, "qwenCodeVersion": "0.24.4", "features": ["client_heartbeat"], "workspaceCwd": "/srv"}
NOT_FOUND = HTMLResponse("<!DOCTYPE html><pre>Cannot GET it</pre>", 404)


async def test_qwen_serve_is_detected_by_its_capabilities() -> None:
    answers = {"GET /global/health": NOT_FOUND, "GET /path": NOT_FOUND, "GET /capabilities": CAPABLE}
    async with scripted(answers) as (script, http):
        backend, info = await detect_backend(lambda user: http)
    assert type(backend) is QwenServe
    assert info.version == "0.24.4"
    assert backend.traits.client_heartbeat
    assert script.calls[:2] == ["GET /global/health", "GET /capabilities"]


async def test_capabilities_of_another_server_are_not_qwen() -> None:
    """Another server may have the route, too; `healthy` of opencode's route has precedence."""
    async with scripted({**GREETED, "GET /capabilities": {"features": []}}) as (_, http):
        backend, _ = await detect_backend(lambda user: http)
        assert type(backend) is OpenCode


async def test_an_unsupported_server_is_described_by_its_responses() -> None:
    answers = {"GET /global/health": NOT_FOUND, "GET /capabilities": PAGE, "GET /health": {"status": "ok"}}
    async with scripted(answers) as (_, http):
        with pytest.raises(UnknownServer) as unknown:
            await detect_backend(lambda user: http)
    assert unknown.value.permanent
    assert unknown.value.message.startswith("answers HTTP, but is not a supported server (/global/health")
    assert unknown.value.message.endswith(")")
    assert "/global/health returns 404" in unknown.value.message
    assert "/capabilities returns a web page" in unknown.value.message
    assert "/health returns {'status': 'ok'}" in unknown.value.message
    assert unknown.value.hint == "Check the address, or name the server's family with --family."


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_server_error_does_not_mean_unsupported(status: int) -> None:
    async with scripted({"GET /global/health": JSONResponse({}, status)}) as (script, http):
        with pytest.raises(HttpStatusError) as refused:
            await detect_backend(lambda user: http)
    assert not refused.value.permanent
    assert script.calls == ["GET /global/health"]


@pytest.mark.parametrize(("family", "kind"), [("opencode", OpenCode), ("mimo", MimoCode)])
async def test_a_named_family_is_not_detected(family: str, kind: type) -> None:
    async with scripted({**GREETED, "GET /path": PATHS}) as (script, http):
        backend, _ = await detect_backend(lambda user: http, family=family)
    assert type(backend) is kind
    assert script.calls.count("GET /global/health") == 1


UNAVAILABLE = JSONResponse({"error": "Web UI is temporarily unavailable."}, 503)


@pytest.mark.parametrize("unknown", [UNAVAILABLE, PAGE, {"healthy": True}], ids=["503", "page", "other"])
async def test_a_wrong_family_is_distinguished_from_a_server_that_is_down(unknown: object) -> None:
    """To unknown routes, including `/capabilities`, MiMo Code answers 503 and opencode a web page."""
    async with scripted({**GREETED, "GET /path": MIMO, "GET /capabilities": unknown}) as (_, http):
        with pytest.raises(NetError) as refused:
            await detect_backend(lambda user: http, family="qwen")
    assert refused.value.permanent
    assert refused.value.message == "the server is not a qwen server"
    assert refused.value.hint == "Leave --family out, or correct it."


async def test_a_named_family_that_does_not_match_is_an_error() -> None:
    async with scripted({**GREETED, "GET /path": PATHS}) as (_, http):
        with pytest.raises(NetError):
            await detect_backend(lambda user: http, family="qwen")
