"""Ends of turns, shown in the transcript."""

from typing import Any

from msgspec.structs import replace
from textual.content import Content

from tests import sample_events as sample
from tests.app_harness import app_harness
from tests.fake_client import FakeClient
from tui.core import events as e
from tui.core.changes import GivenReply, ReplyStatusChanged
from tui.core.model import Busy, Failure, FullMessage, Idle, Message, TextPart, ToolPart
from tui.core.turn_state import TurnState
from tui.ui.turn_end_notes import OPENED
from tui.widgets.transcript.notes import MAX_NOTES


async def test_a_resumed_turn_gets_a_new_end_note() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt())
        turn = harness.run_turn()
        turn.state, turn.reason, turn.ended = TurnState.INTERRUPTED, "the server stopped", harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("! interrupted: the server stopped", "ready")
        turn.resume(harness.client.now())
        harness.client.turn_moved(turn)
        await harness.hides("ready")
        turn.state, turn.ended = TurnState.FINISHED, harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("✓ finished in 12:04", "ready")
        assert "interrupted" not in harness.text


async def test_a_delivered_prompt_loses_its_not_sent_note() -> None:
    """qwen serve: it is found by the server's own id."""
    async with app_harness() as harness:
        turn = harness.run_turn(TurnState.NOT_SENT, reason="no data for 10 s", ended=harness.client.now())
        await harness.shows("not sent: no data for 10 s")
        turn.resume(harness.client.now())
        turn.prompt_id = "s1########1"
        harness.client.turn_moved(turn)
        await harness.hides("not sent")


async def test_redrawing_does_not_report_a_running_turn_as_interrupted() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "The other one")), *sample.prompt())
        turn = harness.run_turn()
        turn.state, turn.reason, turn.ended = TurnState.INTERRUPTED, "the server stopped", harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("! interrupted: the server stopped")
        turn.resume(harness.client.now())
        harness.client.turn_moved(turn)
        harness.app.presenter.show_session("ses_2")
        await harness.hides("the server stopped")
        harness.app.presenter.show_session(sample.SESSION)
        await harness.hides("interrupted")


async def test_an_abnormal_end_is_shown_after_its_answer_after_a_restart() -> None:
    client = FakeClient()
    client.journal.save_turn_end(sample.SESSION, sample.PROMPT, "interrupted", "the server stopped")
    client.journal.save_turn_end(sample.SESSION, "msg_not_loaded", "failed", "no model")
    async with app_harness(client=client) as harness:
        later = Message("msg_later", sample.SESSION, "user", created=9.0)
        words = TextPart("prt_later", sample.SESSION, later.id, "And now?")
        page: tuple[FullMessage, ...] = (
            FullMessage(
                Message(sample.PROMPT, sample.SESSION, "user", created=1.0),
                (TextPart("prt_1", sample.SESSION, sample.PROMPT, "Do it."),),
            ),
            FullMessage(later, (words,)),
        )
        for _ in range(2):
            client.feed(e.MessagesLoaded(sample.SESSION, page, None))
            page = (*page, FullMessage(replace(later, id="msg_last", created=10.0), ()))
        await harness.shows("! interrupted: the server stopped", "And now?")
        assert harness.text.index("the server stopped") < harness.text.index("And now?")
        assert harness.text.count("the server stopped") == 1
        assert "no model" not in harness.text


async def test_a_restart_does_not_report_a_running_turn_as_interrupted() -> None:
    client = FakeClient()
    client.journal.save_turn_end(sample.SESSION, sample.PROMPT, "interrupted", "the server stopped")
    client.journal.save_turn_end(sample.SESSION, "msg_0", "interrupted", "an earlier stop")
    async with app_harness(client=client) as harness:
        asked = [
            FullMessage(
                Message(one, sample.SESSION, "user", created=at), (TextPart(f"p{at}", sample.SESSION, one, "Do it."),)
            )
            for one, at in (("msg_0", 0.5), (sample.PROMPT, 1.0))
        ]
        words = TextPart("prt_2", sample.SESSION, sample.ANSWER, "Half of it,")
        answer = FullMessage(Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, None, sample.PROMPT), (words,))
        client.feed(e.StatusChanged(sample.SESSION, Busy()))
        client.feed(e.MessagesLoaded(sample.SESSION, (*asked, answer), None))
        await harness.shows("Half of it,", "an earlier stop")
        assert "the server stopped" not in harness.text


