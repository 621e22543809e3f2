"""The user's text on the screen: drafts, the queue, the history, partial answers."""

import asyncio
from pathlib import Path

import pytest

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.fake_client import LIVE, FakeClient
from tui.backends.base import Traits
from tui.core import events as e
from tui.core.changes import ReturnedPromptFound
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Prompt, Queued, Session
from tui.core.turn_state import TurnState
from tui.net.errors import ConnectFailed
from tui.storage.journal import Journal
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.dialogs.prompt_history import PromptHistory

LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")
OTHER = "ses_2"


def another_run(folder: Path, *, line: ConnectionStatus = LIVE) -> FakeClient:
    """A client with the same journal, as after a restart."""
    return FakeClient(line=line, journal=Journal(folder, "server", wall=lambda: 0.0))


def waiting(stage: Stage) -> list[str]:
    return [queued.text for queued in stage.client.prompts.waiting(talk.SESSION)]


async def queue(stage: Stage, *texts: str) -> None:
    stage.run_turn()
    for text in texts:
        await stage.press(*text, "enter")
    assert waiting(stage) == list(texts)


async def end_turn(stage: Stage, state: TurnState = TurnState.FINISHED, reason: str = "") -> None:
    [turn] = stage.client.turns.running()
    turn.state, turn.reason, turn.ended = state, reason, stage.client.now()
    stage.client.turn_moved(turn)
    await stage.settled()


# The queue


async def test_prompts_during_a_turn_are_queued_and_sent_in_order() -> None:
    async with on_stage() as stage:
        await queue(stage, "first", "second")
        await stage.shows("2 prompts · waiting until the turn ends", "1 first", "2 second")
        assert stage.main.prompt.text == ""
        assert stage.client.calls("send") == []
        await end_turn(stage)
        await stage.shows("1 prompt · waiting until the turn ends", "1 second")
        assert stage.client.calls("send") == [(talk.SESSION, "first")]
        await end_turn(stage)
        await stage.hides("waiting until")
        assert stage.client.calls("send") == [(talk.SESSION, "first"), (talk.SESSION, "second")]


async def test_prompts_while_disconnected_are_queued() -> None:
    async with on_stage() as stage:
        stage.client.set_line(LOST)
        await stage.press(*"hello", "enter")
        await stage.shows("1 prompt · waiting until connected", "1 hello")
        stage.client.set_line(LIVE)
        stage.client.prompts.dispatch_ready()
        await stage.until(lambda: stage.client.calls("send") == [(talk.SESSION, "hello")])
        await stage.hides("until connected")


async def test_a_paused_queue_shows_its_reason_and_is_resumed_by_a_key() -> None:
    async with on_stage(size=(80, 24)) as stage:
        await queue(stage, "next")
        await end_turn(stage, TurnState.FAILED, "no model")
        await stage.shows("1 prompt · paused: an earlier turn failed · F8 resume queue")
        assert stage.client.calls("send") == []
        await stage.press("f8")
        assert stage.client.calls("send") == [(talk.SESSION, "next")]


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12)])
async def test_the_resume_key_is_visible_with_a_long_reason(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        await queue(stage, "next", "and then")
        stage.client.prompts.hold(talk.SESSION, "an earlier turn finished before it could be aborted")
        await stage.shows("2 prompts · paused:", "F8 resume queue")
        [head, *more] = [line for line in stage.text.split("\n") if "paused:" in line or "F8 resume" in line]
        assert len(more) == (size[1] >= 20)
        if size[0] == 80:
            assert head.rstrip().endswith("before it could be aborted")


async def test_a_click_selects_the_prompt_below_a_two_line_reason() -> None:
    async with on_stage(size=(60, 20)) as stage:
        await queue(stage, "next", "and then")
        stage.client.prompts.hold(talk.SESSION, "an earlier turn finished before it could be aborted")
        await stage.shows("F8 resume queue")
        await stage.pilot.click("#queue", offset=(8, 3))
        await stage.press("enter")
        await stage.until(lambda: stage.main.prompt.text == "and then")


async def test_hidden_queued_prompts_are_counted() -> None:
    async with on_stage(size=(80, 24)) as stage:
        await queue(stage, "one", "two", "three", "four")
        await stage.shows("4 prompts", "4 four")
        assert "more" not in stage.text
        await stage.press(*"five", "enter")
        await stage.shows("5 prompts", "1 one", "4 four", "+1 more")
        assert "5 five" not in stage.text
        await stage.press(*"six", "enter", "shift+tab", "down", "down", "down", "down")
        await stage.shows("5 five", "+2 more")


async def test_after_an_abort_a_new_prompt_is_sent_and_paused_ones_stay() -> None:
    async with on_stage(size=(80, 24)) as stage:
        await queue(stage, "old", "older")
        await end_turn(stage, TurnState.ABORTED)
        await stage.shows("⇧Tab queue", "F8 resume queue")
        await stage.hides("Esc Esc")
        await stage.hides("Enter send")
        await stage.press(*"new")
        await stage.shows("Enter send before these", "⇧Tab queue", "F8 resume queue")
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "new")]
        await stage.shows("2 prompts · paused: an earlier turn was aborted · F8 resume queue", "1 old", "2 older")
        await stage.press(*"newer", "enter")
        await stage.shows("3 prompts · some paused", "1 newer", "2 old", "3 older")
        await stage.press(*"x")
        await stage.shows("Enter send before the paused ones")
        await stage.press("backspace")
        await end_turn(stage)
        assert stage.client.calls("send")[1:] == [(talk.SESSION, "newer")]
        await end_turn(stage)
        assert waiting(stage) == ["old", "older"]
        await stage.press("shift+tab", "up", "ctrl+s")
        assert stage.client.calls("send")[2:] == [(talk.SESSION, "old")]
        await stage.press("x", "enter")
        await stage.until(lambda: waiting(stage) == [])


