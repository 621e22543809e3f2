"""Watches a server for alerts, for as long as the caller lets it."""

import asyncio
from collections.abc import Callable

from tui.api.alerts import LOST_AFTER, Alert, AlertFeed
from tui.api.errors import CannotConnect
from tui.client.client import Client
from tui.core import changes as c
from tui.core.connection_status import ConnectionState

RETRY_STOPPED_INTERVAL = 60.0
"""Seconds between two tries of a connection that needs the user: whoever watches is away."""


async def watch(
    client: Client,
    deliver: Callable[[Alert], None],
    *,
    on_notice: Callable[[c.Notice], None] = lambda notice: None,
    lost_after: float = LOST_AFTER,
) -> None:
    """Connect, and call `deliver` with each alert until cancelled; then close the client.

    Without a connection it is tried again for ever, except if the server refuses the first one. Raises
    `CannotConnect` then.
    """
    changed = asyncio.Event()
    feed = AlertFeed(client, deliver, lost_after=lost_after)

    def on_change(change: c.Change) -> None:
        feed.on_change(change)
        if isinstance(change, c.Notice):
            on_notice(change)
        elif isinstance(change, c.ConnectionChanged):
            changed.set()

    client.subscribe(on_change)
    client.start(adopt=False)
    was_synced = False
    try:
        while True:
            line = client.connection_status()
            was_synced = was_synced or client.synced
            if line.state is not ConnectionState.STOPPED:
                await changed.wait()
            elif was_synced:
                await asyncio.sleep(RETRY_STOPPED_INTERVAL)
                client.retry_now()
            else:
                raise CannotConnect(line.reason, line.hint)
            changed.clear()
    finally:
        feed.close()
        await client.close()
