"""The user's text on the screen: drafts, the queue, the history, partial answers."""

import asyncio
from pathlib import Path

import pytest

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
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


def waiting(harness: AppHarness) -> list[str]:
    return [queued.text for queued in harness.client.prompts.waiting(sample.SESSION)]


async def queue(harness: AppHarness, *texts: str) -> None:
    harness.run_turn()
    for text in texts:
        await harness.press(*text, "enter")
    assert waiting(harness) == list(texts)


async def end_turn(harness: AppHarness, state: TurnState = TurnState.FINISHED, reason: str = "") -> None:
    [turn] = harness.client.turns.running()
    turn.state, turn.reason, turn.ended = state, reason, harness.client.now()
    harness.client.turn_moved(turn)
    await harness.settled()


# The queue


async def test_prompts_during_a_turn_are_queued_and_sent_in_order() -> None:
    async with app_harness() as harness:
        await queue(harness, "first", "second")
        await harness.shows("2 prompts · waiting until the turn ends", "1 first", "2 second")
        assert harness.main.prompt.text == ""
        assert harness.client.calls("send") == []
        await end_turn(harness)
        await harness.shows("1 prompt · waiting until the turn ends", "1 second")
        assert harness.client.calls("send") == [(sample.SESSION, "first")]
        await end_turn(harness)
        await harness.hides("waiting until")
        assert harness.client.calls("send") == [(sample.SESSION, "first"), (sample.SESSION, "second")]


async def test_prompts_while_disconnected_are_queued() -> None:
    async with app_harness() as harness:
        harness.client.set_line(LOST)
        await harness.press(*"hello", "enter")
        await harness.shows("1 prompt · waiting until connected", "1 hello")
        harness.client.set_line(LIVE)
        harness.client.prompts.dispatch_ready()
        await harness.until(lambda: harness.client.calls("send") == [(sample.SESSION, "hello")])
        await harness.hides("until connected")


async def test_a_paused_queue_shows_its_reason_and_is_resumed_by_a_key() -> None:
    async with app_harness(size=(80, 24)) as harness:
        await queue(harness, "next")
        await end_turn(harness, TurnState.FAILED, "no model")
        await harness.shows("1 prompt · paused: an earlier turn failed · F8 resume queue")
        assert harness.client.calls("send") == []
        await harness.press("f8")
        assert harness.client.calls("send") == [(sample.SESSION, "next")]


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12)])
async def test_the_resume_key_is_visible_with_a_long_reason(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        await queue(harness, "next", "and then")
        harness.client.prompts.hold(sample.SESSION, "an earlier turn finished before it could be aborted")
        await harness.shows("2 prompts · paused:", "F8 resume queue")
        [head, *more] = [line for line in harness.text.split("\n") if "paused:" in line or "F8 resume" in line]
        assert len(more) == (size[1] >= 20)
        if size[0] == 80:
            assert head.rstrip().endswith("before it could be aborted")


async def test_a_click_selects_the_prompt_below_a_two_line_reason() -> None:
    async with app_harness(size=(60, 20)) as harness:
        await queue(harness, "next", "and then")
        harness.client.prompts.hold(sample.SESSION, "an earlier turn finished before it could be aborted")
        await harness.shows("F8 resume queue")
        await harness.pilot.click("#queue", offset=(8, 3))
        await harness.press("enter")
        await harness.until(lambda: harness.main.prompt.text == "and then")


async def test_hidden_queued_prompts_are_counted() -> None:
    async with app_harness(size=(80, 24)) as harness:
        await queue(harness, "one", "two", "three", "four")
        await harness.shows("4 prompts", "4 four")
        assert "more" not in harness.text
        await harness.press(*"five", "enter")
        await harness.shows("5 prompts", "1 one", "4 four", "+1 more")
        assert "5 five" not in harness.text
        await harness.press(*"six", "enter", "shift+tab", "down", "down", "down", "down")
        await harness.shows("5 five", "+2 more")


async def test_after_an_abort_a_new_prompt_is_sent_and_paused_ones_stay() -> None:
    async with app_harness(size=(80, 24)) as harness:
        await queue(harness, "old", "older")
        await end_turn(harness, TurnState.ABORTED)
        await harness.shows("⇧Tab queue", "F8 resume queue")
        await harness.hides("Esc Esc")
        await harness.hides("Enter send")
        await harness.press(*"new")
        await harness.shows("Enter send before these", "⇧Tab queue", "F8 resume queue")
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, "new")]
        await harness.shows("2 prompts · paused: an earlier turn was aborted · F8 resume queue", "1 old", "2 older")
        await harness.press(*"newer", "enter")
        await harness.shows("3 prompts · some paused", "1 newer", "2 old", "3 older")
        await harness.press(*"x")
        await harness.shows("Enter send before the paused ones")
        await harness.press("backspace")
        await end_turn(harness)
        assert harness.client.calls("send")[1:] == [(sample.SESSION, "newer")]
        await end_turn(harness)
        assert waiting(harness) == ["old", "older"]
        await harness.press("shift+tab", "up", "ctrl+s")
        assert harness.client.calls("send")[2:] == [(sample.SESSION, "old")]
        await harness.press("x", "enter")
        await harness.until(lambda: waiting(harness) == [])