async def test_an_edit_cancelled_by_esc_can_be_recalled() -> None:
    async with on_stage() as stage:
        await queue(stage, "first")
        await stage.press("shift+tab", "enter", *" and more", "escape")
        await stage.shows("The change was not saved. ↑ in the prompt restores it.")
        assert (waiting(stage), stage.main.prompt.text) == (["first"], "")
        await stage.press("up")
        assert stage.main.prompt.text == "first and more"


async def test_an_emptied_queued_prompt_is_reported_as_removed() -> None:
    async with on_stage() as stage:
        await queue(stage, "first")
        await stage.press("shift+tab", "enter", "ctrl+u", "enter")
        await stage.shows("The emptied prompt was removed from the queue. ↑ in the prompt restores it.")
        assert waiting(stage) == []
        await stage.press("up")
        assert stage.main.prompt.text == "first"


async def test_one_more_line_is_counted_in_the_singular() -> None:
    async with on_stage() as stage:
        await queue(stage, "first")
        await stage.press(*"second", "ctrl+j", "x", "enter")
        await stage.shows("+1 line ")
        assert "+1 lines" not in stage.text
        await stage.press("ctrl+r")
        await stage.until(lambda: isinstance(stage.app.screen, PromptHistory))
        await stage.shows("+1 line ")
        assert "+1 lines" not in stage.text


async def test_a_history_search_without_a_match_is_reported() -> None:
    async with on_stage() as stage:
        await queue(stage, "first")
        await stage.press("ctrl+r", *"qqq")
        await stage.shows("No matching prompts.")
        await stage.press("enter")
        assert isinstance(stage.app.screen, PromptHistory)
        await stage.press("backspace", "backspace", "backspace")
        await stage.hides("No matching prompts")


async def test_cancelling_an_unchanged_edit_shows_nothing() -> None:
    async with on_stage() as stage:
        await queue(stage, "first")
        await stage.press("shift+tab", "enter", "escape")
        await stage.shows("waiting until the turn ends")
        assert "not saved" not in stage.text


async def test_a_prompt_being_edited_is_not_sent_even_with_another_paused() -> None:
    async with on_stage() as stage:
        await queue(stage, "old")
        await end_turn(stage, TurnState.ABORTED)
        await stage.press(*"new", "enter", *"newer", "enter", "shift+tab", "enter", "!")
        await end_turn(stage)
        assert stage.client.calls("send") == [(talk.SESSION, "new")]
        await stage.press("enter")
        await stage.until(lambda: stage.client.calls("send")[1:] == [(talk.SESSION, "newer!")])
        assert waiting(stage) == ["old"]


