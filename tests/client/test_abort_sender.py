"""Aborts: each is sent until its turn is over, across lost connections and restarts, and never ends another turn."""

import asyncio
import functools
import inspect
import random
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import httpx
import pytest

from server_stub.domain.profiles import PROFILES
from server_stub.faults.kinds import parse
from tests.chaos.families import FAMILIES
from tests.chaos.stub_server import ELSEWHERE, StubServer
from tests.chaos.user import Sent, SimulatedUser
from tests.chaos.virtual_time import VirtualTime, run
from tests.waiting import MAX_WAIT, wait_until
from tui.core.changes import AbortProgress, Change, Notice
from tui.core.connection_status import ConnectionState
from tui.core.model import Message
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.errors import HttpStatusError

FLOOD = "FLOOD 300 5"
"""A turn of one minute."""
TOO_LATE_UNSENT = "The turn ended by itself before the abort reached the server."
BEHIND = AbortProgress("unsent", "the server is running an earlier prompt")

TestFunction = Callable[..., Coroutine[None, None, None]]


class AbortHarness:
    """A user whose client reaches the stub through a relay, and another client that reaches it directly."""

    def __init__(self, server: StubServer, profile: str, folder: Path) -> None:
        self.server = server
        self._abort = "cancel" if profile == "qwen" else "abort"
        self.user = SimulatedUser(server.port, FAMILIES[profile], random.Random(1), folder, "")
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=MAX_WAIT)
        self.notices: list[str] = []
        self.second_client = FAMILIES[profile].second_client(self.http)

    async def running(self, words: str = FLOOD) -> Sent:
        """A prompt of the user, once its answer has started."""
        before = set(self.user.sent)
        self.user.send(words, queued=False)
        (sent,) = [sent for token, sent in self.user.sent.items() if token not in before]
        await wait_until(lambda: self.answer_begun(sent), within=20, what="an answer")
        return sent

    def answer_begun(self, sent: Sent) -> bool:
        turn = sent.turn
        if turn is None or turn.state is TurnState.SENDING:
            return False
        return self.user.client.store.answer_to(turn.session_id, turn.prompt_id) is not None

    async def over(self, sent: Sent, within: float = 120.0) -> Turn:
        await wait_until(lambda: sent.turn is not None and sent.turn.over, within=within, what="the turn's end")
        assert sent.turn is not None
        return sent.turn

    def progress(self) -> AbortProgress | None:
        return self.user.client.aborts.progress(self.user.session_id)

    def aborts_sent(self) -> int:
        """The client's requests that abort something."""
        return sum(one.method == "POST" and one.path.endswith(("/abort", "/cancel")) for one in self.user.exchanges)

    @property
    def abort_route(self) -> str:
        return f"/session/{self.user.session_id}/{self._abort}"

    def newest_is_whole(self) -> bool:
        return self._is_whole(self._prompts()[-1:])

    def first_is_whole(self) -> bool:
        return self._is_whole(self._prompts()[:1])

    def _prompts(self) -> list[Message]:
        transcript = self.user.client.store.transcript(self.user.session_id)
        assert transcript is not None
        return [message for message in transcript.ordered() if message.role == "user"]

    def _is_whole(self, prompts: list[Message]) -> bool:
        store = self.user.client.store
        answers = [store.answer_to(prompt.session_id, prompt.id) for prompt in prompts]
        return any(answer is not None and answer.final and answer.failure is None for answer in answers)

    async def start_client(self) -> None:
        await self.user.start_client()
        self.user.client.subscribe(self._hear)

    def _hear(self, change: Change) -> None:
        if isinstance(change, Notice):
            self.notices.append(change.text)

    async def aborted_behind_another(self) -> Sent:
        """A prompt, sent and aborted while no event reported another client's turn; then events are sent again."""
        line = self.user.client.connection_status
        self.server.arm(parse("401=events"))
        self.user.relay.sever("reset", "events")
        await wait_until(lambda: line().state is ConnectionState.STOPPED, within=30, what="the stop")
        self.server.disarm_all()
        await self.second_client.send(self.user.session_id, f"FLOOD 100 5 {ELSEWHERE})")
        self.user.send(FLOOD, queued=False)
        await asyncio.sleep(0.1)
        self.user.abort()
        self.user.retry_now()
        (sent,) = self.user.sent.values()
        return sent

    async def lose_the_connection(self) -> None:
        """Lose the connection, and refuse new ones."""
        self.user.relay.refuse()
        self.user.relay.sever("reset")
        await wait_until(lambda: not self.user.client.connection_status().up, what="the loss")


