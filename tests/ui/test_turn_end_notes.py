"""Ends of turns, shown in the transcript."""

from typing import Any

from msgspec.structs import replace
from textual.content import Content

from tests import sample_events as talk
from tests.app_harness import on_stage
from tests.fake_client import FakeClient
from tui.core import events as e
from tui.core.changes import GivenReply, ReplyStatusChanged
from tui.core.model import Busy, Failure, FullMessage, Idle, Message, TextPart, ToolPart
from tui.core.turn_state import TurnState
from tui.ui.turn_end_notes import OPENED
from tui.widgets.transcript.notes import NOTES_KEPT


async def test_a_resumed_turn_gets_a_new_end_note() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt())
        turn = stage.run_turn()
        turn.state, turn.reason, turn.ended = TurnState.INTERRUPTED, "the server stopped", stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("! interrupted: the server stopped", "ready")
        turn.resume(stage.client.now())
        stage.client.turn_moved(turn)
        await stage.hides("ready")
        turn.state, turn.ended = TurnState.FINISHED, stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("✓ finished in 12:04", "ready")
        assert "interrupted" not in stage.text


async def test_a_delivered_prompt_loses_its_not_sent_note() -> None:
    """qwen serve: it is found by the server's own id."""
    async with on_stage() as stage:
        turn = stage.run_turn(TurnState.NOT_SENT, reason="no data for 10 s", ended=stage.client.now())
        await stage.shows("not sent: no data for 10 s")
        turn.resume(stage.client.now())
        turn.prompt_id = "s1########1"
        stage.client.turn_moved(turn)
        await stage.hides("not sent")


async def test_redrawing_does_not_report_a_running_turn_as_interrupted() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "The other one")), *talk.prompt())
        turn = stage.run_turn()
        turn.state, turn.reason, turn.ended = TurnState.INTERRUPTED, "the server stopped", stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("! interrupted: the server stopped")
        turn.resume(stage.client.now())
        stage.client.turn_moved(turn)
        stage.app.presenter.show_session("ses_2")
        await stage.hides("the server stopped")
        stage.app.presenter.show_session(talk.SESSION)
        await stage.hides("interrupted")


async def test_an_abnormal_end_is_shown_after_its_answer_after_a_restart() -> None:
    client = FakeClient()
    client.journal.save_turn_end(talk.SESSION, talk.PROMPT, "interrupted", "the server stopped")
    client.journal.save_turn_end(talk.SESSION, "msg_not_loaded", "failed", "no model")
    async with on_stage(client=client) as stage:
        later = Message("msg_later", talk.SESSION, "user", created=9.0)
        words = TextPart("prt_later", talk.SESSION, later.id, "And now?")
        page: tuple[FullMessage, ...] = (
            FullMessage(
                Message(talk.PROMPT, talk.SESSION, "user", created=1.0),
                (TextPart("prt_1", talk.SESSION, talk.PROMPT, "Do it."),),
            ),
            FullMessage(later, (words,)),
        )
        for _ in range(2):
            client.feed(e.MessagesLoaded(talk.SESSION, page, None))
            page = (*page, FullMessage(replace(later, id="msg_last", created=10.0), ()))
        await stage.shows("! interrupted: the server stopped", "And now?")
        assert stage.text.index("the server stopped") < stage.text.index("And now?")
        assert stage.text.count("the server stopped") == 1
        assert "no model" not in stage.text


async def test_a_restart_does_not_report_a_running_turn_as_interrupted() -> None:
    client = FakeClient()
    client.journal.save_turn_end(talk.SESSION, talk.PROMPT, "interrupted", "the server stopped")
    client.journal.save_turn_end(talk.SESSION, "msg_0", "interrupted", "an earlier stop")
    async with on_stage(client=client) as stage:
        asked = [
            FullMessage(
                Message(one, talk.SESSION, "user", created=at), (TextPart(f"p{at}", talk.SESSION, one, "Do it."),)
            )
            for one, at in (("msg_0", 0.5), (talk.PROMPT, 1.0))
        ]
        words = TextPart("prt_2", talk.SESSION, talk.ANSWER, "Half of it,")
        answer = FullMessage(Message(talk.ANSWER, talk.SESSION, "assistant", 2.0, None, talk.PROMPT), (words,))
        client.feed(e.StatusChanged(talk.SESSION, Busy()))
        client.feed(e.MessagesLoaded(talk.SESSION, (*asked, answer), None))
        await stage.shows("Half of it,", "an earlier stop")
        assert "the server stopped" not in stage.text


