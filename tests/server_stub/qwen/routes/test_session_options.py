"""Options of a session, on the qwen profile."""

from pathlib import Path

import pytest

from server_stub.qwen.daemon import MODEL, MODES
from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import QwenClient, on_qwen

pytestmark = on_qwen


async def test_the_context_lists_modes_and_models(client: QwenClient) -> None:
    context = (await client.get("context")).json()
    assert context["recovery"] == {"kind": "clean", "canContinue": False}
    modes, models = context["state"]["modes"], context["state"]["models"]
    assert modes["currentModeId"] == "default"
    assert [mode["id"] for mode in modes["availableModes"]] == list(MODES)
    assert (models["currentModelId"], models["availableModels"][0]["modelId"]) == (MODEL, MODEL)


async def test_the_commands(client: QwenClient) -> None:
    response = (await client.get("supported-commands")).json()
    assert [command["name"] for command in response["availableCommands"]] == ["init", "review"]
    assert set(response["availableCommands"][0]) == {"name", "description", "input", "_meta"}


async def test_a_mode_change_is_published(client: QwenClient) -> None:
    changed = await client.post("approval-mode", {"mode": "plan"})
    shown = {"sessionId": client.session_id, "mode": "plan", "previous": "default", "persisted": False}
    assert changed.json() == {**shown, "planExecutionMode": "default"}
    event = await client.until("approval_mode_changed")
    assert (event["data"]["next"], event["originatorClientId"]) == ("plan", client.client_id)
    assert (await client.get("context")).json()["state"]["modes"]["currentModeId"] == "plan"
    back = (await client.post("approval-mode", {"mode": "yolo", "persist": False})).json()
    assert (back["previous"], "planExecutionMode" in back) == ("plan", False)
    await client.post("approval-mode", {"mode": "yolo"})
    unchanged = await client.until("approval_mode_changed", 3)
    assert (unchanged["data"]["previous"], unchanged["data"]["next"]) == ("yolo", "yolo")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"mode": "nope"}, "invalid_approval_mode"),
        ({}, "invalid_approval_mode"),
        ({"mode": "plan", "persist": 3}, "invalid_persist_flag"),
    ],
)
async def test_invalid_modes_are_refused(client: QwenClient, body: dict[str, object], code: str) -> None:
    refused = await client.post("approval-mode", body)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


async def test_only_the_one_model_is_accepted(client: QwenClient) -> None:
    taken = (await client.post("model", {"modelId": MODEL})).json()
    assert taken["_meta"]["qwenModelSwitch"]["modelId"] == MODEL
    assert (await client.until("model_switched"))["data"]["modelId"] == MODEL
    refused = await client.post("model", {"modelId": "other"})
    why = "Model 'other' not found for authType 'openai'"
    assert refused.status_code == 500
    assert refused.json() == {"error": "Internal error", "code": -32603, "data": {"details": why}}
    assert (await client.until("model_switch_failed"))["data"]["error"] == why
    assert (await client.post("model")).status_code == 400


async def test_a_title(client: QwenClient) -> None:
    named = await client.http.patch(f"{client.base}/metadata", json={"displayName": "mine"}, headers=client.headers)
    assert named.json() == {"sessionId": client.session_id, "displayName": "mine"}
    assert (await client.until("session_metadata_updated"))["data"]["titleSource"] == "manual"
    seen = await client.http.patch(f"{client.base}/metadata", json={})
    assert seen.json()["displayName"] == "mine"
    odd = await client.http.patch(f"{client.base}/metadata", json={"displayName": 5})
    assert odd.json() == {
        "error": "`displayName` must be a string", "code": "invalid_metadata", "field": "displayName"
    }  # fmt: skip
    response = await client.http.patch("/session/none/metadata", json={"displayName": "x"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_session_id")


@pytest.mark.parametrize("what", ["context", "supported-commands"])
async def test_a_session_that_is_not_live_is_not_found(stub: Stub, what: str) -> None:
    refused = await stub.http.get(f"/session/none/{what}")
    assert (refused.status_code, refused.json()["code"]) == (404, "session_not_found")


@pytest.mark.parametrize("what", ["approval-mode", "model"])
async def test_unregistered_clients_change_nothing(client: QwenClient, what: str) -> None:
    body = {"mode": "plan", "modelId": MODEL}
    refused = await client.http.post(f"{client.base}/{what}", json=body, headers={"X-Qwen-Client-Id": "client_x"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_client_id")


async def test_files_by_pattern(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for name in ("store.py", "src/model.py"):
        (tmp_path / name).write_text("")
    stub.server.directory = str(tmp_path)
    found = await stub.http.get("/glob", params={"pattern": "**/*.py"})
    assert sorted(found.json()["matches"]) == ["src/model.py", "store.py"]
    assert found.headers["cache-control"] == "no-store"
    one = (await stub.http.get("/glob", params={"pattern": "**/*o*", "maxResults": 1})).json()
    assert (one["count"], one["truncated"]) == (1, True)
    assert (await stub.http.get("/glob", params={"pattern": "**/store*"})).json()["matches"] == ["store.py"]


@pytest.mark.parametrize(
    ("query", "shown"), [({}, "pattern query parameter"), ({"pattern": "x", "maxResults": "0"}, "`maxResults`")]
)
async def test_invalid_patterns_are_refused(stub: Stub, query: dict[str, str], shown: str) -> None:
    refused = await stub.http.get("/glob", params=query)
    assert (refused.status_code, refused.json()["errorKind"]) == (400, "parse_error")
    assert refused.json()["error"].startswith(shown)


async def test_files_of_another_workspace_are_refused(stub: Stub) -> None:
    refused = await stub.http.get("/workspaces/nope/glob", params={"pattern": "x"})
    assert (refused.status_code, refused.json()["code"]) == (400, "workspace_mismatch")
