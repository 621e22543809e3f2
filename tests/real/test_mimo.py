"""The client on a real MiMo Code, which answers only prompts whose id lies above its newest answer."""

import httpx
import pytest

from tests.attached import attached
from tests.real.server import RealServer
from tests.real.test_walks import Killable
from tui.core.turn import TurnState

pytestmark = pytest.mark.real

MANY = 50
BY_ANOTHER = ["hello", "hello again"]


async def test_every_prompt_of_a_long_session_is_answered(mimo: RealServer) -> None:
    async with attached(Killable(mimo)) as here:
        for number in range(MANY):
            here.prompt(f"prompt {number}")
            assert (await here.over(f"prompt {number}")).state is TurnState.FINISHED
        await here.is_true()
        asked = [one.prompt for one in mimo.model_log()]
        assert [asked.count(f"prompt {number}") for number in range(MANY)] == [1] * MANY


async def test_prompts_in_a_session_that_another_client_began_are_answered(mimo: RealServer) -> None:
    async with httpx.AsyncClient(base_url=mimo.address, timeout=30, trust_env=False) as http:
        session = (await http.post("/session", json={})).json()["id"]
        for text in BY_ANOTHER:
            body = {"parts": [{"type": "text", "text": text}]}
            assert (await http.post(f"/session/{session}/message", json=body)).json()["info"]["finish"] == "stop"
    async with attached(Killable(mimo), session=session) as here:
        here.prompt("and mine")
        assert (await here.over("and mine")).state is TurnState.FINISHED
        await here.is_true()
        assert len(here.prompts()) == len(BY_ANOTHER) + 1