async def test_a_turn_interrupted_in_a_hidden_session_is_shown_there_later() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "The other one")), *sample.prompt())
        turn = harness.run_turn()
        harness.app.presenter.show_session("ses_2")
        turn.state, turn.reason, turn.ended = TurnState.INTERRUPTED, "the server stopped", harness.client.now()
        harness.client.turn_moved(turn)
        await harness.pilot.pause()
        assert "the server stopped" not in harness.text
        harness.app.presenter.show_session(sample.SESSION)
        await harness.shows("! interrupted: the server stopped")


async def test_a_turn_that_finished_on_the_server_is_not_shown_as_interrupted() -> None:
    client = FakeClient()
    client.journal.save_turn_end(sample.SESSION, sample.PROMPT, "interrupted", "the server stopped")
    async with app_harness(client=client) as harness:
        prompt = FullMessage(Message(sample.PROMPT, sample.SESSION, "user", created=1.0), ())
        done = Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, 3.0, sample.PROMPT, final=True)
        words = TextPart("prt_2", sample.SESSION, sample.ANSWER, "All is done.")
        client.feed(e.MessagesLoaded(sample.SESSION, (prompt, FullMessage(done, (words,))), None))
        await harness.shows("All is done.")
        assert "the server stopped" not in harness.text


async def test_an_end_note_is_below_the_answer_of_its_prompt() -> None:
    """Two clients, or a prompt sent during a turn: the first turn ends when the second prompt exists."""
    later = Message("msg_later", sample.SESSION, "user", created=9.0)
    words = TextPart("prt_later", sample.SESSION, later.id, "And now?")
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("The first answer."))
        turn = harness.run_turn()
        harness.client.feed(e.MessageUpserted(later), e.PartUpserted(words))
        await harness.shows("The first answer.", "And now?")
        turn.state, turn.ended = TurnState.FINISHED, harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("✓ finished in 12:04")
        for _ in range(2):
            shown = [harness.text.index(one) for one in ("The first answer.", "✓ finished", "And now?")]
            assert shown == sorted(shown)
            harness.client.feed(sample.text("The first answer.", "prt_more"))  # late parts are above it
            harness.app.presenter.show_session(sample.SESSION)
            await harness.shows("✓ finished in 12:04")


async def test_a_failure_in_an_answer_is_not_repeated_by_its_event() -> None:
    """A real opencode sends the event after the answer."""
    failure = Failure("no key", "provider", 401)
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins())
        turn = harness.run_turn()
        answer = Message(
            sample.ANSWER,
            sample.SESSION,
            "assistant",
            created=2.0,
            completed=3.0,
            parent_id=sample.PROMPT,
            failure=failure,
        )
        harness.client.feed(e.MessageUpserted(answer))
        turn.state, turn.reason, turn.failure, turn.ended = TurnState.FAILED, "no key", failure, harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("✗ failed (401): no key")
        harness.client.feed(e.SessionFailed(sample.SESSION, failure))
        harness.client.feed(e.SessionFailed(sample.SESSION, Failure("a plugin failed")))
        await harness.shows("✗ failed (401): no key", "✗ a plugin failed")
        assert harness.text.count("no key") == 1


async def test_the_outcome_of_a_request_is_below_its_call_loaded_later() -> None:
    """After a restart a stored answer may be accepted before the transcript is loaded."""
    call = ToolPart("prt_2", sample.SESSION, sample.ANSWER, "call_1", "question", "completed")
    question = replace(sample.ONE_CHOICE, call_id="call_1", message_id=sample.ANSWER)
    answer = Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, 3.0, sample.PROMPT, final=True)
    async with app_harness() as harness:
        harness.client.tell(ReplyStatusChanged(question, "sending", given=GivenReply((("Leave them",),))))
        harness.client.tell(ReplyStatusChanged(question, "acknowledged"))
        await harness.shows("✓ answered  Leave them")
        words = (TextPart("prt_1", sample.SESSION, sample.PROMPT, "Do it."),)
        prompt = FullMessage(Message(sample.PROMPT, sample.SESSION, "user", created=1.0), words)
        harness.client.feed(e.MessagesLoaded(sample.SESSION, (prompt, FullMessage(answer, (call,))), None))
        await harness.shows("Do it.", "✓ done", "✓ answered  Leave them")
        assert harness.text.index("Do it.") < harness.text.index("✓ answered")


async def test_a_turn_aborted_before_its_start_shows_no_duration() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt())
        turn = harness.run_turn()
        turn.state, turn.ended = TurnState.ABORTED, harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("■ aborted before it began")
        assert "12:04" not in harness.text