def through_relay(test: TestFunction) -> Callable[..., None]:
    """Run a test on virtual time, with a connected client that has a session open."""

    @functools.wraps(test)
    def played(tmp_path: Path, profile: str, **given: object) -> None:
        async def main(loop: VirtualTime) -> None:
            server = StubServer(PROFILES[profile], time.time())
            server.start()
            folder = tmp_path / "journal"
            folder.mkdir()
            harness = AbortHarness(server, profile, folder)
            try:
                await harness.start_client()
                await test(harness, **given)
                assert harness.user.trouble == []
            finally:
                await harness.user.killed()
                for relay in harness.user.relays:
                    relay.close()
                await harness.http.aclose()
                await server.close()
            assert loop.broken == []

        run(main)

    names = [one for name, one in inspect.signature(test).parameters.items() if name != "harness"]
    mine = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("tmp_path", "profile")]
    played.__signature__ = inspect.Signature([*mine, *names])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("profile", ["opencode", "mimo", "qwen"])(played)


@through_relay
async def test_an_abort_during_a_stall_is_delivered_after_reconnecting(harness: AbortHarness) -> None:
    sent = await harness.running()
    harness.user.relay.stall()
    harness.user.abort()
    await asyncio.sleep(12)
    assert harness.progress() is not None
    harness.user.relay.sever("reset")
    harness.user.relay.flow()
    turn = await harness.over(sent, within=8)
    assert turn.state in (TurnState.ABORTED, TurnState.CANCELLED)
    assert harness.progress() is None


@through_relay
async def test_an_abort_while_disconnected_is_unsent_until_reconnected(harness: AbortHarness) -> None:
    sent = await harness.running()
    await harness.lose_the_connection()
    harness.user.abort()
    await asyncio.sleep(3)
    assert harness.progress() == AbortProgress("unsent", "no connection")
    assert harness.aborts_sent() == 0
    harness.user.relay.accept()
    turn = await harness.over(sent, within=15)
    assert turn.state in (TurnState.ABORTED, TurnState.CANCELLED)


@through_relay
async def test_an_abort_is_resent_after_a_restart_of_the_client(harness: AbortHarness) -> None:
    sent = await harness.running()
    await harness.lose_the_connection()
    harness.user.abort()
    await asyncio.sleep(1)
    await harness.user.killed()
    sent.turn = None
    await harness.start_client()
    turn = await harness.over(sent, within=15)
    assert turn.state in (TurnState.ABORTED, TurnState.CANCELLED)
    await wait_until(lambda: harness.user.client.journal.adopt_aborts() == [], what="the journal to forget it")


@through_relay
async def test_an_abort_of_another_clients_turn_survives_a_restart(harness: AbortHarness) -> None:
    await harness.second_client.send(harness.user.session_id, FLOOD)
    client = harness.user.client
    await wait_until(lambda: client.turns.is_running_in(harness.user.session_id), within=20, what="their turn")
    await harness.lose_the_connection()
    harness.user.abort()
    await harness.user.killed()
    await harness.start_client()
    client = harness.user.client
    await wait_until(lambda: client.connection_status().up, within=20, what="the line")
    await wait_until(lambda: not client.turns.is_running_in(harness.user.session_id), within=15, what="its end")
    assert [turn.state for turn in client.turns.of(harness.user.session_id)] == [TurnState.ABORTED]
    assert harness.aborts_sent() == 1


@through_relay
async def test_an_abort_never_ends_a_later_turn(harness: AbortHarness) -> None:
    """The turn ends and another client starts one while the connection is lost: that one continues."""
    sent = await harness.running("FLOOD 20 5")
    await harness.lose_the_connection()
    harness.user.abort()
    await asyncio.sleep(8)
    await harness.second_client.send(harness.user.session_id, FLOOD)
    await asyncio.sleep(1)
    harness.user.relay.accept()
    await wait_until(lambda: harness.user.client.connection_status().up, within=30, what="the connection")
    await wait_until(lambda: harness.progress() is None, within=30, what="the abort to be dropped")
    assert harness.aborts_sent() == 0
    assert harness.notices == [TOO_LATE_UNSENT]
    await harness.over(sent)

    await wait_until(harness.newest_is_whole, within=90, what="the whole of their answer")


@through_relay
async def test_a_prompt_sent_after_an_abort_is_posted_once_the_aborted_turn_is_over(harness: AbortHarness) -> None:
    sent = await harness.running()
    await harness.lose_the_connection()
    harness.user.abort()
    harness.user.send("PLAIN", queued=False)
    (later,) = [one for one in harness.user.sent.values() if one is not sent]
    await asyncio.sleep(1)
    harness.user.relay.accept()
    assert (await harness.over(later)).state is TurnState.FINISHED
    assert (await harness.over(sent)).state in (TurnState.ABORTED, TurnState.CANCELLED)


