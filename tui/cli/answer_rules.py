"""The file of `--answers`: rules that answer questions and permissions, in TOML or JSON.

    [[rule]]
    name = "database"            # shown wherever the rule replies
    header = "DB"                # or question = "Which database*"
    answer = "Postgres"          # a label, a number from 1, a text, or a list of them

    [[rule]]
    permission = "bash"
    pattern = "make *"           # must match all that is requested
    reply = "once"               # once, always or deny

The first rule that matches counts. Patterns are those of `fnmatch`: `*` matches anything, also a `;`.
"""

import json
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import msgspec

from tui.api.values import Decision, PendingQuestion, PendingRequest, Reply
from tui.core.sanitize import single_line
from tui.net.local_file import read_small

MAX_FILE_BYTES = 256 * 1024
"""Maximum bytes of the file."""

Answer = str | int
AT_KEY = re.compile(r"- at `\$\.?(\w*)")
UNKNOWN_KEY = re.compile(r"unknown field `(\w+)`")
TOML_RULE = re.compile(r"^\s*\[\[\s*rule\s*\]\]", re.MULTILINE)


class InvalidRules(Exception):
    """The file is invalid; the message names it, the line and the key."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule as written; see the module."""

    name: str = ""
    header: str | None = None
    question: str | None = None
    permission: str | None = None
    pattern: str | None = None
    answer: Answer | list[Answer] | None = None
    reply: Literal["once", "always", "deny"] | None = None
    reason: str = ""

    def fault(self) -> tuple[str, str] | None:
        """The key that is wrong, and why; None if the rule is valid."""
        of_question = self.header is not None or self.question is not None
        if of_question == (self.permission is not None):
            return "permission" if of_question else "", "a rule names either a permission, or a header or question"
        if of_question:
            if self.pattern is not None:
                return "pattern", "a pattern is for a permission"
            if (self.answer is None) == (self.reply is None):
                return "answer", 'a question takes either an answer, or reply = "deny"'
            if self.reply not in (None, "deny"):
                return "reply", "a question is answered, or denied"
        elif self.answer is not None or self.reply is None:
            return "answer" if self.answer is not None else "reply", "a permission takes a reply: once, always or deny"
        if self.reason and self.reply != "deny":
            return "reason", 'a reason is for reply = "deny"'
        return None