async def test_the_queue_shows_its_key_only_where_it_works() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        await stage.shows("⇧Tab changes")
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.press("tab")
        await stage.until(lambda: stage.main.panel.has_focus_within)
        await stage.hides("⇧Tab changes")
        await stage.press("escape")
        await stage.shows("⇧Tab changes")
        await stage.press("shift+tab")
        assert stage.app.focused is stage.main.queue
        await stage.hides("⇧Tab changes")


async def test_send_now_does_not_wait_for_the_turn() -> None:
    async with on_stage() as stage:
        await queue(stage, "later")
        await stage.press(*"steer", "ctrl+s")
        assert stage.client.calls("send") == [(talk.SESSION, "steer")]
        assert stage.main.prompt.text == ""
        await stage.press("ctrl+s")
        assert waiting(stage) == ["later"]


async def test_send_now_is_not_offered_if_the_server_takes_no_prompt_during_a_turn() -> None:
    async with on_stage() as stage:
        stage.client.traits = Traits("mimo", queues_prompts=False)
        turn = stage.run_turn()
        await stage.press(*"steer")
        await stage.shows("Enter send after the turn")
        assert "^S" not in stage.text
        await stage.press("ctrl+s")
        await stage.shows("This server accepts no prompt during a turn: it is sent when the turn ends.")
        assert (waiting(stage), stage.main.prompt.text) == (["steer"], "")
        await stage.press("shift+tab", "ctrl+s")
        assert "^S" not in stage.text
        assert waiting(stage) == ["steer"]
        assert stage.client.calls("send") == []
        turn.state = TurnState.FINISHED
        stage.client.turn_moved(turn)
        await stage.until(lambda: waiting(stage) == [], "what waits to be sent")


async def test_a_failed_send_now_keeps_the_text() -> None:
    async with on_stage() as stage:
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press(*"steer", "ctrl+s")
        await stage.shows("cannot connect: connection refused")
        assert stage.main.prompt.text == "steer"


async def test_a_queued_prompt_with_a_failed_send_now_stays_with_a_reason() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press("shift+tab", "ctrl+s")
        await stage.shows("cannot connect: connection refused")
        assert waiting(stage) == ["one"]


async def test_keys_for_a_just_sent_prompt_do_nothing() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        await stage.press("shift+tab")
        waits = stage.main.queue
        await end_turn(stage)
        assert waiting(stage) == []
        for action in (waits.action_edit, waits.action_remove, waits.action_send_now):
            action()
        await stage.pilot.pause()
        assert stage.client.calls("send") == [(talk.SESSION, "one")]


async def test_an_edited_queued_prompt_keeps_its_position() -> None:
    async with on_stage() as stage:
        await queue(stage, "one", "two")
        await stage.press(*"half", "shift+tab", "up", "enter")
        await stage.until(lambda: stage.main.prompt.text == "one")
        await stage.shows("in the prompt", "Enter save", "a queued prompt is being edited")
        await stage.press("end", "1", "enter")
        await stage.until(lambda: waiting(stage) == ["one1", "two"])
        assert stage.main.prompt.text == "half"
        await stage.shows("2 prompts · waiting until the turn ends")


async def test_a_prompt_being_edited_is_not_sent() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        await stage.press("shift+tab", "enter", "!")
        await end_turn(stage)
        assert stage.client.calls("send") == []
        await stage.press("enter")
        await stage.until(lambda: stage.client.calls("send") == [(talk.SESSION, "one!")])


async def test_escape_cancels_the_edit_of_a_queued_prompt() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        await stage.press("shift+tab", "enter", "!", "escape")
        await stage.until(lambda: stage.main.prompt.text == "")
        assert waiting(stage) == ["one"]
        await stage.shows("until the turn ends")
        assert stage.client.calls("abort") == []


async def test_the_edit_of_a_prompt_sent_meanwhile_stays_in_the_prompt_field() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        await stage.press("shift+tab", "enter", "!")
        stage.client.prompts.send_queued_now(stage.client.prompts.waiting(talk.SESSION)[0].id)
        await stage.press("enter")
        await stage.shows("That prompt was already sent")
        assert stage.main.prompt.text == "one!"
        assert stage.client.calls("send") == [(talk.SESSION, "one")]


