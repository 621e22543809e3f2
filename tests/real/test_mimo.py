"""The client with a real MiMo Code, which answers only prompts whose id is above its newest answer."""

from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from tests.contract_harness import MAX_WAIT, connected_harness
from tests.real.server import RealServer
from tests.real.test_backend_contract import Killable
from tests.waiting import wait_until
from tui.client.client import Client
from tui.core.connection_status import ConnectionState
from tui.core.model import QuestionRequest
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.http_client import Http

pytestmark = pytest.mark.real

MANY = 50
SOON = 3.0
BY_ANOTHER = ["hello", "hello again"]


async def test_every_prompt_of_a_long_session_is_answered(mimo: RealServer) -> None:
    async with connected_harness(Killable(mimo)) as harness:
        for number in range(MANY):
            harness.prompt(f"prompt {number}")
            assert (await harness.over(f"prompt {number}")).state is TurnState.FINISHED
        await harness.matches_server()
        asked = [one.prompt for one in mimo.model_log()]
        assert [asked.count(f"prompt {number}") for number in range(MANY)] == [1] * MANY


async def test_prompts_in_another_clients_session_are_answered(mimo: RealServer) -> None:
    async with httpx.AsyncClient(base_url=mimo.address, timeout=30, trust_env=False) as http:
        session = (await http.post("/session", json={})).json()["id"]
        for text in BY_ANOTHER:
            body = {"parts": [{"type": "text", "text": text}]}
            assert (await http.post(f"/session/{session}/message", json=body)).json()["info"]["finish"] == "stop"
    async with connected_harness(Killable(mimo), session=session) as harness:
        harness.prompt("and mine")
        assert (await harness.over("and mine")).state is TurnState.FINISHED
        await harness.matches_server()
        assert len(harness.prompts()) == len(BY_ANOTHER) + 1


async def test_a_prompt_for_an_unknown_agent_is_soon_reported_as_not_sent(mimo: RealServer) -> None:
    """The server responds at once with an empty body; the reason is an event."""
    async with connected_harness(Killable(mimo)) as harness:
        client = harness.client
        await wait_until(lambda: client.connection_status().up)
        prompt = replace(client._connection.backend().new_prompt(harness.session_id, "hello"), agent="unknown-agent")
        began = client.now()
        turn = client.turns.send(prompt)
        await wait_until(lambda: turn.over, within=MAX_WAIT)
        assert (turn.state, "unknown-agent" in turn.reason) == (TurnState.NOT_SENT, True)
        assert client.now() - began < SOON


async def test_a_turn_runs_in_the_directory_of_its_session(mimo: RealServer) -> None:
    """The server itself uses the directory of the header, and lists requests only there."""
    below = mimo.project / "below"
    below.mkdir()
    async with connected_harness(Killable(mimo), directory=str(below)) as harness:
        harness.prompt("SHELL made")
        harness.client.reply(await harness.open_request(), "once")
        assert (await harness.over("SHELL made")).state is TurnState.FINISHED
        assert (below / "made").is_file()
        harness.prompt("SLOW")
        await harness.wait_for_word("word1")
        harness.client.abort(harness.session_id)
        assert (await harness.over("SLOW")).state is TurnState.ABORTED


async def test_a_session_outside_the_servers_directory_is_read_only(mimo_alone: RealServer, tmp_path: Path) -> None:
    home = mimo_alone.project
    mimo_alone.kill()
    mimo_alone.project = tmp_path  # shared state on disk, for servers started anywhere
    mimo_alone.restart()
    async with httpx.AsyncClient(base_url=mimo_alone.address, timeout=30, trust_env=False) as http:
        session = (await http.post("/session", json={})).json()["id"]
    mimo_alone.kill()
    mimo_alone.project = home
    mimo_alone.restart()
    async with connected_harness(Killable(mimo_alone), session=session) as harness:
        harness.prompt("SHELL made")
        turn = await harness.over("SHELL made")
        assert (turn.state, str(tmp_path) in turn.reason) == (TurnState.NOT_SENT, True)
        assert harness.client.connection_status().state is ConnectionState.LIVE
        await harness.matches_server()
    assert not (home / "made").exists()


async def test_a_directory_outside_the_servers_is_refused_with_a_hint(mimo: RealServer) -> None:
    client = Client(mimo.address, lambda user: Http(mimo.address), directory="/")
    client.start()
    try:
        await wait_until(
            lambda: client.connection_status().state is ConnectionState.STOPPED, within=MAX_WAIT, what="the refusal"
        )
        assert "MIMOCODE_SERVER_PASSWORD" in client.connection_status().hint
    finally:
        await client.close()


async def test_a_terminal_command_waits_for_its_output_from_the_user(mimo: RealServer) -> None:
    async with connected_harness(Killable(mimo)) as harness:
        harness.prompt("TTY name")
        harness.client.reply(await harness.open_request(), "once")
        waiting = harness.client.store.requests
        await harness.until(lambda: [one for one in waiting.values() if isinstance(one, QuestionRequest)], "it")
        await harness.cut()
        request = await harness.open_request()
        assert isinstance(request, QuestionRequest)
        assert request.session_id == harness.session_id
        harness.client.answer(request, (("Ada",),))
        assert (await harness.over("TTY name")).state is TurnState.FINISHED
        assert [one.output for one in harness.tools()] == ["Ada"]
        await harness.matches_server()


async def test_a_prompt_that_never_starts_is_reported_and_can_be_resent(
    mimo: RealServer,
) -> None:
    """Another client gave it an id of opencode's form, which is below the session's newest answer."""
    body = {"messageID": "msg_a0b1c2d3e4f5AbCdEfGhIjKlMn", "parts": [{"type": "text", "text": "old form"}]}
    async with (
        connected_harness(Killable(mimo)) as harness,
        httpx.AsyncClient(base_url=mimo.address, timeout=30, trust_env=False) as http,
    ):
        harness.prompt("hello")
        await harness.over("hello")
        await http.post(f"/session/{harness.session_id}/message", json=body)

        def ended() -> list[Turn]:
            seen = harness.client.turns.of(harness.session_id)
            return [turn for turn in seen if turn.prompt_id == body["messageID"] and turn.over]

        await harness.until(ended, "the end of their turn")
        [other_turn] = ended()
        assert other_turn.state is TurnState.INTERRUPTED
        assert other_turn.reason == "the server has the prompt but began no answer"
        harness.prompt("old form")
        assert (await harness.over("old form")).state is TurnState.FINISHED
        await harness.matches_server()
        assert len(harness.prompts()) == 3
