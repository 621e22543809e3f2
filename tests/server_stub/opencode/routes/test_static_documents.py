import pytest

from server_stub.domain.agent import AGENTS, COMMANDS, MODEL
from tests.server_stub.conftest import Stub

ASKED_BY_OFFICIAL_CLIENTS = [
    "/agent",
    "/command",
    "/config",
    "/config/providers",
    "/experimental/capabilities",
    "/experimental/console",
    "/experimental/resource",
    "/experimental/workspace",
    "/experimental/workspace/status",
    "/formatter",
    "/lsp",
    "/mcp",
    "/path",
    "/project/current",
    "/project/global/directories",
    "/provider",
    "/provider/auth",
    "/session",
    "/session/status",
    "/vcs",
    "/api/agent",
    "/api/command",
    "/api/integration",
    "/api/location",
    "/api/model",
    "/api/provider",
    "/api/reference",
    "/api/skill",
]


@pytest.mark.parametrize("path", ASKED_BY_OFFICIAL_CLIENTS)
async def test_every_startup_request_is_answered_in_json(stub: Stub, path: str) -> None:
    response = await stub.http.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"


async def test_offered_agents_models_and_commands_are_accepted(stub: Stub) -> None:
    assert [agent["name"] for agent in (await stub.http.get("/agent")).json()] == list(AGENTS)
    assert [command["name"] for command in (await stub.http.get("/command")).json()] == list(COMMANDS)
    providers = (await stub.http.get("/config/providers")).json()
    assert providers["default"] == {MODEL["providerID"]: MODEL["modelID"]}
    [provider] = providers["providers"]
    session = await stub.session()
    for agent in AGENTS:
        model = {"providerID": provider["id"], "modelID": next(iter(provider["models"]))}
        assert (await stub.prompt(session, "hello", agent=agent, model=model)).status_code == 200


async def test_paths_are_those_of_the_requested_directory(stub: Stub) -> None:
    headers = {"x-opencode-directory": "/some%20where"}
    assert (await stub.http.get("/path", headers=headers)).json()["directory"] == "/some where"
    assert (await stub.http.get("/api/model", headers=headers)).json()["location"]["directory"] == "/some where"
    assert (await stub.http.get("/path")).json()["directory"] == stub.server.directory