@pytest.mark.parametrize("left", ["quit", "killed"])
async def test_an_edit_of_a_queued_prompt_survives_a_restart(tmp_path: Path, left: str) -> None:
    async with on_stage(client=another_run(tmp_path)) as stage:
        await queue(stage, "one", "two")
        await stage.press(*"aside", "shift+tab", "up", "enter", *" 2")
        assert stage.main.prompt.text == "one 2"
        if left == "killed":
            stage.client.journal.close()
    for more in ("", "!"):  # the second start: adopted items are stored again
        async with on_stage(client=another_run(tmp_path)) as stage:
            await stage.shows("1 one", "in the prompt")
            assert (stage.main.prompt.text, waiting(stage)) == ("one 2", ["one", "two"])
            await stage.press(*more)
    async with on_stage(client=another_run(tmp_path)) as stage:
        await stage.until(lambda: stage.main.prompt.text == "one 2!")
        await stage.press("enter")
        await stage.until(lambda: waiting(stage) == ["one 2!", "two"])
        assert stage.main.prompt.text == "aside"
    async with on_stage(client=another_run(tmp_path)) as stage:
        assert (stage.main.prompt.text, waiting(stage)) == ("aside", ["one 2!", "two"])


async def test_an_edit_of_a_removed_prompt_is_a_draft(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.save_draft(talk.SESSION, "aside", "q1", "one 2")
    before.journal.close()
    async with on_stage(client=another_run(tmp_path)) as stage:
        await stage.until(lambda: stage.main.prompt.text == "aside\n\none 2")
        assert stage.main.prompt.edited is None


async def test_an_edit_left_by_switching_sessions_is_in_the_history(tmp_path: Path) -> None:
    async with on_stage(client=another_run(tmp_path)) as stage:
        await queue(stage, "one")
        await stage.press("shift+tab", "enter", *" 2")
        stage.app.writing.open(OTHER)
        assert stage.client.journal.history()[0] == "one 2"


async def test_an_edit_that_emptied_the_prompt_leaves_nothing_in_the_history(tmp_path: Path) -> None:
    async with on_stage(client=another_run(tmp_path)) as stage:
        await queue(stage, "one")
        await stage.press("shift+tab", "enter", "ctrl+u")
        stage.app.writing.open(OTHER)
        assert stage.client.journal.history() == ["one"]


async def test_queued_prompts_are_removed_and_sent_by_keys() -> None:
    async with on_stage() as stage:
        await queue(stage, "one", "two", "three")
        await stage.press("shift+tab", "j", "x")
        await stage.shows("Remove the queued prompt?", "“two” will not be sent")
        assert waiting(stage) == ["one", "two", "three"]
        await stage.press("escape")
        assert waiting(stage) == ["one", "two", "three"]
        await stage.press("x", "enter")
        assert waiting(stage) == ["one", "three"]
        await stage.press("j", "ctrl+s")
        assert stage.client.calls("send") == [(talk.SESSION, "three")]
        await stage.press("x", "enter")
        await stage.until(lambda: stage.main.prompt.has_focus)
        assert waiting(stage) == []


async def test_a_prompt_sent_during_the_confirmation_is_not_reported_as_removed() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        await stage.press("shift+tab", "x")
        await stage.shows("Remove the queued prompt?")
        await end_turn(stage)
        await stage.press("enter")
        await stage.shows("That prompt was already sent; it was not removed.")
        assert stage.client.calls("send") == [(talk.SESSION, "one")]


async def test_letters_typed_at_the_queue_go_to_the_prompt() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        await stage.press("shift+tab")
        stage.burst(*"see this")
        await stage.until(lambda: stage.main.prompt.text == "see this")
        assert stage.client.calls("send") == []
        assert waiting(stage) == ["one"]


async def test_a_click_selects_a_queued_prompt_and_a_double_click_edits_it() -> None:
    async with on_stage() as stage:
        await queue(stage, "one", "two")
        await stage.pilot.click("#queue", offset=(4, 2), times=2)
        await stage.until(lambda: stage.main.prompt.text == "two")


async def test_a_long_queue_shows_the_rows_around_the_cursor() -> None:
    async with on_stage(size=(80, 24)) as stage:
        await queue(stage, *"abcdefgh")
        assert stage.main.queue.size.height == 6
        await stage.press("shift+tab", *["down"] * 7)
        await stage.shows("› 8 h")


async def test_quitting_says_that_queued_prompts_are_saved() -> None:
    async with on_stage() as stage:
        await queue(stage, "one", "two")
        await stage.press("ctrl+q")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.shows("2 queued prompts are saved for the next start")


async def test_two_enters_send_once() -> None:
    async with on_stage() as stage:
        stage.burst(*"once", "enter", "enter")
        await stage.until(lambda: stage.client.calls("send"))
        assert stage.client.calls("send") == [(talk.SESSION, "once")]
        assert waiting(stage) == []


async def test_all_prompts_of_a_burst_are_accepted() -> None:
    async with on_stage() as stage:
        stage.burst(*"one", "enter", *"two", "enter", *"rest")
        await stage.until(lambda: stage.main.prompt.text == "rest")
        assert stage.client.calls("send") == [(talk.SESSION, "one")]
        assert waiting(stage) == ["two"]


# Drafts


async def test_a_draft_survives_a_restart(tmp_path: Path) -> None:
    async with on_stage(client=another_run(tmp_path)) as stage:
        await stage.press(*"half a thou")
        await stage.until(lambda: stage.client.journal.draft(talk.SESSION) == "half a thou")
    async with on_stage(client=another_run(tmp_path, line=LOST)) as stage:
        await stage.until(lambda: stage.main.prompt.text == "half a thou")


async def test_quitting_with_a_draft_needs_no_confirmation(tmp_path: Path) -> None:
    async with on_stage(client=another_run(tmp_path)) as stage:
        await stage.press(*"kept", "ctrl+q")
        await stage.until(lambda: stage.app._exit)
    assert another_run(tmp_path).journal.draft(talk.SESSION) == "kept"


async def test_each_session_has_its_own_draft() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session(OTHER, "The other one")))
        await stage.press(*"here", "f2", *"other", "enter")
        await stage.until(lambda: stage.app.presenter.session_id == OTHER)
        assert stage.main.prompt.text == ""
        await stage.press(*"there", "f2", *"SQLite", "enter")
        await stage.until(lambda: stage.main.prompt.text == "here")
        assert stage.client.journal.draft(OTHER) == "there"