async def test_an_edit_cancelled_by_esc_can_be_recalled() -> None:
    async with app_harness() as harness:
        await queue(harness, "first")
        await harness.press("shift+tab", "enter", *" and more", "escape")
        await harness.shows("The change was not saved. ↑ in the prompt restores it.")
        assert (waiting(harness), harness.main.prompt.text) == (["first"], "")
        await harness.press("up")
        assert harness.main.prompt.text == "first and more"


async def test_an_emptied_queued_prompt_is_reported_as_removed() -> None:
    async with app_harness() as harness:
        await queue(harness, "first")
        await harness.press("shift+tab", "enter", "ctrl+u", "enter")
        await harness.shows("The emptied prompt was removed from the queue. ↑ in the prompt restores it.")
        assert waiting(harness) == []
        await harness.press("up")
        assert harness.main.prompt.text == "first"


async def test_one_more_line_is_counted_in_the_singular() -> None:
    async with app_harness() as harness:
        await queue(harness, "first")
        await harness.press(*"second", "ctrl+j", "x", "enter")
        await harness.shows("+1 line ")
        assert "+1 lines" not in harness.text
        await harness.press("ctrl+r")
        await harness.until(lambda: isinstance(harness.app.screen, PromptHistory))
        await harness.shows("+1 line ")
        assert "+1 lines" not in harness.text


async def test_a_history_search_without_a_match_is_reported() -> None:
    async with app_harness() as harness:
        await queue(harness, "first")
        await harness.press("ctrl+r", *"qqq")
        await harness.shows("No matching prompts.")
        await harness.press("enter")
        assert isinstance(harness.app.screen, PromptHistory)
        await harness.press("backspace", "backspace", "backspace")
        await harness.hides("No matching prompts")


async def test_cancelling_an_unchanged_edit_shows_nothing() -> None:
    async with app_harness() as harness:
        await queue(harness, "first")
        await harness.press("shift+tab", "enter", "escape")
        await harness.shows("waiting until the turn ends")
        assert "not saved" not in harness.text


async def test_a_prompt_being_edited_is_not_sent_even_with_another_paused() -> None:
    async with app_harness() as harness:
        await queue(harness, "old")
        await end_turn(harness, TurnState.ABORTED)
        await harness.press(*"new", "enter", *"newer", "enter", "shift+tab", "enter", "!")
        await end_turn(harness)
        assert harness.client.calls("send") == [(sample.SESSION, "new")]
        await harness.press("enter")
        await harness.until(lambda: harness.client.calls("send")[1:] == [(sample.SESSION, "newer!")])
        assert waiting(harness) == ["old"]


async def test_the_queue_shows_its_key_only_where_it_works() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        await harness.shows("⇧Tab changes")
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.press("tab")
        await harness.until(lambda: harness.main.panel.has_focus_within)
        await harness.hides("⇧Tab changes")
        await harness.press("escape")
        await harness.shows("⇧Tab changes")
        await harness.press("shift+tab")
        assert harness.app.focused is harness.main.queue
        await harness.hides("⇧Tab changes")


