"""Typed lines as answers to a request: numbers, labels, texts, permissions, and lines that are no answer."""

import pytest

from tui.api.values import Choice, PendingQuestion, PendingRequest, Reply
from tui.cli.typed_answer import Invalid, RequestDialog, Step

ONE = PendingQuestion("db", "Which database?", (Choice(1, "Postgres"), Choice(2, "SQLite")))
MANY = PendingQuestion("features", "Which features?", (Choice(1, "auth"), Choice(2, "search")), multiple=True)
COUNT = PendingQuestion("count", "How many?", (Choice(1, "2"), Choice(2, "3")))
CLOSED = PendingQuestion("sure", "Are you sure?", (Choice(1, "Yes"), Choice(2, "No")), custom=False)


def dialog(*questions: PendingQuestion) -> RequestDialog:
    if not questions:
        choices = (Choice(1, "once"), Choice(2, "always"), Choice(3, "reject"))
        return RequestDialog(PendingRequest(id="r1", kind="permission", session="s1", action="bash", choices=choices))
    return RequestDialog(PendingRequest(id="r1", kind="question", session="s1", questions=questions))


@pytest.mark.parametrize("line", ["2", " 2 ", "sqlite", "SQLite"])
def test_a_number_or_label_answers_a_single_question(line: str) -> None:
    assert dialog(ONE).take(line) == Reply(answers=(("SQLite",),))


@pytest.mark.parametrize("line", ["1,2", "1 2", "1, 2, 1", "search, auth", "2, auth"])
def test_several_numbers_answer_a_question_that_takes_several(line: str) -> None:
    assert dialog(MANY).take(line) == Reply(answers=(("auth", "search"),))


def test_a_text_after_an_equals_sign_is_an_own_answer() -> None:
    assert dialog(ONE).take("= DuckDB ") == Reply(answers=(("DuckDB",),))


def test_each_question_is_answered_in_turn() -> None:
    asked = dialog(ONE, MANY)
    assert asked.take("1") is Step.NEXT_QUESTION
    assert asked.lines()[0] == "  2. Which features?"
    assert asked.take("=both") == Reply(answers=(("Postgres",), ("both",)))


@pytest.mark.parametrize(
    ("question", "line", "reason"),
    [
        (ONE, "3", "there is no option '3'"),
        (ONE, "0", "there is no option '0'"),
        (ONE, "1,2", "this question takes one answer: Which database?"),
        (ONE, "SQLite, Postgres", "this question takes one answer: Which database?"),
        (ONE, "=", "an answer is empty"),
        (CLOSED, "=perhaps", "this question accepts no custom text: Are you sure?"),
        (COUNT, "2", "2 names more than one option"),
    ],
)
def test_an_invalid_answer_is_named_and_answers_nothing(question: PendingQuestion, line: str, reason: str) -> None:
    asked = dialog(question)
    assert asked.take(line) == Invalid(reason)
    assert asked.take("1") == Reply(answers=((question.choices[0].label,),))


def test_a_number_of_any_length_is_no_option() -> None:
    assert isinstance(dialog(ONE).take("1" * 5000), Invalid)


def test_a_dialog_can_be_answered_again_after_a_reply() -> None:
    asked = dialog(ONE)
    assert [asked.take(line) for line in ("1", "2")] == [Reply(answers=((name,),)) for name in ("Postgres", "SQLite")]


@pytest.mark.parametrize("line", ["use the second one", "2nd", "1 and 2", "once"])
def test_other_text_is_no_answer_to_a_question(line: str) -> None:
    assert dialog(ONE).take(line) is Step.NOT_AN_ANSWER


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("1", Reply(permission="once")),
        ("always", Reply(permission="always")),
        ("3", Reply(permission="reject")),
        ("3 not there", Reply(permission="reject", message="not there")),
    ],
)
def test_a_permission_takes_numbers_words_and_a_reason(line: str, reply: Reply) -> None:
    assert dialog().take(line) == reply


@pytest.mark.parametrize("line", ["1 file please", "4", "yes", "allow"])
def test_other_text_is_no_answer_to_a_permission(line: str) -> None:
    assert dialog().take(line) is Step.NOT_AN_ANSWER
