"""A prompt is in exactly one place at each moment: the draft, the queue, or in flight."""

from pathlib import Path
from typing import cast

import pytest

from tests.storage.test_journal_file import held
from tui.backends.base import Backend, Traits
from tui.client.prompt_dispatcher import UNDONE, NotFetched, PromptDispatcher
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
    """The backend, as far as prompts need it: it gives them ids."""

    def __init__(self) -> None:
        self.count = 0
        self.traits = Traits("any", accepts_client_ids=False)

    def new_prompt(self, session_id: str, text: str) -> Prompt:
        self.count += 1
        return Prompt(session_id, text, f"msg_{self.count}", f"prt_{self.count}")


class Running:
    """The turns, as far as prompts need them."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.recovered: list[Prompt] = []

    def send(self, prompt: Prompt) -> Turn:
        self.turns.append(Turn.begin(prompt, 0.0))
        return self.turns[-1]

    def recover(self, prompt: Prompt) -> None:
        self.recovered.append(prompt)

    def running_in(self, session_id: str) -> bool:
        return any(turn.session_id == session_id and not turn.over for turn in self.turns)


class Desk:
    """Prompts and all that they stand on."""

    def __init__(self, folder: Path) -> None:
        self.store = Store()
        self.journal = Journal(folder, "http://127.0.0.1:4096", wall=lambda: 1.0)
        self.turns = Running()
        self.ready = True
        self.told: list[Change] = []
        self.backend = Minting()
        self.fetched: list[str] = []
        self.prompts = PromptDispatcher(
            self.store,
            self.journal,
            cast(TurnTracker, self.turns),
            backend=lambda: cast(Backend, self.backend),
            ready=lambda: self.ready,
            notify=self.told.append,
            fetch=self.fetched.append,
        )

    def sent(self) -> list[str]:
        return [turn.prompt.text for turn in self.turns.turns if turn.prompt is not None]

    def waiting(self) -> list[str]:
        return [queued.text for queued in self.prompts.waiting("ses_1")]

    def end(self, how: PostNotSent | PostRefused) -> None:
        turn = self.turns.turns[-1]
        turn.receive(how, 1.0)
        self.prompts.on_turn_ended(turn)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "state")


def left(desk: Desk, tmp_path: Path) -> tuple[str, list[str], list[str]]:
    """Where the journal has prompts once this client is gone: draft, queue, flights."""
    desk.journal.close()
    heir = Journal(tmp_path / "state", "http://127.0.0.1:4096", wall=lambda: 2.0)
    places = (
        heir.draft("ses_1"),
        [queued.text for queued in heir.adopt_queue()],
        [prompt.text for prompt in heir.adopt_flights()],
    )
    heir.close()
    return places


def test_a_free_session_gets_its_prompt_at_once(desk: Desk, tmp_path: Path) -> None:
    desk.journal.save_draft("ses_1", "do it")
    desk.prompts.submit("ses_1", "do it")
    assert (desk.sent(), desk.waiting()) == (["do it"], [])
    assert left(desk, tmp_path) == ("", [], ["do it"])


def test_a_busy_session_s_prompts_wait_and_go_one_by_one(desk: Desk, tmp_path: Path) -> None:
    desk.store.apply(e.StatusChanged("ses_1", Busy()))
    desk.prompts.submit("ses_1", "one")
    desk.prompts.submit("ses_1", "two")
    assert (desk.sent(), desk.waiting()) == ([], ["one", "two"])
    desk.store.apply(e.StatusChanged("ses_1", Idle()))
    desk.prompts.dispatch_ready()
    desk.prompts.dispatch_ready()
    assert (desk.sent(), desk.waiting()) == (["one"], ["two"])
    assert left(desk, tmp_path) == ("", ["two"], ["one"])


def test_while_the_line_is_down_prompts_wait(desk: Desk) -> None:
    desk.ready = False
    desk.prompts.submit("ses_1", "one")
    assert desk.waiting() == ["one"]
    desk.ready = True
    desk.prompts.dispatch_ready()
    assert desk.sent() == ["one"]


def test_steering_does_not_wait(desk: Desk) -> None:
    desk.store.apply(e.StatusChanged("ses_1", Busy()))
    desk.prompts.send_now("ses_1", "left, not right")
    assert desk.sent() == ["left, not right"]
    desk.prompts.submit("ses_1", "later")
    desk.prompts.send_queued_now(desk.prompts.waiting("ses_1")[0].id)
    assert desk.sent() == ["left, not right", "later"]


def test_a_prompt_that_never_arrived_is_a_draft_again(desk: Desk, tmp_path: Path) -> None:
    desk.prompts.submit("ses_1", "do it")
    desk.end(PostNotSent("connection refused"))
    assert DraftReturned("ses_1", "do it", "connection refused") in desk.told
    assert left(desk, tmp_path) == ("do it", [], [])


def test_after_a_bad_end_the_queue_is_held_until_somebody_decides(desk: Desk) -> None:
    desk.prompts.submit("ses_1", "one")
    desk.prompts.submit("ses_1", "two")
    desk.end(PostRefused("busy (409)"))
    desk.prompts.dispatch_ready()
    assert desk.waiting() == ["two"]
    assert desk.prompts.held("ses_1") == "an earlier prompt was not sent", "true when later ones were, too"
    desk.prompts.release("ses_1")
    assert desk.sent() == ["one", "two"]


def abort(desk: Desk, outcome: TurnState) -> None:
    """The server heard of an abort of the newest turn, and this became of it."""
    turn = desk.turns.turns[-1]
    turn.state = outcome
    desk.prompts.on_turn_ended(turn, abort_asked=True)


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (TurnState.ABORTED, "an earlier turn was aborted"),
        (TurnState.NOT_SENT, "an earlier prompt was not sent"),
        (TurnState.FINISHED, "an earlier turn finished before it could be aborted"),
    ],
)
def test_only_what_was_queued_before_an_abort_is_held(desk: Desk, outcome: TurnState, why: str) -> None:
    """What is written afterwards is written for the time after the aborted turn."""
    for text in ("one", "two"):
        desk.prompts.submit("ses_1", text)
    desk.prompts.hold_for_abort("ses_1")
    assert desk.prompts.held("ses_1") == "you aborted the turn before it"
    for text in ("three", "four"):
        desk.prompts.submit("ses_1", text)
    assert (desk.sent(), desk.waiting()) == (["one"], ["three", "four", "two"])
    abort(desk, outcome)
    desk.prompts.dispatch_ready()
    assert (desk.sent(), desk.waiting()) == (["one", "three"], ["four", "two"])
    assert desk.prompts.held("ses_1") == why


def test_what_is_let_go_while_an_abort_is_under_way_is_sent_after_the_turn(desk: Desk) -> None:
    for text in ("one", "two"):
        desk.prompts.submit("ses_1", text)
    desk.prompts.hold_for_abort("ses_1")
    desk.prompts.release("ses_1")
    abort(desk, TurnState.ABORTED)
    desk.prompts.dispatch_ready()
    assert desk.sent() == ["one", "two"]


def test_a_copy_that_waits_is_held_once_the_server_has_the_prompt(desk: Desk) -> None:
    desk.prompts.submit("ses_1", "do it")
    desk.end(PostRefused("no data for 10 s"))
    desk.ready = False
    desk.prompts.submit("ses_1", "do it")
    desk.prompts.submit("ses_1", "and then")
    prompt = desk.turns.turns[0].prompt
    assert prompt is not None
    desk.prompts.on_returned_prompt_found(prompt)
    desk.ready = True
    desk.prompts.dispatch_ready()
    assert (desk.sent(), desk.waiting()) == (["do it", "and then"], ["do it"])
    assert desk.prompts.held("ses_1") == "the server has this prompt already"
    assert ReturnedPromptFound("ses_1", "do it") in desk.told


def undo(desk: Desk, message_id: str) -> None:
    desk.store.apply(e.SessionUpserted(Session("ses_1", "", "/", undone_from=message_id)))


def test_a_queue_does_not_remove_what_another_client_undid_meanwhile(desk: Desk) -> None:
    desk.store.apply(e.StatusChanged("ses_1", Busy()))
    desk.prompts.submit("ses_1", "one")
    desk.prompts.submit("ses_1", "two")
    undo(desk, "msg_1")
    desk.store.apply(e.StatusChanged("ses_1", Idle()))
    desk.prompts.dispatch_ready()
    assert (desk.sent(), desk.prompts.held("ses_1")) == ([], UNDONE)
    desk.prompts.release("ses_1")
    assert desk.sent() == ["one"]


def test_a_prompt_written_after_an_undo_is_sent(desk: Desk) -> None:
    undo(desk, "msg_1")
    desk.prompts.submit("ses_1", "one")
    assert desk.sent() == ["one"]


def test_a_new_prompt_goes_before_what_is_held_and_lets_none_of_it_go(desk: Desk) -> None:
    desk.prompts.submit("ses_1", "one")
    desk.prompts.submit("ses_1", "two")
    desk.end(PostRefused("busy (409)"))
    desk.prompts.submit("ses_1", "three")
    desk.prompts.submit("ses_1", "four")
    assert (desk.sent(), desk.waiting()) == (["one", "three"], ["four", "two"])
    assert [desk.prompts.is_held(queued.id) for queued in desk.prompts.waiting("ses_1")] == [False, True]


def test_letting_go_for_one_reason_leaves_what_is_held_for_another(desk: Desk) -> None:
    desk.prompts.submit("ses_1", "one")
    desk.prompts.submit("ses_1", "two")
    desk.end(PostRefused("busy (409)"))
    desk.store.apply(e.StatusChanged("ses_1", Busy()))
    desk.prompts.submit("ses_1", "three")
    desk.prompts.hold("ses_1", "being changed")
    desk.store.apply(e.StatusChanged("ses_1", Idle()))
    desk.prompts.dispatch_ready()
    assert desk.sent() == ["one"]
    desk.prompts.release("ses_1", "being changed")
    assert (desk.sent(), desk.waiting()) == (["one", "three"], ["two"])


def test_waiting_prompts_can_be_changed_and_taken_back(desk: Desk) -> None:
    desk.store.apply(e.StatusChanged("ses_1", Busy()))
    desk.prompts.submit("ses_1", "one")
    (queued,) = desk.prompts.waiting("ses_1")
    desk.prompts.edit(queued.id, "one, better")
    assert desk.told[-1] == QueueChanged("ses_1")
    assert desk.journal.history() == ["one, better", "one"]
    back = desk.prompts.cancel(queued.id)
    assert back is not None
    assert back.text == "one, better"
    assert desk.prompts.cancel(queued.id) is None
    assert desk.waiting() == []


def test_what_an_earlier_run_had_in_flight_is_asked_for_and_not_sent(desk: Desk, tmp_path: Path) -> None:
    desk.prompts.submit("ses_1", "in flight")
    desk.prompts.submit("ses_1", "waiting")
    desk.journal.close()
    heir = Desk(tmp_path / "state")
    heir.prompts.restore()
    assert [prompt.text for prompt in heir.turns.recovered] == ["in flight"]
    assert heir.store.open_sessions() == ("ses_1",)
    heir.prompts.dispatch_ready()
    assert (heir.sent(), heir.waiting()) == ([], ["waiting"])


def test_a_prompt_gets_its_ids_once_the_session_s_newest_messages_are_known(desk: Desk) -> None:
    desk.backend.traits = Traits("any")
    desk.prompts.submit("ses_1", "first")
    assert (desk.sent(), desk.waiting(), desk.fetched) == ([], ["first"], ["ses_1"])
    with pytest.raises(NotFetched):
        desk.prompts.send_now("ses_1", "at once")
    desk.store.open_transcript("ses_1")
    desk.prompts.dispatch_ready()
    assert desk.sent() == []
    desk.store.apply(e.MessagesLoaded("ses_1", (), None, "newest"))
    desk.prompts.dispatch_ready()
    assert (desk.sent(), desk.waiting()) == (["first"], [])


def test_no_prompt_is_sent_that_is_not_on_disk(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with held(tmp_path):
        desk.prompts.submit("ses_1", "one")
        desk.prompts.submit("ses_1", "two")
        desk.prompts.dispatch_ready()
        assert (desk.sent(), desk.waiting()) == ([], ["one", "two"])
    desk.journal.catch_up()
    desk.prompts.dispatch_ready()
    assert (desk.sent(), desk.waiting()) == (["one"], ["two"])
    desk.journal.close()


def test_one_that_is_to_be_sent_now_is_sent_unsaved_once_the_person_knows(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with held(tmp_path):
        with pytest.raises(NetError, match="cannot be saved"):
            desk.prompts.send_now("ses_1", "one")
        assert desk.sent() == []
        desk.prompts.send_now("ses_1", "one")
        assert desk.sent() == ["one"]
    desk.journal.close()
