"""Turns the choices that a person or a script names into the reply to a request. It never guesses."""

import re
from collections.abc import Sequence

from tui.api.errors import InvalidChoice
from tui.api.values import Choice, PendingQuestion, PendingRequest, Reply
from tui.core.model import PermissionReply
from tui.core.sanitize import single_line

TEXT_PLACE = "-"
"""In place of a choice: the next text."""
NUMBERS = re.compile(r"\d+(?:[\s,]+\d+)*")
"""One number, or several with commas or spaces."""
REPLIES: dict[str, PermissionReply] = {"once": "once", "always": "always", "reject": "reject"}
"""The replies to a permission by the labels of its choices."""


class UnknownChoice(InvalidChoice):
    """A choice that is neither a number nor a label of an option."""


def reply_for(request: PendingRequest, choices: Sequence[str], texts: Sequence[str] = ()) -> Reply:
    """The reply of `choices`, each a number or label, and `texts`, each an answer of your own.

    One question takes all of them; several separated by commas count one by one. Several questions take one choice
    each, in order: `-` in place of one, or its absence at the end, takes the next text. Raises `InvalidChoice`.
    """
    if request.kind == "permission":
        if texts or len(choices) != 1:
            raise InvalidChoice("a permission takes one choice and no text", _options(request.choices))
        (label,) = labels(request.choices, choices[0])
        return Reply(permission=REPLIES[label])
    questions = request.questions
    if len(questions) == 1:
        return Reply(answers=(answer_to(questions[0], choices, texts),))
    left = list(texts)
    rows: list[tuple[str, ...]] = []
    for place, question in enumerate(questions):
        given = choices[place : place + 1]
        if (not given or given[0] == TEXT_PLACE) and left:
            rows.append(answer_to(question, (), (left.pop(0),)))
        elif given and given[0] != TEXT_PLACE:
            rows.append(answer_to(question, given, ()))
        else:
            raise InvalidChoice(f"no answer to question {place + 1} of {len(questions)}: {question.text}", EACH)
    if left or len(choices) > len(questions):
        raise InvalidChoice(f"more answers than the {len(questions)} questions", EACH)
    return Reply(answers=tuple(rows))


EACH = "Give one choice for each question, in order; - takes the next --text."


def answer_to(question: PendingQuestion, choices: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """The answer to one question: labels in the order of its options, then texts. Raises `InvalidChoice`."""
    chosen = {label for choice in choices for label in labels(question.choices, choice, several=True)}
    known = [option.label for option in question.choices]
    own = [text for text in dict.fromkeys(texts) if text not in chosen]
    for text in own:
        if not text.strip():
            raise InvalidChoice("an answer is empty")
        if not question.custom and text not in known:
            raise InvalidChoice(f"this question accepts no custom text: {question.text}", _options(question.choices))
    answer = (*(label for label in known if label in chosen), *own)
    if not answer:
        raise InvalidChoice(f"no answer to: {question.text}", _options(question.choices))
    if len(answer) > 1 and not question.multiple:
        raise InvalidChoice(f"this question takes one answer: {question.text}", _options(question.choices))
    return answer


def labels(options: Sequence[Choice], word: str, *, several: bool = False) -> tuple[str, ...]:
    """The label that `word` names, by itself or by its number; if `several`, of each of its words that commas separate,
    or its numbers.

    A word that is the label of one option and the number of another is ambiguous. Raises `InvalidChoice`.
    """
    word = word.strip()
    by_label = [one.label for one in options if one.label == word] or [
        one.label for one in options if word and one.label.casefold() == word.casefold()
    ]
    by_number = [one.label for one in options if str(one.number) == word]
    found = tuple(dict.fromkeys(by_label + by_number))
    if len(found) > 1:
        raise InvalidChoice(f"{single_line(word)} names more than one option", _options(options))
    if found:
        return found
    parts = re.findall(r"\d+", word) if NUMBERS.fullmatch(word) else word.split(",")
    if several and len(parts) > 1:
        return tuple(label for part in parts for label in labels(options, part))
    raise UnknownChoice(f"there is no option {single_line(word)!r}", _options(options))


def _options(options: Sequence[Choice]) -> str:
    """The options, as the hint of an error."""
    if not options:
        return "It has no options: answer with --text."
    return f"The options are {', '.join(f'{one.number} {one.label}' for one in options)}."