def turn_on_record(at: float, words: str, **answer: Any) -> tuple[FullMessage, FullMessage]:
    """A prompt and its answer, as stored by the server."""
    prompt, reply = f"msg_{at:.0f}a", f"msg_{at:.0f}b"
    state = {"completed": at + 9, "final": True} | answer
    return (
        FullMessage(
            Message(prompt, sample.SESSION, "user", at), (TextPart(f"p{prompt}", sample.SESSION, prompt, words),)
        ),
        FullMessage(
            Message(reply, sample.SESSION, "assistant", at + 1, parent_id=prompt, **state),
            (TextPart(f"p{reply}", sample.SESSION, reply, f"Answer to {words}"),),
        ),
    )


async def test_a_reopened_session_shows_the_ends_of_its_turns() -> None:
    async with app_harness(size=(120, 60)) as harness:
        failure = Failure("no key", "provider", 401)
        page = (
            *turn_on_record(10, "the first"),
            *turn_on_record(30, "the second", final=False, completed=None),
            turn_on_record(40, "never answered")[0],
            *turn_on_record(50, "the third", failure=failure, final=False),
            *turn_on_record(70, "the fourth", completed=69.0),
        )
        harness.client.feed(e.MessagesLoaded(sample.SESSION, page, None))
        await harness.shows("Answer to the fourth")
        harness.client.advance(OPENED)
        harness.second()
        shown = [
            *("the first", "✓ finished in 0:09", "the second", "! interrupted: the server stopped"),
            *("never answered", "· no answer", "the third", "✗ failed (401): no key"),
            *("the fourth", "· the server does not say how it ended"),
        ]
        await harness.shows(*shown)
        places = [harness.text.index(one) for one in shown]
        assert places == sorted(places)
        assert harness.text.count("finished") == 1


async def test_another_clients_earlier_turn_gets_an_end_note() -> None:
    prompt, answer = turn_on_record(1, "of another client", final=False, completed=None)
    async with app_harness() as harness:
        harness.client.feed(e.StatusChanged(sample.SESSION, Busy()))
        harness.client.feed(e.MessagesLoaded(sample.SESSION, (prompt, answer), None))
        harness.run_turn(TurnState.SENDING)
        await harness.shows("Answer to of another client")
        assert "finished" not in harness.text
        done = replace(answer.message, completed=13.0, final=True)
        harness.client.feed(e.MessageUpserted(done))
        await harness.shows("✓ finished in 0:12")


async def test_a_turn_undone_before_its_end_has_no_end_note() -> None:
    async with app_harness() as harness:
        page = turn_on_record(-2000, "an earlier one")
        harness.client.feed(e.MessagesLoaded(sample.SESSION, page, None), *sample.prompt(), sample.answer_begins())
        turn = harness.run_turn()
        await harness.shows("Move the session store")
        harness.client.feed(
            e.MessageRemoved(sample.SESSION, sample.ANSWER), e.MessageRemoved(sample.SESSION, sample.PROMPT)
        )
        await harness.hides("Move the session store")
        turn.state, turn.ended, turn.took = TurnState.FINISHED, harness.client.now(), 12.0
        harness.client.turn_moved(turn)
        await harness.shows("Answer to an earlier one")
        await harness.settled()
        assert "finished in 0:12" not in harness.text


async def test_an_abort_by_another_client_is_attributed_to_it() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt())
        turn = harness.run_turn()
        answer = e.MessageUpserted(Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, None, sample.PROMPT))
        harness.client.feed(e.MessageUpserted(replace(answer.message, failure=Failure("Aborted", "aborted"))))
        turn.state, turn.reason, turn.ended = TurnState.ABORTED, "aborted from elsewhere", harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("■ aborted after 12:04: aborted from elsewhere")
        assert harness.text.count("■ aborted") == 1


async def test_a_prompt_aborted_elsewhere_before_its_start_has_no_answer() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.StatusChanged(sample.SESSION, Busy()), *sample.prompt())
        await harness.shows("Move the session store")
        harness.client.feed(e.StatusChanged(sample.SESSION, Idle()))
        harness.second()
        await harness.settled()
        assert "no answer" not in harness.text  # it may still start
        for _ in range(6):
            harness.second()
        await harness.shows("· no answer")
        harness.client.feed(e.StatusChanged(sample.SESSION, Busy()), sample.answer_begins())
        await harness.hides("· no answer")


async def test_many_request_outcomes_do_not_remove_an_end_note() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins())
        turn = harness.run_turn()
        turn.state, turn.reason, turn.ended = TurnState.INTERRUPTED, "the server stopped", harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("! interrupted: the server stopped")
        for row in range(MAX_NOTES + 1):
            harness.main.transcript.note(Content(f"outcome {row}"))
        harness.main.transcript.draw()
        await harness.shows("! interrupted: the server stopped", f"outcome {MAX_NOTES}")
