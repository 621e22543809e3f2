"""Choices by number or label as replies: what they mean, and what is refused instead of guessed."""

import pytest

from tui.api import Choice, InvalidChoice, PendingQuestion, PendingRequest, Reply, reply_for

DATABASE = PendingQuestion("DB", "Which database?", (Choice(1, "Postgres"), Choice(2, "SQLite")))
FEATURES = PendingQuestion("Feat", "Which features?", (Choice(1, "auth"), Choice(2, "search")), multiple=True)
FIXED = PendingQuestion("Yes", "Sure?", (Choice(1, "yes"), Choice(2, "no, never")), custom=False)
NUMBERS = PendingQuestion("N", "How many?", (Choice(1, "2"), Choice(2, "3"), Choice(3, "ten")))
FREE = PendingQuestion("Name", "What is its name?")


def question(*questions: PendingQuestion) -> PendingRequest:
    return PendingRequest(id="que_1", kind="question", session="ses_1", questions=questions)


PERMISSION = PendingRequest(
    id="per_1",
    kind="permission",
    session="ses_1",
    choices=(Choice(1, "once"), Choice(2, "always"), Choice(3, "reject")),
)


@pytest.mark.parametrize(
    ("questions", "choices", "texts", "answers"),
    [
        ((DATABASE,), ("2",), (), (("SQLite",),)),
        ((DATABASE,), ("SQLite",), (), (("SQLite",),)),
        ((DATABASE,), (" sqlite ",), (), (("SQLite",),)),
        ((DATABASE,), (), ("MariaDB",), (("MariaDB",),)),
        ((DATABASE,), (), ("SQLite",), (("SQLite",),)),
        ((FEATURES,), ("2,auth",), (), (("auth", "search"),)),
        ((FEATURES,), ("search", "1"), (), (("auth", "search"),)),
        ((FEATURES,), ("auth", "auth"), ("more",), (("auth", "more"),)),
        ((FIXED,), ("no, never",), (), (("no, never",),)),
        ((FIXED,), (), ("yes",), (("yes",),)),
        ((FREE,), (), ("x, y",), (("x, y",),)),
        ((NUMBERS,), ("ten",), (), (("ten",),)),
        ((NUMBERS,), (), ("2",), (("2",),)),
        ((DATABASE, FEATURES), ("1", "1,2"), (), (("Postgres",), ("auth", "search"))),
        ((DATABASE, FREE), ("1",), ("shop",), (("Postgres",), ("shop",))),
        ((FREE, DATABASE), ("-", "1"), ("shop",), (("shop",), ("Postgres",))),
        ((FREE, FREE), (), ("a", "b"), (("a",), ("b",))),
    ],
)
def test_choices_and_texts_become_answers(
    questions: tuple[PendingQuestion, ...],
    choices: tuple[str, ...],
    texts: tuple[str, ...],
    answers: tuple[tuple[str, ...], ...],
) -> None:
    assert reply_for(question(*questions), choices, texts) == Reply(answers=answers)


@pytest.mark.parametrize(
    ("questions", "choices", "texts", "message"),
    [
        ((DATABASE,), ("3",), (), "there is no option '3'"),
        ((DATABASE,), ("0",), (), "there is no option '0'"),
        ((DATABASE,), ("1" * 5000,), (), "there is no option '111"),
        ((DATABASE,), ("",), (), "there is no option ''"),
        ((DATABASE,), ("1,2",), (), "takes one answer"),
        ((DATABASE,), ("1",), ("MariaDB",), "takes one answer"),
        ((DATABASE,), (), ("  ",), "an answer is empty"),
        ((FEATURES,), ("auth,x",), (), "there is no option 'x'"),
        ((FIXED,), (), ("maybe",), "accepts no custom text"),
        ((FREE,), ("shop",), (), "there is no option 'shop'"),
        ((NUMBERS,), ("2",), (), "2 names more than one option"),
        ((DATABASE, FEATURES), ("1",), (), "no answer to question 2 of 2"),
        ((DATABASE, FEATURES), ("1", "1", "2"), (), "more answers than the 2 questions"),
        ((DATABASE, FREE), ("1",), ("a", "b"), "more answers than the 2 questions"),
        ((DATABASE, FREE), ("1", "-"), (), "no answer to question 2 of 2"),
    ],
)
def test_an_invalid_choice_is_refused(
    questions: tuple[PendingQuestion, ...], choices: tuple[str, ...], texts: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidChoice, match=message):
        reply_for(question(*questions), choices, texts)


@pytest.mark.parametrize(("word", "reply"), [("1", "once"), ("always", "always"), ("3", "reject")])
def test_permission_takes_one_choice(word: str, reply: str) -> None:
    assert reply_for(PERMISSION, (word,)).permission == reply


@pytest.mark.parametrize(("choices", "texts"), [(("1", "2"), ()), (("1",), ("no",)), (("1,2",), ()), (("4",), ())])
def test_permission_takes_nothing_else(choices: tuple[str, ...], texts: tuple[str, ...]) -> None:
    with pytest.raises(InvalidChoice):
        reply_for(PERMISSION, choices, texts)
