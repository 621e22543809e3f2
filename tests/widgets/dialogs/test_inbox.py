"""The inbox, used with keys: requests are answered in place, without interrupting the user."""

import pytest
from msgspec.structs import replace
from textual import events

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.fake_client import LIVE
from tui.core import events as e
from tui.core.answer_draft import AnswerDraft
from tui.core.changes import ReplyStatusChanged
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Option, PermissionRequest, Question, QuestionRequest
from tui.widgets.dialogs.inbox import Inbox
from tui.widgets.focus.input_guard import GRACE
from tui.widgets.requests.option_row import OptionRow
from tui.widgets.requests.question import QuestionForm

LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")
PERMISSION = PermissionRequest("per_9", "ses_3", "bash", ("make *",), ("make *",), "make check")


def others_ask(stage: Stage) -> None:
    """Two sessions, one a grandchild, which has the older request."""
    stage.client.feed(
        e.SessionUpserted(talk.session("ses_2", "Fix the parser")),
        e.SessionUpserted(talk.child("ses_2a", "ses_2", "explore")),
        e.SessionUpserted(talk.child("ses_2b", "ses_2a", "read on")),
        e.SessionUpserted(talk.session("ses_3", "Write the docs")),
        e.RequestOpened(talk.asked_in("ses_2b", "que_8", "Which grammar?")),
    )


async def open_inbox(stage: Stage) -> Inbox:
    await stage.press("f3")
    await stage.until(lambda: isinstance(stage.app.screen, Inbox))
    assert isinstance(stage.app.screen, Inbox)
    return stage.app.screen


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_requests_are_listed_oldest_first_with_session_and_age(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        others_ask(stage)
        await stage.shows("F3 inbox (1)")
        stage.client.advance(180)
        stage.client.feed(e.RequestOpened(PERMISSION))
        await stage.shows("F3 inbox (2)")
        await open_inbox(stage)
        await stage.shows("Inbox · 2 waiting", "Which grammar?", "read on", "3 min", "Write the docs", "allow bash?")
        assert stage.text.index("Which grammar?") < stage.text.index("allow bash?")


async def test_progress_in_the_inbox_is_shown_in_the_panel_below_too() -> None:
    three = Question("What else?", "More", (Option("a"), Option("b"), Option("c")), multiple=True)
    request = QuestionRequest("que_1", talk.SESSION, (talk.CHOICES.questions[0], three))
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(request))
        await stage.shows("Where shall the sessions live?")
        await open_inbox(stage)
        await stage.press("enter", "1", "enter")
        await stage.shows("What else?")
        form = stage.main.query_one(QuestionForm)
        form.post_message(events.Resize(form.size, form.size))
        await stage.until(lambda: len(form.query(OptionRow)) == 4, "the options of the second question")


async def test_answering_in_the_inbox_does_not_change_the_session() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        await stage.press(*"half a prompt")
        await open_inbox(stage)
        await stage.press("enter", "2", "enter")
        await stage.until(lambda: stage.client.calls("answer") == [("que_8", (("8080",),))])
        await stage.shows("sending…")
        stage.client.feed(e.QuestionAnswered("ses_2b", "que_8", (("8080",),)))
        stage.client.tell(ReplyStatusChanged(talk.asked_in("ses_2b", "que_8"), "acknowledged"))
        await stage.shows("Nothing needs your answer.")
        await stage.press("escape")
        await stage.until(lambda: not isinstance(stage.app.screen, Inbox))
        assert stage.app.presenter.session_id == talk.SESSION
        assert stage.main.prompt.text == "half a prompt"
        await stage.shows("read on", "answered  8080")
        assert "answered" not in stage.main.transcript.text


async def test_the_next_request_ignores_keys_meant_for_the_previous_one() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        stage.client.feed(e.RequestOpened(PERMISSION))
        await open_inbox(stage)
        await stage.press("enter", "1", "enter")
        stage.client.feed(e.QuestionAnswered("ses_2b", "que_8", (("4096",),)))
        await stage.shows("Inbox · 1 waiting")
        await stage.press("enter")
        assert stage.client.calls("reply") == []
        stage.client.advance(1.0)
        await stage.press("enter")
        await stage.until(lambda: stage.client.calls("reply") == [("per_9", "once", "")])


