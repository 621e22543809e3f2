"""More open requests than the client stores: the others are fetched as those are answered by anyone."""

from collections.abc import Sequence

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.core import events as e
from tui.core.model import Busy, PermissionRequest
from tui.core.open_requests import OpenRequests


@on_virtual_time()
async def test_requests_over_the_limit_are_fetched_once_there_is_room(
    harness: ClientHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, session_id, asked = harness.client, harness.session_id, 0
    waiting = {f"per_{at}": PermissionRequest(f"per_{at}", session_id, "bash") for at in range(7)}
    monkeypatch.setattr(client.store, "_requests", OpenRequests(client.store._known.tree.lineage, kept=4))

    async def resync(directories: Sequence[str]) -> e.Resynced:
        nonlocal asked
        asked += 1
        return e.Resynced({session_id: Busy()}, tuple(waiting.values()))

    monkeypatch.setattr(client._connection.backend(), "resync", resync)
    client._apply(e.StatusChanged(session_id, Busy()))
    for request in waiting.values():
        client._apply(e.RequestOpened(request))
    assert (list(client.store.requests), client.store.requests_not_loaded) == (["per_0", "per_1", "per_2", "per_3"], 3)

    for answered in ("per_0", "per_1"):
        del waiting[answered]
        client._apply(e.PermissionReplied(session_id, answered, "once"))
    await harness.until(lambda: client.store.requests_not_loaded == 1, what="those beyond")
    assert list(client.store.requests) == ["per_2", "per_3", "per_4", "per_5"]
    assert asked == 1
