import asyncio

import pytest
from msgspec.structs import replace
from textual import events
from textual.widgets import TextArea

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.fake_client import LIVE, FakeClient
from tui.backends.base import Traits
from tui.core import events as e
from tui.core.answer_draft import AnswerDraft
from tui.core.changes import ReplyStatusChanged
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Option, Question, QuestionRequest, Request
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.focus.input_guard import INPUT_GUARD_SECONDS
from tui.widgets.requests.option_row import OptionRow
from tui.widgets.requests.question import QuestionForm, TabLabel
from tui.widgets.status.footer import HintBar

LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")
WORDS_ONLY = QuestionRequest("que_9", sample.SESSION, (Question("What name?", "Name", ()),))
MANY = QuestionRequest(
    "que_8",
    sample.SESSION,
    (Question("Which?", "Which", tuple(Option(f"Number {row}", "a thing") for row in range(30)), custom=False),),
)
MARKUP_TEXT = QuestionRequest(
    "que_7",
    sample.SESSION,
    (Question("[/] [bold]x", "[@click=app.quit]", (Option("[/]", "[red]"), Option("#&<>\"' ")), custom=False),),
)


async def asked(harness: AppHarness, *requests: Request) -> None:
    """Open the requests, wait for the focus, and let the input guard end."""
    harness.client.feed(*(e.RequestOpened(request) for request in requests))
    await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
    harness.pass_input_guard()


async def test_enter_answers_a_single_question() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.shows("? agent needs your answer", "May I change the callers?", "1 ( ) Change them", "choose one")
        await harness.press("down", "enter")
        assert harness.client.calls("answer") == [("que_2", (("Leave them",),))]


@pytest.mark.parametrize("keys", [["2"], ["j", "space"], ["down", "space"]])
async def test_selecting_does_not_send(keys: list[str]) -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press(*keys)
        assert harness.client.calls("answer") == []
        await harness.shows("2 (•) Leave them")
        await harness.press("enter")
        assert harness.client.calls("answer") == [("que_2", (("Leave them",),))]


async def test_several_questions_are_tabs_followed_by_a_review() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        await harness.press("enter")
        await harness.shows("Store ✓", "What shall come with it?", "choose any", "Space choose")
        await harness.press("space", "down", "space", "enter")
        await harness.shows("Extras ✓", "Enter sends this:", "Migration, Expiry")
        assert harness.client.calls("answer") == []
        await harness.press("left")
        await harness.shows("1 [x] Migration")
        await harness.press("right", "enter")
        assert harness.client.calls("answer") == [("que_1", (("SQLite",), ("Migration", "Expiry")))]


async def test_the_review_names_unanswered_questions() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        await harness.press("enter", "right")
        await harness.shows("not answered")


async def test_a_custom_answer() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        await harness.press("3", *"DuckDB x1", "enter")
        await harness.shows("What shall come with it?")
        await harness.press("left")
        await harness.shows("3 (•) DuckDB x1")


async def test_escape_closes_the_custom_answer_and_keeps_its_text() -> None:
    async with app_harness() as harness:
        await asked(harness, WORDS_ONLY)
        await harness.press("enter", *"hello", "escape")
        assert not harness.main.panel.folded
        await harness.shows("1 ( ) hello")
        await harness.press("enter", "enter")
        assert harness.client.calls("answer") == [("que_9", (("hello",),))]


async def test_the_last_letter_before_escape_is_kept() -> None:
    async with app_harness() as harness:
        await asked(harness, WORDS_ONLY)
        await harness.press("enter")
        harness.burst(*"hello", "escape")
        await harness.shows("1 ( ) hello")


async def test_an_empty_selection_is_not_sent_and_has_a_reason() -> None:
    lone = QuestionRequest("que_6", sample.SESSION, (sample.CHOICES.questions[1],))
    async with app_harness() as harness:
        await asked(harness, lone)
        await harness.press("enter")
        await harness.shows("nothing is chosen yet · Space chooses")
        assert harness.client.calls("answer") == []


async def test_tabs_and_rows_can_be_clicked() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        await harness.pilot.click(list(harness.main.panel.query(TabLabel))[1])
        await harness.shows("What shall come with it?")
        await harness.pilot.click(list(harness.main.panel.query(OptionRow))[1])
        await harness.shows("2 [x] Expiry")


async def test_a_long_list_scrolls_and_leaves_the_transcript_visible() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(*sample.at_work())
        await asked(harness, MANY)
        await harness.press(*["down"] * 29)
        await harness.shows("Number 29", "pytest -q tests/store")
        await harness.press("enter")
        assert harness.client.calls("answer") == [("que_8", (("Number 29",),))]


