import asyncio

import pytest
from msgspec.structs import replace
from textual import events
from textual.widgets import TextArea

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.fake_client import LIVE, FakeClient
from tui.backends.base import Traits
from tui.core import events as e
from tui.core.answer_draft import AnswerDraft
from tui.core.changes import ReplyStatusChanged
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Option, Question, QuestionRequest, Request
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.focus.input_guard import GRACE
from tui.widgets.requests.option_row import OptionRow
from tui.widgets.requests.question import QuestionForm, TabLabel
from tui.widgets.status.footer import HintBar

LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")
WORDS_ONLY = QuestionRequest("que_9", talk.SESSION, (Question("What name?", "Name", ()),))
MANY = QuestionRequest(
    "que_8",
    talk.SESSION,
    (Question("Which?", "Which", tuple(Option(f"Number {row}", "a thing") for row in range(30)), custom=False),),
)
NASTY = QuestionRequest(
    "que_7",
    talk.SESSION,
    (Question("[/] [bold]x", "[@click=app.quit]", (Option("[/]", "[red]"), Option("#&<>\"' ")), custom=False),),
)


async def asked(stage: Stage, *requests: Request) -> None:
    """Open the requests, wait for the focus, and let the input guard end."""
    stage.client.feed(*(e.RequestOpened(request) for request in requests))
    await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
    stage.after_grace()


async def test_enter_answers_a_single_question() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.shows("? agent needs your answer", "May I change the callers?", "1 ( ) Change them", "choose one")
        await stage.press("down", "enter")
        assert stage.client.calls("answer") == [("que_2", (("Leave them",),))]


@pytest.mark.parametrize("keys", [["2"], ["j", "space"], ["down", "space"]])
async def test_selecting_does_not_send(keys: list[str]) -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press(*keys)
        assert stage.client.calls("answer") == []
        await stage.shows("2 (•) Leave them")
        await stage.press("enter")
        assert stage.client.calls("answer") == [("que_2", (("Leave them",),))]


async def test_several_questions_are_tabs_followed_by_a_review() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        await stage.press("enter")
        await stage.shows("Store ✓", "What shall come with it?", "choose any", "Space choose")
        await stage.press("space", "down", "space", "enter")
        await stage.shows("Extras ✓", "Enter sends this:", "Migration, Expiry")
        assert stage.client.calls("answer") == []
        await stage.press("left")
        await stage.shows("1 [x] Migration")
        await stage.press("right", "enter")
        assert stage.client.calls("answer") == [("que_1", (("SQLite",), ("Migration", "Expiry")))]


async def test_the_review_names_unanswered_questions() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        await stage.press("enter", "right")
        await stage.shows("not answered")


async def test_a_custom_answer() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        await stage.press("3", *"DuckDB x1", "enter")
        await stage.shows("What shall come with it?")
        await stage.press("left")
        await stage.shows("3 (•) DuckDB x1")


async def test_escape_closes_the_custom_answer_and_keeps_its_text() -> None:
    async with on_stage() as stage:
        await asked(stage, WORDS_ONLY)
        await stage.press("enter", *"hello", "escape")
        assert not stage.main.panel.folded
        await stage.shows("1 ( ) hello")
        await stage.press("enter", "enter")
        assert stage.client.calls("answer") == [("que_9", (("hello",),))]


async def test_the_last_letter_before_escape_is_kept() -> None:
    async with on_stage() as stage:
        await asked(stage, WORDS_ONLY)
        await stage.press("enter")
        stage.burst(*"hello", "escape")
        await stage.shows("1 ( ) hello")


async def test_an_empty_selection_is_not_sent_and_has_a_reason() -> None:
    lone = QuestionRequest("que_6", talk.SESSION, (talk.CHOICES.questions[1],))
    async with on_stage() as stage:
        await asked(stage, lone)
        await stage.press("enter")
        await stage.shows("nothing is chosen yet · Space chooses")
        assert stage.client.calls("answer") == []


async def test_tabs_and_rows_can_be_clicked() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        await stage.pilot.click(list(stage.main.panel.query(TabLabel))[1])
        await stage.shows("What shall come with it?")
        await stage.pilot.click(list(stage.main.panel.query(OptionRow))[1])
        await stage.shows("2 [x] Expiry")


