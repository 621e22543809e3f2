"""At any moment a prompt is in exactly one of: the draft, the queue, in flight."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.fake_ports import FakeServer, fake_ports
from tests.fake_time import FakeTime
from tests.storage.test_journal_file import held
from tui.backends.base import Traits
from tui.client.pending_aborts import PendingAbort, PendingAborts
from tui.client.prompt_dispatcher import NotFetched, PromptDispatcher
from tui.client.prompt_options import PromptOptions
from tui.client.prompt_queue import PromptQueue
from tui.client.resync import Fetching
from tui.client.turn_outcomes import TurnOutcomes
from tui.client.turns import TurnTracker
from tui.core import events as e
from tui.core.changes import Change, DraftReturned, QueueChanged, ReturnedPromptFound
from tui.core.model import Busy, Idle, Prompt, Session
from tui.core.store import Store
from tui.core.turn import Turn
from tui.core.turn_inputs import PostNotSent, PostRefused
from tui.core.turn_state import TurnState
from tui.net.errors import NetError
from tui.storage.journal import Journal


class Minting:
    """The part of the backend that prompts need: it assigns ids."""

    def __init__(self) -> None:
        self.count = 0
        self.traits = Traits("any", accepts_client_ids=False)

    def new_prompt(self, session_id: str, text: str) -> Prompt:
        self.count += 1
        return Prompt(session_id, text, f"msg_{self.count}", f"prt_{self.count}")


class Running:
    """The part of the turn tracker that prompts need."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.recovered: list[Prompt] = []

    def send(self, prompt: Prompt) -> Turn:
        self.turns.append(Turn.begin(prompt, 0.0))
        return self.turns[-1]

    def recover(self, prompt: Prompt) -> None:
        self.recovered.append(prompt)

    def is_running_in(self, session_id: str) -> bool:
        return any(turn.session_id == session_id and not turn.over for turn in self.turns)


class DispatcherHarness:
    """A prompt dispatcher with its dependencies."""

    def __init__(self, folder: Path) -> None:
        self.store = Store()
        self.journal = Journal(folder, "http://127.0.0.1:4096", wall=lambda: 1.0)
        self.turns = Running()
        self.changes: list[Change] = []
        self.backend = Minting()
        self.server = FakeServer(self.backend, FakeTime())
        self.fetched: list[str] = []
        queue, self.aborts = PromptQueue(self.journal), PendingAborts()
        self.outcomes = TurnOutcomes(self.journal, queue, self.aborts, self.changes.append)
        self.prompts = PromptDispatcher(
            self.store,
            self.journal,
            queue,
            cast(TurnTracker, self.turns),
            PromptOptions(self.store, self.server),
            cast(Fetching, SimpleNamespace(fetch=lambda session_id, then: self.fetched.append(session_id))),
            fake_ports(self.server, FakeTime(), emit=self.changes.append),
        )

    def sent(self) -> list[str]:
        return [turn.prompt.text for turn in self.turns.turns if turn.prompt is not None]

    def waiting(self) -> list[str]:
        return [queued.text for queued in self.prompts.waiting("ses_1")]

    def end(self, how: PostNotSent | PostRefused) -> None:
        turn = self.turns.turns[-1]
        turn.receive(how, 1.0)
        self.outcomes.on_turn_ended(turn)


@pytest.fixture
def harness(tmp_path: Path) -> DispatcherHarness:
    return DispatcherHarness(tmp_path / "state")


def left(harness: DispatcherHarness, tmp_path: Path) -> tuple[str, list[str], list[str]]:
    """Where the journal has prompts after this client has exited: draft, queue, in flight."""
    harness.journal.close()
    heir = Journal(tmp_path / "state", "http://127.0.0.1:4096", wall=lambda: 2.0)
    places = (
        heir.draft("ses_1"),
        [queued.text for queued in heir.adopt_queue()],
        [prompt.text for prompt in heir.adopt_flights()],
    )
    heir.close()
    return places


def test_a_prompt_for_an_idle_session_is_sent_at_once(harness: DispatcherHarness, tmp_path: Path) -> None:
    harness.journal.save_draft("ses_1", "do it")
    harness.prompts.submit("ses_1", "do it")
    assert (harness.sent(), harness.waiting()) == (["do it"], [])
    assert left(harness, tmp_path) == ("", [], ["do it"])


def test_prompts_for_a_busy_session_are_queued_and_sent_one_by_one(harness: DispatcherHarness, tmp_path: Path) -> None:
    harness.store.apply(e.StatusChanged("ses_1", Busy()))
    harness.prompts.submit("ses_1", "one")
    harness.prompts.submit("ses_1", "two")
    assert (harness.sent(), harness.waiting()) == ([], ["one", "two"])
    harness.store.apply(e.StatusChanged("ses_1", Idle()))
    harness.prompts.dispatch_ready()
    harness.prompts.dispatch_ready()
    assert (harness.sent(), harness.waiting()) == (["one"], ["two"])
    assert left(harness, tmp_path) == ("", ["two"], ["one"])