async def test_server_text_is_not_markup() -> None:
    async with app_harness() as harness:
        await asked(harness, MARKUP_TEXT)
        await harness.shows("[/] [bold]x", "[red]", "#&<>\"'")
        await harness.press("enter")
        assert harness.client.calls("answer") == [("que_7", (("[/]",),))]


async def test_keys_during_the_guard_go_to_the_prompt() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
        await harness.press("enter", "1")
        assert harness.client.calls("answer") == []
        assert harness.main.prompt.text == "1"
        assert harness.app.focused is harness.main.prompt
        harness.pass_input_guard()
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, "1")]


async def test_a_question_that_changes_under_its_id_is_shown_with_a_new_guard() -> None:
    other = replace(
        sample.ONE_CHOICE,
        questions=(Question("Delete everything?", "All", (Option("No"), Option("Yes")), custom=False),),
    )
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("2")
        await harness.shows("2 (•) Leave them")
        harness.client.feed(e.RequestOpened(other))
        await harness.shows("Delete everything?", "2 ( ) Yes", "the question was withdrawn")
        await harness.press("enter")
        assert harness.client.calls("answer") == []
        harness.pass_input_guard()
        await harness.press("enter")
        assert harness.client.calls("answer") == [("que_2", (("No",),))]


async def test_a_permission_that_changes_under_its_id_is_shown_with_a_new_guard() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.PERMISSION)
        await harness.press("down")
        harness.client.feed(e.RequestOpened(replace(sample.PERMISSION, patterns=("rm *",), detail="rm -rf /")))
        await harness.shows("rm -rf /")
        await harness.press("enter")
        assert harness.client.calls("reply") == []
        harness.pass_input_guard()
        await harness.press("enter")
        assert [call[1] for call in harness.client.calls("reply")] == ["once"]


async def test_enter_during_the_guard_shows_that_it_was_ignored() -> None:
    async with app_harness(size=(40, 12)) as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
        await harness.press("enter")
        await harness.shows("just appeared: press Enter again")
        assert harness.client.calls("answer") == []
        harness.pass_input_guard()
        await harness.press("up")
        await harness.hides("just appeared")
        await harness.press("enter")
        assert len(harness.client.calls("answer")) == 1


async def test_a_digit_and_enter_during_the_guard_are_not_sent_as_a_prompt() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
        await harness.press("1", "enter")
        await harness.shows("The question has just appeared: what you typed went to the prompt.")
        assert (harness.client.calls("send"), harness.client.calls("answer")) == ([], [])
        assert harness.main.prompt.text == "1"


async def test_enter_right_after_a_question_closed_shows_that_it_was_ignored() -> None:
    async with app_harness(size=(80, 24)) as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("escape", *"draft", "f4")
        harness.pass_input_guard()
        harness.client.feed(e.RequestRemoved(sample.SESSION, sample.ONE_CHOICE.id))
        await harness.until(lambda: harness.app.focused is harness.main.prompt)
        await harness.press("enter")
        await harness.shows("press Enter again to send.")
        assert harness.client.calls("send") == []
        harness.pass_input_guard()
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, "draft")]


async def test_continued_keys_extend_the_guard() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
        for _ in range(4):
            harness.client.advance(0.4)
            await harness.press("enter")
        assert harness.client.calls("answer") == []
        harness.client.advance(0.6)
        await harness.press("enter")
        assert len(harness.client.calls("answer")) == 1


async def test_the_footer_names_answering_keys_only_after_the_guard() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
        await harness.shows("Esc collapse")
        assert "Enter send" not in harness.text
        assert "x reject" not in harness.text
        harness.app.presenter.stop()  # no other tick draws the footer
        harness.client.advance(INPUT_GUARD_SECONDS)
        await harness.shows("Enter send", "Esc collapse", "x reject")


async def test_the_footer_names_the_keys_of_the_next_question_at_once() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        await harness.shows("Enter next")
        assert "Space choose" not in harness.text
        harness.app.presenter.stop()  # no tick draws the footer...
        await harness.until(lambda: harness.main.panel.input_guard._timer is None)  # ...nor does the end of the guard
        await harness.press("1", "enter")
        await harness.shows("Space choose")


async def test_answering_keys_are_never_named_during_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_harness() as harness:
        named: list[str] = []
        monkeypatch.setattr(HintBar, "show_keys", lambda self, keys, waiting: named.extend(hint.label for hint in keys))
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
        await harness.press("up")
        assert "Esc" in named
        assert "x" not in named


