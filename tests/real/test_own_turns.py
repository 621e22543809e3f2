"""The client with a turn that a real `qwen serve` starts by itself, after an agent has worked in the background."""

from collections.abc import Awaitable, Callable

import pytest

from tests.contract_harness import ContractHarness, connected_harness
from tests.own_turns import SERVER_TURN_TESTS
from tests.real.server import RealServer
from tests.real.test_backend_contract import Killable

pytestmark = pytest.mark.real


@pytest.mark.parametrize("contract_test", SERVER_TURN_TESTS)
async def test_a_turn_started_by_the_server(
    contract_test: Callable[[ContractHarness], Awaitable[None]], qwen: RealServer
) -> None:
    async with connected_harness(Killable(qwen)) as harness:
        await contract_test(harness)
