from itertools import pairwise

from server_stub.domain.agent import Agent
from server_stub.domain.state import ServerState
from tests.server_stub.scenarios.test_catalog import answer_text, run_catalog


async def test_seeded_messages_precede_the_prompt_alternately(agent: Agent, server: ServerState) -> None:
    session, answer = await run_catalog(agent, server, "PAST 4")
    *past, prompt, last = session.ordered()
    assert [(message.info["role"], answer_text(message)[:9]) for message in past] == [
        ("user", "Message 0"),
        ("assistant", "Message 1"),
        ("user", "Message 2"),
        ("assistant", "Message 3"),
    ]
    assert [late.info.get("parentID") for _, late in list(pairwise(past))[::2]] == [
        early.info["id"] for early in past[::2]
    ]
    assert answer_text(prompt) == "PAST 4"
    assert last is answer
