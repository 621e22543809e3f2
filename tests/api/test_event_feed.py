"""What is looked at for each change."""

from types import SimpleNamespace
from typing import cast

from tui.api.event_feed import EventFeed
from tui.client.client import Client
from tui.core.changes import RequestsChanged, SessionsChanged


def test_requests_are_looked_at_when_they_change_and_not_for_each_session() -> None:
    looked_at = 0

    class Requests(dict[str, object]):
        def values(self) -> list[object]:  # type: ignore[override]
            nonlocal looked_at
            looked_at += 1
            return []

    client = cast(Client, SimpleNamespace(store=SimpleNamespace(requests=Requests())))
    feed = EventFeed(client, lambda event: None)
    for number in range(1_000):
        feed.on_change(SessionsChanged(f"ses_{number}"))
    assert looked_at == 0
    feed.on_change(RequestsChanged())
    assert looked_at == 1