async def test_a_long_list_scrolls_and_leaves_the_transcript_visible() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.at_work())
        await asked(stage, MANY)
        await stage.press(*["down"] * 29)
        await stage.shows("Number 29", "pytest -q tests/store")
        await stage.press("enter")
        assert stage.client.calls("answer") == [("que_8", (("Number 29",),))]


async def test_server_text_is_not_markup() -> None:
    async with on_stage() as stage:
        await asked(stage, NASTY)
        await stage.shows("[/] [bold]x", "[red]", "#&<>\"'")
        await stage.press("enter")
        assert stage.client.calls("answer") == [("que_7", (("[/]",),))]


async def test_keys_during_the_guard_go_to_the_prompt() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
        await stage.press("enter", "1")
        assert stage.client.calls("answer") == []
        assert stage.main.prompt.text == "1"
        assert stage.app.focused is stage.main.prompt
        stage.after_grace()
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "1")]


async def test_enter_during_the_guard_shows_that_it_was_ignored() -> None:
    async with on_stage(size=(40, 12)) as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
        await stage.press("enter")
        await stage.shows("just appeared: press Enter again")
        assert stage.client.calls("answer") == []
        stage.after_grace()
        await stage.press("up")
        await stage.hides("just appeared")
        await stage.press("enter")
        assert len(stage.client.calls("answer")) == 1


async def test_a_digit_and_enter_during_the_guard_are_not_sent_as_a_prompt() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
        await stage.press("1", "enter")
        await stage.shows("The question has just appeared: what you typed went to the prompt.")
        assert (stage.client.calls("send"), stage.client.calls("answer")) == ([], [])
        assert stage.main.prompt.text == "1"


async def test_enter_right_after_a_question_closed_shows_that_it_was_ignored() -> None:
    async with on_stage(size=(80, 24)) as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("escape", *"draft", "f4")
        stage.after_grace()
        stage.client.feed(e.RequestRemoved(talk.SESSION, talk.ONE_CHOICE.id))
        await stage.until(lambda: stage.app.focused is stage.main.prompt)
        await stage.press("enter")
        await stage.shows("press Enter again to send.")
        assert stage.client.calls("send") == []
        stage.after_grace()
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "draft")]


async def test_continued_keys_extend_the_guard() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
        for _ in range(4):
            stage.client.advance(0.4)
            await stage.press("enter")
        assert stage.client.calls("answer") == []
        stage.client.advance(0.6)
        await stage.press("enter")
        assert len(stage.client.calls("answer")) == 1


async def test_the_footer_names_answering_keys_only_after_the_guard() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
        await stage.shows("Esc collapse")
        assert "Enter send" not in stage.text
        assert "x reject" not in stage.text
        stage.app.presenter.stop()  # no other tick draws the footer
        stage.client.advance(GRACE)
        await stage.shows("Enter send", "Esc collapse", "x reject")


async def test_the_footer_names_the_keys_of_the_next_question_at_once() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        await stage.shows("Enter next")
        assert "Space choose" not in stage.text
        stage.app.presenter.stop()  # no tick draws the footer...
        await stage.until(lambda: stage.main.panel.grace._timer is None)  # ...nor does the end of the guard
        await stage.press("1", "enter")
        await stage.shows("Space choose")


async def test_answering_keys_are_never_named_during_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage() as stage:
        named: list[str] = []
        monkeypatch.setattr(HintBar, "show_keys", lambda self, keys, waiting: named.extend(hint.label for hint in keys))
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
        await stage.press("up")
        assert "Esc" in named
        assert "x" not in named


async def test_a_key_during_the_guard_delays_the_footer() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
        stage.client.advance(GRACE - 0.1)
        await stage.press("enter")
        stage.client.advance(GRACE - 0.1)
        stage.main.refresh_hints()
        await stage.pilot.pause()
        assert "x reject" not in stage.text
        stage.client.advance(0.1)
        await stage.shows("Enter send", "x reject")


async def test_the_next_request_hides_the_answering_keys_again() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE, talk.CHOICES)
        await stage.shows("Enter send", "x reject")
        stage.client.feed(e.QuestionAnswered(talk.SESSION, "que_2", (("Change them",),)))
        await stage.shows("Where shall the sessions live?")
        await stage.hides("x reject")
        stage.client.advance(GRACE)
        await stage.shows("Enter next", "x reject")