async def test_a_key_during_the_guard_delays_the_footer() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
        harness.client.advance(INPUT_GUARD_SECONDS - 0.1)
        await harness.press("enter")
        harness.client.advance(INPUT_GUARD_SECONDS - 0.1)
        harness.main.refresh_hints()
        await harness.pilot.pause()
        assert "x reject" not in harness.text
        harness.client.advance(0.1)
        await harness.shows("Enter send", "x reject")


async def test_the_next_request_hides_the_answering_keys_again() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE, sample.CHOICES)
        await harness.shows("Enter send", "x reject")
        harness.client.feed(e.QuestionAnswered(sample.SESSION, "que_2", (("Change them",),)))
        await harness.shows("Where shall the sessions live?")
        await harness.hides("x reject")
        harness.client.advance(INPUT_GUARD_SECONDS)
        await harness.shows("Enter next", "x reject")


async def test_a_field_opened_by_a_click_during_the_guard_names_its_keys() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(WORDS_ONLY))
        await harness.until(lambda: harness.main.panel.has_focus_within, "the panel has the keys")
        await harness.pilot.click(next(iter(harness.main.panel.query(OptionRow))))
        await harness.shows("Enter confirm", "Esc back")


async def test_a_request_does_not_take_the_focus_while_typing() -> None:
    async with app_harness() as harness:
        await harness.press(*"half a")
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.shows("May I change the callers?", "Tab answer")
        assert harness.app.focused is harness.main.prompt
        await harness.press("tab")
        assert harness.main.panel.has_focus_within
        assert harness.main.prompt.text == "half a"


async def test_a_just_emptied_prompt_counts_as_typing() -> None:
    async with app_harness() as harness:
        await harness.press("a", "backspace")
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.shows("May I change the callers?")
        assert harness.app.focused is harness.main.prompt


async def test_a_request_takes_the_focus_once_after_typing_stops() -> None:
    async with app_harness() as harness:
        await harness.press("a", "backspace")
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.shows("May I change the callers?")
        harness.second()
        harness.second()
        await harness.until(lambda: harness.main.panel.has_focus_within)
        await harness.press("enter")
        assert harness.client.calls("answer") == [], "it has a grace of its own"
        harness.pass_input_guard()
        await harness.press("shift+tab")
        assert harness.app.focused is harness.main.prompt
        harness.second()
        harness.second()
        await harness.pilot.pause()
        assert harness.app.focused is harness.main.prompt


async def test_tab_right_after_automatic_focus_stays_in_the_question() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        await harness.press("tab")
        assert harness.main.panel.has_focus_within
        await harness.shows("Enter send", "Tab transcript")
        await harness.press("tab")
        assert harness.app.focused is harness.main.transcript


async def test_an_announced_tab_stays_in_the_question_however_late() -> None:
    async with app_harness() as harness:
        await harness.press(*"ab")
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.shows("Tab answer")
        await harness.press("backspace", "backspace")
        harness.pass_input_guard()
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.client.advance(60.0)
        harness.main.refresh_hints()
        assert "Tab transcript" not in harness.text
        await harness.press("tab", "2")
        assert harness.main.panel.has_focus_within
        await harness.shows("› 2 (•)")


async def test_the_cursor_of_a_question_is_shown_only_with_focus() -> None:
    async with app_harness() as harness:
        for request in (sample.ONE_CHOICE, sample.PERMISSION):
            harness.client.feed(e.RequestOpened(request))
            harness.pass_input_guard()
            await harness.until(lambda: harness.main.panel.has_focus_within)
            await harness.shows("› 1 ")
            await harness.press("tab", "tab")
            await harness.hides("› 1 ")
            await harness.press("shift+tab")
            await harness.shows("› 1 ")
            harness.client.feed(e.RequestRemoved(request.session_id, request.id))
            await harness.until(lambda: harness.main.panel.active is None)


async def test_tab_leaves_a_question_after_a_key_press() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.pass_input_guard()
        await harness.press("down")
        await harness.shows("Tab transcript")
        await harness.press("tab")
        assert harness.app.focused is harness.main.transcript


async def test_tab_leaves_a_question_focused_by_the_user() -> None:
    async with app_harness() as harness:
        await harness.press(*"half a")
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.shows("Tab answer")
        await harness.press("tab", "tab")
        assert harness.app.focused is harness.main.transcript