async def test_a_turn_interrupted_in_a_hidden_session_is_shown_there_later() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "The other one")), *talk.prompt())
        turn = stage.run_turn()
        stage.app.presenter.show_session("ses_2")
        turn.state, turn.reason, turn.ended = TurnState.INTERRUPTED, "the server stopped", stage.client.now()
        stage.client.turn_moved(turn)
        await stage.pilot.pause()
        assert "the server stopped" not in stage.text
        stage.app.presenter.show_session(talk.SESSION)
        await stage.shows("! interrupted: the server stopped")


async def test_a_turn_that_finished_on_the_server_is_not_shown_as_interrupted() -> None:
    client = FakeClient()
    client.journal.save_turn_end(talk.SESSION, talk.PROMPT, "interrupted", "the server stopped")
    async with on_stage(client=client) as stage:
        prompt = FullMessage(Message(talk.PROMPT, talk.SESSION, "user", created=1.0), ())
        done = Message(talk.ANSWER, talk.SESSION, "assistant", 2.0, 3.0, talk.PROMPT, final=True)
        words = TextPart("prt_2", talk.SESSION, talk.ANSWER, "All is done.")
        client.feed(e.MessagesLoaded(talk.SESSION, (prompt, FullMessage(done, (words,))), None))
        await stage.shows("All is done.")
        assert "the server stopped" not in stage.text


async def test_an_end_note_is_below_the_answer_of_its_prompt() -> None:
    """Two clients, or a prompt sent during a turn: the first turn ends when the second prompt exists."""
    later = Message("msg_later", talk.SESSION, "user", created=9.0)
    words = TextPart("prt_later", talk.SESSION, later.id, "And now?")
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("The first answer."))
        turn = stage.run_turn()
        stage.client.feed(e.MessageUpserted(later), e.PartUpserted(words))
        await stage.shows("The first answer.", "And now?")
        turn.state, turn.ended = TurnState.FINISHED, stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("✓ finished in 12:04")
        for _ in range(2):
            shown = [stage.text.index(one) for one in ("The first answer.", "✓ finished", "And now?")]
            assert shown == sorted(shown)
            stage.client.feed(talk.text("The first answer.", "prt_more"))  # late parts are above it
            stage.app.presenter.show_session(talk.SESSION)
            await stage.shows("✓ finished in 12:04")


async def test_a_failure_in_an_answer_is_not_repeated_by_its_event() -> None:
    """A real opencode sends the event after the answer."""
    failure = Failure("no key", "provider", 401)
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins())
        turn = stage.run_turn()
        answer = Message(
            talk.ANSWER,
            talk.SESSION,
            "assistant",
            created=2.0,
            completed=3.0,
            parent_id=talk.PROMPT,
            failure=failure,
        )
        stage.client.feed(e.MessageUpserted(answer))
        turn.state, turn.reason, turn.failure, turn.ended = TurnState.FAILED, "no key", failure, stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("✗ failed (401): no key")
        stage.client.feed(e.SessionFailed(talk.SESSION, failure))
        stage.client.feed(e.SessionFailed(talk.SESSION, Failure("a plugin failed")))
        await stage.shows("✗ failed (401): no key", "✗ a plugin failed")
        assert stage.text.count("no key") == 1


async def test_the_outcome_of_a_request_is_below_its_call_loaded_later() -> None:
    """After a restart a stored answer may be accepted before the transcript is loaded."""
    call = ToolPart("prt_2", talk.SESSION, talk.ANSWER, "call_1", "question", "completed")
    question = replace(talk.ONE_CHOICE, call_id="call_1", message_id=talk.ANSWER)
    answer = Message(talk.ANSWER, talk.SESSION, "assistant", 2.0, 3.0, talk.PROMPT, final=True)
    async with on_stage() as stage:
        stage.client.tell(ReplyStatusChanged(question, "sending", given=GivenReply((("Leave them",),))))
        stage.client.tell(ReplyStatusChanged(question, "acknowledged"))
        await stage.shows("✓ answered  Leave them")
        words = (TextPart("prt_1", talk.SESSION, talk.PROMPT, "Do it."),)
        prompt = FullMessage(Message(talk.PROMPT, talk.SESSION, "user", created=1.0), words)
        stage.client.feed(e.MessagesLoaded(talk.SESSION, (prompt, FullMessage(answer, (call,))), None))
        await stage.shows("Do it.", "✓ done", "✓ answered  Leave them")
        assert stage.text.index("Do it.") < stage.text.index("✓ answered")


async def test_a_turn_aborted_before_its_start_shows_no_duration() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt())
        turn = stage.run_turn()
        turn.state, turn.ended = TurnState.ABORTED, stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("■ aborted before it began")
        assert "12:04" not in stage.text