async def test_a_field_opened_by_a_click_during_the_guard_names_its_keys() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(WORDS_ONLY))
        await stage.until(lambda: stage.main.panel.has_focus_within, "the panel has the keys")
        await stage.pilot.click(next(iter(stage.main.panel.query(OptionRow))))
        await stage.shows("Enter confirm", "Esc back")


async def test_a_request_does_not_take_the_focus_while_typing() -> None:
    async with on_stage() as stage:
        await stage.press(*"half a")
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.shows("May I change the callers?", "Tab answer")
        assert stage.app.focused is stage.main.prompt
        await stage.press("tab")
        assert stage.main.panel.has_focus_within
        assert stage.main.prompt.text == "half a"


async def test_a_just_emptied_prompt_counts_as_typing() -> None:
    async with on_stage() as stage:
        await stage.press("a", "backspace")
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.shows("May I change the callers?")
        assert stage.app.focused is stage.main.prompt


async def test_a_request_takes_the_focus_once_after_typing_stops() -> None:
    async with on_stage() as stage:
        await stage.press("a", "backspace")
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.shows("May I change the callers?")
        stage.second()
        stage.second()
        await stage.until(lambda: stage.main.panel.has_focus_within)
        await stage.press("enter")
        assert stage.client.calls("answer") == [], "it has a grace of its own"
        stage.after_grace()
        await stage.press("shift+tab")
        assert stage.app.focused is stage.main.prompt
        stage.second()
        stage.second()
        await stage.pilot.pause()
        assert stage.app.focused is stage.main.prompt


async def test_tab_right_after_automatic_focus_stays_in_the_question() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        await stage.press("tab")
        assert stage.main.panel.has_focus_within
        await stage.shows("Enter send", "Tab transcript")
        await stage.press("tab")
        assert stage.app.focused is stage.main.transcript


async def test_an_announced_tab_stays_in_the_question_however_late() -> None:
    async with on_stage() as stage:
        await stage.press(*"ab")
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.shows("Tab answer")
        await stage.press("backspace", "backspace")
        stage.after_grace()
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.client.advance(60.0)
        stage.main.refresh_hints()
        assert "Tab transcript" not in stage.text
        await stage.press("tab", "2")
        assert stage.main.panel.has_focus_within
        await stage.shows("› 2 (•)")


async def test_the_cursor_of_a_question_is_shown_only_with_focus() -> None:
    async with on_stage() as stage:
        for request in (talk.ONE_CHOICE, talk.PERMISSION):
            stage.client.feed(e.RequestOpened(request))
            stage.after_grace()
            await stage.until(lambda: stage.main.panel.has_focus_within)
            await stage.shows("› 1 ")
            await stage.press("tab", "tab")
            await stage.hides("› 1 ")
            await stage.press("shift+tab")
            await stage.shows("› 1 ")
            stage.client.feed(e.RequestRemoved(request.session_id, request.id))
            await stage.until(lambda: stage.main.panel.active is None)


async def test_tab_leaves_a_question_after_a_key_press() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.after_grace()
        await stage.press("down")
        await stage.shows("Tab transcript")
        await stage.press("tab")
        assert stage.app.focused is stage.main.transcript


async def test_tab_leaves_a_question_focused_by_the_user() -> None:
    async with on_stage() as stage:
        await stage.press(*"half a")
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.shows("Tab answer")
        await stage.press("tab", "tab")
        assert stage.app.focused is stage.main.transcript


async def test_an_option_description_fills_the_line() -> None:
    about = "one file, atomic writes, nothing to install, and a backup is a copy of that file"
    request = QuestionRequest(
        "que_5",
        talk.SESSION,
        (Question("Where?", "Where", (Option("SQLite", about), Option("No")), custom=False),),
    )
    async with on_stage(size=(80, 24)) as stage:
        await asked(stage, request)
        await stage.shows("1 ( ) SQLite  one file, atomic writes, nothing to install, and a backup is")
        row = next(iter(stage.main.panel.query(OptionRow)))
        first, rest = row.text.split("\n")
        assert first.index("one file") == rest.index("a copy of that file")


async def test_escape_collapses_and_never_rejects() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        await stage.press("2", "escape")
        await stage.shows("F4 answers it")
        assert "Where shall the sessions live?" not in stage.text
        assert stage.app.focused is stage.main.prompt
        assert stage.client.calls("reject") == []
        await stage.press("f4")
        await stage.shows("2 (•) Postgres")
        assert stage.main.panel.has_focus_within
        await stage.press("f4")
        assert stage.main.panel.folded