async def test_an_option_description_fills_the_line() -> None:
    about = "one file, atomic writes, nothing to install, and a backup is a copy of that file"
    request = QuestionRequest(
        "que_5",
        sample.SESSION,
        (Question("Where?", "Where", (Option("SQLite", about), Option("No")), custom=False),),
    )
    async with app_harness(size=(80, 24)) as harness:
        await asked(harness, request)
        await harness.shows("1 ( ) SQLite  one file, atomic writes, nothing to install, and a backup is")
        row = next(iter(harness.main.panel.query(OptionRow)))
        first, rest = row.text.split("\n")
        assert first.index("one file") == rest.index("a copy of that file")


async def test_escape_collapses_and_never_rejects() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        await harness.press("2", "escape")
        await harness.shows("F4 answers it")
        assert "Where shall the sessions live?" not in harness.text
        assert harness.app.focused is harness.main.prompt
        assert harness.client.calls("reject") == []
        await harness.press("f4")
        await harness.shows("2 (•) Postgres")
        assert harness.main.panel.has_focus_within
        await harness.press("f4")
        assert harness.main.panel.folded


async def test_rejecting_needs_confirmation() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("x")
        await harness.until(lambda: isinstance(harness.app.screen, Confirm))
        await harness.press("escape")
        assert harness.client.calls("reject") == []
        await harness.press("x")
        await harness.until(lambda: isinstance(harness.app.screen, Confirm))
        await harness.press("enter")
        await harness.until(lambda: harness.client.calls("reject") == [("que_2",)])


async def test_two_requests_are_switched_by_a_key() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES, sample.ONE_CHOICE)
        await harness.shows("1 of 2 · n next", "Where shall the sessions live?")
        await harness.press("2", "n")
        await harness.shows("2 of 2", "May I change the callers?")
        await harness.press("p")
        await harness.shows("1 of 2", "2 (•) Postgres")


async def test_the_form_of_a_request_that_is_no_longer_shown_sends_nothing() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE, sample.CHOICES)
        form = harness.main.panel.query_one(QuestionForm)
        harness.main.panel.action_turn(1)
        form.action_confirm()
        await harness.settled()
        assert harness.client.calls("answer") == []
        assert harness.main.panel.ui_state.reply_statuses == {}


async def test_a_draft_survives_a_reconnection() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        await harness.press("2")
        harness.client.feed(e.StreamLost(), e.Resynced({}, ()))
        await harness.hides("needs your answer")
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await harness.shows("Where shall the sessions live?", "2 (•) Postgres")
        harness.client.feed(e.StreamLost(), e.RequestOpened(sample.CHOICES))
        await harness.pilot.pause()
        assert "2 (•) Postgres" in harness.text


async def test_delivery_is_shown_and_an_answer_cannot_be_sent_twice() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("enter")
        await harness.shows("sending…")
        await harness.press("enter", "down", "enter")
        assert len(harness.client.calls("answer")) == 1
        await harness.hides("x reject")
        harness.client.tell(ReplyStatusChanged(sample.ONE_CHOICE, "retrying", "connection refused"))
        await harness.shows("no response from the server (connection refused) · trying again")
        harness.client.tell(ReplyStatusChanged(sample.ONE_CHOICE, "refused", "no such label"))
        await harness.shows("the server refused it (no such label)", "still open", "Enter send", "x reject")
        await harness.press("enter")
        assert len(harness.client.calls("answer")) == 2


async def test_a_request_is_marked_as_last_known_while_disconnected() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        assert "as last known" not in harness.text
        harness.client.set_line(LOST)
        await harness.shows("needs your answer", "as last known")
        harness.client.set_line(LIVE)
        await harness.hides("as last known")


async def test_a_closed_request_is_replaced_by_an_outcome_line() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("enter")
        harness.client.tell(ReplyStatusChanged(sample.ONE_CHOICE, "acknowledged"))
        harness.client.feed(e.QuestionAnswered(sample.SESSION, "que_2", (("Change them",),)))
        await harness.hides("needs your answer")
        await harness.shows("✓ answered  Change them")
        await harness.until(lambda: harness.app.focused is harness.main.prompt)


async def test_the_next_request_has_its_own_guard() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE, sample.CHOICES)
        harness.client.feed(e.QuestionAnswered(sample.SESSION, "que_2", (("Change them",),)))
        await harness.shows("Where shall the sessions live?")
        await harness.press("enter")
        assert "Store ✓" not in harness.text


