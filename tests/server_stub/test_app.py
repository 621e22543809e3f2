import httpx
import pytest

from server_stub.app import PASSWORD_VARIABLE, create_app
from server_stub.domain.profiles import MIMO, OPENCODE, PROFILES, Profile


async def get(app: object, path: str, **options: object) -> httpx.Response:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as http:
        return await http.request(str(options.pop("method", "GET")), path, **options)  # type: ignore[arg-type]


async def test_other_hosts_are_refused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    refused = await get(create_app(OPENCODE), "/global/health", headers={"host": "evil.example"})
    assert refused.status_code == 403


@pytest.mark.parametrize("profile", list(PROFILES.values()), ids=list(PROFILES))
@pytest.mark.parametrize(
    "headers",
    [{"host": "127.0.0.1:1@evil.example"}, {"origin": "http://evil.example", "content-type": "text/plain"}],
)
async def test_a_web_page_cannot_prompt_the_agent(profile: Profile, headers: dict[str, str]) -> None:
    app = create_app(profile, admin=True)
    for path in ("/session", "/_stub/faults"):
        refused = await get(app, path, method="POST", headers=headers, content=b'{"name": "crash"}')
        assert refused.status_code == 403


@pytest.mark.parametrize("path", ["/global/health", "/event", "/doc", "/nothing"])
async def test_every_route_needs_the_password(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    app = create_app(MIMO)
    assert (await get(app, path)).status_code == 401
    assert (await get(app, path, auth=("opencode", "secret"))).status_code == 401


async def test_the_user_name_is_the_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert (await get(create_app(MIMO), "/global/health", auth=("mimocode", "secret"))).status_code == 200
    assert (await get(create_app(OPENCODE), "/global/health", auth=("opencode", "secret"))).status_code == 200


async def test_without_a_password_no_credentials_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    assert (await get(create_app(OPENCODE), "/global/health")).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("PUT", "/session"), ("POST", "/global/health")])
async def test_an_unknown_path_returns_a_web_page_as_opencode_does(method: str, path: str) -> None:
    page = await get(create_app(OPENCODE), path, method=method)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


async def test_each_application_has_its_own_state() -> None:
    first, second = create_app(OPENCODE), create_app(OPENCODE)
    await get(first, "/session", method="POST")
    assert len((await get(first, "/session")).json()) == 1
    assert (await get(second, "/session")).json() == []