@through_relay
@pytest.mark.parametrize("fault", ["429={route},times=2", "cut={route},at=headers"])
async def test_an_abort_that_fails_or_is_not_acknowledged_is_retried_as_ours(harness: AbortHarness, fault: str) -> None:
    sent = await harness.running()
    harness.server.arm(parse(fault.format(route=harness.abort_route)))
    harness.user.abort()
    turn = await harness.over(sent, within=10)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "")


@through_relay
async def test_a_refused_abort_is_reported(harness: AbortHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = await harness.running()

    async def refuse(session_id: str) -> None:
        raise HttpStatusError(403, "Forbidden", "Not for you.")

    monkeypatch.setattr(harness.user.client._connection.backend(), "abort", refuse)
    harness.user.abort()
    await wait_until(lambda: harness.notices, what="a notice")
    assert harness.notices[0].startswith("The server refused the abort: ")
    assert harness.user.client.journal.adopt_aborts() == []
    assert harness.progress() is None
    assert sent.turn is not None
    assert (sent.turn.over, sent.turn.stops.abort_requested) == (False, False)


@through_relay
async def test_an_unauthorized_abort_is_sent_after_a_manual_retry(harness: AbortHarness) -> None:
    sent = await harness.running()
    harness.server.arm(parse(f"401={harness.abort_route},times=1"))
    harness.user.abort()
    await wait_until(lambda: stopped(harness.progress()), what="the abort to stop")
    harness.user.retry_now()
    assert (await harness.over(sent, within=10)).state is TurnState.ABORTED


def stopped(progress: AbortProgress | None) -> bool:
    return progress is not None and progress.state == "stopped"


@through_relay
async def test_another_clients_abort_is_attributed_to_it_while_ours_is_unsent(harness: AbortHarness) -> None:
    sent = await harness.running()
    await harness.lose_the_connection()
    harness.user.abort()
    await harness.second_client.abort(harness.user.session_id)
    harness.user.relay.accept()
    turn = await harness.over(sent, within=30)
    assert turn.reason != ""
    assert harness.aborts_sent() == 0


@through_relay
async def test_a_turn_finished_before_its_unsent_abort_pauses_the_queue(harness: AbortHarness) -> None:
    sent = await harness.running("FLOOD 20 5")
    harness.user.send("PLAIN", queued=True)
    await harness.lose_the_connection()
    harness.user.abort()
    await asyncio.sleep(8)
    harness.user.relay.accept()
    turn = await harness.over(sent)
    assert turn.state in (TurnState.FINISHED, TurnState.CANCELLED)
    assert harness.user.client.prompts.held(harness.user.session_id)
    await wait_until(lambda: harness.progress() is None, what="the abort to be dropped")
    assert harness.notices == ([TOO_LATE_UNSENT] if turn.state is TurnState.FINISHED else [])


@through_relay
async def test_an_abort_after_the_end_is_reported_as_too_late(
    harness: AbortHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await harness.running("FLOOD 20 5")

    async def take(session_id: str) -> None:
        """As on a server that accepts an abort of a just ended turn."""

    monkeypatch.setattr(harness.user.client._connection.backend(), "abort", take)
    harness.user.abort()
    assert (await harness.over(sent, within=30)).state is TurnState.FINISHED
    await wait_until(lambda: harness.notices, what="a notice")
    assert harness.notices == ["The turn ended by itself before it could be aborted."]


@through_relay
async def test_a_restarted_client_knows_that_its_abort_reached_the_server(
    harness: AbortHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await harness.running("FLOOD 20 5")

    async def take(session_id: str) -> None:
        """As on a server that accepts an abort and does not end the turn."""

    monkeypatch.setattr(harness.user.client._connection.backend(), "abort", take)
    harness.user.abort()
    await wait_until(lambda: harness.progress() == AbortProgress("delivered"), what="the abort")
    await harness.user.killed()
    sent.turn = None
    await asyncio.sleep(8)
    await harness.start_client()
    assert (await harness.over(sent, within=30)).state is TurnState.FINISHED
    await wait_until(lambda: harness.notices, what="a notice")
    assert harness.notices == ["The turn ended by itself before it could be aborted."]


@through_relay
async def test_a_prompt_written_after_an_abort_is_sent_when_the_turn_has_ended(harness: AbortHarness) -> None:
    sent = await harness.running()
    prompts, session_id = harness.user.client.prompts, harness.user.session_id
    harness.user.send("PLAIN before", queued=True)
    harness.user.abort()
    harness.user.send("PLAIN after", queued=True)
    assert (await harness.over(sent, within=30)).state is TurnState.ABORTED
    before, after = [*harness.user.sent.values()][1:]
    assert (await harness.over(after, within=30)).state is TurnState.FINISHED
    assert before.turn is None
    assert prompts.held(session_id) == "an earlier turn was aborted"


@through_relay
async def test_a_refused_abort_does_not_pause_the_queue(harness: AbortHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(session_id: str) -> None:
        raise HttpStatusError(403, "Forbidden", "Not for you.")

    monkeypatch.setattr(harness.user.client._connection.backend(), "abort", refuse)
    sent = await harness.running("FLOOD 20 5")
    harness.user.send("PLAIN", queued=True)
    harness.user.abort()
    await wait_until(lambda: harness.progress() is None, within=10, what="the refusal")
    assert harness.user.client.prompts.held(harness.user.session_id) == ""
    assert (await harness.over(sent, within=60)).state is TurnState.FINISHED
    later = [*harness.user.sent.values()][1]
    assert (await harness.over(later, within=30)).state is TurnState.FINISHED


@through_relay
async def test_a_prompt_aborted_before_posting_is_a_draft_and_does_not_block_others(harness: AbortHarness) -> None:
    """The abort waits for the server to show the prompt: the prompt must not wait for the abort."""
    harness.user.send("SLOW", queued=False)
    harness.user.abort()
    (sent,) = harness.user.sent.values()
    turn = await harness.over(sent, within=5)
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "you aborted it before the server received it")
    harness.user.send("PLAIN", queued=False)
    assert (await harness.over([*harness.user.sent.values()][1], within=15)).state is TurnState.FINISHED
    assert (harness.progress(), harness.aborts_sent(), len(harness.server.begun)) == (None, 0, 1)


@through_relay
async def test_a_lost_prompt_with_a_pending_abort_is_not_posted_again(harness: AbortHarness) -> None:
    harness.user.relay.stall("prompt")
    harness.user.send("SLOW", queued=False)
    await asyncio.sleep(1)
    harness.user.abort()
    harness.user.relay.sever("reset", "prompt")
    harness.user.relay.flow()
    (sent,) = harness.user.sent.values()
    assert (await harness.over(sent, within=30)).state is TurnState.NOT_SENT
    harness.user.send("PLAIN", queued=False)
    assert (await harness.over([*harness.user.sent.values()][1], within=15)).state is TurnState.FINISHED
    assert (harness.progress(), harness.aborts_sent(), len(harness.server.begun)) == (None, 0, 1)


@through_relay
async def test_an_abort_waits_for_the_end_of_an_earlier_untargeted_turn(harness: AbortHarness) -> None:
    """Another client's turn, not shown when the user aborted their own, which is queued after it."""
    client = harness.user.client
    sent = await harness.aborted_behind_another()
    if client.traits is not None and client.traits.queues_prompts:
        await wait_until(lambda: harness.progress() == BEHIND, within=10, what="the abort to wait")
    await harness.over(sent, within=60)
    await wait_until(harness.first_is_whole, within=60, what="the whole of their answer")
    assert [found for _, found in harness.server.aborted if ELSEWHERE in found] == []


@through_relay
async def test_a_repeated_abort_includes_the_earlier_turn(harness: AbortHarness) -> None:
    client = harness.user.client
    if client.traits is None or not client.traits.queues_prompts:
        return  # prompts are never queued during a turn there
    sent = await harness.aborted_behind_another()
    await wait_until(lambda: harness.progress() == BEHIND, within=10, what="the abort to wait")
    harness.user.abort()
    await wait_until(lambda: harness.server.aborted, within=5, what="the abort of their turn")
    assert ELSEWHERE in harness.server.aborted[0][1]
    assert (await harness.over(sent, within=30)).state is TurnState.ABORTED


@through_relay
async def test_a_prompt_that_the_server_never_starts_can_be_aborted(harness: AbortHarness) -> None:
    """It keeps the request open without running anything: if that lasts, an abort is sent nevertheless."""
    client = harness.user.client
    if client.traits is None or not client.traits.holds_post:
        return  # there it would be listed as running
    harness.server.arm(parse("wedged"))
    harness.user.send("SLOW", queued=False)
    await asyncio.sleep(10)
    harness.user.abort()
    harness.user.send("PLAIN", queued=False)
    sent, later = harness.user.sent.values()
    turn = await harness.over(sent, within=60)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "")
    assert harness.aborts_sent() == 1
    await wait_until(lambda: later.turn and not client.turns.waits_for_abort(later.turn), what="the next prompt")