async def test_text_without_a_session_is_saved_as_a_draft(tmp_path: Path) -> None:
    async with on_stage(client=another_run(tmp_path), session=None) as stage:
        await stage.press(*"idea")
        await stage.until(lambda: stage.client.journal.draft("") == "idea")
    async with on_stage(client=another_run(tmp_path), session=None) as stage:
        await stage.until(lambda: stage.main.prompt.text == "idea")
        await stage.press("enter")
        await stage.until(lambda: stage.client.calls("send"))
        await stage.until(lambda: stage.client.journal.draft("") == "")


class SlowToCreate(FakeClient):
    """Creates a session once `created` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.created = asyncio.Event()

    async def new_session(self, title: str = "") -> Session:
        await self.created.wait()
        return await super().new_session(title)


async def test_text_typed_while_a_session_is_created_is_the_draft_of_that_session() -> None:
    client = SlowToCreate()
    async with on_stage(client=client, session=None) as stage:
        await stage.press(*"first", "enter", *"next")
        assert client.journal.draft("") == "first\n\nnext"
        client.created.set()
        await stage.until(lambda: client.calls("send"))
        [(session_id, text)] = client.calls("send")
        assert text == "first"
        assert stage.main.prompt.text == "next"
        assert client.journal.draft(session_id) == "next"
        assert client.journal.draft("") == ""


async def test_text_typed_while_a_session_is_created_follows_to_another_session() -> None:
    client = SlowToCreate()
    client.journal.save_draft(talk.SESSION, "older")
    async with on_stage(client=client, session=None) as stage:
        await stage.press(*"first", "enter", *"next")
        stage.app.writing.open(talk.SESSION)
        assert stage.main.prompt.text == "older\n\nnext"
        assert client.journal.draft("") == "first"
        stage.app.writing.open("")
        assert stage.main.prompt.text == "older\n\nnext"
        assert client.journal.draft("") == "first\n\nolder\n\nnext"
        client.created.set()
        await stage.until(lambda: client.calls("send"))
        [(session_id, text)] = client.calls("send")
        assert text == "first"
        assert client.journal.draft(session_id) == "older\n\nnext"


async def test_text_typed_while_the_last_session_opens_belongs_to_it() -> None:
    client = FakeClient(line=LOST)
    async with on_stage(client=client, session=None, resume=True) as stage:
        await stage.press(*"early")
        client.set_line(LIVE)
        await stage.until(lambda: stage.app.presenter.session_id == talk.SESSION)
        assert stage.main.prompt.text == "early"
        assert client.journal.draft(talk.SESSION) == "early"
        assert client.journal.draft("") == ""


async def test_an_undelivered_prompt_is_reported_and_returned_once() -> None:
    async with on_stage() as stage:
        await stage.press(*"do it", "enter")
        await end_turn(stage, TurnState.NOT_SENT, "connection refused")
        await stage.shows("↩ not sent: connection refused · “do it” went back to the prompt")
        assert stage.main.prompt.text == "do it"


async def test_a_prompt_that_may_have_arrived_is_not_called_undelivered() -> None:
    """qwen serve assigns the ids itself: it may show a prompt late."""
    async with on_stage() as stage:
        await stage.press(*"do it", "enter")
        [turn] = stage.client.turns.running()
        turn.once = True
        await end_turn(stage, TurnState.NOT_SENT, "no data for 10 s")
        await stage.shows("? unknown whether the server has it: no data for 10 s", "“do it” went back to the prompt")
        assert "not sent" not in stage.text
        assert stage.main.prompt.text == "do it"


async def test_an_undelivered_prompt_of_another_session_names_it() -> None:
    async with on_stage() as stage:
        await stage.press(*"do it", "enter")
        [turn] = stage.client.turns.running()
        await stage.press("f2", "ctrl+n")
        await stage.until(lambda: stage.app.presenter.session_id is None)
        turn.state, turn.reason = TurnState.NOT_SENT, "refused"
        stage.client.turn_moved(turn)
        await stage.shows("of Move the store to SQLite.")
        assert stage.main.prompt.text == ""
        await stage.press("f2", *"SQLite", "enter")
        await stage.until(lambda: stage.main.prompt.text == "do it")


async def not_sent(stage: Stage, text: str) -> None:
    """Send a prompt that returns to the prompt field."""
    await stage.press(*text, "enter")
    await end_turn(stage, TurnState.NOT_SENT, "no data for 10 s")
    assert stage.main.prompt.text == text


async def test_the_returned_copy_of_a_delivered_prompt_is_removed() -> None:
    async with on_stage() as stage:
        await not_sent(stage, "do it")
        stage.client.tell(ReturnedPromptFound(talk.SESSION, "do it"))
        await stage.shows("The server did receive “do it”. The copy was removed from the prompt.")
        assert (stage.main.prompt.text, stage.client.journal.draft(talk.SESSION)) == ("", "")
        await stage.press("up")
        assert stage.main.prompt.text == "do it"


async def test_text_before_the_returned_copy_stays() -> None:
    async with on_stage() as stage:
        await stage.press(*"do it", "enter", *"and this")
        await end_turn(stage, TurnState.NOT_SENT, "no data for 10 s")
        assert stage.main.prompt.text == "and this\n\ndo it"
        stage.client.tell(ReturnedPromptFound(talk.SESSION, "do it"))
        await stage.shows("The copy was removed from the prompt.")
        assert stage.main.prompt.text == "and this"


async def test_an_edited_returned_copy_stays_with_a_warning() -> None:
    async with on_stage() as stage:
        await not_sent(stage, "do it")
        await stage.press("!")
        stage.client.tell(ReturnedPromptFound(talk.SESSION, "do it"))
        await stage.shows("The server did receive “do it”. Do not send it again from the prompt.")
        assert stage.main.prompt.text == "do it!"


async def test_a_returned_copy_in_the_saved_draft_is_removed() -> None:
    async with on_stage() as stage:
        await stage.press(*"before", "enter")
        await end_turn(stage)
        await not_sent(stage, "do it")
        await stage.press("up", "up")
        assert stage.main.prompt.text == "before"
        stage.client.tell(ReturnedPromptFound(talk.SESSION, "do it"))
        await stage.shows("The copy was removed from the prompt.")
        await stage.press("down", "down")
        assert stage.main.prompt.text == ""


async def test_a_returned_copy_in_another_session_is_removed_from_its_draft() -> None:
    async with on_stage() as stage:
        await not_sent(stage, "do it")
        await stage.press("f2", "ctrl+n")
        await stage.until(lambda: stage.app.presenter.session_id is None)
        stage.client.tell(ReturnedPromptFound(talk.SESSION, "do it"))
        await stage.shows("The copy was removed from the prompt of Move the store to SQLite.")
        assert stage.client.journal.draft(talk.SESSION) == ""


async def test_other_text_is_not_reported_as_a_copy() -> None:
    async with on_stage(size=(80, 24)) as stage:
        await not_sent(stage, "do it")
        await stage.press("ctrl+u", *"else")
        stage.client.tell(ReturnedPromptFound(talk.SESSION, "do it"))
        await stage.shows("The server did receive “do it”.")
        assert "again" not in stage.text
        assert stage.main.prompt.text == "else"


async def test_without_a_returned_copy_only_the_delivery_is_reported() -> None:
    async with on_stage() as stage:
        await not_sent(stage, "do it")
        await stage.press("ctrl+u")
        stage.client.tell(ReturnedPromptFound(talk.SESSION, "do it"))
        await stage.shows("The server did receive “do it”.")
        assert "copy" not in stage.text
        assert "again" not in stage.text


# The history


async def test_up_recalls_prompts_of_earlier_runs_and_down_restores_the_draft(tmp_path: Path) -> None:
    async with on_stage(client=another_run(tmp_path)) as stage:
        await stage.press(*"one", "enter", *"two", "enter")
    async with on_stage(client=another_run(tmp_path)) as stage:
        await stage.press(*"draft", "up", "up")
        assert stage.main.prompt.text == "one"
        await stage.until(lambda: stage.client.journal.draft(talk.SESSION) == "draft")
        await stage.press("down", "down")
        assert stage.main.prompt.text == "draft"


async def test_edits_of_recalled_prompts_are_kept_while_browsing() -> None:
    async with on_stage() as stage:
        await stage.press(*"one", "enter", *"two", "enter", *"half")
        await stage.press("up", "!", "up", "?", "down")
        assert stage.main.prompt.text == "two!"
        await stage.press("ctrl+r", *"one", "enter")
        await stage.until(lambda: stage.main.prompt.text == "one?")
        await stage.press("2", "down")
        assert stage.main.prompt.text == "half"
        await stage.press("up")
        assert stage.main.prompt.text == "two!"
        await stage.press("up")
        assert stage.main.prompt.text == "one?2"
        await stage.press("enter", "up", "up")
        assert stage.main.prompt.text == "two!"


async def test_a_history_search_during_an_edit_inserts_the_prompt() -> None:
    async with on_stage() as stage:
        await queue(stage, "one", "two")
        await stage.press(*"half", "shift+tab", "up", "enter")
        await stage.until(lambda: stage.main.prompt.text == "one")
        await stage.press(*" and ", "ctrl+r", *"two", "enter")
        await stage.until(lambda: stage.main.prompt.text == "one and two")
        await stage.press("enter")
        await stage.until(lambda: waiting(stage) == ["one and two", "two"])
        assert stage.main.prompt.text == "half"


async def test_an_edited_recalled_prompt_is_restored_after_a_queue_edit() -> None:
    async with on_stage() as stage:
        await queue(stage, "one")
        await stage.press(*"half", "up", "!", "shift+tab", "enter")
        await stage.until(lambda: stage.main.prompt.text == "one")
        await stage.press("escape")
        assert stage.main.prompt.text == "half\n\none!"


async def test_the_draft_is_restored_after_a_recalled_prompt_is_sent() -> None:
    async with on_stage() as stage:
        await stage.press(*"one", "enter", *"draft", "up", "!")
        await stage.until(lambda: stage.client.journal.draft(talk.SESSION) == "draft\n\none!")
        await stage.press("enter")
        assert waiting(stage) == ["one!"]
        assert stage.main.prompt.text == "draft"


async def test_the_prompt_history_can_be_searched() -> None:
    async with on_stage() as stage:
        await stage.press(*"fix the parser", "enter", *"write tests", "enter", *"draft", "ctrl+r")
        await stage.until(lambda: isinstance(stage.app.screen, PromptHistory))
        await stage.shows("fix the parser", "write tests")
        await stage.press(*"pars")
        await stage.hides("▎   write tests")
        await stage.press("enter")
        await stage.until(lambda: stage.main.prompt.text == "fix the parser")
        await stage.press("down")
        assert stage.main.prompt.text == "draft"


# Partial answers


async def test_a_partial_answer_survives_a_restart(tmp_path: Path) -> None:
    async with on_stage(client=another_run(tmp_path)) as stage:
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.after_grace()
        await stage.press("2", "enter", "space")
        await stage.until(lambda: stage.client.journal.answer_draft(talk.CHOICES.id))
    async with on_stage(client=another_run(tmp_path)) as stage:
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await stage.shows("1 [x] Migration")
        await stage.until(lambda: stage.main.panel.has_focus_within)
        await stage.press("left")
        await stage.until(lambda: "2 (•)" in stage.text)


async def test_the_reason_of_a_rejection_survives_a_restart(tmp_path: Path) -> None:
    async with on_stage(client=another_run(tmp_path)) as stage:
        stage.client.feed(e.RequestOpened(talk.PERMISSION))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.after_grace()
        await stage.press("4", *"rather not")
        await stage.until(lambda: b"rather not" in (stage.client.journal.answer_draft(talk.PERMISSION.id) or b""))
    async with on_stage(client=another_run(tmp_path)) as stage:
        stage.client.feed(e.RequestOpened(talk.PERMISSION))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.after_grace()
        await stage.press("enter")
        await stage.shows("rather not")


async def test_viewing_a_question_saves_nothing() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        assert stage.client.journal.answer_draft(talk.CHOICES.id) is None


# Unfinished work of an earlier run


async def test_continue_opens_the_last_session(tmp_path: Path) -> None:
    another_run(tmp_path).journal.save_last_session(OTHER)
    client = another_run(tmp_path)
    client.feed(e.SessionUpserted(talk.session(OTHER, "Older", updated=-5.0)))
    async with on_stage(session=None, client=client, resume=True) as stage:
        await stage.until(lambda: stage.app.presenter.session_id == OTHER)


@pytest.mark.parametrize("left", ["flight", "queue", "draft", "nothing"])
async def test_a_plain_start_opens_the_last_session_with_unfinished_work(tmp_path: Path, left: str) -> None:
    before = another_run(tmp_path)
    before.journal.save_last_session(talk.SESSION)
    match left:
        case "flight":
            before.journal.mark_in_flight(Prompt(talk.SESSION, "the prompt", "msg_a", "prt_a"))
        case "queue":
            before.journal.submit(Queued("q1", talk.SESSION, "it waits"), 1)
        case "draft":
            before.journal.save_draft(talk.SESSION, "half")
    before.journal.close()
    async with on_stage(session=None, client=another_run(tmp_path)) as stage:
        if left == "nothing":
            await stage.shows("Type a prompt")
            assert stage.app.presenter.session_id is None
            return
        await stage.until(lambda: stage.app.presenter.session_id == talk.SESSION)
        words = {
            "flight": "“the prompt” was still running when Holdfast last exited. Checking its status…",
            "queue": "paused: from an earlier run · F8 resume queue",
            "draft": "half",
        }
        await stage.shows(words[left])


async def test_unfinished_work_in_another_session_is_reported(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.submit(Queued("q1", OTHER, "it waits"), 1)
    before.journal.close()
    async with on_stage(session=None, client=another_run(tmp_path)) as stage:
        await stage.shows("A prompt from your last run is under way or waiting in another session · F2 opens it.")


async def test_unfinished_work_is_reported_with_the_session_title(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.submit(Queued("q1", OTHER, "it waits"), 1)
    before.journal.close()
    client = another_run(tmp_path)
    client.feed(e.SessionUpserted(talk.session(OTHER, "Weather bot")))
    async with on_stage(session=None, client=client) as stage:
        await stage.shows("A prompt from your last run is under way or waiting in “Weather bot” · F2 opens it.")


async def test_unfinished_work_is_reported_without_a_server(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.submit(Queued("q1", OTHER, "it waits"), 1)
    before.journal.close()
    client = another_run(tmp_path)
    client.set_line(LOST)
    async with on_stage(session=None, client=client) as stage:
        await stage.shows("A prompt from your last run is under way or waiting in another session · F2 opens it.")


async def test_unfinished_work_in_several_sessions_is_counted(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.submit(Queued("q1", OTHER, "it waits"), 1)
    before.journal.submit(Queued("q2", "ses_third", "this too"), 1)
    before.journal.close()
    async with on_stage(session=None, client=another_run(tmp_path)) as stage:
        await stage.shows("2 prompts from your last run are under way or waiting in 2 other sessions · F2 opens them.")