async def test_send_now_does_not_wait_for_the_turn() -> None:
    async with app_harness() as harness:
        await queue(harness, "later")
        await harness.press(*"steer", "ctrl+s")
        assert harness.client.calls("send") == [(sample.SESSION, "steer")]
        assert harness.main.prompt.text == ""
        await harness.press("ctrl+s")
        assert waiting(harness) == ["later"]


async def test_send_now_is_not_offered_if_the_server_takes_no_prompt_during_a_turn() -> None:
    async with app_harness() as harness:
        harness.client.traits = Traits("mimo", queues_prompts=False)
        turn = harness.run_turn()
        await harness.press(*"steer")
        await harness.shows("Enter send after the turn")
        assert "^S" not in harness.text
        await harness.press("ctrl+s")
        await harness.shows("This server accepts no prompt during a turn: it is sent when the turn ends.")
        assert (waiting(harness), harness.main.prompt.text) == (["steer"], "")
        await harness.press("shift+tab", "ctrl+s")
        assert "^S" not in harness.text
        assert waiting(harness) == ["steer"]
        assert harness.client.calls("send") == []
        turn.state = TurnState.FINISHED
        harness.client.turn_moved(turn)
        await harness.until(lambda: waiting(harness) == [], "what waits to be sent")


async def test_a_failed_send_now_keeps_the_text() -> None:
    async with app_harness() as harness:
        harness.client.fails = ConnectFailed("connection refused")
        await harness.press(*"steer", "ctrl+s")
        await harness.shows("cannot connect: connection refused")
        assert harness.main.prompt.text == "steer"


async def test_a_queued_prompt_with_a_failed_send_now_stays_with_a_reason() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        harness.client.fails = ConnectFailed("connection refused")
        await harness.press("shift+tab", "ctrl+s")
        await harness.shows("cannot connect: connection refused")
        assert waiting(harness) == ["one"]


async def test_keys_for_a_just_sent_prompt_do_nothing() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        await harness.press("shift+tab")
        waits = harness.main.queue
        await end_turn(harness)
        assert waiting(harness) == []
        for action in (waits.action_edit, waits.action_remove, waits.action_send_now):
            action()
        await harness.pilot.pause()
        assert harness.client.calls("send") == [(sample.SESSION, "one")]


async def test_an_edited_queued_prompt_keeps_its_position() -> None:
    async with app_harness() as harness:
        await queue(harness, "one", "two")
        await harness.press(*"half", "shift+tab", "up", "enter")
        await harness.until(lambda: harness.main.prompt.text == "one")
        await harness.shows("in the prompt", "Enter save", "a queued prompt is being edited")
        await harness.press("end", "1", "enter")
        await harness.until(lambda: waiting(harness) == ["one1", "two"])
        assert harness.main.prompt.text == "half"
        await harness.shows("2 prompts · waiting until the turn ends")


async def test_a_prompt_being_edited_is_not_sent() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        await harness.press("shift+tab", "enter", "!")
        await end_turn(harness)
        assert harness.client.calls("send") == []
        await harness.press("enter")
        await harness.until(lambda: harness.client.calls("send") == [(sample.SESSION, "one!")])


async def test_escape_cancels_the_edit_of_a_queued_prompt() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        await harness.press("shift+tab", "enter", "!", "escape")
        await harness.until(lambda: harness.main.prompt.text == "")
        assert waiting(harness) == ["one"]
        await harness.shows("until the turn ends")
        assert harness.client.calls("abort") == []


async def test_the_edit_of_a_prompt_sent_meanwhile_stays_in_the_prompt_field() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        await harness.press("shift+tab", "enter", "!")
        harness.client.prompts.send_queued_now(harness.client.prompts.waiting(sample.SESSION)[0].id)
        await harness.press("enter")
        await harness.shows("That prompt was already sent")
        assert harness.main.prompt.text == "one!"
        assert harness.client.calls("send") == [(sample.SESSION, "one")]


