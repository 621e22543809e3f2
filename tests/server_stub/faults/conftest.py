"""Faults on a real socket, on virtual time: no limit is missed because the machine is slow."""

from tests.chaos.virtual_time import loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

pytest_asyncio_loop_factories = loop_factories