@pytest.mark.parametrize("closes", ["answered", "gone"])
async def test_a_repeated_enter_does_not_send_the_draft(closes: str) -> None:
    async with app_harness() as harness:
        await harness.press(*"half a")
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.shows("Tab answer")
        await harness.press("tab")
        harness.pass_input_guard()
        if closes == "answered":
            await harness.press("enter")
            harness.client.tell(ReplyStatusChanged(sample.ONE_CHOICE, "acknowledged"))
            harness.client.feed(e.QuestionAnswered(sample.SESSION, "que_2", (("Change them",),)))
        else:
            harness.client.feed(e.RequestRemoved(sample.SESSION, "que_2"))
        await harness.until(lambda: harness.app.focused is harness.main.prompt)
        await harness.hides("Enter send")
        await harness.press("enter")
        harness.client.advance(INPUT_GUARD_SECONDS - 0.1)
        await harness.press("enter")
        assert harness.client.calls("send") == []
        harness.client.advance(INPUT_GUARD_SECONDS)
        await harness.shows("Enter send")
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, "half a")]


@pytest.mark.parametrize("how", ["typed", "pasted"])
async def test_text_typed_after_a_request_closed_can_be_sent_at_once(how: str) -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        harness.client.feed(e.RequestRemoved(sample.SESSION, "que_2"))
        await harness.until(lambda: harness.app.focused is harness.main.prompt)
        if how == "typed":
            harness.burst(*"go on", "enter")
        else:
            harness.app.post_message(events.Paste("go on"))
            harness.burst("enter")
        await harness.until(lambda: harness.client.calls("send"))
        assert harness.client.calls("send") == [(sample.SESSION, "go on")]


async def test_keys_right_after_the_next_key_belong_to_the_next_request() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES, sample.ONE_CHOICE)
        harness.burst("n", "2")
        await harness.shows("May I change the callers?", "2 (•) Leave them")
        assert "went to the prompt" not in harness.text
        harness.burst("p", "enter")
        await harness.shows("Where shall the sessions live?")
        await harness.settled()
        await harness.shows("1 ( ) SQLite", "2 ( ) Postgres")
        harness.burst("n", "enter")
        await harness.shows("May I change the callers?")
        await harness.settled()
        assert harness.client.calls("answer") == [], "the question was not drawn before Enter was pressed"


async def test_enter_right_after_the_reject_key_answers_nothing() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        harness.burst("x", "enter")
        await harness.shows("Reject the question?")
        assert [call for call in harness.client.asked if call[0] in ("answer", "reject")] == []


@pytest.mark.parametrize("behind", [["2"], ["enter"], ["down", "enter"], ["x"]])
async def test_keys_right_after_sending_change_nothing(behind: list[str]) -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        harness.burst("enter", *behind)
        await harness.until(lambda: harness.client.calls("answer"))
        assert harness.client.calls("answer") == [("que_2", (("Change them",),))]
        assert harness.app.screen is harness.main, "nor is a rejection asked about"


async def test_keys_of_a_burst_are_handled_in_order() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        harness.burst("right", "1", "left", "2", "up", "space")
        await harness.settled()
        draft = harness.main.panel.ui_state.drafts["que_1"]
        assert isinstance(draft, AnswerDraft)
        assert draft.answers() == (("SQLite",), ("Migration",))


async def test_a_permission_uses_the_first_of_two_replies_in_a_burst() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.PERMISSION)
        harness.burst("enter", "down", "enter")
        await harness.until(lambda: harness.client.calls("reply"))
        assert harness.client.calls("reply") == [("per_1", "once", "")]


async def test_a_question_of_a_child_session_is_shown() -> None:
    async with app_harness() as harness:
        child = sample.session("ses_child", "a subagent")
        harness.client.feed(
            e.SessionUpserted(type(child)(child.id, child.title, parent_id=sample.SESSION)),
            e.RequestOpened(QuestionRequest("que_c", "ses_child", sample.ONE_CHOICE.questions)),
        )
        await harness.shows("May I change the callers?")


async def test_a_permission_shows_its_command_and_scope() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.PERMISSION))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.pass_input_guard()
        await harness.shows("asks for permission", "Allow bash?", "make check", "pytest *")
        await harness.press("2", "enter")
        assert harness.client.calls("reply") == [("per_1", "always", "")]


async def test_an_updated_permission_is_redrawn_and_keeps_the_selection() -> None:
    async with app_harness() as harness:
        await asked(harness, replace(sample.PERMISSION, action="execute", call_id=None))
        await harness.shows("Allow execute?")
        await harness.press("2")
        harness.client.feed(e.RequestOpened(sample.PERMISSION))
        await harness.shows("Allow bash?", "› 2 always")
        await harness.until(lambda: harness.main.panel.has_focus_within)
        await harness.press("enter")
        assert harness.client.calls("reply") == [("per_1", "always", "")]