async def test_a_new_request_changes_neither_the_selection_nor_the_focus() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        stage.client.feed(e.RequestOpened(PERMISSION))
        inbox = await open_inbox(stage)
        await stage.press("down")
        await stage.shows("Allow bash?")
        stage.client.feed(e.RequestOpened(talk.asked_in("ses_3", "que_10", "And now?")))
        await stage.shows("Inbox · 3 waiting", "Allow bash?")
        stage.client.feed(e.RequestRemoved("ses_2b", "que_8"))
        await stage.shows("Inbox · 2 waiting")
        request = inbox._looked_at
        assert request is not None
        assert request.id == "per_9"


async def test_a_new_request_elsewhere_is_only_counted_while_typing() -> None:
    async with on_stage() as stage:
        await stage.press("a")
        others_ask(stage)
        await stage.shows("F3 inbox (1)")
        await stage.press("b", "enter")
        assert stage.client.calls("send") == [(talk.SESSION, "ab")]
        assert stage.client.calls("answer") == []


async def test_esc_goes_back_one_step_and_rejects_nothing() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        inbox = await open_inbox(stage)
        await stage.press("enter")
        await stage.until(lambda: inbox._panel.has_focus_within)
        await stage.press("escape")
        await stage.until(lambda: not inbox._panel.has_focus_within)
        await stage.press("escape")
        await stage.until(lambda: not isinstance(stage.app.screen, Inbox))
        assert stage.client.calls("reject") == []


async def test_the_inbox_and_the_session_share_a_draft() -> None:
    async with on_stage() as stage:
        request = QuestionRequest("que_1", talk.SESSION, talk.CHOICES.questions)
        stage.client.feed(e.RequestOpened(request))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.after_grace()
        await stage.press("2")
        await open_inbox(stage)
        draft = stage.main.panel.book.drafts["que_1"]
        assert isinstance(draft, AnswerDraft)
        assert draft.answers() == (("Postgres",), ())
        await stage.press("enter", "1", "escape", "escape")
        await stage.until(lambda: not isinstance(stage.app.screen, Inbox))
        assert stage.main.panel.book.drafts["que_1"] is draft
        assert draft.answers() == (("SQLite",), ())


async def test_requests_are_marked_as_last_known_while_disconnected() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        await open_inbox(stage)
        assert "as last known" not in stage.text
        stage.client.set_line(LOST)
        await stage.shows("Inbox · 1 waiting · as last known", "needs your answer · 0s · as last known")
        await stage.press("escape", "f3")
        await stage.shows("Inbox · 1 waiting · as last known", "needs your answer · 0s · as last known")
        stage.client.set_line(LIVE)
        await stage.hides("as last known")


async def test_an_empty_inbox_is_marked_as_last_known_while_disconnected() -> None:
    async with on_stage() as stage:
        await open_inbox(stage)
        await stage.shows("Nothing needs your answer.")
        stage.client.set_line(LOST)
        await stage.shows("Whether something needs your answer is unknown while disconnected.")
        await stage.hides("Nothing needs your answer.")