def test_prompts_are_queued_while_disconnected(harness: DispatcherHarness) -> None:
    harness.server.synced = False
    harness.prompts.submit("ses_1", "one")
    assert harness.waiting() == ["one"]
    harness.server.synced = True
    harness.prompts.dispatch_ready()
    assert harness.sent() == ["one"]


def test_a_prompt_sent_now_skips_the_queue(harness: DispatcherHarness) -> None:
    harness.store.apply(e.StatusChanged("ses_1", Busy()))
    harness.prompts.send_now("ses_1", "left, not right")
    assert harness.sent() == ["left, not right"]
    harness.prompts.submit("ses_1", "later")
    harness.prompts.send_queued_now(harness.prompts.waiting("ses_1")[0].id)
    assert harness.sent() == ["left, not right", "later"]


def test_an_undelivered_prompt_is_a_draft_again(harness: DispatcherHarness, tmp_path: Path) -> None:
    harness.prompts.submit("ses_1", "do it")
    harness.end(PostNotSent("connection refused"))
    assert DraftReturned("ses_1", "do it", "connection refused") in harness.changes
    assert left(harness, tmp_path) == ("do it", [], [])


def test_an_abnormal_end_pauses_the_queue_until_the_user_decides(harness: DispatcherHarness) -> None:
    harness.prompts.submit("ses_1", "one")
    harness.prompts.submit("ses_1", "two")
    harness.end(PostRefused("busy (409)"))
    harness.prompts.dispatch_ready()
    assert harness.waiting() == ["two"]
    assert harness.prompts.held("ses_1") == "an earlier prompt was not sent", "true when later ones were, too"
    harness.prompts.release("ses_1")
    assert harness.sent() == ["one", "two"]


def abort(harness: DispatcherHarness, outcome: TurnState) -> None:
    """An abort of the newest turn was sent, with this result."""
    turn = harness.turns.turns[-1]
    turn.state = outcome
    harness.aborts.by_session["ses_1"] = PendingAbort("ses_1", [turn], fresh=False)
    harness.outcomes.on_turn_ended(turn)


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (TurnState.ABORTED, "an earlier turn was aborted"),
        (TurnState.NOT_SENT, "an earlier prompt was not sent"),
        (TurnState.FINISHED, "an earlier turn finished before it could be aborted"),
    ],
)
def test_an_abort_pauses_only_prompts_queued_before_it(
    harness: DispatcherHarness, outcome: TurnState, why: str
) -> None:
    """Text written after an abort is meant for the time after the aborted turn."""
    for text in ("one", "two"):
        harness.prompts.submit("ses_1", text)
    harness.prompts.hold_for_abort("ses_1")
    assert harness.prompts.held("ses_1") == "you aborted the turn before it"
    for text in ("three", "four"):
        harness.prompts.submit("ses_1", text)
    assert (harness.sent(), harness.waiting()) == (["one"], ["three", "four", "two"])
    abort(harness, outcome)
    harness.prompts.dispatch_ready()
    assert (harness.sent(), harness.waiting()) == (["one", "three"], ["four", "two"])
    assert harness.prompts.held("ses_1") == why


def test_prompts_resumed_during_an_abort_are_sent_after_the_turn(harness: DispatcherHarness) -> None:
    for text in ("one", "two"):
        harness.prompts.submit("ses_1", text)
    harness.prompts.hold_for_abort("ses_1")
    harness.prompts.release("ses_1")
    abort(harness, TurnState.ABORTED)
    harness.prompts.dispatch_ready()
    assert harness.sent() == ["one", "two"]


def test_a_queued_copy_is_paused_once_the_server_has_the_prompt(harness: DispatcherHarness) -> None:
    harness.prompts.submit("ses_1", "do it")
    harness.end(PostRefused("no data for 10 s"))
    harness.server.synced = False
    harness.prompts.submit("ses_1", "do it")
    harness.prompts.submit("ses_1", "and then")
    prompt = harness.turns.turns[0].prompt
    assert prompt is not None
    harness.outcomes.on_returned_prompt_found(prompt)
    harness.server.synced = True
    harness.prompts.dispatch_ready()
    assert (harness.sent(), harness.waiting()) == (["do it", "and then"], ["do it"])
    assert harness.prompts.held("ses_1") == "the server has this prompt already"
    assert ReturnedPromptFound("ses_1", "do it") in harness.changes


def undo(harness: DispatcherHarness, message_id: str) -> None:
    harness.store.apply(e.SessionUpserted(Session("ses_1", "", "/", undone_from=message_id)))


def test_sending_the_queue_does_not_remove_another_clients_undone_messages(harness: DispatcherHarness) -> None:
    harness.store.apply(e.StatusChanged("ses_1", Busy()))
    harness.prompts.submit("ses_1", "one")
    harness.prompts.submit("ses_1", "two")
    undo(harness, "msg_1")
    harness.store.apply(e.StatusChanged("ses_1", Idle()))
    harness.prompts.dispatch_ready()
    assert harness.sent() == []
    assert harness.prompts.held("ses_1") == "another client undid a prompt; sending removes it permanently"
    harness.prompts.release("ses_1")
    assert harness.sent() == ["one"]


