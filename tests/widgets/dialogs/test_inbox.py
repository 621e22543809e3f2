"""The inbox, used with keys: requests are answered in place, without interrupting the user."""

import pytest
from msgspec.structs import replace
from textual import events

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.fake_client import LIVE
from tui.core import events as e
from tui.core.answer_draft import AnswerDraft
from tui.core.changes import ReplyStatusChanged
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Option, PermissionRequest, Question, QuestionRequest
from tui.widgets.dialogs.inbox import Inbox
from tui.widgets.focus.input_guard import INPUT_GUARD_SECONDS
from tui.widgets.requests.option_row import OptionRow
from tui.widgets.requests.question import QuestionForm

LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")
PERMISSION = PermissionRequest("per_9", "ses_3", "bash", ("make *",), ("make *",), "make check")


def others_ask(harness: AppHarness) -> None:
    """Two sessions, one a grandchild, which has the older request."""
    harness.client.feed(
        e.SessionUpserted(sample.session("ses_2", "Fix the parser")),
        e.SessionUpserted(sample.child("ses_2a", "ses_2", "explore")),
        e.SessionUpserted(sample.child("ses_2b", "ses_2a", "read on")),
        e.SessionUpserted(sample.session("ses_3", "Write the docs")),
        e.RequestOpened(sample.asked_in("ses_2b", "que_8", "Which grammar?")),
    )


async def open_inbox(harness: AppHarness) -> Inbox:
    await harness.press("f3")
    await harness.until(lambda: isinstance(harness.app.screen, Inbox))
    assert isinstance(harness.app.screen, Inbox)
    return harness.app.screen


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_requests_are_listed_oldest_first_with_session_and_age(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        others_ask(harness)
        await harness.shows("F3 inbox (1)")
        harness.client.advance(180)
        harness.client.feed(e.RequestOpened(PERMISSION))
        await harness.shows("F3 inbox (2)")
        await open_inbox(harness)
        await harness.shows("Inbox · 2 waiting", "Which grammar?", "read on", "3 min", "Write the docs", "allow bash?")
        assert harness.text.index("Which grammar?") < harness.text.index("allow bash?")


async def test_progress_in_the_inbox_is_shown_in_the_panel_below_too() -> None:
    three = Question("What else?", "More", (Option("a"), Option("b"), Option("c")), multiple=True)
    request = QuestionRequest("que_1", sample.SESSION, (sample.CHOICES.questions[0], three))
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(request))
        await harness.shows("Where shall the sessions live?")
        await open_inbox(harness)
        await harness.press("enter", "1", "enter")
        await harness.shows("What else?")
        form = harness.main.query_one(QuestionForm)
        form.post_message(events.Resize(form.size, form.size))
        await harness.until(lambda: len(form.query(OptionRow)) == 4, "the options of the second question")


async def test_answering_in_the_inbox_does_not_change_the_session() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        await harness.press(*"half a prompt")
        await open_inbox(harness)
        await harness.press("enter", "2", "enter")
        await harness.until(lambda: harness.client.calls("answer") == [("que_8", (("8080",),))])
        await harness.shows("sending…")
        harness.client.feed(e.QuestionAnswered("ses_2b", "que_8", (("8080",),)))
        harness.client.tell(ReplyStatusChanged(sample.asked_in("ses_2b", "que_8"), "acknowledged"))
        await harness.shows("Nothing needs your answer.")
        await harness.press("escape")
        await harness.until(lambda: not isinstance(harness.app.screen, Inbox))
        assert harness.app.presenter.session_id == sample.SESSION
        assert harness.main.prompt.text == "half a prompt"
        await harness.shows("read on", "answered  8080")
        assert "answered" not in harness.main.transcript.text


async def test_the_next_request_ignores_keys_meant_for_the_previous_one() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        harness.client.feed(e.RequestOpened(PERMISSION))
        await open_inbox(harness)
        await harness.press("enter", "1", "enter")
        harness.client.feed(e.QuestionAnswered("ses_2b", "que_8", (("4096",),)))
        await harness.shows("Inbox · 1 waiting")
        await harness.press("enter")
        assert harness.client.calls("reply") == []
        harness.client.advance(1.0)
        await harness.press("enter")
        await harness.until(lambda: harness.client.calls("reply") == [("per_9", "once", "")])


