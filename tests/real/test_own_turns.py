"""The client with a turn that a real `qwen serve` starts by itself, after an agent has worked in the background."""

from collections.abc import Awaitable, Callable

import pytest

from tests.contract_harness import Attached, attached
from tests.own_turns import STORIES
from tests.real.server import RealServer
from tests.real.test_walks import Killable

pytestmark = pytest.mark.real


@pytest.mark.parametrize("story", STORIES)
async def test_a_turn_started_by_the_server(story: Callable[[Attached], Awaitable[None]], qwen: RealServer) -> None:
    async with attached(Killable(qwen)) as here:
        await story(here)