def test_a_prompt_written_after_an_undo_is_sent(harness: DispatcherHarness) -> None:
    undo(harness, "msg_1")
    harness.prompts.submit("ses_1", "one")
    assert harness.sent() == ["one"]


def test_a_new_prompt_is_sent_before_paused_ones_without_resuming_them(harness: DispatcherHarness) -> None:
    harness.prompts.submit("ses_1", "one")
    harness.prompts.submit("ses_1", "two")
    harness.end(PostRefused("busy (409)"))
    harness.prompts.submit("ses_1", "three")
    harness.prompts.submit("ses_1", "four")
    assert (harness.sent(), harness.waiting()) == (["one", "three"], ["four", "two"])
    assert [harness.prompts.is_held(queued.id) for queued in harness.prompts.waiting("ses_1")] == [False, True]


def test_resuming_for_one_reason_leaves_prompts_paused_for_another(harness: DispatcherHarness) -> None:
    harness.prompts.submit("ses_1", "one")
    harness.prompts.submit("ses_1", "two")
    harness.end(PostRefused("busy (409)"))
    harness.store.apply(e.StatusChanged("ses_1", Busy()))
    harness.prompts.submit("ses_1", "three")
    harness.prompts.hold("ses_1", "being changed")
    harness.store.apply(e.StatusChanged("ses_1", Idle()))
    harness.prompts.dispatch_ready()
    assert harness.sent() == ["one"]
    harness.prompts.release("ses_1", "being changed")
    assert (harness.sent(), harness.waiting()) == (["one", "three"], ["two"])


def test_queued_prompts_can_be_edited_and_cancelled(harness: DispatcherHarness) -> None:
    harness.store.apply(e.StatusChanged("ses_1", Busy()))
    harness.prompts.submit("ses_1", "one")
    (queued,) = harness.prompts.waiting("ses_1")
    harness.prompts.edit(queued.id, "one, better")
    assert harness.changes[-1] == QueueChanged("ses_1")
    assert harness.journal.history() == ["one, better", "one"]
    back = harness.prompts.cancel(queued.id)
    assert back is not None
    assert back.text == "one, better"
    assert harness.prompts.cancel(queued.id) is None
    assert harness.waiting() == []


def test_a_prompt_in_flight_in_an_earlier_run_is_looked_up_and_not_sent(
    harness: DispatcherHarness, tmp_path: Path
) -> None:
    harness.prompts.submit("ses_1", "in flight")
    harness.prompts.submit("ses_1", "waiting")
    harness.journal.close()
    heir = DispatcherHarness(tmp_path / "state")
    heir.prompts.restore()
    assert [prompt.text for prompt in heir.turns.recovered] == ["in flight"]
    assert heir.store.open_sessions() == ("ses_1",)
    heir.prompts.dispatch_ready()
    assert (heir.sent(), heir.waiting()) == ([], ["waiting"])


def test_a_prompt_gets_ids_once_the_newest_messages_are_known(harness: DispatcherHarness) -> None:
    harness.backend.traits = Traits("any")
    harness.prompts.submit("ses_1", "first")
    assert (harness.sent(), harness.waiting(), harness.fetched) == ([], ["first"], ["ses_1"])
    with pytest.raises(NotFetched):
        harness.prompts.send_now("ses_1", "at once")
    harness.store.open_transcript("ses_1")
    harness.prompts.dispatch_ready()
    assert harness.sent() == []
    harness.store.apply(e.MessagesLoaded("ses_1", (), None, "newest"))
    harness.prompts.dispatch_ready()
    assert (harness.sent(), harness.waiting()) == (["first"], [])


def test_no_prompt_is_sent_before_it_is_on_disk(tmp_path: Path) -> None:
    harness = DispatcherHarness(tmp_path)
    with held(tmp_path):
        harness.prompts.submit("ses_1", "one")
        harness.prompts.submit("ses_1", "two")
        harness.prompts.dispatch_ready()
        assert (harness.sent(), harness.waiting()) == ([], ["one", "two"])
    harness.journal.catch_up()
    harness.prompts.dispatch_ready()
    assert (harness.sent(), harness.waiting()) == (["one"], ["two"])
    harness.journal.close()


def test_a_prompt_sent_now_may_be_unsaved_after_a_warning(tmp_path: Path) -> None:
    harness = DispatcherHarness(tmp_path)
    with held(tmp_path):
        with pytest.raises(NetError, match="cannot be saved"):
            harness.prompts.send_now("ses_1", "one")
        assert harness.sent() == []
        harness.prompts.send_now("ses_1", "one")
        assert harness.sent() == ["one"]
    harness.journal.close()