def turn_on_record(at: float, words: str, **answer: Any) -> tuple[FullMessage, FullMessage]:
    """A prompt and its answer, as stored by the server."""
    prompt, reply = f"msg_{at:.0f}a", f"msg_{at:.0f}b"
    state = {"completed": at + 9, "final": True} | answer
    return (
        FullMessage(Message(prompt, talk.SESSION, "user", at), (TextPart(f"p{prompt}", talk.SESSION, prompt, words),)),
        FullMessage(
            Message(reply, talk.SESSION, "assistant", at + 1, parent_id=prompt, **state),
            (TextPart(f"p{reply}", talk.SESSION, reply, f"Answer to {words}"),),
        ),
    )


async def test_a_reopened_session_shows_the_ends_of_its_turns() -> None:
    async with on_stage(size=(120, 60)) as stage:
        failure = Failure("no key", "provider", 401)
        page = (
            *turn_on_record(10, "the first"),
            *turn_on_record(30, "the second", final=False, completed=None),
            turn_on_record(40, "never answered")[0],
            *turn_on_record(50, "the third", failure=failure, final=False),
            *turn_on_record(70, "the fourth", completed=69.0),
        )
        stage.client.feed(e.MessagesLoaded(talk.SESSION, page, None))
        await stage.shows("Answer to the fourth")
        stage.client.advance(OPENED)
        stage.second()
        shown = [
            *("the first", "✓ finished in 0:09", "the second", "! interrupted: the server stopped"),
            *("never answered", "· no answer", "the third", "✗ failed (401): no key"),
            *("the fourth", "· the server does not say how it ended"),
        ]
        await stage.shows(*shown)
        places = [stage.text.index(one) for one in shown]
        assert places == sorted(places)
        assert stage.text.count("finished") == 1


async def test_another_clients_earlier_turn_gets_an_end_note() -> None:
    prompt, answer = turn_on_record(1, "of another client", final=False, completed=None)
    async with on_stage() as stage:
        stage.client.feed(e.StatusChanged(talk.SESSION, Busy()))
        stage.client.feed(e.MessagesLoaded(talk.SESSION, (prompt, answer), None))
        stage.run_turn(TurnState.SENDING)
        await stage.shows("Answer to of another client")
        assert "finished" not in stage.text
        done = replace(answer.message, completed=13.0, final=True)
        stage.client.feed(e.MessageUpserted(done))
        await stage.shows("✓ finished in 0:12")


async def test_a_turn_undone_before_its_end_has_no_end_note() -> None:
    async with on_stage() as stage:
        page = turn_on_record(-2000, "an earlier one")
        stage.client.feed(e.MessagesLoaded(talk.SESSION, page, None), *talk.prompt(), talk.answer_begins())
        turn = stage.run_turn()
        await stage.shows("Move the session store")
        stage.client.feed(e.MessageRemoved(talk.SESSION, talk.ANSWER), e.MessageRemoved(talk.SESSION, talk.PROMPT))
        await stage.hides("Move the session store")
        turn.state, turn.ended, turn.took = TurnState.FINISHED, stage.client.now(), 12.0
        stage.client.turn_moved(turn)
        await stage.shows("Answer to an earlier one")
        await stage.settled()
        assert "finished in 0:12" not in stage.text


async def test_an_abort_by_another_client_is_attributed_to_it() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt())
        turn = stage.run_turn()
        answer = e.MessageUpserted(Message(talk.ANSWER, talk.SESSION, "assistant", 2.0, None, talk.PROMPT))
        stage.client.feed(e.MessageUpserted(replace(answer.message, failure=Failure("Aborted", "aborted"))))
        turn.state, turn.reason, turn.ended = TurnState.ABORTED, "aborted from elsewhere", stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("■ aborted after 12:04: aborted from elsewhere")
        assert stage.text.count("■ aborted") == 1


async def test_a_prompt_aborted_elsewhere_before_its_start_has_no_answer() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.StatusChanged(talk.SESSION, Busy()), *talk.prompt())
        await stage.shows("Move the session store")
        stage.client.feed(e.StatusChanged(talk.SESSION, Idle()))
        stage.second()
        await stage.settled()
        assert "no answer" not in stage.text  # it may still start
        for _ in range(6):
            stage.second()
        await stage.shows("· no answer")
        stage.client.feed(e.StatusChanged(talk.SESSION, Busy()), talk.answer_begins())
        await stage.hides("· no answer")


async def test_many_request_outcomes_do_not_remove_an_end_note() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins())
        turn = stage.run_turn()
        turn.state, turn.reason, turn.ended = TurnState.INTERRUPTED, "the server stopped", stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("! interrupted: the server stopped")
        for row in range(NOTES_KEPT + 1):
            stage.main.transcript.note(Content(f"outcome {row}"))
        stage.main.transcript.draw()
        await stage.shows("! interrupted: the server stopped", f"outcome {NOTES_KEPT}")