async def test_a_new_request_changes_neither_the_selection_nor_the_focus() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        harness.client.feed(e.RequestOpened(PERMISSION))
        inbox = await open_inbox(harness)
        await harness.press("down")
        await harness.shows("Allow bash?")
        harness.client.feed(e.RequestOpened(sample.asked_in("ses_3", "que_10", "And now?")))
        await harness.shows("Inbox · 3 waiting", "Allow bash?")
        harness.client.feed(e.RequestRemoved("ses_2b", "que_8"))
        await harness.shows("Inbox · 2 waiting")
        request = inbox._looked_at
        assert request is not None
        assert request.id == "per_9"


async def test_a_new_request_elsewhere_is_only_counted_while_typing() -> None:
    async with app_harness() as harness:
        await harness.press("a")
        others_ask(harness)
        await harness.shows("F3 inbox (1)")
        await harness.press("b", "enter")
        assert harness.client.calls("send") == [(sample.SESSION, "ab")]
        assert harness.client.calls("answer") == []


async def test_esc_goes_back_one_step_and_rejects_nothing() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        inbox = await open_inbox(harness)
        await harness.press("enter")
        await harness.until(lambda: inbox._panel.has_focus_within)
        await harness.press("escape")
        await harness.until(lambda: not inbox._panel.has_focus_within)
        await harness.press("escape")
        await harness.until(lambda: not isinstance(harness.app.screen, Inbox))
        assert harness.client.calls("reject") == []


async def test_the_inbox_and_the_session_share_a_draft() -> None:
    async with app_harness() as harness:
        request = QuestionRequest("que_1", sample.SESSION, sample.CHOICES.questions)
        harness.client.feed(e.RequestOpened(request))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.pass_input_guard()
        await harness.press("2")
        await open_inbox(harness)
        draft = harness.main.panel.ui_state.drafts["que_1"]
        assert isinstance(draft, AnswerDraft)
        assert draft.answers() == (("Postgres",), ())
        await harness.press("enter", "1", "escape", "escape")
        await harness.until(lambda: not isinstance(harness.app.screen, Inbox))
        assert harness.main.panel.ui_state.drafts["que_1"] is draft
        assert draft.answers() == (("SQLite",), ())


async def test_requests_are_marked_as_last_known_while_disconnected() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        await open_inbox(harness)
        assert "as last known" not in harness.text
        harness.client.set_line(LOST)
        await harness.shows("Inbox · 1 waiting · as last known", "needs your answer · 0s · as last known")
        await harness.press("escape", "f3")
        await harness.shows("Inbox · 1 waiting · as last known", "needs your answer · 0s · as last known")
        harness.client.set_line(LIVE)
        await harness.hides("as last known")


async def test_an_empty_inbox_is_marked_as_last_known_while_disconnected() -> None:
    async with app_harness() as harness:
        await open_inbox(harness)
        await harness.shows("Nothing needs your answer.")
        harness.client.set_line(LOST)
        await harness.shows("Whether something needs your answer is unknown while disconnected.")
        await harness.hides("Nothing needs your answer.")