async def test_the_outcome_of_a_deleted_sessions_request_names_its_title() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(
            e.SessionUpserted(talk.session("ses_2", "Fix the parser")),
            e.RequestOpened(talk.asked_in("ses_2", "que_8", "Which grammar?")),
        )
        await stage.shows("F3 inbox (1)")
        stage.client.feed(e.SessionDeleted("ses_2"))
        await stage.shows("Fix the parser · the question was withdrawn")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_footer_shows_the_keys_of_the_current_step(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await open_inbox(stage)
        await stage.shows("Enter answer", "o open the session", "Esc back")
        await stage.press("enter")
        await stage.shows("Enter next", "x reject", "o open the session", "Esc back")
        await stage.press("1", "enter")
        await stage.shows("Space choose", "Enter next")
        await stage.press("right")
        await stage.shows("Enter send", "← back")
        await stage.press("left", "left", "3")
        await stage.shows("Enter confirm", "Esc back to the options")
        await stage.hides("o open the session")
        await stage.press("escape", "escape")
        await stage.shows("Enter answer")


async def test_a_rejection_is_confirmed_and_sent() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        await open_inbox(stage)
        await stage.press("enter", "x")
        await stage.shows("Reject the question?")
        await stage.press("enter")
        await stage.until(lambda: stage.client.calls("reject") == [("que_8",)])


async def test_the_next_request_ignores_answers_briefly_and_hides_their_keys() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        stage.client.feed(e.RequestOpened(PERMISSION))
        inbox = await open_inbox(stage)
        await stage.shows("Enter answer", "o open the session", "Esc back")
        await stage.press("enter")
        await stage.until(lambda: inbox._panel.has_focus_within)
        stage.client.feed(e.QuestionAnswered("ses_2b", "que_8", (("8080",),)))
        await stage.shows("Allow bash?")
        await stage.until(lambda: inbox._panel.has_focus_within)
        await stage.hides("Enter answer")
        await stage.press("enter")
        assert stage.client.calls("reply") == []
        await stage.shows("Esc back")
        stage.client.advance(GRACE)
        await stage.shows("Enter answer", "o open the session", "Esc back")
        await stage.press("enter")
        assert stage.client.calls("reply") == [("per_9", "once", "")]


async def test_the_session_of_a_request_can_be_opened() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        await open_inbox(stage)
        await stage.press("o")
        await stage.until(lambda: stage.app.presenter.session_id == "ses_2b")


async def test_the_list_is_focused_after_a_request_closes_without_terminal_focus() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        stage.client.feed(e.RequestOpened(PERMISSION))
        inbox = await open_inbox(stage)
        await stage.press("enter")
        stage.app.post_message(events.AppBlur())
        await stage.until(lambda: inbox.focused is None)
        stage.client.feed(e.RequestRemoved("ses_2b", "que_8"))
        await stage.shows("Allow bash?")
        stage.app.post_message(events.AppFocus())
        await stage.until(lambda: inbox.focused is inbox._options)


async def test_keys_of_a_burst_are_delivered_in_order() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        await open_inbox(stage)
        stage.burst("enter", "2", "enter")
        await stage.until(lambda: stage.client.calls("answer") == [("que_8", (("8080",),))])


async def test_an_unused_letter_does_not_change_enter_and_esc() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        inbox = await open_inbox(stage)
        await stage.press("enter", "w", "2", "w", "enter")
        assert stage.client.calls("answer") == [("que_8", (("8080",),))]
        await stage.press("w", "escape")
        assert inbox.focused is inbox._options


async def test_a_sentence_in_a_burst_answers_nothing() -> None:
    async with on_stage() as stage:
        others_ask(stage)
        await open_inbox(stage)
        await stage.press("enter")
        stage.burst(*"well, use 2", "enter")
        await stage.settled()
        assert stage.client.calls("answer") == []


@pytest.mark.parametrize("later", [0.0, 1.0])
async def test_a_word_that_begins_with_the_key_for_reject_answers_nothing(later: float) -> None:
    async with on_stage() as stage:
        others_ask(stage)
        inbox = await open_inbox(stage)
        await stage.press("enter", "x")
        stage.burst(*"zero 2", "enter", later=later)
        await stage.until(lambda: stage.app.screen is inbox)
        assert (stage.client.calls("answer"), stage.client.calls("reject")) == ([], [])


@pytest.mark.parametrize("at", ["list", "answer", "nothing"])
async def test_a_paste_goes_to_the_prompt_below(at: str) -> None:
    async with on_stage() as stage:
        if at != "nothing":
            others_ask(stage)
        await open_inbox(stage)
        await stage.press(*["enter"] * (at == "answer"))
        stage.app.post_message(events.Paste("two\nlines"))
        await stage.until(lambda: stage.main.prompt.text == "two\nlines")
        assert stage.client.calls("answer") == []


async def test_an_empty_inbox_has_a_message() -> None:
    async with on_stage() as stage:
        await open_inbox(stage)
        await stage.shows("Nothing needs your answer.", "Esc back")
        await stage.hides("Enter answer")
        await stage.press("enter", "o", "escape")
        await stage.until(lambda: not isinstance(stage.app.screen, Inbox))


async def test_requests_older_than_this_client_have_an_age_and_a_position() -> None:
    async with on_stage() as stage:
        client = stage.client
        late = replace(talk.asked_in(talk.SESSION, "que_late", text="The late one?"), asked=client.server_now() - 65)
        early = replace(
            talk.asked_in(talk.SESSION, "que_early", text="The early one?"), asked=client.server_now() - 605
        )
        client.feed(e.RequestOpened(late), e.RequestOpened(early))
        await stage.press("f3")
        await stage.shows("The late one?", "The early one?", "10 min", "1 min")
        assert stage.text.index("The early one?") < stage.text.index("The late one?")


@pytest.mark.parametrize("size", [(40, 12), (60, 14)])
async def test_a_small_screen_shows_the_question_and_how_to_answer_and_leave(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        others_ask(stage)
        stage.client.feed(e.RequestOpened(PERMISSION))
        await open_inbox(stage)
        await stage.shows("Inbox · 2 waiting", "Which grammar?", "1 ( ) 4096", "Enter answer", "Esc back")
        await stage.press("enter", "2")
        await stage.shows("Esc back")
