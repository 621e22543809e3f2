import msgspec
import pytest
from msgspec.structs import replace

from tui.core.answer_draft import AnswerDraft, Step
from tui.core.model import Option, Question, QuestionRequest

SINGLE = Question("Which store?", "Store", (Option("SQLite"), Option("Postgres")))
CLOSED = Question("May I?", "May I", (Option("Yes"), Option("No")), custom=False)
MULTIPLE = Question("Which extras?", "Extras", (Option("Migration"), Option("Expiry")), multiple=True)
WORDS_ONLY = Question("What name?", "Name", ())


def draft(*questions: Question) -> AnswerDraft:
    return AnswerDraft(QuestionRequest("que_1", "ses_1", questions))


def test_enter_on_a_row_answers_a_single_question() -> None:
    answer = draft(CLOSED)
    answer.move(1)
    assert answer.confirm() is Step.SEND
    assert answer.answers() == (("No",),)


def test_choosing_alone_never_sends() -> None:
    answer = draft(CLOSED)
    assert answer.choose(1) is Step.STAY
    assert answer.choose() is Step.STAY
    assert answer.answers() == (("No",),)


def test_a_single_choice_is_replaced() -> None:
    answer = draft(SINGLE)
    answer.choose(0)
    answer.choose(1)
    assert answer.answers() == (("Postgres",),)


def test_a_multiple_choice_is_toggled_and_answered_in_the_order_of_the_options() -> None:
    answer = draft(MULTIPLE)
    answer.choose(1)
    answer.choose(0)
    assert answer.answers() == (("Migration", "Expiry"),)
    answer.choose(1)
    assert answer.answers() == (("Migration",),)


def test_enter_does_not_mark_an_option_of_a_multiple_choice() -> None:
    answer = draft(MULTIPLE)
    assert answer.confirm() is Step.STAY
    assert answer.answers() == ((),)
    answer.choose(0)
    assert answer.confirm() is Step.SEND


@pytest.mark.parametrize(("question", "rows"), [(SINGLE, 3), (CLOSED, 2), (MULTIPLE, 3), (WORDS_ONLY, 1)])
def test_a_custom_answer_has_a_row_if_allowed(question: Question, rows: int) -> None:
    answer = draft(question)
    assert answer.rows == rows
    assert answer.is_custom(rows - 1) is question.custom


@pytest.mark.parametrize("row", [-1, 2, 9])
def test_an_invalid_row_chooses_nothing(row: int) -> None:
    answer = draft(CLOSED)
    assert answer.choose(row) is Step.STAY
    assert answer.answers() == ((),)


def test_the_cursor_stops_at_both_ends() -> None:
    answer = draft(CLOSED)
    answer.move(-3)
    assert answer.cursor == 0
    answer.move(7)
    assert answer.cursor == 1


def test_a_custom_answer_replaces_a_single_choice_and_moves_on() -> None:
    answer = draft(SINGLE)
    answer.choose(0)
    answer.move(2)
    assert answer.confirm() is Step.WRITE
    answer.write("  DuckDB ")
    assert answer.answers() == (("SQLite",),), "text counts only when committed"
    assert answer.commit_text() is Step.SEND
    assert answer.answers() == (("DuckDB",),)


def test_a_custom_answer_is_one_more_of_a_multiple_choice() -> None:
    answer = draft(MULTIPLE)
    answer.choose(0)
    assert answer.choose(2) is Step.WRITE
    answer.write("Logs")
    assert answer.commit_text() is Step.STAY
    assert answer.answers() == (("Migration", "Logs"),)
    answer.choose(2)
    assert answer.answers() == (("Migration",),), "Space removes it"
    assert answer.custom_text == "Logs", "but its text is kept"


def test_a_choice_after_a_custom_answer_keeps_its_text_unsent() -> None:
    answer = draft(SINGLE)
    answer.choose(2)
    answer.write("DuckDB")
    answer.commit_text()
    answer.choose(0)
    assert answer.answers() == (("SQLite",),)
    assert answer.custom_text == "DuckDB"


@pytest.mark.parametrize("words", ["", "  \n "])
def test_empty_text_is_not_an_answer(words: str) -> None:
    answer = draft(WORDS_ONLY)
    assert answer.confirm() is Step.WRITE
    answer.write(words)
    assert answer.commit_text() is Step.STAY
    assert not answer.sendable


def test_emptied_text_is_no_longer_an_answer() -> None:
    answer = draft(WORDS_ONLY)
    answer.write("sessions")
    answer.commit_text()
    answer.write("")
    assert answer.answers() == ((),)