async def test_an_updated_permission_does_not_interrupt_typing_a_reason() -> None:
    async with app_harness() as harness:
        await asked(harness, replace(sample.PERMISSION, action="execute", always=(), call_id=None))
        await harness.press("4", *"no, use")
        harness.client.feed(e.RequestOpened(sample.PERMISSION))
        await harness.shows("Allow bash?", "pytest *")
        await harness.press(*" make", "enter")
        assert harness.client.calls("reply") == [("per_1", "reject", "no, use make")]


async def test_a_permission_is_rejected_with_a_reason() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.PERMISSION))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.pass_input_guard()
        await harness.press("4", "enter")
        assert isinstance(harness.app.focused, TextArea)
        await harness.press(*"use uv", "enter")
        assert harness.client.calls("reply") == [("per_1", "reject", "use uv")]


async def test_no_reason_is_offered_if_the_family_does_not_support_it() -> None:
    client = FakeClient()
    client.traits = Traits("any", reject_with_reason=False)
    async with app_harness(client=client) as harness:
        await asked(harness, sample.PERMISSION)
        await harness.shows("reject")
        await harness.hides("with a reason")
        await harness.press("4", "enter")
        assert harness.client.calls("reply") == [("per_1", "once", "")]


@pytest.mark.parametrize(("ends", "message"), [(True, "On this server that ends the turn."), (False, "may end")])
async def test_the_confirmation_says_what_rejecting_does(ends: bool, message: str) -> None:
    client = FakeClient()
    client.traits = Traits("any", reject_ends_turn=ends)
    async with app_harness(client=client) as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("x")
        await harness.shows("Reject the question?", message)


@pytest.mark.parametrize("asked_for", [sample.ONE_CHOICE, sample.PERMISSION])
async def test_a_sentence_typed_at_an_open_request_goes_to_the_prompt(asked_for: Request) -> None:
    async with app_harness() as harness:
        await asked(harness, asked_for)
        for key in ("s", "t", "o", "p", "space", "2", "space", "x"):
            await harness.press(key)
        assert harness.main.prompt.text == "stop 2 x"
        assert [call for call in harness.client.asked if call[0] in ("answer", "reply", "reject")] == []


async def test_a_sentence_in_a_burst_answers_nothing() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.PERMISSION)
        await harness.press(*"do", "space", *"not", "enter")
        assert [call for call in harness.client.asked if call[0] in ("answer", "reply", "reject")] == []


@pytest.mark.parametrize("word", ["xfoo", "x 2"])
async def test_a_word_in_a_burst_starting_with_the_reject_key_is_text(word: str) -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        harness.burst(*(" " if key == " " else key for key in word))
        await harness.until(lambda: harness.main.prompt.text == word)
        await harness.settled()
        assert not isinstance(harness.app.screen, Confirm)
        await harness.press("enter")
        assert [call for call in harness.client.asked if call[0] in ("answer", "reply", "reject")] == []


async def test_continued_typing_rejects_nothing() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("x")
        await harness.shows("Reject the question?")
        await harness.press("space")
        await harness.hides("Reject the question?")
        assert harness.client.calls("reject") == []


async def test_a_custom_answer_in_a_burst_is_complete() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        harness.burst("3", *"hello jk x", "backspace", "backspace")
        form = harness.main.panel.open_form
        assert form is not None
        await harness.until(lambda: form.editor.text == "hello jk")
        assert harness.main.prompt.text == ""
        harness.burst("!", "enter", "space", "enter", "enter")
        await harness.until(lambda: harness.client.calls("answer"))
        assert harness.client.calls("answer") == [("que_1", (("hello jk!",), ("Migration",)))]


async def test_a_custom_answer_and_following_keys_in_a_burst() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        harness.burst("3", *"hi", "enter", "2", "enter", "enter")
        await harness.until(lambda: harness.client.calls("answer"))
        assert harness.client.calls("answer") == [("que_1", (("hi",), ("Expiry",)))]


async def test_the_reason_row_opens_by_its_number_and_sends_no_empty_reason() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.PERMISSION)
        await harness.press("4", "enter")
        await harness.shows("Enter a reason")
        assert harness.client.calls("reply") == []
        await harness.press("escape")
        harness.burst("4", *"not now", "enter")
        await harness.until(lambda: harness.client.calls("reply"))
        assert harness.client.calls("reply") == [("per_1", "reject", "not now")]