async def test_the_outcome_of_a_deleted_sessions_request_names_its_title() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(
            e.SessionUpserted(sample.session("ses_2", "Fix the parser")),
            e.RequestOpened(sample.asked_in("ses_2", "que_8", "Which grammar?")),
        )
        await harness.shows("F3 inbox (1)")
        harness.client.feed(e.SessionDeleted("ses_2"))
        await harness.shows("Fix the parser · the question was withdrawn")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_footer_shows_the_keys_of_the_current_step(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await open_inbox(harness)
        await harness.shows("Enter answer", "o open the session", "Esc back")
        await harness.press("enter")
        await harness.shows("Enter next", "x reject", "o open the session", "Esc back")
        await harness.press("1", "enter")
        await harness.shows("Space choose", "Enter next")
        await harness.press("right")
        await harness.shows("Enter send", "← back")
        await harness.press("left", "left", "3")
        await harness.shows("Enter confirm", "Esc back to the options")
        await harness.hides("o open the session")
        await harness.press("escape", "escape")
        await harness.shows("Enter answer")


async def test_a_rejection_is_confirmed_and_sent() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        await open_inbox(harness)
        await harness.press("enter", "x")
        await harness.shows("Reject the question?")
        await harness.press("enter")
        await harness.until(lambda: harness.client.calls("reject") == [("que_8",)])


async def test_the_next_request_ignores_answers_briefly_and_hides_their_keys() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        harness.client.feed(e.RequestOpened(PERMISSION))
        inbox = await open_inbox(harness)
        await harness.shows("Enter answer", "o open the session", "Esc back")
        await harness.press("enter")
        await harness.until(lambda: inbox._panel.has_focus_within)
        harness.client.feed(e.QuestionAnswered("ses_2b", "que_8", (("8080",),)))
        await harness.shows("Allow bash?")
        await harness.until(lambda: inbox._panel.has_focus_within)
        await harness.hides("Enter answer")
        await harness.press("enter")
        assert harness.client.calls("reply") == []
        await harness.shows("Esc back")
        harness.client.advance(INPUT_GUARD_SECONDS)
        await harness.shows("Enter answer", "o open the session", "Esc back")
        await harness.press("enter")
        assert harness.client.calls("reply") == [("per_9", "once", "")]


async def test_the_session_of_a_request_can_be_opened() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        await open_inbox(harness)
        await harness.press("o")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_2b")


async def test_the_list_is_focused_after_a_request_closes_without_terminal_focus() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        harness.client.feed(e.RequestOpened(PERMISSION))
        inbox = await open_inbox(harness)
        await harness.press("enter")
        harness.app.post_message(events.AppBlur())
        await harness.until(lambda: inbox.focused is None)
        harness.client.feed(e.RequestRemoved("ses_2b", "que_8"))
        await harness.shows("Allow bash?")
        harness.app.post_message(events.AppFocus())
        await harness.until(lambda: inbox.focused is inbox._options)


async def test_keys_of_a_burst_are_delivered_in_order() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        await open_inbox(harness)
        harness.burst("enter", "2", "enter")
        await harness.until(lambda: harness.client.calls("answer") == [("que_8", (("8080",),))])


async def test_an_unused_letter_does_not_change_enter_and_esc() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        inbox = await open_inbox(harness)
        await harness.press("enter", "w", "2", "w", "enter")
        assert harness.client.calls("answer") == [("que_8", (("8080",),))]
        await harness.press("w", "escape")
        assert inbox.focused is inbox._options


async def test_a_sentence_in_a_burst_answers_nothing() -> None:
    async with app_harness() as harness:
        others_ask(harness)
        await open_inbox(harness)
        await harness.press("enter")
        harness.burst(*"well, use 2", "enter")
        await harness.settled()
        assert harness.client.calls("answer") == []


@pytest.mark.parametrize("later", [0.0, 1.0])
async def test_a_word_that_begins_with_the_key_for_reject_answers_nothing(later: float) -> None:
    async with app_harness() as harness:
        others_ask(harness)
        inbox = await open_inbox(harness)
        await harness.press("enter", "x")
        harness.burst(*"zero 2", "enter", later=later)
        await harness.until(lambda: harness.app.screen is inbox)
        assert (harness.client.calls("answer"), harness.client.calls("reject")) == ([], [])


@pytest.mark.parametrize("at", ["list", "answer", "nothing"])
async def test_a_paste_has_no_effect_and_says_so(at: str) -> None:
    async with app_harness() as harness:
        if at != "nothing":
            others_ask(harness)
        await open_inbox(harness)
        await harness.press(*["enter"] * (at == "answer"))
        harness.app.post_message(events.Paste("two\nlines"))
        await harness.shows("Text has no effect here.")
        assert (harness.main.prompt.text, harness.client.calls("answer")) == ("", [])
        await harness.hides("Text has no effect here.")


async def test_an_empty_inbox_has_a_message() -> None:
    async with app_harness() as harness:
        await open_inbox(harness)
        await harness.shows("Nothing needs your answer.", "Esc back")
        await harness.hides("Enter answer")
        await harness.press("enter", "o", "escape")
        await harness.until(lambda: not isinstance(harness.app.screen, Inbox))


async def test_requests_older_than_this_client_have_an_age_and_a_position() -> None:
    async with app_harness() as harness:
        client = harness.client
        late = replace(
            sample.asked_in(sample.SESSION, "que_late", text="The late one?"), asked=client.server_now() - 65
        )
        early = replace(
            sample.asked_in(sample.SESSION, "que_early", text="The early one?"), asked=client.server_now() - 605
        )
        client.feed(e.RequestOpened(late), e.RequestOpened(early))
        await harness.press("f3")
        await harness.shows("The late one?", "The early one?", "10 min", "1 min")
        assert harness.text.index("The early one?") < harness.text.index("The late one?")


@pytest.mark.parametrize("size", [(40, 12), (60, 14)])
async def test_a_small_screen_shows_the_question_and_how_to_answer_and_leave(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        others_ask(harness)
        harness.client.feed(e.RequestOpened(PERMISSION))
        await open_inbox(harness)
        await harness.shows("Inbox · 2 waiting", "Which grammar?", "1 ( ) 4096", "Enter answer", "Esc back")
        await harness.press("enter", "2")
        await harness.shows("Esc back")
