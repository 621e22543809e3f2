"""Rules of `--answers`: what they match, what they reply, and how an invalid file is reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from tui.api.values import Choice, Decision, PendingQuestion, PendingRequest, Reply
from tui.cli.answer_rules import AnswerRules, InvalidRules, Rule, read_rules

DATABASE = PendingQuestion("DB", "Which database?", (Choice(1, "Postgres"), Choice(2, "SQLite")))
FEATURES = PendingQuestion("Feat", "Which features?", (Choice(1, "auth"), Choice(2, "search")), multiple=True)
DEPLOY = PendingQuestion("Deploy", "Deploy?", (Choice(1, "Yes"), Choice(2, "No")), custom=False)


@pytest.mark.parametrize("rule", ['{"header":"DB","a\\ud800":1}', '{"header":"DB","answer":"x\\ud800"}'])
def test_half_of_a_surrogate_pair_is_refused(rule: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(f'{{"rule":[{rule}]}}')
    with pytest.raises(InvalidRules, match=r"has half of a surrogate pair: \\ud800"):
        read_rules(path)


def question(*questions: PendingQuestion) -> PendingRequest:
    return PendingRequest(id="que_1", kind="question", session="ses_1", questions=questions)


def permission(action: str, *patterns: str, detail: str = "") -> PendingRequest:
    return PendingRequest(
        id="per_1", kind="permission", session="ses_1", action=action, patterns=patterns, detail=detail
    )


def by_rule(reply: Reply, name: str) -> Decision:
    return Decision(reply=reply, by="rule", rule=name)


@pytest.mark.parametrize(
    ("rule", "asked", "answers"),
    [
        (Rule(header="DB", answer="SQLite"), (DATABASE,), (("SQLite",),)),
        (Rule(question="Which data*", answer=1), (DATABASE,), (("Postgres",),)),
        (Rule(header="DB", answer="MySQL"), (DATABASE,), (("MySQL",),)),
        (Rule(header="Feat", answer=["auth", 2]), (FEATURES,), (("auth", "search"),)),
        (Rule(question="*", answer=1), (DATABASE, FEATURES), (("Postgres",), ("auth",))),
        (Rule(header="db", answer=1), (DATABASE,), None),
        (Rule(header="DB", answer=1), (DATABASE, FEATURES), None),
        (Rule(header="DB", answer=3), (DATABASE,), None),
        (Rule(header="DB", answer=[1, 2]), (DATABASE,), None),
        (Rule(header="Deploy", answer="Maybe"), (DEPLOY,), None),
        (Rule(permission="*", reply="once"), (DATABASE,), None),
    ],
)
def test_question(rule: Rule, asked: tuple[PendingQuestion, ...], answers: Any) -> None:
    expected = None if answers is None else by_rule(Reply(answers=answers), "#1")
    assert AnswerRules([rule]).decide(question(*asked)) == expected


def test_question_is_denied() -> None:
    rules = AnswerRules([Rule(name="never", header="Deploy", reply="deny")])
    assert rules.decide(question(DEPLOY)) == by_rule(Reply(), "never")


@pytest.mark.parametrize(
    ("rule", "asked", "reply"),
    [
        (Rule(permission="bash", reply="once"), permission("bash", "rm -rf /"), "once"),
        (Rule(permission="bash", pattern="make *", reply="always"), permission("bash", "make test"), "always"),
        (Rule(permission="bash", pattern="make *", reply="once"), permission("bash", "make x", "rm y"), None),
        (Rule(permission="bash", pattern="make *", reply="once"), permission("bash", detail="make x"), "once"),
        (Rule(permission="edit", reply="once"), permission("bash", "make"), None),
        (Rule(permission="*", reply="deny", reason="not here"), permission("bash", "make"), "reject"),
    ],
)
def test_permission(rule: Rule, asked: PendingRequest, reply: Any) -> None:
    expected = None if reply is None else by_rule(Reply(permission=reply, message=rule.reason), "#1")
    assert AnswerRules([rule]).decide(asked) == expected


def test_first_matching_rule_counts() -> None:
    rules = AnswerRules([Rule(permission="bash", pattern="make *", reply="once"), Rule(permission="*", reply="deny")])
    first, second = rules.decide(permission("bash", "make")), rules.decide(permission("bash", "make x"))
    assert first is not None
    assert second is not None
    assert (first.rule, second.rule) == ("#2", "#1")


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rules.{suffix}"
    toml = '[[rule]]\nname = "db"\nheader = "DB"\nanswer = 2\n'
    path.write_text(toml if suffix == "toml" else json.dumps({"rule": [{"name": "db", "header": "DB", "answer": 2}]}))
    assert read_rules(path).decide(question(DATABASE)) == by_rule(Reply(answers=(("SQLite",),)), "db")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]\n", "is not TOML: Expected ']]' at the end of an array declaration (at line 1, column"),
        ("rules = 1\n", "line 1: rules: unknown"),
        ("\nrule = 1\n", "line 2: rule: must be a list"),
        (
            '[[rule]]\nheader = "a"\nanswer = 1\n\n[[rule]]\nheader = "b"\nanwser = 1\n',
            "line 7: anwser: Object contains",
        ),
        ('[[rule]]\nheader = "a"\nanswer = 1.5\n', "line 3: answer: Expected"),
        ('[[rule]]\nheader = "a"\nreply = "once"\n', "line 3: reply: a question is answered, or denied"),
        ('[[rule]]\npermission = "bash"\nreply = "ok"\n', "line 3: reply: Invalid enum value 'ok'"),
        ('[[rule]]\npermission = "bash"\n', "line 1: reply: a permission takes a reply"),
        ("[[rule]]\n", "line 1: a rule names either"),
        ('{"rule": [{"header": "a", "answer": 1},\n {"header": "b",\n "answr": 1}]}', "line 3: answr: Object contains"),
        ('{"rule": [\n}', "line 2: not JSON"),
    ],
)
def test_invalid_file_is_reported_with_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(InvalidRules) as invalid:
        read_rules(path)
    assert message in str(invalid.value)
    assert str(invalid.value).startswith(str(path))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidRules, match="No such file"):
        read_rules(tmp_path / "none.toml")