async def test_rejecting_needs_confirmation() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("x")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press("escape")
        assert stage.client.calls("reject") == []
        await stage.press("x")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press("enter")
        await stage.until(lambda: stage.client.calls("reject") == [("que_2",)])


async def test_two_requests_are_switched_by_a_key() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES, talk.ONE_CHOICE)
        await stage.shows("1 of 2 · n next", "Where shall the sessions live?")
        await stage.press("2", "n")
        await stage.shows("2 of 2", "May I change the callers?")
        await stage.press("p")
        await stage.shows("1 of 2", "2 (•) Postgres")


async def test_the_form_of_a_request_that_is_no_longer_shown_sends_nothing() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE, talk.CHOICES)
        form = stage.main.panel.query_one(QuestionForm)
        stage.main.panel.action_turn(1)
        form.action_confirm()
        await stage.settled()
        assert stage.client.calls("answer") == []
        assert stage.main.panel.book.fares == {}


async def test_a_draft_survives_a_reconnection() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        await stage.press("2")
        stage.client.feed(e.StreamLost(), e.Resynced({}, ()))
        await stage.hides("needs your answer")
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await stage.shows("Where shall the sessions live?", "2 (•) Postgres")
        stage.client.feed(e.StreamLost(), e.RequestOpened(talk.CHOICES))
        await stage.pilot.pause()
        assert "2 (•) Postgres" in stage.text


async def test_delivery_is_shown_and_an_answer_cannot_be_sent_twice() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("enter")
        await stage.shows("sending…")
        await stage.press("enter", "down", "enter")
        assert len(stage.client.calls("answer")) == 1
        await stage.hides("x reject")
        stage.client.tell(ReplyStatusChanged(talk.ONE_CHOICE, "retrying", "connection refused"))
        await stage.shows("no response from the server (connection refused) · trying again")
        stage.client.tell(ReplyStatusChanged(talk.ONE_CHOICE, "refused", "no such label"))
        await stage.shows("the server refused it (no such label)", "still open", "Enter send", "x reject")
        await stage.press("enter")
        assert len(stage.client.calls("answer")) == 2


async def test_a_request_is_marked_as_last_known_while_disconnected() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        assert "as last known" not in stage.text
        stage.client.set_line(LOST)
        await stage.shows("needs your answer", "as last known")
        stage.client.set_line(LIVE)
        await stage.hides("as last known")


async def test_a_closed_request_is_replaced_by_an_outcome_line() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("enter")
        stage.client.tell(ReplyStatusChanged(talk.ONE_CHOICE, "acknowledged"))
        stage.client.feed(e.QuestionAnswered(talk.SESSION, "que_2", (("Change them",),)))
        await stage.hides("needs your answer")
        await stage.shows("✓ answered  Change them")
        await stage.until(lambda: stage.app.focused is stage.main.prompt)


async def test_the_next_request_has_its_own_guard() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE, talk.CHOICES)
        stage.client.feed(e.QuestionAnswered(talk.SESSION, "que_2", (("Change them",),)))
        await stage.shows("Where shall the sessions live?")
        await stage.press("enter")
        assert "Store ✓" not in stage.text


@pytest.mark.parametrize("closes", ["answered", "gone"])
async def test_a_repeated_enter_does_not_send_the_draft(closes: str) -> None:
    async with on_stage() as stage:
        await stage.press(*"half a")
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.shows("Tab answer")
        await stage.press("tab")
        stage.after_grace()
        if closes == "answered":
            await stage.press("enter")
            stage.client.tell(ReplyStatusChanged(talk.ONE_CHOICE, "acknowledged"))
            stage.client.feed(e.QuestionAnswered(talk.SESSION, "que_2", (("Change them",),)))
        else:
            stage.client.feed(e.RequestRemoved(talk.SESSION, "que_2"))
        await stage.until(lambda: stage.app.focused is stage.main.prompt)
        await stage.hides("Enter send")
        await stage.press("enter")
        stage.client.advance(GRACE - 0.1)
        await stage.press("enter")
        assert stage.client.calls("send") == []
        stage.client.advance(GRACE)
        await stage.shows("Enter send")
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "half a")]


