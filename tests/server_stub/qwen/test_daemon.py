"""When sessions are closed; the rules and the thirty minutes are those of `qwen serve` 0.24.4."""

import pytest

from server_stub.domain.agent import Agent
from server_stub.domain.api_errors import ApiError
from server_stub.domain.profiles import QWEN
from server_stub.domain.state import ServerState
from server_stub.qwen.daemon import IDLE_MS, Daemon
from server_stub.qwen.live_session import LiveSession
from server_stub.scenarios.catalog import choose
from tests.server_stub.conftest import HERE, InstantClock
from tests.waiting import wait_until


@pytest.fixture
def daemon(clock: InstantClock) -> Daemon:
    server = ServerState(QWEN, clock, HERE)
    return Daemon(server, Agent(server, lambda text: choose(text, "plain")))


def opened(daemon: Daemon) -> LiveSession:
    return daemon.create(shared=False, session_id=None, mode=None, client_id=None).live


def is_alive(daemon: Daemon, live: LiveSession) -> bool:
    daemon.reap()
    return daemon.live.get(live.id) is live


async def test_a_session_is_reaped_after_thirty_idle_minutes(daemon: Daemon, clock: InstantClock) -> None:
    live = opened(daemon)
    reader = live.ring.subscribe()
    live.ring.unsubscribe(reader)
    clock.moment += IDLE_MS - 1
    assert is_alive(daemon, live)
    clock.moment += 1
    assert not is_alive(daemon, live)
    with pytest.raises(ApiError):
        daemon.session(live.id)


async def test_reaping_publishes_the_reason(daemon: Daemon, clock: InstantClock) -> None:
    live = opened(daemon)
    clock.moment += IDLE_MS
    daemon.reap()
    closed = live.ring.replay.live_journal()[-1]
    assert (closed["type"], closed["data"]) == (
        "session_closed",
        {"sessionId": live.id, "reason": "idle_timeout"},
    )


async def test_any_heartbeat_resets_the_idle_time(daemon: Daemon, clock: InstantClock) -> None:
    live = opened(daemon)
    clock.moment += IDLE_MS - 1
    daemon.clients.record_heartbeat(live.id, None, clock.now())
    clock.moment += IDLE_MS - 1
    assert is_alive(daemon, live)
    clock.moment += 1
    assert not is_alive(daemon, live)


async def test_an_open_stream_keeps_it_live(daemon: Daemon, clock: InstantClock) -> None:
    live = opened(daemon)
    reader = live.ring.subscribe()
    clock.moment += 10 * IDLE_MS
    assert is_alive(daemon, live)
    live.ring.unsubscribe(reader)
    assert not is_alive(daemon, live)


async def test_a_prompt_keeps_it_live_and_its_end_resets_the_idle_time(daemon: Daemon, clock: InstantClock) -> None:
    live = opened(daemon)
    live.prompts.accept([{"type": "text", "text": "ASK1"}], None)
    await wait_until(lambda: live.interactions)
    clock.moment += 10 * IDLE_MS
    assert is_alive(daemon, live)
    live.cancel()
    await wait_until(lambda: not live.prompts.pending)
    assert is_alive(daemon, live)
    clock.moment += IDLE_MS
    assert not is_alive(daemon, live)


async def test_reaping_runs_periodically(daemon: Daemon, clock: InstantClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server_stub.qwen.daemon.REAP_SECONDS", 0.01)
    live = opened(daemon)
    clock.moment += IDLE_MS
    await wait_until(lambda: live.id not in daemon.live)


async def test_a_reaped_session_can_be_loaded(daemon: Daemon, clock: InstantClock) -> None:
    live = opened(daemon)
    live.prompts.accept([{"type": "text", "text": "PLAIN"}], None)
    await wait_until(lambda: not live.prompts.pending)
    clock.moment += IDLE_MS
    assert not is_alive(daemon, live)
    attached = daemon.load(live.id, None)
    assert (attached.was_live, attached.live is live) == (False, False)
