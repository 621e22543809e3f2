"""The background tasks of a client: `close` ends them all, and none begins after it."""

import asyncio

from tui.client.tasks import Tasks
from tui.core.changes import Change


async def test_no_task_begins_once_closed() -> None:
    emitted, begun = list[Change](), list[str]()
    tasks = Tasks(emitted.append)

    async def successor() -> None:
        begun.append("successor")

    async def first() -> None:
        begun.append("first")
        try:
            await asyncio.Event().wait()
        finally:
            tasks.spawn(successor())

    tasks.spawn(first())
    await asyncio.sleep(0)
    await tasks.close()
    late = tasks.spawn(successor())
    await asyncio.wait([late])
    assert (begun, emitted, late.cancelled()) == (["first"], [], True)