LONG = QuestionRequest(
    "que_l",
    sample.SESSION,
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
    async with app_harness(size=size) as harness:
        await asked(harness, LONG)
        await harness.shows("Before anything")
        for _ in range(4):
            if "END" not in harness.text:
                await harness.press("pagedown")
        await harness.shows("END")
        form = harness.main.panel.open_form
        assert form is not None
        form.scroll_home(animate=False)
        await harness.shows("Before anything")
        unseen = "Choice 0" not in harness.text
        await harness.press("enter")
        if unseen:
            assert harness.client.calls("answer") == []
            await harness.shows("Choice 0")
            await harness.press("enter")
        assert harness.client.calls("answer") == [("que_l", (("Choice 0",),))]


async def test_moving_to_the_first_row_shows_the_question_again() -> None:
    async with app_harness(size=(40, 20)) as harness:
        await asked(harness, sample.CHOICES)
        await harness.press("down", "down", "up", "up")
        await harness.shows("Where shall the sessions live?", "1 ( ) SQLite")


async def test_short_lived_requests_keep_the_transcript_at_its_end() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("a line\n\n" * 60))
        harness.client.feed(sample.text("", part_id="prt_s", state="streaming"))
        transcript = harness.main.transcript
        await harness.until(lambda: transcript.scroll_y == transcript.max_scroll_y > 0)
        for row in range(30):
            request = replace(sample.CHOICES if row % 2 else sample.PERMISSION, id=f"request {row}")
            harness.client.feed(e.RequestOpened(request), sample.delta(f"word {row}\n\n", part_id="prt_s"))
            if row % 3:
                await harness.until(lambda: harness.main.panel.display)
            harness.client.feed(e.RequestRemoved(sample.SESSION, request.id))
            assert transcript.following
        await harness.until(lambda: not harness.main.panel.display)
        await harness.until(lambda: transcript.scroll_y == transcript.max_scroll_y)
        assert transcript.following


@pytest.mark.parametrize("at", ["request", "dialog", "transcript", "shift+tab", "escape", "f4", "closed", "next"])
@pytest.mark.parametrize("turns", range(3))
async def test_fast_typing_outside_the_prompt_keeps_its_order(at: str, turns: int) -> None:
    """`turns`: rounds of the event loop between two keys."""
    words = "see what I wrote to you before"
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        match at:
            case "dialog":
                await harness.press("x")
                await harness.shows("Reject the question?")
            case "transcript":
                harness.main.transcript.focus()
                await harness.until(lambda: harness.main.transcript.has_focus)
            case "shift+tab" | "escape" | "f4":
                harness.burst(at)
            case "closed":
                harness.client.feed(e.RequestRemoved(sample.SESSION, sample.ONE_CHOICE.id))
            case "next":
                harness.client.feed(
                    e.RequestOpened(sample.CHOICES), e.RequestRemoved(sample.SESSION, sample.ONE_CHOICE.id)
                )
        for letter in words:
            harness.burst(letter, later=1.0)
            for _ in range(turns):
                await asyncio.sleep(0)
        await harness.until(lambda: len(harness.main.prompt.text) == len(words))
        assert harness.main.prompt.text == words
        await harness.until(lambda: harness.main.prompt.has_focus)


@pytest.mark.parametrize("turns", [0, 3, 20, 200])
async def test_a_word_that_begins_with_the_key_for_reject_is_kept_in_order(turns: int) -> None:
    """`turns`: of the event loop, between two keys."""
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        for letter in "xylophone 1":
            harness.burst(letter)
            for _ in range(turns):
                await asyncio.sleep(0)
        await harness.until(lambda: len(harness.main.prompt.text) == len("xylophone 1"))
        assert harness.main.prompt.text == "xylophone 1"
        await harness.press("enter")
        assert (harness.client.calls("send"), harness.client.calls("reject")) == ([], [])


async def test_a_letter_typed_long_after_the_key_for_reject_is_kept_alone() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("x")
        harness.burst("z", later=1.0)
        await harness.until(lambda: harness.main.prompt.text == "z")


async def test_keys_behind_a_paste_at_a_dialog_are_inserted_behind_it() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("x")
        await harness.shows("Reject the question?")
        harness.app.post_message(events.Paste("a paste"))
        harness.burst(*" and on")
        await harness.until(lambda: harness.main.prompt.text == "a paste and on")


async def test_text_typed_at_a_dialog_does_not_answer_it() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("x")
        await harness.shows("Reject the question?")
        harness.burst(*"say yes", "enter", later=1.0)
        await harness.until(lambda: harness.main.prompt.text == "say yes")
        assert harness.client.calls("reject") == []