def test_several_questions_are_sent_from_a_review() -> None:
    answer = draft(SINGLE, MULTIPLE)
    assert answer.tabs == 3
    assert answer.confirm() is Step.STAY
    assert answer.tab == 1
    answer.choose(1)
    assert answer.confirm() is Step.STAY
    assert answer.on_review
    assert answer.question is None
    assert answer.confirm() is Step.SEND
    assert answer.answers() == (("SQLite",), ("Expiry",))


def test_a_review_needs_at_least_one_answer() -> None:
    answer = draft(SINGLE, MULTIPLE)
    answer.go(2)
    assert answer.confirm() is Step.STAY
    answer.go(1)
    answer.choose(0)
    answer.go(2)
    assert answer.confirm() is Step.SEND
    assert answer.answers() == ((), ("Migration",))
    assert [answer.answered(index) for index in range(2)] == [False, True]


def test_tabs_stop_at_both_ends_and_keep_their_own_cursor() -> None:
    answer = draft(SINGLE, MULTIPLE)
    answer.move(1)
    answer.go(-1)
    assert answer.tab == 0
    answer.go(1)
    assert answer.cursor == 0
    answer.go(9)
    assert answer.on_review
    answer.go(0)
    assert answer.cursor == 1


def test_one_question_has_no_review() -> None:
    assert not draft(MULTIPLE).has_review
    assert draft(MULTIPLE).tabs == 1


def test_the_review_ignores_choices_and_text() -> None:
    answer = draft(SINGLE, CLOSED)
    answer.go(2)
    assert answer.choose() is Step.STAY
    answer.write("words")
    assert answer.commit_text() is Step.STAY
    assert (answer.rows, answer.cursor, answer.custom_text) == (0, 0, "")
    assert not answer.is_chosen(0)
    assert answer.answers() == ((), ())


def filled() -> AnswerDraft:
    answer = draft(SINGLE, MULTIPLE, WORDS_ONLY)
    answer.choose(1)
    answer.confirm()
    answer.choose(0)
    answer.go(2)
    answer.write("half a na")
    return answer


def test_a_stored_draft_is_restored() -> None:
    kept = filled()
    again = AnswerDraft.from_bytes(kept.request, kept.to_bytes())
    assert again.to_bytes() == kept.to_bytes()
    assert (again.tab, again.custom_text, again.answered(2)) == (2, "half a na", False)
    assert again.answers() == (("Postgres",), ("Migration",), ())


@pytest.mark.parametrize("body", [b"", b"{", b'{"tab": 0}', b'{"tab":0,"entries":[]}'])
def test_a_stored_draft_that_does_not_fit_is_discarded(body: bytes) -> None:
    request = filled().request
    assert AnswerDraft.from_bytes(request, body).to_bytes() == AnswerDraft(request).to_bytes()


@pytest.mark.parametrize("question", [CLOSED, replace(WORDS_ONLY, text="Delete everything?")])
def test_a_stored_draft_for_other_questions_under_the_same_id_is_discarded(question: Question) -> None:
    kept = AnswerDraft(QuestionRequest("que_1", "ses_1", (WORDS_ONLY,)))
    kept.write("in my words")
    kept.commit_text()
    assert kept.answers() == (("in my words",),)
    again = AnswerDraft.from_bytes(QuestionRequest("que_1", "ses_1", (question,)), kept.to_bytes())
    assert again.answers() == ((),)
    assert again.custom_text == ""
    assert not again.sendable


def test_options_of_the_same_questions_in_another_order_are_not_chosen() -> None:
    kept = AnswerDraft(QuestionRequest("que_1", "ses_1", (CLOSED,)))
    kept.choose(0)
    turned = QuestionRequest("que_1", "ses_1", (replace(CLOSED, options=CLOSED.options[::-1]),))
    assert AnswerDraft.from_bytes(turned, kept.to_bytes()).answers() == ((),)


def test_numbers_beyond_the_questions_are_dropped_from_a_stored_draft() -> None:
    kept = filled()
    stored = msgspec.json.decode(kept.to_bytes())
    for entry in stored["entries"]:
        entry |= {"chosen": [*entry["chosen"], 99], "cursor": 99}
    again = AnswerDraft.from_bytes(kept.request, msgspec.json.encode({**stored, "tab": 99}))
    assert again.answers() == kept.answers()
    again.go(0)
    assert 0 <= again.cursor < again.rows
