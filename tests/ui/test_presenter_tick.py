"""The tick of each second updates ages and countdowns; everything else is drawn by the change that alters it."""

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
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


async def counted_second(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Let one second pass; returns the calls of what is expensive."""
    calls: Counter[str] = Counter()
    for owner, name in (
        (stage.client, "line"),
        (stage.main, "refresh_hints"),
        (stage.main.queue, "show_waiting"),
        (stage.main.turn_line, "show_text"),
        (stage.main.welcome, "show"),
    ):
        count_calls(monkeypatch, calls, owner, name)
    stage.second()
    stage.app.notifier.tick()
    await stage.settled()
    return calls


@pytest.mark.parametrize("session", [talk.SESSION, None])
async def test_an_idle_second_only_asks_for_the_connection_once(
    session: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_stage(session=session) as stage:
        stage.second()
        await stage.settled()
        assert await counted_second(stage, monkeypatch) == {"line": 1}


async def test_a_running_turn_is_timed_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.shows("turn 12:04")
        assert await counted_second(stage, monkeypatch) == {"line": 1, "show_text": 1}
        assert "turn 12:05" in stage.text


async def test_the_countdown_of_the_welcome_text_is_drawn_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(client=FakeClient(line=DOWN), session=None) as stage:
        await stage.shows("in 9s")
        stage.client._line = replace(DOWN, retry_in=8.0)
        assert await counted_second(stage, monkeypatch) == {"line": 1, "show": 1}
        await stage.shows("in 8s")


async def test_the_queue_shows_within_a_second_that_it_cannot_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage() as stage:
        stage.run_turn()
        stage.client.prompts.submit(talk.SESSION, "later")
        await stage.shows("waiting until the turn ends")
        for behind, why in ((True, "waiting until it can be saved"), (False, "waiting until the turn ends")):
            monkeypatch.setattr(type(stage.client.journal), "behind", behind)
            stage.second()
            await stage.shows(why)


@pytest.mark.parametrize(("before", "after"), [(120, 30), (30, 120)])
async def test_the_hints_fit_a_new_width_at_once(before: int, after: int) -> None:
    async with on_stage(size=(after, 30)) as stage:
        await stage.settled()
        wanted = stage.main.key_hints.text
    async with on_stage(size=(before, 30)) as stage:
        await stage.pilot.resize_terminal(after, 30)
        await stage.settled()
        assert stage.main.key_hints.text == wanted


async def test_the_undone_prompts_are_counted_when_the_messages_arrive() -> None:
    async with on_stage() as stage:
        session = replace(talk.session(), undone_from=talk.PROMPT)
        stage.client.feed(e.SessionUpserted(session))
        await stage.settled()
        stage.client.feed(*talk.prompt())
        await stage.shows("1 prompt and what followed is undone")


async def test_the_title_follows_changes_without_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    async with on_stage() as stage:
        monkeypatch.setattr(stage.app.terminal, "show_title", titles.append)
        stage.client.set_line(LIVE)
        stage.client.set_line(DOWN)
        await stage.until(lambda: titles[-1:] == ["connection lost"], "the title tells it")