@pytest.mark.parametrize("how", ["typed", "pasted"])
async def test_text_typed_after_a_request_closed_can_be_sent_at_once(how: str) -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        stage.client.feed(e.RequestRemoved(talk.SESSION, "que_2"))
        await stage.until(lambda: stage.app.focused is stage.main.prompt)
        if how == "typed":
            stage.burst(*"go on", "enter")
        else:
            stage.app.post_message(events.Paste("go on"))
            stage.burst("enter")
        await stage.until(lambda: stage.client.calls("send"))
        assert stage.client.calls("send") == [(talk.SESSION, "go on")]


async def test_keys_right_after_the_next_key_belong_to_the_next_request() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES, talk.ONE_CHOICE)
        stage.burst("n", "2")
        await stage.shows("May I change the callers?", "2 (•) Leave them")
        assert "went to the prompt" not in stage.text
        stage.burst("p", "enter")
        await stage.shows("Where shall the sessions live?")
        await stage.settled()
        await stage.shows("1 ( ) SQLite", "2 ( ) Postgres")
        stage.burst("n", "enter")
        await stage.shows("May I change the callers?")
        await stage.settled()
        assert stage.client.calls("answer") == [], "nobody has seen what Enter would have answered"


async def test_enter_right_after_the_reject_key_answers_nothing() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        stage.burst("x", "enter")
        await stage.shows("Reject the question?")
        assert [call for call in stage.client.asked if call[0] in ("answer", "reject")] == []


@pytest.mark.parametrize("behind", [["2"], ["enter"], ["down", "enter"], ["x"]])
async def test_keys_right_after_sending_change_nothing(behind: list[str]) -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        stage.burst("enter", *behind)
        await stage.until(lambda: stage.client.calls("answer"))
        assert stage.client.calls("answer") == [("que_2", (("Change them",),))]
        assert stage.app.screen is stage.main, "nor is a rejection asked about"


async def test_keys_of_a_burst_are_handled_in_order() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        stage.burst("right", "1", "left", "2", "up", "space")
        await stage.settled()
        draft = stage.main.panel.book.drafts["que_1"]
        assert isinstance(draft, AnswerDraft)
        assert draft.answers() == (("SQLite",), ("Migration",))


async def test_a_permission_uses_the_first_of_two_replies_in_a_burst() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.PERMISSION)
        stage.burst("enter", "down", "enter")
        await stage.until(lambda: stage.client.calls("reply"))
        assert stage.client.calls("reply") == [("per_1", "once", "")]


async def test_a_question_of_a_child_session_is_shown() -> None:
    async with on_stage() as stage:
        child = talk.session("ses_child", "a subagent")
        stage.client.feed(
            e.SessionUpserted(type(child)(child.id, child.title, parent_id=talk.SESSION)),
            e.RequestOpened(QuestionRequest("que_c", "ses_child", talk.ONE_CHOICE.questions)),
        )
        await stage.shows("May I change the callers?")


async def test_a_permission_shows_its_command_and_scope() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.PERMISSION))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.after_grace()
        await stage.shows("asks for permission", "Allow bash?", "make check", "pytest *")
        await stage.press("2", "enter")
        assert stage.client.calls("reply") == [("per_1", "always", "")]


async def test_an_updated_permission_is_redrawn_and_keeps_the_selection() -> None:
    async with on_stage() as stage:
        await asked(stage, replace(talk.PERMISSION, action="execute", call_id=None))
        await stage.shows("Allow execute?")
        await stage.press("2")
        stage.client.feed(e.RequestOpened(talk.PERMISSION))
        await stage.shows("Allow bash?", "› 2 always")
        await stage.until(lambda: stage.main.panel.has_focus_within)
        await stage.press("enter")
        assert stage.client.calls("reply") == [("per_1", "always", "")]


async def test_an_updated_permission_does_not_interrupt_typing_a_reason() -> None:
    async with on_stage() as stage:
        await asked(stage, replace(talk.PERMISSION, action="execute", always=(), call_id=None))
        await stage.press("4", *"no, use")
        stage.client.feed(e.RequestOpened(talk.PERMISSION))
        await stage.shows("Allow bash?", "pytest *")
        await stage.press(*" make", "enter")
        assert stage.client.calls("reply") == [("per_1", "reject", "no, use make")]


async def test_a_permission_is_rejected_with_a_reason() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.PERMISSION))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.after_grace()
        await stage.press("4", "enter")
        assert isinstance(stage.app.focused, TextArea)
        await stage.press(*"use uv", "enter")
        assert stage.client.calls("reply") == [("per_1", "reject", "use uv")]


