"""The agents' process ends as by SIGKILL, as measured on `qwen serve` 0.24.4."""

from typing import Any

import pytest

from server_stub.faults.kinds import parse
from server_stub.qwen.live_session import LiveSession
from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import QwenClient, new_client, on_qwen, updates
from tests.waiting import wait_until

Json = dict[str, Any]

pytestmark = on_qwen


class Watched:
    """A session whose events are all recorded; `kill_agent` ends its agent's process."""

    def __init__(self, stub: Stub, app: Any, client: QwenClient) -> None:
        self.client = client
        self.kill_agent = app.state.daemon.kill_agent
        live: LiveSession = app.state.daemon.session(client.session_id)
        self._reader = live.ring.subscribe(0)

    def rest(self) -> list[Json]:
        """The events since the last call."""
        found: list[Json] = []
        while (event := self._reader.pop_event()) is not None:
            found.append(event.body)
        return found

    @property
    def ended(self) -> bool:
        return self._reader.ended


@pytest.fixture
async def watched(stub: Stub, app: Any) -> Watched:
    return Watched(stub, app, await new_client(stub.http))


async def test_an_idle_session_dies_with_one_event(watched: Watched) -> None:
    await watched.client.run_prompt("PLAIN")
    watched.rest()
    watched.kill_agent()
    [died] = watched.rest()
    how = {"reason": "channel_closed", "exitCode": None, "signalCode": "SIGKILL"}
    assert (died["type"], died["data"]) == ("session_died", {"sessionId": watched.client.session_id, **how})
    assert watched.ended
    assert (await watched.client.get("status")).status_code == 404


async def test_the_running_prompt_fails_and_waiting_ones_begin_and_fail(watched: Watched) -> None:
    runs = await watched.client.prompt("ASK1")
    waits = await watched.client.prompt("PLAIN")
    await watched.client.asked()
    watched.rest()
    watched.kill_agent()
    published = watched.rest()
    assert [(event["type"], event.get("promptId")) for event in published] == [
        ("prompt_cancelled", runs),
        ("permission_resolved", runs),
        ("turn_error", runs),
        ("pending_prompt_started", waits),
        ("turn_error", waits),
        ("pending_prompt_completed", waits),
        ("session_died", None),
    ]
    where = watched.client.session_id
    assert published[2]["data"] == {
        "sessionId": where,
        "message": f"agent channel closed mid-request (session {where})",
        "promptId": runs,
    }
    assert published[4]["data"]["code"] == "session_not_found"


async def test_stored_messages_are_loaded_again_and_waiting_prompts_lost(watched: Watched) -> None:
    first = await watched.client.run_prompt("PLAIN")
    runs = await watched.client.prompt("ASK1")
    waits = await watched.client.prompt("THINK")
    await watched.client.asked()
    watched.kill_agent()
    loaded = await watched.client.load()
    assert (loaded["attached"], loaded["hasActivePrompt"]) == (False, False)
    stored = updates(loaded["compactedReplay"], "user_message_chunk")
    assert [update["_meta"]["promptId"] for update in stored] == [first["promptId"], runs]
    ends = [(one["promptId"], one["terminal"], one.get("code")) for one in loaded["promptTerminals"]]
    assert ends == [
        (first["promptId"], "completed", None),
        (runs, "error", None),
        (waits, "error", "session_not_found"),
    ]


async def test_nothing_is_stored_after_the_process_has_ended(watched: Watched, app: Any) -> None:
    await watched.client.prompt("ASK1")
    await watched.client.asked()
    session = app.state.server.sessions[watched.client.session_id]
    watched.kill_agent()
    await wait_until(lambda: not app.state.agent.is_busy(session))
    loaded = await watched.client.load()
    [_, lost] = updates(loaded["compactedReplay"], "tool_call") + updates(loaded["compactedReplay"], "tool_call_update")
    assert (lost["status"], "missing from saved history" in str(lost["content"])) == ("failed", True)


async def test_the_fault_ends_the_agent(watched: Watched, app: Any) -> None:
    app.state.faults.arm(parse("agent-crash"))
    assert [event["type"] for event in watched.rest()][-1] == "session_died"
    assert app.state.daemon.live == {}
