"""The contract of `Backend` on real servers; tests/backends/test_base.py tests it on the stub."""

import asyncio
from dataclasses import dataclass

import pytest

from tests.contract import CONTRACT, ContractTest
from tests.contract_harness import connected_harness
from tests.real.conftest import Serve
from tests.real.server import MIMO, OPENCODE, QWEN, Family, RealServer

pytestmark = pytest.mark.real


@dataclass(frozen=True, slots=True)
class Killable:
    """A real server for a contract test."""

    server: RealServer

    @property
    def port(self) -> int:
        return self.server.port

    def crash(self) -> None:
        self.server.kill()

    async def restart(self) -> None:
        await asyncio.to_thread(self.server.restart)


@pytest.mark.parametrize("contract_test", CONTRACT, ids=str)
@pytest.mark.parametrize("family", [OPENCODE, QWEN, MIMO], ids=lambda family: family.program)
async def test_contract(shared: Serve, alone: Serve, contract_test: ContractTest, family: Family) -> None:
    serve = alone if contract_test.alone else shared
    async with connected_harness(Killable(serve(family))) as harness:
        await contract_test.run_scenario(harness, None)
