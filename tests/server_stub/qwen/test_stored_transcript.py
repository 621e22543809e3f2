"""The state of a daemon that was killed and restarted, as measured on `qwen serve` 0.24.4."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from server_stub.app import create_app
from server_stub.domain.profiles import QWEN
from server_stub.domain.restart import after_crash
from tests.server_stub.conftest import InstantClock
from tests.server_stub.qwen.routes.qwen_client import ONCE, QwenClient, kind_of, new_client, updates

Json = dict[str, Any]


@asynccontextmanager
async def daemon(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4170") as http:
        yield http


class Daemons:
    """Successive daemons with the same stored sessions."""

    def __init__(self, clock: InstantClock) -> None:
        self._clock = clock
        self.app = create_app(QWEN, scenario="plain", clock=clock)

    async def kill(self) -> None:
        """End all runs, as the end of a process does, and start another daemon."""
        old = self.app.state
        found = after_crash(old.server)
        await old.agent.end(list(old.server.sessions.values()))
        self.app = create_app(QWEN, scenario="plain", clock=self._clock, server=found)


@pytest.fixture
def daemons(clock: InstantClock) -> Daemons:
    return Daemons(clock)


async def loaded(daemons: Daemons, before: QwenClient) -> tuple[Json, QwenClient]:
    async with daemon(daemons.app) as http:
        found = (await http.post(f"{before.base}/load", json={}, headers=before.headers)).json()
    return found, QwenClient(http, before.session_id, found["clientId"])


def replayed_kinds(found: Json) -> list[str]:
    return [kind_of(event) for event in found["compactedReplay"]]


async def test_sessions_are_unknown_until_loaded(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        client = await new_client(http)
        prompt_id = await client.prompt("ASK1")
        asked = await client.asked()
    await daemons.kill()
    async with daemon(daemons.app) as http:
        reattached = QwenClient(http, client.session_id, client.client_id)
        answers = [
            await reattached.get("status"),
            await reattached.get("events"),
            await reattached.get(f"turns/{prompt_id}"),
            await reattached.post("heartbeat"),
            await reattached.post("prompt", {"prompt": [{"type": "text", "text": "x"}]}),
            await reattached.vote(asked["requestId"], ONCE),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.json()["code"] for answer in answers} == {"session_not_found"}
        cold = await reattached.load()
        assert (cold["attached"], cold["clientId"] == client.client_id) == (False, False)
        assert (await reattached.get(f"turns/{prompt_id}")).json()["code"] == "prompt_not_found"


async def test_the_partial_answer_is_lost_and_the_prompt_interrupted(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        client = await new_client(http)
        first = await client.run_prompt("PLAIN")
        prompt_id = await client.prompt("SLOW")
        partial = await client.until("agent_message_chunk", 2)
        assert partial["data"]["update"]["content"]["text"].startswith("word0 ")
    await daemons.kill()
    found, _ = await loaded(daemons, client)
    assert replayed_kinds(found) == [
        "user_message_chunk",
        "agent_message_chunk",
        "agent_message_chunk",
        "user_message_chunk",
    ]
    done, lost = found["promptTerminals"]
    assert (done["promptId"], done["terminal"]) == (first["promptId"], "completed")
    assert lost.pop("at")
    assert lost == {"v": 1, "promptId": prompt_id, "terminal": "interrupted", "code": "daemon_lost"}


async def test_two_lost_prompts_are_not_recorded(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        client = await new_client(http)
        await client.prompt("ASK1")
        await client.prompt("PLAIN")
        await client.asked()
    await daemons.kill()
    found, _ = await loaded(daemons, client)
    assert "promptTerminals" not in found
    assert [update["content"]["text"] for update in updates(found["compactedReplay"], "user_message_chunk")] == ["ASK1"]


async def test_an_open_question_failed_with_the_daemon(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        client = await new_client(http)
        await client.prompt("ASK1")
        await client.asked()
    await daemons.kill()
    found, _ = await loaded(daemons, client)
    assert replayed_kinds(found) == [
        "user_message_chunk",
        "agent_message_chunk",
        "agent_message_chunk",
        "tool_call",
        "tool_call_update",
    ]
    [call] = updates(found["compactedReplay"], "tool_call")
    [lost] = updates(found["compactedReplay"], "tool_call_update")
    assert (call["status"], call["title"]) == ("in_progress", "AskUserQuestion: Ask user 1 question")
    assert lost["status"] == "failed"
    assert lost["content"][0]["content"]["text"].startswith("Tool result missing from saved history")
    assert found["hasActivePrompt"] is False


async def test_ended_turns_are_unchanged(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        client = await new_client(http)
        await client.prompt("ASK")
        await client.vote((await client.asked())["requestId"], ONCE, answers={"0": "Postgres", "1": "auth, search"})
        await client.until("turn_complete")
        live = await client.events()
    await daemons.kill()
    found, _ = await loaded(daemons, client)
    [before], [after] = updates(live, "tool_call"), updates(found["compactedReplay"], "tool_call_update")
    assert (after["rawOutput"], after["content"]) == (before["rawOutput"], before["content"])
    [words] = [u["content"]["text"] for u in updates(live, "agent_message_chunk") if "Done" in u["content"]["text"]]
    stored = [u["content"]["text"] for u in updates(found["compactedReplay"], "agent_message_chunk")]
    assert words in stored


async def test_a_cursor_of_the_old_epoch_is_reported(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        client = await new_client(http)
        await client.run_prompt("PLAIN")
        old = await client.load()
    await daemons.kill()
    found, _ = await loaded(daemons, client)
    assert found["eventEpoch"] != old["eventEpoch"]
    ring = daemons.app.state.daemon.live[client.session_id].ring
    first = ring.subscribe(old["lastEventId"], old["eventEpoch"]).pop_event()
    assert first.body["data"]["reason"] == "epoch_reset"
    reader = ring.subscribe(found["lastEventId"], found["eventEpoch"])
    assert [reader.pop_event().body["type"] for _ in range(2)] == ["session_update", "replay_complete"]
