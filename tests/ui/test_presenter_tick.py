"""The tick of each second updates ages and countdowns; everything else is drawn by the change that alters it."""

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.fake_client import LIVE, FakeClient
from tui.core import events as e
from tui.core.connection_status import ConnectionState, ConnectionStatus

DOWN = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=9.0, reason="connection reset")


def count_calls(monkeypatch: pytest.MonkeyPatch, calls: Counter[str], owner: object, name: str) -> None:
    """Count the calls of a method from now on."""
    method = getattr(owner, name)

    def counted(*args: Any, **options: Any) -> object:
        calls[name] += 1
        return method(*args, **options)

    monkeypatch.setattr(owner, name, counted)


async def counted_second(harness: AppHarness, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Let one second pass; returns the calls of what is expensive."""
    calls: Counter[str] = Counter()
    for owner, name in (
        (harness.client, "connection_status"),
        (harness.main, "refresh_hints"),
        (harness.main.queue, "show_waiting"),
        (harness.main.turn_line, "show_text"),
        (harness.main.welcome, "show"),
    ):
        count_calls(monkeypatch, calls, owner, name)
    harness.second()
    harness.app.notifier.tick()
    await harness.settled()
    return calls


@pytest.mark.parametrize("session", [sample.SESSION, None])
async def test_an_idle_second_only_asks_for_the_connection_once(
    session: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app_harness(session=session) as harness:
        harness.second()
        await harness.settled()
        assert await counted_second(harness, monkeypatch) == {"connection_status": 1}


async def test_a_running_turn_is_timed_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.shows("turn 12:04")
        assert await counted_second(harness, monkeypatch) == {"connection_status": 1, "show_text": 1}
        assert "turn 12:05" in harness.text


async def test_the_countdown_of_the_welcome_text_is_drawn_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_harness(client=FakeClient(line=DOWN), session=None) as harness:
        await harness.shows("in 9s")
        harness.client._line = replace(DOWN, retry_in=8.0)
        assert await counted_second(harness, monkeypatch) == {"connection_status": 1, "show": 1}
        await harness.shows("in 8s")


async def test_the_queue_shows_within_a_second_that_it_cannot_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_harness() as harness:
        harness.run_turn()
        harness.client.prompts.submit(sample.SESSION, "later")
        await harness.shows("waiting until the turn ends")
        for behind, why in ((True, "waiting until it can be saved"), (False, "waiting until the turn ends")):
            monkeypatch.setattr(type(harness.client.journal), "behind", behind)
            harness.second()
            await harness.shows(why)


@pytest.mark.parametrize(("before", "after"), [(120, 30), (30, 120)])
async def test_the_hints_fit_a_new_width_at_once(before: int, after: int) -> None:
    async with app_harness(size=(after, 30)) as harness:
        await harness.settled()
        wanted = harness.main.key_hints.text
    async with app_harness(size=(before, 30)) as harness:
        await harness.pilot.resize_terminal(after, 30)
        await harness.settled()
        assert harness.main.key_hints.text == wanted


async def test_the_undone_prompts_are_counted_when_the_messages_arrive() -> None:
    async with app_harness() as harness:
        session = replace(sample.session(), undone_from=sample.PROMPT)
        harness.client.feed(e.SessionUpserted(session))
        await harness.settled()
        harness.client.feed(*sample.prompt())
        await harness.shows("1 prompt and what followed is undone")


async def test_the_title_follows_changes_without_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    async with app_harness() as harness:
        monkeypatch.setattr(harness.app.terminal, "show_title", titles.append)
        harness.client.set_line(LIVE)
        harness.client.set_line(DOWN)
        await harness.until(lambda: titles[-1:] == ["connection lost"], "the title tells it")
