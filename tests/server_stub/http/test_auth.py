import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server_stub.http.auth import BasicAuth, JsonOnly, LoopbackOnly, SameOrigin


async def page(request: Request) -> Response:
    return PlainTextResponse("in")


async def get(middleware: Middleware, **headers: str) -> httpx.Response:
    app = Starlette(routes=[Route("/", page)], middleware=[middleware])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        return await http.get("/", headers=headers)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:4096", "localhost", "localhost:4096", "[::1]", "[::1]:4096", "LOCALHOST:1"]
)
async def test_loopback_hosts_are_accepted(host: str) -> None:
    assert (await get(Middleware(LoopbackOnly), host=host)).text == "in"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4096",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "10.0.0.1",
        "::1",
        "",
        "127.0.0.1:80@evil.example",
        "localhost:80@evil.example",
        "127.0.0.1:80:80",
        "127.0.0.1:",
        "0.0.0.0",
        "0.0.0.0:4096",
        "[::]",
    ],
)
async def test_other_hosts_are_refused(host: str) -> None:
    refused = await get(Middleware(LoopbackOnly), host=host)
    assert refused.status_code == 403
    assert refused.text != "in"


@pytest.mark.parametrize(("host", "status"), [("localhost:80", 200), ("localhost", 200), ("localhost:4096", 403)])
async def test_own_port_refuses_other_ports(host: str, status: int) -> None:
    assert (await get(Middleware(LoopbackOnly, own_port=True), host=host)).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1", 200),
        ("http://evil.example", 403),
        ("https://127.0.0.1", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_other_origins_are_refused(origin: str, status: int) -> None:
    assert (await get(Middleware(SameOrigin), origin=origin)).status_code == status


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("", 200),
        ("text/plain", 415),
        ("text/plain;application/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
async def test_media_types_without_a_preflight_are_refused(kind: str, status: int) -> None:
    assert (await get(Middleware(JsonOnly), **{"content-type": kind})).status_code == status


AUTH = Middleware(BasicAuth, "opencode", "pässword:1")


async def test_the_right_password_is_accepted() -> None:
    auth = httpx.BasicAuth("opencode", "pässword:1")
    request = next(auth.auth_flow(httpx.Request("GET", "http://x")))
    authorization = request.headers["authorization"]
    assert (await get(AUTH, authorization=authorization)).text == "in"


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic"}, {"authorization": "Basic b3BlbmNvZGU6"}, {"authorization": "Bearer x"}],
)
async def test_other_credentials_get_an_empty_401(headers: dict[str, str]) -> None:
    refused = await get(AUTH, **headers)
    assert refused.status_code == 401
    assert refused.content == b""
    assert refused.headers["www-authenticate"] == 'Basic realm="Secure Area"'