@pytest.mark.parametrize("left", ["quit", "killed"])
async def test_an_edit_of_a_queued_prompt_survives_a_restart(tmp_path: Path, left: str) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        await queue(harness, "one", "two")
        await harness.press(*"aside", "shift+tab", "up", "enter", *" 2")
        assert harness.main.prompt.text == "one 2"
        if left == "killed":
            harness.client.journal.close()
    for more in ("", "!"):  # the second start: adopted items are stored again
        async with app_harness(client=another_run(tmp_path)) as harness:
            await harness.shows("1 one", "in the prompt")
            assert (harness.main.prompt.text, waiting(harness)) == ("one 2", ["one", "two"])
            await harness.press(*more)
    async with app_harness(client=another_run(tmp_path)) as harness:
        await harness.until(lambda: harness.main.prompt.text == "one 2!")
        await harness.press("enter")
        await harness.until(lambda: waiting(harness) == ["one 2!", "two"])
        assert harness.main.prompt.text == "aside"
    async with app_harness(client=another_run(tmp_path)) as harness:
        assert (harness.main.prompt.text, waiting(harness)) == ("aside", ["one 2!", "two"])


async def test_an_edit_of_a_removed_prompt_is_a_draft(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.save_draft(sample.SESSION, "aside", "q1", "one 2")
    before.journal.close()
    async with app_harness(client=another_run(tmp_path)) as harness:
        await harness.until(lambda: harness.main.prompt.text == "aside\n\none 2")
        assert harness.main.prompt.edited is None


async def test_an_edit_left_by_switching_sessions_is_in_the_history(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        await queue(harness, "one")
        await harness.press("shift+tab", "enter", *" 2")
        harness.app.writing.open(OTHER)
        assert harness.client.journal.history()[0] == "one 2"


async def test_an_edit_that_emptied_the_prompt_leaves_nothing_in_the_history(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        await queue(harness, "one")
        await harness.press("shift+tab", "enter", "ctrl+u")
        harness.app.writing.open(OTHER)
        assert harness.client.journal.history() == ["one"]


async def test_queued_prompts_are_removed_and_sent_by_keys() -> None:
    async with app_harness() as harness:
        await queue(harness, "one", "two", "three")
        await harness.press("shift+tab", "j", "x")
        await harness.shows("Remove the queued prompt?", "“two” will not be sent")
        assert waiting(harness) == ["one", "two", "three"]
        await harness.press("escape")
        assert waiting(harness) == ["one", "two", "three"]
        await harness.press("x", "enter")
        assert waiting(harness) == ["one", "three"]
        await harness.press("j", "ctrl+s")
        assert harness.client.calls("send") == [(sample.SESSION, "three")]
        await harness.press("x", "enter")
        await harness.until(lambda: harness.main.prompt.has_focus)
        assert waiting(harness) == []


async def test_a_prompt_sent_during_the_confirmation_is_not_reported_as_removed() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        await harness.press("shift+tab", "x")
        await harness.shows("Remove the queued prompt?")
        await end_turn(harness)
        await harness.press("enter")
        await harness.shows("That prompt was already sent; it was not removed.")
        assert harness.client.calls("send") == [(sample.SESSION, "one")]


async def test_letters_typed_at_the_queue_go_to_the_prompt() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        await harness.press("shift+tab")
        harness.burst(*"see this")
        await harness.until(lambda: harness.main.prompt.text == "see this")
        assert harness.client.calls("send") == []
        assert waiting(harness) == ["one"]


async def test_a_click_selects_a_queued_prompt_and_a_double_click_edits_it() -> None:
    async with app_harness() as harness:
        await queue(harness, "one", "two")
        await harness.pilot.click("#queue", offset=(4, 2), times=2)
        await harness.until(lambda: harness.main.prompt.text == "two")


async def test_a_long_queue_shows_the_rows_around_the_cursor() -> None:
    async with app_harness(size=(80, 24)) as harness:
        await queue(harness, *"abcdefgh")
        assert harness.main.queue.size.height == 6
        await harness.press("shift+tab", *["down"] * 7)
        await harness.shows("› 8 h")


async def test_quitting_says_that_queued_prompts_are_saved() -> None:
    async with app_harness() as harness:
        await queue(harness, "one", "two")
        await harness.press("ctrl+q")
        await harness.until(lambda: isinstance(harness.app.screen, Confirm))
        await harness.shows("2 queued prompts are saved for the next start")


async def test_two_enters_send_once() -> None:
    async with app_harness() as harness:
        harness.burst(*"once", "enter", "enter")
        await harness.until(lambda: harness.client.calls("send"))
        assert harness.client.calls("send") == [(sample.SESSION, "once")]
        assert waiting(harness) == []


async def test_all_prompts_of_a_burst_are_accepted() -> None:
    async with app_harness() as harness:
        harness.burst(*"one", "enter", *"two", "enter", *"rest")
        await harness.until(lambda: harness.main.prompt.text == "rest")
        assert harness.client.calls("send") == [(sample.SESSION, "one")]
        assert waiting(harness) == ["two"]


# Drafts


async def test_a_draft_survives_a_restart(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        await harness.press(*"half a thou")
        await harness.until(lambda: harness.client.journal.draft(sample.SESSION) == "half a thou")
    async with app_harness(client=another_run(tmp_path, line=LOST)) as harness:
        await harness.until(lambda: harness.main.prompt.text == "half a thou")


async def test_quitting_with_a_draft_needs_no_confirmation(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        await harness.press(*"kept", "ctrl+q")
        await harness.until(lambda: harness.app._exit)
    assert another_run(tmp_path).journal.draft(sample.SESSION) == "kept"


async def test_each_session_has_its_own_draft() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session(OTHER, "The other one")))
        await harness.press(*"here", "f2", *"other", "enter")
        await harness.until(lambda: harness.app.presenter.session_id == OTHER)
        assert harness.main.prompt.text == ""
        await harness.press(*"there", "f2", *"SQLite", "enter")
        await harness.until(lambda: harness.main.prompt.text == "here")
        assert harness.client.journal.draft(OTHER) == "there"


async def test_text_without_a_session_is_saved_as_a_draft(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path), session=None) as harness:
        await harness.press(*"idea")
        await harness.until(lambda: harness.client.journal.draft("") == "idea")
    async with app_harness(client=another_run(tmp_path), session=None) as harness:
        await harness.until(lambda: harness.main.prompt.text == "idea")
        await harness.press("enter")
        await harness.until(lambda: harness.client.calls("send"))
        await harness.until(lambda: harness.client.journal.draft("") == "")


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
    async with app_harness(client=client, session=None) as harness:
        await harness.press(*"first", "enter", *"next")
        assert client.journal.draft("") == "first\n\nnext"
        client.created.set()
        await harness.until(lambda: client.calls("send"))
        [(session_id, text)] = client.calls("send")
        assert text == "first"
        assert harness.main.prompt.text == "next"
        assert client.journal.draft(session_id) == "next"
        assert client.journal.draft("") == ""


async def test_text_typed_while_a_session_is_created_follows_to_another_session() -> None:
    client = SlowToCreate()
    client.journal.save_draft(sample.SESSION, "older")
    async with app_harness(client=client, session=None) as harness:
        await harness.press(*"first", "enter", *"next")
        harness.app.writing.open(sample.SESSION)
        assert harness.main.prompt.text == "older\n\nnext"
        assert client.journal.draft("") == "first"
        harness.app.writing.open("")
        assert harness.main.prompt.text == "older\n\nnext"
        assert client.journal.draft("") == "first\n\nolder\n\nnext"
        client.created.set()
        await harness.until(lambda: client.calls("send"))
        [(session_id, text)] = client.calls("send")
        assert text == "first"
        assert client.journal.draft(session_id) == "older\n\nnext"


async def test_text_typed_while_the_last_session_opens_belongs_to_it() -> None:
    client = FakeClient(line=LOST)
    async with app_harness(client=client, session=None, resume=True) as harness:
        await harness.press(*"early")
        client.set_line(LIVE)
        await harness.until(lambda: harness.app.presenter.session_id == sample.SESSION)
        assert harness.main.prompt.text == "early"
        assert client.journal.draft(sample.SESSION) == "early"
        assert client.journal.draft("") == ""


async def test_an_undelivered_prompt_is_reported_and_returned_once() -> None:
    async with app_harness() as harness:
        await harness.press(*"do it", "enter")
        await end_turn(harness, TurnState.NOT_SENT, "connection refused")
        await harness.shows("↩ not sent: connection refused · “do it” went back to the prompt")
        assert harness.main.prompt.text == "do it"


async def test_a_prompt_that_may_have_arrived_is_not_called_undelivered() -> None:
    """qwen serve assigns the ids itself: it may show a prompt late."""
    async with app_harness() as harness:
        await harness.press(*"do it", "enter")
        [turn] = harness.client.turns.running()
        turn.once = True
        await end_turn(harness, TurnState.NOT_SENT, "no data for 10 s")
        await harness.shows("? unknown whether the server has it: no data for 10 s", "“do it” went back to the prompt")
        await harness.until(lambda: harness.main.prompt.text == "do it")
        assert "not sent" not in harness.text


async def test_an_undelivered_prompt_of_another_session_names_it() -> None:
    async with app_harness() as harness:
        await harness.press(*"do it", "enter")
        [turn] = harness.client.turns.running()
        await harness.press("f2", "ctrl+n")
        await harness.until(lambda: harness.app.presenter.session_id is None)
        turn.state, turn.reason = TurnState.NOT_SENT, "refused"
        harness.client.turn_moved(turn)
        await harness.shows("of Move the store to SQLite.")
        assert harness.main.prompt.text == ""
        await harness.press("f2", *"SQLite", "enter")
        await harness.until(lambda: harness.main.prompt.text == "do it")


async def not_sent(harness: AppHarness, text: str) -> None:
    """Send a prompt that returns to the prompt field."""
    await harness.press(*text, "enter")
    await end_turn(harness, TurnState.NOT_SENT, "no data for 10 s")
    assert harness.main.prompt.text == text


async def test_the_returned_copy_of_a_delivered_prompt_is_removed() -> None:
    async with app_harness() as harness:
        await not_sent(harness, "do it")
        harness.client.tell(ReturnedPromptFound(sample.SESSION, "do it"))
        await harness.shows("The server did receive “do it”. The copy was removed from the prompt.")
        assert (harness.main.prompt.text, harness.client.journal.draft(sample.SESSION)) == ("", "")
        await harness.press("up")
        assert harness.main.prompt.text == "do it"


async def test_text_before_the_returned_copy_stays() -> None:
    async with app_harness() as harness:
        await harness.press(*"do it", "enter", *"and this")
        await end_turn(harness, TurnState.NOT_SENT, "no data for 10 s")
        assert harness.main.prompt.text == "and this\n\ndo it"
        harness.client.tell(ReturnedPromptFound(sample.SESSION, "do it"))
        await harness.shows("The copy was removed from the prompt.")
        assert harness.main.prompt.text == "and this"


async def test_an_edited_returned_copy_stays_with_a_warning() -> None:
    async with app_harness() as harness:
        await not_sent(harness, "do it")
        await harness.press("!")
        harness.client.tell(ReturnedPromptFound(sample.SESSION, "do it"))
        await harness.shows("The server did receive “do it”. Do not send it again from the prompt.")
        assert harness.main.prompt.text == "do it!"


async def test_a_returned_copy_in_the_saved_draft_is_removed() -> None:
    async with app_harness() as harness:
        await harness.press(*"before", "enter")
        await end_turn(harness)
        await not_sent(harness, "do it")
        await harness.press("up", "up")
        assert harness.main.prompt.text == "before"
        harness.client.tell(ReturnedPromptFound(sample.SESSION, "do it"))
        await harness.shows("The copy was removed from the prompt.")
        await harness.press("down", "down")
        assert harness.main.prompt.text == ""


async def test_a_returned_copy_in_another_session_is_removed_from_its_draft() -> None:
    async with app_harness() as harness:
        await not_sent(harness, "do it")
        await harness.press("f2", "ctrl+n")
        await harness.until(lambda: harness.app.presenter.session_id is None)
        harness.client.tell(ReturnedPromptFound(sample.SESSION, "do it"))
        await harness.shows("The copy was removed from the prompt of Move the store to SQLite.")
        assert harness.client.journal.draft(sample.SESSION) == ""


async def test_other_text_is_not_reported_as_a_copy() -> None:
    async with app_harness(size=(80, 24)) as harness:
        await not_sent(harness, "do it")
        await harness.press("ctrl+u", *"else")
        harness.client.tell(ReturnedPromptFound(sample.SESSION, "do it"))
        await harness.shows("The server did receive “do it”.")
        assert "again" not in harness.text
        assert harness.main.prompt.text == "else"


async def test_without_a_returned_copy_only_the_delivery_is_reported() -> None:
    async with app_harness() as harness:
        await not_sent(harness, "do it")
        await harness.press("ctrl+u")
        harness.client.tell(ReturnedPromptFound(sample.SESSION, "do it"))
        await harness.shows("The server did receive “do it”.")
        assert "copy" not in harness.text
        assert "again" not in harness.text


# The history


async def test_up_recalls_prompts_of_earlier_runs_and_down_restores_the_draft(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        await harness.press(*"one", "enter", *"two", "enter")
    async with app_harness(client=another_run(tmp_path)) as harness:
        await harness.press(*"draft", "up", "up")
        assert harness.main.prompt.text == "one"
        await harness.until(lambda: harness.client.journal.draft(sample.SESSION) == "draft")
        await harness.press("down", "down")
        assert harness.main.prompt.text == "draft"


async def test_edits_of_recalled_prompts_are_kept_while_browsing() -> None:
    async with app_harness() as harness:
        await harness.press(*"one", "enter", *"two", "enter", *"half")
        await harness.press("up", "!", "up", "?", "down")
        assert harness.main.prompt.text == "two!"
        await harness.press("ctrl+r", *"one", "enter")
        await harness.until(lambda: harness.main.prompt.text == "one?")
        await harness.press("2", "down")
        assert harness.main.prompt.text == "half"
        await harness.press("up")
        assert harness.main.prompt.text == "two!"
        await harness.press("up")
        assert harness.main.prompt.text == "one?2"
        await harness.press("enter", "up", "up")
        assert harness.main.prompt.text == "two!"


async def test_a_history_search_during_an_edit_inserts_the_prompt() -> None:
    async with app_harness() as harness:
        await queue(harness, "one", "two")
        await harness.press(*"half", "shift+tab", "up", "enter")
        await harness.until(lambda: harness.main.prompt.text == "one")
        await harness.press(*" and ", "ctrl+r", *"two", "enter")
        await harness.until(lambda: harness.main.prompt.text == "one and two")
        await harness.press("enter")
        await harness.until(lambda: waiting(harness) == ["one and two", "two"])
        assert harness.main.prompt.text == "half"


async def test_an_edited_recalled_prompt_is_restored_after_a_queue_edit() -> None:
    async with app_harness() as harness:
        await queue(harness, "one")
        await harness.press(*"half", "up", "!", "shift+tab", "enter")
        await harness.until(lambda: harness.main.prompt.text == "one")
        await harness.press("escape")
        assert harness.main.prompt.text == "half\n\none!"


async def test_the_draft_is_restored_after_a_recalled_prompt_is_sent() -> None:
    async with app_harness() as harness:
        await harness.press(*"one", "enter", *"draft", "up", "!")
        await harness.until(lambda: harness.client.journal.draft(sample.SESSION) == "draft\n\none!")
        await harness.press("enter")
        assert waiting(harness) == ["one!"]
        assert harness.main.prompt.text == "draft"


async def test_the_prompt_history_can_be_searched() -> None:
    async with app_harness() as harness:
        await harness.press(*"fix the parser", "enter", *"write tests", "enter", *"draft", "ctrl+r")
        await harness.until(lambda: isinstance(harness.app.screen, PromptHistory))
        await harness.shows("fix the parser", "write tests")
        await harness.press(*"pars")
        await harness.hides("▎   write tests")
        await harness.press("enter")
        await harness.until(lambda: harness.main.prompt.text == "fix the parser")
        await harness.press("down")
        assert harness.main.prompt.text == "draft"


# Partial answers


async def test_a_partial_answer_survives_a_restart(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.pass_input_guard()
        await harness.press("2", "enter", "space")
        await harness.until(lambda: harness.client.journal.answer_draft(sample.CHOICES.id))
    async with app_harness(client=another_run(tmp_path)) as harness:
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await harness.shows("1 [x] Migration")
        await harness.until(lambda: harness.main.panel.has_focus_within)
        await harness.press("left")
        await harness.until(lambda: "2 (•)" in harness.text)


async def test_the_reason_of_a_rejection_survives_a_restart(tmp_path: Path) -> None:
    async with app_harness(client=another_run(tmp_path)) as harness:
        harness.client.feed(e.RequestOpened(sample.PERMISSION))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.pass_input_guard()
        await harness.press("4", *"rather not")
        await harness.until(lambda: b"rather not" in (harness.client.journal.answer_draft(sample.PERMISSION.id) or b""))
    async with app_harness(client=another_run(tmp_path)) as harness:
        harness.client.feed(e.RequestOpened(sample.PERMISSION))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.pass_input_guard()
        await harness.press("enter")
        await harness.shows("rather not")


async def test_viewing_a_question_saves_nothing() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        assert harness.client.journal.answer_draft(sample.CHOICES.id) is None


# Unfinished work of an earlier run


async def test_continue_opens_the_last_session(tmp_path: Path) -> None:
    another_run(tmp_path).journal.save_last_session(OTHER)
    client = another_run(tmp_path)
    client.feed(e.SessionUpserted(sample.session(OTHER, "Older", updated=-5.0)))
    async with app_harness(session=None, client=client, resume=True) as harness:
        await harness.until(lambda: harness.app.presenter.session_id == OTHER)


@pytest.mark.parametrize("left", ["flight", "queue", "draft", "nothing"])
async def test_a_plain_start_opens_the_last_session_with_unfinished_work(tmp_path: Path, left: str) -> None:
    before = another_run(tmp_path)
    before.journal.save_last_session(sample.SESSION)
    match left:
        case "flight":
            before.journal.mark_in_flight(Prompt(sample.SESSION, "the prompt", "msg_a", "prt_a"))
        case "queue":
            before.journal.submit(Queued("q1", sample.SESSION, "it waits"), 1)
        case "draft":
            before.journal.save_draft(sample.SESSION, "half")
    before.journal.close()
    async with app_harness(session=None, client=another_run(tmp_path)) as harness:
        if left == "nothing":
            await harness.shows("Type a prompt")
            assert harness.app.presenter.session_id is None
            return
        await harness.until(lambda: harness.app.presenter.session_id == sample.SESSION)
        words = {
            "flight": "“the prompt” was still running when Holdfast last exited. Checking its status…",
            "queue": "paused: from an earlier run · F8 resume queue",
            "draft": "half",
        }
        await harness.shows(words[left])


async def test_unfinished_work_in_another_session_is_reported(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.submit(Queued("q1", OTHER, "it waits"), 1)
    before.journal.close()
    async with app_harness(session=None, client=another_run(tmp_path)) as harness:
        await harness.shows("A prompt from your last run is under way or waiting in another session · F2 opens it.")


async def test_unfinished_work_is_reported_with_the_session_title(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.submit(Queued("q1", OTHER, "it waits"), 1)
    before.journal.close()
    client = another_run(tmp_path)
    client.feed(e.SessionUpserted(sample.session(OTHER, "Weather bot")))
    async with app_harness(session=None, client=client) as harness:
        await harness.shows("A prompt from your last run is under way or waiting in “Weather bot” · F2 opens it.")


async def test_unfinished_work_is_reported_without_a_server(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.submit(Queued("q1", OTHER, "it waits"), 1)
    before.journal.close()
    client = another_run(tmp_path)
    client.set_line(LOST)
    async with app_harness(session=None, client=client) as harness:
        await harness.shows("A prompt from your last run is under way or waiting in another session · F2 opens it.")


async def test_unfinished_work_in_several_sessions_is_counted(tmp_path: Path) -> None:
    before = another_run(tmp_path)
    before.journal.submit(Queued("q1", OTHER, "it waits"), 1)
    before.journal.submit(Queued("q2", "ses_third", "this too"), 1)
    before.journal.close()
    async with app_harness(session=None, client=another_run(tmp_path)) as harness:
        await harness.shows(
            "2 prompts from your last run are under way or waiting in 2 other sessions · F2 opens them."
        )
