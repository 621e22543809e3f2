"""The process of the agents is gone, as by SIGKILL: as measured on `qwen serve` 0.24.4."""

from typing import Any

import pytest

from server_stub.faults.kinds import parse
from server_stub.qwen.live_session import LiveSession
from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import Person, arrive, on_qwen, updates
from tests.waiting import wait_until

Json = dict[str, Any]

pytestmark = on_qwen


class Watched:
    """A session of which each event is kept, whatever becomes of it; `lose_agent` takes its agent away."""

    def __init__(self, stub: Stub, app: Any, person: Person) -> None:
        self.person = person
        self.lose_agent = app.state.daemon.lose_agent
        live: LiveSession = app.state.daemon.session(person.session_id)
        self._reader = live.ring.subscribe(0)

    def rest(self) -> list[Json]:
        """The events since the last look."""
        found: list[Json] = []
        while (event := self._reader.take()) is not None:
            found.append(event.body)
        return found

    @property
    def ended(self) -> bool:
        return self._reader.ended


@pytest.fixture
async def watched(stub: Stub, app: Any) -> Watched:
    return Watched(stub, app, await arrive(stub.http))


async def test_an_idle_session_dies_with_one_word(watched: Watched) -> None:
    await watched.person.say("PLAIN")
    watched.rest()
    watched.lose_agent()
    [died] = watched.rest()
    how = {"reason": "channel_closed", "exitCode": None, "signalCode": "SIGKILL"}
    assert (died["type"], died["data"]) == ("session_died", {"sessionId": watched.person.session_id, **how})
    assert watched.ended
    assert (await watched.person.get("status")).status_code == 404


async def test_what_runs_breaks_off_and_what_waits_is_begun_in_vain(watched: Watched) -> None:
    runs = await watched.person.prompt("ASK1")
    waits = await watched.person.prompt("PLAIN")
    await watched.person.asked()
    watched.rest()
    watched.lose_agent()
    said = watched.rest()
    assert [(event["type"], event.get("promptId")) for event in said] == [
        ("prompt_cancelled", runs),
        ("permission_resolved", runs),
        ("turn_error", runs),
        ("pending_prompt_started", waits),
        ("turn_error", waits),
        ("pending_prompt_completed", waits),
        ("session_died", None),
    ]
    where = watched.person.session_id
    assert said[2]["data"] == {
        "sessionId": where,
        "message": f"agent channel closed mid-request (session {where})",
        "promptId": runs,
    }
    assert said[4]["data"]["code"] == "session_not_found"


async def test_what_was_stored_is_loaded_again_and_what_waited_is_lost(watched: Watched) -> None:
    first = await watched.person.say("PLAIN")
    runs = await watched.person.prompt("ASK1")
    waits = await watched.person.prompt("THINK")
    await watched.person.asked()
    watched.lose_agent()
    loaded = await watched.person.load()
    assert (loaded["attached"], loaded["hasActivePrompt"]) == (False, False)
    stored = updates(loaded["compactedReplay"], "user_message_chunk")
    assert [update["_meta"]["promptId"] for update in stored] == [first["promptId"], runs]
    ends = [(one["promptId"], one["terminal"], one.get("code")) for one in loaded["promptTerminals"]]
    assert ends == [
        (first["promptId"], "completed", None),
        (runs, "error", None),
        (waits, "error", "session_not_found"),
    ]


async def test_what_the_dead_would_have_stored_is_not_stored(watched: Watched, app: Any) -> None:
    await watched.person.prompt("ASK1")
    await watched.person.asked()
    session = app.state.server.sessions[watched.person.session_id]
    watched.lose_agent()
    await wait_until(lambda: not app.state.agent.is_busy(session))
    loaded = await watched.person.load()
    [_, lost] = updates(loaded["compactedReplay"], "tool_call") + updates(loaded["compactedReplay"], "tool_call_update")
    assert (lost["status"], "missing from saved history" in str(lost["content"])) == ("failed", True)


async def test_the_fault_does_it(watched: Watched, app: Any) -> None:
    app.state.faults.arm(parse("died"))
    assert [event["type"] for event in watched.rest()][-1] == "session_died"
    assert app.state.daemon.live == {}