async def test_no_reason_is_offered_if_the_family_does_not_support_it() -> None:
    client = FakeClient()
    client.traits = Traits("any", reject_with_reason=False)
    async with on_stage(client=client) as stage:
        await asked(stage, talk.PERMISSION)
        await stage.shows("reject")
        await stage.hides("with a reason")
        await stage.press("4", "enter")
        assert stage.client.calls("reply") == [("per_1", "once", "")]


@pytest.mark.parametrize(("ends", "said"), [(True, "On this server that ends the turn."), (False, "may end")])
async def test_the_confirmation_says_what_rejecting_does(ends: bool, said: str) -> None:
    client = FakeClient()
    client.traits = Traits("any", reject_ends_turn=ends)
    async with on_stage(client=client) as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("x")
        await stage.shows("Reject the question?", said)


@pytest.mark.parametrize("asked_for", [talk.ONE_CHOICE, talk.PERMISSION])
async def test_a_sentence_typed_at_an_open_request_goes_to_the_prompt(asked_for: Request) -> None:
    async with on_stage() as stage:
        await asked(stage, asked_for)
        for key in ("s", "t", "o", "p", "space", "2", "space", "x"):
            await stage.press(key)
        assert stage.main.prompt.text == "stop 2 x"
        assert [call for call in stage.client.asked if call[0] in ("answer", "reply", "reject")] == []


async def test_a_sentence_in_a_burst_answers_nothing() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.PERMISSION)
        await stage.press(*"do", "space", *"not", "enter")
        assert [call for call in stage.client.asked if call[0] in ("answer", "reply", "reject")] == []


@pytest.mark.parametrize("word", ["xfoo", "x 2"])
async def test_a_word_in_a_burst_starting_with_the_reject_key_is_text(word: str) -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        stage.burst(*(" " if key == " " else key for key in word))
        await stage.until(lambda: stage.main.prompt.text == word)
        await stage.settled()
        assert not isinstance(stage.app.screen, Confirm)
        await stage.press("enter")
        assert [call for call in stage.client.asked if call[0] in ("answer", "reply", "reject")] == []


async def test_continued_typing_rejects_nothing() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("x")
        await stage.shows("Reject the question?")
        await stage.press("space")
        await stage.hides("Reject the question?")
        assert stage.client.calls("reject") == []


async def test_a_custom_answer_in_a_burst_is_complete() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        stage.burst("3", *"hello jk x", "backspace", "backspace")
        form = stage.main.panel.open_form
        assert form is not None
        await stage.until(lambda: form.editor.text == "hello jk")
        assert stage.main.prompt.text == ""
        stage.burst("!", "enter", "space", "enter", "enter")
        await stage.until(lambda: stage.client.calls("answer"))
        assert stage.client.calls("answer") == [("que_1", (("hello jk!",), ("Migration",)))]


async def test_a_custom_answer_and_following_keys_in_a_burst() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        stage.burst("3", *"hi", "enter", "2", "enter", "enter")
        await stage.until(lambda: stage.client.calls("answer"))
        assert stage.client.calls("answer") == [("que_1", (("hi",), ("Expiry",)))]


async def test_the_reason_row_opens_by_its_number_and_sends_no_empty_reason() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.PERMISSION)
        await stage.press("4", "enter")
        await stage.shows("Enter a reason")
        assert stage.client.calls("reply") == []
        await stage.press("escape")
        stage.burst("4", *"not now", "enter")
        await stage.until(lambda: stage.client.calls("reply"))
        assert stage.client.calls("reply") == [("per_1", "reject", "not now")]


LONG = QuestionRequest(
    "que_l",
    talk.SESSION,
    (
        Question(
            "Before anything is moved: " + "which of the stores shall it be, and why not another? " * 4 + "END",
            "Store",
            tuple(Option(f"Choice {row}", "with a few words of what it means") for row in range(4)),
        ),
    ),
)


@pytest.mark.parametrize("size", [(30, 20), (40, 16), (80, 24)])
async def test_a_small_screen_shows_the_question_before_options_can_be_sent(
    size: tuple[int, int],
) -> None:
    async with on_stage(size=size) as stage:
        await asked(stage, LONG)
        await stage.shows("Before anything")
        for _ in range(4):
            if "END" not in stage.text:
                await stage.press("pagedown")
        await stage.shows("END")
        form = stage.main.panel.open_form
        assert form is not None
        form.scroll_home(animate=False)
        await stage.shows("Before anything")
        unseen = "Choice 0" not in stage.text
        await stage.press("enter")
        if unseen:
            assert stage.client.calls("answer") == []
            await stage.shows("Choice 0")
            await stage.press("enter")
        assert stage.client.calls("answer") == [("que_l", (("Choice 0",),))]


