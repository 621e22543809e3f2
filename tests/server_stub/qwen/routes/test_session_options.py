"""What may be chosen in a session, on the qwen profile."""

from pathlib import Path

import pytest

from server_stub.qwen.daemon import MODEL, MODES
from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import Person, on_qwen

pytestmark = on_qwen


async def test_the_context_tells_modes_and_models(person: Person) -> None:
    context = (await person.get("context")).json()
    assert context["recovery"] == {"kind": "clean", "canContinue": False}
    modes, models = context["state"]["modes"], context["state"]["models"]
    assert modes["currentModeId"] == "default"
    assert [mode["id"] for mode in modes["availableModes"]] == list(MODES)
    assert (models["currentModelId"], models["availableModels"][0]["modelId"]) == (MODEL, MODEL)


async def test_the_commands(person: Person) -> None:
    told = (await person.get("supported-commands")).json()
    assert [command["name"] for command in told["availableCommands"]] == ["init", "review"]
    assert set(told["availableCommands"][0]) == {"name", "description", "input", "_meta"}


async def test_a_mode_is_changed_and_everyone_is_told(person: Person) -> None:
    changed = await person.post("approval-mode", {"mode": "plan"})
    said = {"sessionId": person.session_id, "mode": "plan", "previous": "default", "persisted": False}
    assert changed.json() == {**said, "planExecutionMode": "default"}
    event = await person.until("approval_mode_changed")
    assert (event["data"]["next"], event["originatorClientId"]) == ("plan", person.client_id)
    assert (await person.get("context")).json()["state"]["modes"]["currentModeId"] == "plan"
    back = (await person.post("approval-mode", {"mode": "yolo", "persist": False})).json()
    assert (back["previous"], "planExecutionMode" in back) == ("plan", False)
    await person.post("approval-mode", {"mode": "yolo"})
    unchanged = await person.until("approval_mode_changed", 3)
    assert (unchanged["data"]["previous"], unchanged["data"]["next"]) == ("yolo", "yolo")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"mode": "nope"}, "invalid_approval_mode"),
        ({}, "invalid_approval_mode"),
        ({"mode": "plan", "persist": 3}, "invalid_persist_flag"),
    ],
)
async def test_modes_that_are_refused(person: Person, body: dict[str, object], code: str) -> None:
    refused = await person.post("approval-mode", body)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


async def test_the_one_model_is_taken_and_no_other(person: Person) -> None:
    taken = (await person.post("model", {"modelId": MODEL})).json()
    assert taken["_meta"]["qwenModelSwitch"]["modelId"] == MODEL
    assert (await person.until("model_switched"))["data"]["modelId"] == MODEL
    refused = await person.post("model", {"modelId": "other"})
    why = "Model 'other' not found for authType 'openai'"
    assert refused.status_code == 500
    assert refused.json() == {"error": "Internal error", "code": -32603, "data": {"details": why}}
    assert (await person.until("model_switch_failed"))["data"]["error"] == why
    assert (await person.post("model")).status_code == 400


async def test_a_title(person: Person) -> None:
    named = await person.http.patch(f"{person.base}/metadata", json={"displayName": "mine"}, headers=person.headers)
    assert named.json() == {"sessionId": person.session_id, "displayName": "mine"}
    assert (await person.until("session_metadata_updated"))["data"]["titleSource"] == "manual"
    seen = await person.http.patch(f"{person.base}/metadata", json={})
    assert seen.json()["displayName"] == "mine"
    odd = await person.http.patch(f"{person.base}/metadata", json={"displayName": 5})
    assert odd.json() == {
        "error": "`displayName` must be a string", "code": "invalid_metadata", "field": "displayName"
    }  # fmt: skip
    nobody = await person.http.patch("/session/none/metadata", json={"displayName": "x"})
    assert (nobody.status_code, nobody.json()["code"]) == (400, "invalid_session_id")


@pytest.mark.parametrize("what", ["context", "supported-commands"])
async def test_what_is_not_awake_is_not_found(stub: Stub, what: str) -> None:
    refused = await stub.http.get(f"/session/none/{what}")
    assert (refused.status_code, refused.json()["code"]) == (404, "session_not_found")


@pytest.mark.parametrize("what", ["approval-mode", "model"])
async def test_strangers_change_nothing(person: Person, what: str) -> None:
    body = {"mode": "plan", "modelId": MODEL}
    refused = await person.http.post(f"{person.base}/{what}", json=body, headers={"X-Qwen-Client-Id": "client_x"})
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
    ("query", "said"), [({}, "pattern query parameter"), ({"pattern": "x", "maxResults": "0"}, "`maxResults`")]
)
async def test_patterns_that_are_refused(stub: Stub, query: dict[str, str], said: str) -> None:
    refused = await stub.http.get("/glob", params=query)
    assert (refused.status_code, refused.json()["errorKind"]) == (400, "parse_error")
    assert refused.json()["error"].startswith(said)


async def test_files_of_another_workspace(stub: Stub) -> None:
    refused = await stub.http.get("/workspaces/nope/glob", params={"pattern": "x"})
    assert (refused.status_code, refused.json()["code"]) == (400, "workspace_mismatch")
