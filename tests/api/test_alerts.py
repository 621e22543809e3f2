"""Alerts of a client on each stub profile: each request, end and lost connection is reported once."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from server_stub.domain.profiles import PROFILES
from tests.client_harness import ClientHarness, on_virtual_time
from tui.api.alerts import LOST_AFTER, Alert, AlertFeed
from tui.api.request_policy import send_reply
from tui.api.values import ConnectionEvent, EndEvent, Reply, ReplyEvent, RequestEvent
from tui.client.client import Client
from tui.core.model import FullMessage, Idle

all_profiles = pytest.mark.parametrize("profile", list(PROFILES))


class Watching:
    """A client that watches, and another one at the same server."""

    def __init__(self, harness: ClientHarness) -> None:
        self.harness = harness
        self.alerts: list[Alert] = []
        self.feed = AlertFeed(harness.client, self.alerts.append)
        harness.client.subscribe(self.feed.on_change)
        harness.client.start(adopt=False)

    async def synced(self) -> None:
        await self.harness.until(lambda: self.harness.synced, within=60)

    async def prompt(self, text: str) -> None:
        """Start a turn as another client."""
        asked = {"title": text, "sessionScope": "thread", "approvalMode": "default"}  # the last two are qwen's
        made = (await self.harness.http.post("/session", json=asked)).raise_for_status().json()
        parts = [{"type": "text", "text": text}]
        if "sessionId" in made:
            where, body = f"/session/{made['sessionId']}/prompt", {"prompt": parts}
        else:
            where, body = f"/session/{made['id']}/prompt_async", {"parts": parts}
        (await self.harness.http.post(where, json=body)).raise_for_status()

    def summaries(self) -> list[str]:
        return [one.summary for one in self.alerts]

    async def until(self, condition: Callable[[], object]) -> None:
        await self.harness.until(condition, within=120, what=str(self.summaries()))

    async def count(self, number: int) -> None:
        await self.until(lambda: len(self.alerts) >= number)

    async def rest(self) -> None:
        """Wait long enough for anything that would be told twice."""
        await asyncio.sleep(4 * LOST_AFTER)


@all_profiles
@on_virtual_time(connected=False)
async def test_turn_of_another_client_is_told_once_when_it_ends(harness: ClientHarness, profile: str) -> None:
    watching = Watching(harness)
    await watching.synced()
    await watching.prompt("TOOLS")
    await watching.count(1)
    await watching.rest()
    assert watching.summaries() == ["TOOLS: turn finished"]
    event = watching.alerts[0].event
    assert isinstance(event, EndEvent)
    assert (event.result.outcome, event.result.final.strip()) == ("finished", "Done. The tests pass.")
    watching.feed.close()


@all_profiles
@on_virtual_time(connected=False)
async def test_request_is_told_when_it_opens_and_closes(harness: ClientHarness, profile: str) -> None:
    watching = Watching(harness)
    await watching.synced()
    await watching.prompt("ASK1")
    await watching.count(1)
    opened = watching.alerts[0].event
    assert isinstance(opened, RequestEvent)
    assert watching.alerts[0].summary.endswith("needs your answer: Which database?")
    harness.client.restart_line()
    await watching.until(lambda: not harness.synced)
    await watching.synced()
    request = await harness.request()
    send_reply(harness.client, request, Reply(answers=(("SQLite",),)))
    await watching.count(3)
    await watching.rest()
    closed, ended = (one.event for one in watching.alerts[1:])
    assert isinstance(closed, ReplyEvent)
    assert (closed.record.request.id, closed.record.state) == (opened.request.id, "answered")
    assert closed.record.reply == Reply(answers=(("SQLite",),))
    assert isinstance(ended, EndEvent)
    assert ended.result.outcome == "finished"
    watching.feed.close()


@all_profiles
@on_virtual_time(connected=False)
async def test_what_happens_during_an_outage_is_told_once_afterwards(harness: ClientHarness, profile: str) -> None:
    watching = Watching(harness)
    await watching.prompt("ASK1")
    await watching.count(1)
    harness.arm("502=all,times=always")
    harness.client.restart_line()
    await watching.until(lambda: any(isinstance(one.event, ConnectionEvent) for one in watching.alerts))
    harness.server.disarm_all()
    await watching.prompt("SHELL made.txt")  # before the next attempt to connect
    assert not harness.synced
    await watching.until(lambda: sum(isinstance(one.event, RequestEvent) for one in watching.alerts) == 2)
    await watching.rest()
    kinds = [type(one.event) for one in watching.alerts]
    assert kinds.count(RequestEvent) == 2
    states = [one.event.state for one in watching.alerts if isinstance(one.event, ConnectionEvent)]
    assert states == ["lost", "live"]
    watching.feed.close()


@on_virtual_time(connected=False)
async def test_planned_end_of_the_event_stream_is_not_told(harness: ClientHarness) -> None:
    watching = Watching(harness)
    await watching.synced()
    for _ in range(5):
        harness.arm("cut")
        await watching.until(lambda: not harness.synced)
        await watching.synced()
    await watching.rest()
    assert watching.alerts == []
    watching.feed.close()


@on_virtual_time(connected=False)
async def test_server_that_is_down_from_the_start_is_told_and_its_return(harness: ClientHarness) -> None:
    harness.server.crash()
    watching = Watching(harness)
    await watching.count(1)
    assert watching.summaries() == ["connection lost: cannot connect: connection refused"]
    harness.server.start()
    await watching.count(2)
    assert watching.summaries()[1] == "connection restored"
    watching.feed.close()


@all_profiles
@on_virtual_time(connected=False)
async def test_failure_and_rejection_have_their_outcome(harness: ClientHarness, profile: str) -> None:
    watching = Watching(harness)
    await watching.synced()
    await watching.prompt("FAIL 401")
    await watching.count(1)
    await watching.prompt("SHELL made.txt")
    request = await harness.request()
    send_reply(harness.client, request, Reply(permission="reject"))
    await watching.until(lambda: sum(isinstance(one.event, EndEvent) for one in watching.alerts) == 2)
    await watching.rest()
    outcomes = [one.event.result.outcome for one in watching.alerts if isinstance(one.event, EndEvent)]
    assert outcomes == ["failed", "denied"]
    watching.feed.close()


async def test_ends_of_many_sessions_are_fetched_one_after_the_other() -> None:
    under_way, most, fetched = 0, 0, list[str]()

    async def newest_messages(session_id: str) -> tuple[FullMessage, ...]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        fetched.append(session_id)
        return ()

    store = SimpleNamespace(status=lambda session_id: Idle())
    client = cast(Client, SimpleNamespace(newest_messages=newest_messages, store=store))
    feed = AlertFeed(client, lambda alert: None)
    for _ in range(3):
        for number in range(50):
            feed._look_for_end(f"ses_{number}", was_busy=False)
    assert feed._fetching is not None
    await feed._fetching
    assert (most, len(fetched)) == (1, 50)
    feed.close()