async def test_moving_to_the_first_row_shows_the_question_again() -> None:
    async with on_stage(size=(40, 20)) as stage:
        await asked(stage, talk.CHOICES)
        await stage.press("down", "down", "up", "up")
        await stage.shows("Where shall the sessions live?", "1 ( ) SQLite")


async def test_short_lived_requests_keep_the_transcript_at_its_end() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("a line\n\n" * 60))
        stage.client.feed(talk.text("", part_id="prt_s", state="streaming"))
        transcript = stage.main.transcript
        await stage.until(lambda: transcript.scroll_y == transcript.max_scroll_y > 0)
        for row in range(30):
            request = replace(talk.CHOICES if row % 2 else talk.PERMISSION, id=f"request {row}")
            stage.client.feed(e.RequestOpened(request), talk.delta(f"word {row}\n\n", part_id="prt_s"))
            if row % 3:
                await stage.until(lambda: stage.main.panel.display)
            stage.client.feed(e.RequestRemoved(talk.SESSION, request.id))
            assert transcript.following
        await stage.until(lambda: not stage.main.panel.display)
        await stage.until(lambda: transcript.scroll_y == transcript.max_scroll_y)
        assert transcript.following


@pytest.mark.parametrize("at", ["request", "dialog", "transcript", "shift+tab", "escape", "f4", "closed", "next"])
@pytest.mark.parametrize("turns", range(3))
async def test_fast_typing_outside_the_prompt_keeps_its_order(at: str, turns: int) -> None:
    """`turns`: rounds of the event loop between two keys."""
    words = "see what I wrote to you before"
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        match at:
            case "dialog":
                await stage.press("x")
                await stage.shows("Reject the question?")
            case "transcript":
                stage.main.transcript.focus()
                await stage.until(lambda: stage.main.transcript.has_focus)
            case "shift+tab" | "escape" | "f4":
                stage.burst(at)
            case "closed":
                stage.client.feed(e.RequestRemoved(talk.SESSION, talk.ONE_CHOICE.id))
            case "next":
                stage.client.feed(e.RequestOpened(talk.CHOICES), e.RequestRemoved(talk.SESSION, talk.ONE_CHOICE.id))
        for letter in words:
            stage.burst(letter, later=1.0)
            for _ in range(turns):
                await asyncio.sleep(0)
        await stage.until(lambda: len(stage.main.prompt.text) == len(words))
        assert stage.main.prompt.text == words
        await stage.until(lambda: stage.main.prompt.has_focus)


@pytest.mark.parametrize("turns", [0, 3, 20, 200])
async def test_a_word_that_begins_with_the_key_for_reject_is_kept_in_order(turns: int) -> None:
    """`turns`: of the event loop, between two keys."""
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        for letter in "xylophone 1":
            stage.burst(letter)
            for _ in range(turns):
                await asyncio.sleep(0)
        await stage.until(lambda: len(stage.main.prompt.text) == len("xylophone 1"))
        assert stage.main.prompt.text == "xylophone 1"
        await stage.press("enter")
        assert (stage.client.calls("send"), stage.client.calls("reject")) == ([], [])


async def test_a_letter_typed_long_after_the_key_for_reject_is_kept_alone() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("x")
        stage.burst("z", later=1.0)
        await stage.until(lambda: stage.main.prompt.text == "z")


async def test_keys_behind_a_paste_at_a_dialog_are_inserted_behind_it() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("x")
        await stage.shows("Reject the question?")
        stage.app.post_message(events.Paste("a paste"))
        stage.burst(*" and on")
        await stage.until(lambda: stage.main.prompt.text == "a paste and on")


async def test_text_typed_at_a_dialog_does_not_answer_it() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("x")
        await stage.shows("Reject the question?")
        stage.burst(*"say yes", "enter", later=1.0)
        await stage.until(lambda: stage.main.prompt.text == "say yes")
        assert stage.client.calls("reject") == []