async def test_the_prompt_is_focused_after_a_request_closes_without_terminal_focus() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        harness.app.post_message(events.AppBlur())
        await harness.until(lambda: harness.main.focused is None)
        harness.client.feed(e.RequestRemoved(sample.SESSION, sample.ONE_CHOICE.id))
        await harness.until(lambda: not harness.main.panel.display)
        harness.app.post_message(events.AppFocus())
        await harness.until(lambda: harness.main.prompt.has_focus)


async def test_the_next_request_gets_the_focus_when_the_terminal_regains_it() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        harness.app.post_message(events.AppBlur())
        await harness.until(lambda: harness.main.focused is None)
        harness.client.feed(e.RequestOpened(sample.CHOICES), e.RequestRemoved(sample.SESSION, sample.ONE_CHOICE.id))
        await harness.shows("Where shall the sessions live?")
        harness.app.post_message(events.AppFocus())
        await harness.until(lambda: harness.main.prompt.has_focus)
        harness.second()
        await harness.until(lambda: harness.main.panel.has_focus_within)


@pytest.mark.parametrize("how", ["closed", "f4"])
@pytest.mark.parametrize("turns", range(3))
async def test_letters_for_a_closed_custom_answer_go_to_the_prompt(how: str, turns: int) -> None:
    """`turns`: rounds of the event loop between two keys."""
    async with app_harness() as harness:
        await asked(harness, WORDS_ONLY)
        await harness.press("enter")
        await harness.until(lambda: isinstance(harness.app.focused, TextArea))
        if how == "f4":
            harness.burst("f4")
        else:
            harness.client.feed(e.RequestRemoved(sample.SESSION, WORDS_ONLY.id))
        for letter in "what I wrote":
            harness.burst(letter)
            for _ in range(turns):
                await asyncio.sleep(0)
        await harness.until(lambda: harness.main.prompt.text == "what I wrote")
        await harness.until(lambda: harness.main.prompt.has_focus)


@pytest.mark.parametrize("then", ["nothing", "next"])
@pytest.mark.parametrize("turns", range(8))
async def test_enter_meant_for_a_closed_custom_answer_sends_no_prompt(turns: int, then: str) -> None:
    """`turns`: rounds of the event loop between two keys."""
    async with app_harness() as harness:
        await asked(harness, WORDS_ONLY)
        await harness.press("enter")
        if then == "next":
            harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        harness.client.feed(e.RequestRemoved(sample.SESSION, WORDS_ONLY.id))
        for key in (*"wrote", "enter"):
            harness.burst(key)
            for _ in range(turns):
                await asyncio.sleep(0)
        await harness.until(lambda: harness.main.prompt.text == "wrote")
        await harness.until(lambda: harness.main.prompt.has_focus)
        assert harness.client.calls("send") == []
        harness.client.advance(INPUT_GUARD_SECONDS)
        await harness.shows("Enter send")
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, "wrote")]


@pytest.mark.parametrize("at", ["grace", "request", "own words", "transcript", "prompt"])
async def test_a_paste_outside_a_text_field_goes_to_the_prompt(at: str) -> None:
    async with app_harness() as harness:
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE if at == "request" else WORDS_ONLY))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        match at:
            case "request" | "own words":
                harness.pass_input_guard()
                await harness.press(*["enter"] * (at == "own words"))
            case "transcript":
                harness.main.transcript.focus()
            case "prompt":
                await harness.press("escape")
        await harness.settled()
        harness.app.post_message(events.Paste("two\nlines"))
        harness.burst(*" more")
        into = harness.app.focused if at == "own words" else harness.main.prompt
        assert isinstance(into, TextArea)
        await harness.until(lambda: into.text == "two\nlines more")
        await harness.until(lambda: into.has_focus)
        assert harness.main.prompt.text in ("", into.text)


async def test_no_letter_confirms_a_rejection() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.asked_in(sample.SESSION))
        await harness.press("x")
        await harness.shows("Reject the question?")
        harness.burst(*"ylo", later=1.0)
        await harness.until(lambda: harness.main.prompt.text == "ylo")
        assert harness.client.calls("reject") == []


@pytest.mark.parametrize("letter", ["n", "p", "h", "l"])
async def test_an_unused_letter_in_a_question_starts_a_prompt(letter: str) -> None:
    async with app_harness() as harness:
        await asked(harness, sample.asked_in(sample.SESSION))
        await harness.press(letter, "o")
        await harness.until(lambda: harness.main.prompt.text == f"{letter}o")