class AnswerRules:
    """The rules of a file, in order."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [(rule, rule.name or f"#{number}") for number, rule in enumerate(rules, 1)]

    def decide(self, request: PendingRequest) -> Decision | None:
        """The reply to a request; None if no rule names it, or not all of its questions."""
        if request.kind == "permission":
            return self._allow(request)
        answers, names = [], []
        for question in request.questions:
            rule, name = self._rule_for(question)
            if rule is None:
                return None
            if rule.answer is None:
                return Decision(reply=Reply(message=rule.reason), by="rule", rule=name)
            chosen = _chosen(rule.answer, question)
            if chosen is None:
                return None
            answers.append(chosen)
            names.append(name)
        if not answers:
            return None
        return Decision(reply=Reply(answers=tuple(answers)), by="rule", rule=", ".join(dict.fromkeys(names)))

    def _allow(self, request: PendingRequest) -> Decision | None:
        for rule, name in self._rules:
            if rule.permission is None or not fnmatchcase(request.action, rule.permission):
                continue
            requested = request.patterns or (request.detail,)
            if rule.pattern is None or all(fnmatchcase(one, rule.pattern) for one in requested):
                reply = "reject" if rule.reply == "deny" else rule.reply
                return Decision(reply=Reply(permission=reply, message=rule.reason), by="rule", rule=name)
        return None

    def _rule_for(self, question: PendingQuestion) -> tuple[Rule | None, str]:
        for rule, name in self._rules:
            if rule.permission is None and all(
                pattern is None or fnmatchcase(text, pattern)
                for text, pattern in ((question.header, rule.header), (question.text, rule.question))
            ):
                return rule, name
        return None, ""


def read_rules(path: Path) -> AnswerRules:
    """The rules of a file. Raises `InvalidRules`."""
    shown = single_line(str(path))
    try:
        text = read_small(path, MAX_FILE_BYTES).decode()
    except OSError as error:
        raise InvalidRules(f"{shown} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRules(f"{shown} is not UTF-8") from error
    is_json = text.lstrip().startswith("{")
    values = _parse_json(shown, text) if is_json else _parse_toml(shown, text)
    unknown = next((key for key in values if key != "rule"), None)
    if unknown is not None:
        line = _line_of_key(text, unknown)
        raise InvalidRules(f"{shown}: line {line}: {single_line(unknown)}: unknown; a file has rules only: [[rule]]")
    rules = values.get("rule", [])
    if not isinstance(rules, list):
        raise InvalidRules(f"{shown}: line {_line_of_key(text, 'rule')}: rule: must be a list: [[rule]]")
    starts = _json_starts(text) if is_json else [found.end() for found in TOML_RULE.finditer(text)]
    return AnswerRules([_rule(shown, text, starts, number, one) for number, one in enumerate(rules)])


def _rule(shown: str, text: str, starts: Sequence[int], number: int, value: object) -> Rule:
    start = starts[number] if number < len(starts) else 0
    try:
        rule = msgspec.convert(value, Rule)
    except msgspec.ValidationError as error:
        found = UNKNOWN_KEY.search(str(error)) or AT_KEY.search(str(error))
        key, why = found[1] if found is not None else "", str(error).partition(" - at ")[0]
    else:
        if (fault := rule.fault()) is None:
            return rule
        key, why = fault
    line = _line_of_key(text, key, start)
    what = f"{key}: " if key else ""
    raise InvalidRules(f"{shown}: line {line}: {what}{single_line(why)}")


def _parse_toml(shown: str, text: str) -> dict[str, Any]:
    import tomllib  # only with --answers

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRules(f"{shown} is not TOML: {single_line(str(error))}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRules(f"{shown} is not TOML: a number or nesting is too large") from error


def _parse_json(shown: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # fails for half of a surrogate pair
    except json.JSONDecodeError as error:
        raise InvalidRules(f"{shown}: line {error.lineno}: not JSON: {single_line(error.msg)}") from error
    except UnicodeEncodeError as error:
        raise InvalidRules(f"{shown} has half of a surrogate pair: \\u{ord(error.object[error.start]):04x}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRules(f"{shown} is not JSON: a number or nesting is too large") from error
    return value if isinstance(value, dict) else {}


def _json_starts(text: str) -> list[int]:
    """The offset of each rule in a valid file."""
    decoder, starts = json.JSONDecoder(), list[int]()
    found = re.search(r'"rule"\s*:\s*\[', text)
    at = found.end() if found is not None else len(text)
    while (start := re.compile(r"[\s,]*").match(text, at)) is not None and text[
        start.end() : start.end() + 1
    ] not in "]":
        starts.append(start.end())
        _, at = decoder.raw_decode(text, start.end())
    return starts


def _line_of_key(text: str, key: str, start: int = 0) -> int:
    """The number of the line on which a key stands, from `start` on; that of `start` without one."""
    found = re.compile(rf"""(?m)(?:^|[{{,])\s*["']?{re.escape(key)}["']?\s*[=:]""").search(text, start) if key else None
    at = start if found is None else found.end()
    return text.count("\n", 0, at) + 1


def _chosen(answer: Answer | list[Answer], question: PendingQuestion) -> tuple[str, ...] | None:
    """The answer as labels and texts; None if the question does not take it."""
    labels = [choice.label for choice in question.choices]
    chosen = []
    for one in answer if isinstance(answer, list) else [answer]:
        if isinstance(one, int):
            if not 1 <= one <= len(labels):
                return None
            chosen.append(labels[one - 1])
        elif one in labels or question.custom:
            chosen.append(one)
        else:
            return None
    return tuple(chosen) if len(chosen) == 1 or question.multiple else None