async def test_the_prompt_is_focused_after_a_request_closes_without_terminal_focus() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        stage.app.post_message(events.AppBlur())
        await stage.until(lambda: stage.main.focused is None)
        stage.client.feed(e.RequestRemoved(talk.SESSION, talk.ONE_CHOICE.id))
        await stage.until(lambda: not stage.main.panel.display)
        stage.app.post_message(events.AppFocus())
        await stage.until(lambda: stage.main.prompt.has_focus)


async def test_the_next_request_gets_the_focus_when_the_terminal_regains_it() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        stage.app.post_message(events.AppBlur())
        await stage.until(lambda: stage.main.focused is None)
        stage.client.feed(e.RequestOpened(talk.CHOICES), e.RequestRemoved(talk.SESSION, talk.ONE_CHOICE.id))
        await stage.shows("Where shall the sessions live?")
        stage.app.post_message(events.AppFocus())
        await stage.until(lambda: stage.main.prompt.has_focus)
        stage.second()
        await stage.until(lambda: stage.main.panel.has_focus_within)


@pytest.mark.parametrize("how", ["closed", "f4"])
@pytest.mark.parametrize("turns", range(3))
async def test_letters_for_a_closed_custom_answer_go_to_the_prompt(how: str, turns: int) -> None:
    """`turns`: rounds of the event loop between two keys."""
    async with on_stage() as stage:
        await asked(stage, WORDS_ONLY)
        await stage.press("enter")
        await stage.until(lambda: isinstance(stage.app.focused, TextArea))
        if how == "f4":
            stage.burst("f4")
        else:
            stage.client.feed(e.RequestRemoved(talk.SESSION, WORDS_ONLY.id))
        for letter in "what I wrote":
            stage.burst(letter)
            for _ in range(turns):
                await asyncio.sleep(0)
        await stage.until(lambda: stage.main.prompt.text == "what I wrote")
        await stage.until(lambda: stage.main.prompt.has_focus)


@pytest.mark.parametrize("then", ["nothing", "next"])
@pytest.mark.parametrize("turns", range(8))
async def test_enter_meant_for_a_closed_custom_answer_sends_no_prompt(turns: int, then: str) -> None:
    """`turns`: rounds of the event loop between two keys."""
    async with on_stage() as stage:
        await asked(stage, WORDS_ONLY)
        await stage.press("enter")
        if then == "next":
            stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        stage.client.feed(e.RequestRemoved(talk.SESSION, WORDS_ONLY.id))
        for key in (*"wrote", "enter"):
            stage.burst(key)
            for _ in range(turns):
                await asyncio.sleep(0)
        await stage.until(lambda: stage.main.prompt.text == "wrote")
        await stage.until(lambda: stage.main.prompt.has_focus)
        assert stage.client.calls("send") == []
        stage.client.advance(GRACE)
        await stage.shows("Enter send")
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "wrote")]


@pytest.mark.parametrize("at", ["grace", "request", "own words", "transcript", "prompt"])
async def test_a_paste_outside_a_text_field_goes_to_the_prompt(at: str) -> None:
    async with on_stage() as stage:
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE if at == "request" else WORDS_ONLY))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        match at:
            case "request" | "own words":
                stage.after_grace()
                await stage.press(*["enter"] * (at == "own words"))
            case "transcript":
                stage.main.transcript.focus()
            case "prompt":
                await stage.press("escape")
        await stage.settled()
        stage.app.post_message(events.Paste("two\nlines"))
        stage.burst(*" more")
        into = stage.app.focused if at == "own words" else stage.main.prompt
        assert isinstance(into, TextArea)
        await stage.until(lambda: into.text == "two\nlines more")
        await stage.until(lambda: into.has_focus)
        assert stage.main.prompt.text in ("", into.text)


async def test_no_letter_confirms_a_rejection() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.asked_in(talk.SESSION))
        await stage.press("x")
        await stage.shows("Reject the question?")
        stage.burst(*"ylo", later=1.0)
        await stage.until(lambda: stage.main.prompt.text == "ylo")
        assert stage.client.calls("reject") == []


@pytest.mark.parametrize("letter", ["n", "p", "h", "l"])
async def test_an_unused_letter_in_a_question_starts_a_prompt(letter: str) -> None:
    async with on_stage() as stage:
        await asked(stage, talk.asked_in(talk.SESSION))
        await stage.press(letter, "o")
        await stage.until(lambda: stage.main.prompt.text == f"{letter}o")
