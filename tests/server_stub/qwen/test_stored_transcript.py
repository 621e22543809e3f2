"""What a daemon knows after it was killed and started again, as measured on `qwen serve` 0.24.4."""

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
from tests.server_stub.qwen.routes.qwen_client import ONCE, Person, arrive, kind_of, updates

Json = dict[str, Any]


@asynccontextmanager
async def daemon(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4170") as http:
        yield http


class Daemons:
    """One after the other, on the same disk."""

    def __init__(self, clock: InstantClock) -> None:
        self._clock = clock
        self.app = create_app(QWEN, scenario="plain", clock=clock)

    async def kill(self) -> None:
        """What still ran is ended, as the end of a process does; then there is another."""
        old = self.app.state
        found = after_crash(old.server)
        await old.agent.end(list(old.server.sessions.values()))
        self.app = create_app(QWEN, scenario="plain", clock=self._clock, server=found)


@pytest.fixture
def daemons(clock: InstantClock) -> Daemons:
    return Daemons(clock)


async def loaded(daemons: Daemons, before: Person) -> tuple[Json, Person]:
    async with daemon(daemons.app) as http:
        found = (await http.post(f"{before.base}/load", json={}, headers=before.headers)).json()
    return found, Person(http, before.session_id, found["clientId"])


def said(found: Json) -> list[str]:
    return [kind_of(event) for event in found["compactedReplay"]]


async def test_all_is_unknown_until_it_is_loaded(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        person = await arrive(http)
        prompt_id = await person.prompt("ASK1")
        asked = await person.asked()
    await daemons.kill()
    async with daemon(daemons.app) as http:
        again = Person(http, person.session_id, person.client_id)
        answers = [
            await again.get("status"),
            await again.get("events"),
            await again.get(f"turns/{prompt_id}"),
            await again.post("heartbeat"),
            await again.post("prompt", {"prompt": [{"type": "text", "text": "x"}]}),
            await again.vote(asked["requestId"], ONCE),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.json()["code"] for answer in answers} == {"session_not_found"}
        cold = await again.load()
        assert (cold["attached"], cold["clientId"] == person.client_id) == (False, False)
        assert (await again.get(f"turns/{prompt_id}")).json()["code"] == "prompt_not_found"


async def test_the_partial_answer_is_gone_and_the_prompt_said_to_be_interrupted(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        person = await arrive(http)
        first = await person.say("PLAIN")
        prompt_id = await person.prompt("SLOW")
        partial = await person.until("agent_message_chunk", 2)
        assert partial["data"]["update"]["content"]["text"].startswith("word0 ")
    await daemons.kill()
    found, _ = await loaded(daemons, person)
    assert said(found) == [
        "user_message_chunk",
        "agent_message_chunk",
        "agent_message_chunk",
        "user_message_chunk",
    ]
    done, lost = found["promptTerminals"]
    assert (done["promptId"], done["terminal"]) == (first["promptId"], "completed")
    assert lost.pop("at")
    assert lost == {"v": 1, "promptId": prompt_id, "terminal": "interrupted", "code": "daemon_lost"}


async def test_with_another_in_the_queue_nothing_is_known_of_either(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        person = await arrive(http)
        await person.prompt("ASK1")
        await person.prompt("PLAIN")
        await person.asked()
    await daemons.kill()
    found, _ = await loaded(daemons, person)
    assert "promptTerminals" not in found
    assert [update["content"]["text"] for update in updates(found["compactedReplay"], "user_message_chunk")] == ["ASK1"]


async def test_an_open_question_has_failed_with_the_daemon(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        person = await arrive(http)
        await person.prompt("ASK1")
        await person.asked()
    await daemons.kill()
    found, _ = await loaded(daemons, person)
    assert said(found) == [
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


async def test_what_had_ended_is_as_it_was(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        person = await arrive(http)
        await person.prompt("ASK")
        await person.vote((await person.asked())["requestId"], ONCE, answers={"0": "Postgres", "1": "auth, search"})
        await person.until("turn_complete")
        live = await person.events()
    await daemons.kill()
    found, _ = await loaded(daemons, person)
    [before], [after] = updates(live, "tool_call"), updates(found["compactedReplay"], "tool_call_update")
    assert (after["rawOutput"], after["content"]) == (before["rawOutput"], before["content"])
    [words] = [u["content"]["text"] for u in updates(live, "agent_message_chunk") if "Done" in u["content"]["text"]]
    stored = [u["content"]["text"] for u in updates(found["compactedReplay"], "agent_message_chunk")]
    assert words in stored


async def test_an_old_cursor_is_told_that_it_is_one(daemons: Daemons) -> None:
    async with daemon(daemons.app) as http:
        person = await arrive(http)
        await person.say("PLAIN")
        old = await person.load()
    await daemons.kill()
    found, _ = await loaded(daemons, person)
    assert found["eventEpoch"] != old["eventEpoch"]
    ring = daemons.app.state.daemon.live[person.session_id].ring
    first = ring.subscribe(old["lastEventId"], old["eventEpoch"]).take()
    assert first.body["data"]["reason"] == "epoch_reset"
    reader = ring.subscribe(found["lastEventId"], found["eventEpoch"])
    assert [reader.take().body["type"] for _ in range(2)] == ["session_update", "replay_complete"]
