"""Any JSON in the stored files is decoded to a value, or raises an error that its reader expects."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.damage import Damage, damaged, damages, written
from tui.backends.qwen.prompts import EchoPosition
from tui.client.pending_reply import PendingReply, decode_row, encode
from tui.core.answer_draft import AnswerDraft, PermissionDraft
from tui.core.model import Option, PermissionRequest, Prompt, Question, QuestionRequest
from tui.core.stored_json import decode
from tui.storage.chosen_theme import FILE, ChosenTheme

QUESTION = QuestionRequest(
    "r1",
    "s1",
    (Question("Which?", "DB", (Option("a"), Option("b"))), Question("And?", "X", (Option("c"),), multiple=True)),
)
PERMISSION = PermissionRequest("r2", "s1", "bash", ("ls",))

_draft = AnswerDraft(QUESTION)
_draft.choose(1)
STORED: dict[str, Any] = {
    "answers": json.loads(_draft.to_bytes()),
    "permission": json.loads(PermissionDraft(PERMISSION, 1, "why").to_bytes()),
    "prompt": json.loads(msgspec.json.encode(Prompt("s1", "do it", "m1", "p1", resume_cursor="e1 5 p0"))),
    "reply": json.loads(encode(PendingReply(QUESTION, (("a",), ()), None, ""))),
    "theme": {"chosen": "nord", "set": "textual-dark"},
}

bodies = st.one_of(
    st.builds(lambda at, done: _text(at, done), st.sampled_from(sorted(STORED)), damages),
    st.binary(max_size=40),
    st.sampled_from(
        [b"[" * 100_000, b'{"x":' + b"[" * 100_000, b'{"set":"\xff"}', b'{"text":"\xff\xfe"}', b'"\\ud83d"']
    ),
)


def _text(part: str, done: list[Damage]) -> bytes:
    return written(damaged({part: STORED[part]}, done)[part]).encode("utf-8", "surrogatepass")


@settings(deadline=None)
@given(bodies)
def test_a_damaged_draft_is_restored_or_empty(body: bytes) -> None:
    draft = AnswerDraft.from_bytes(QUESTION, body)
    assert len(draft.answers()) == len(QUESTION.questions)
    assert 0 <= draft.tab <= draft.tabs
    for step in (draft.confirm, lambda: draft.choose(0), lambda: draft.move(1), lambda: draft.move(-1)):
        step()
    assert AnswerDraft.from_bytes(QUESTION, draft.to_bytes()).answers() == draft.answers()
    permission = PermissionDraft.from_bytes(PERMISSION, body)
    assert permission.cursor >= 0
    assert PermissionDraft.from_bytes(PERMISSION, permission.to_bytes()) == permission


@settings(deadline=None)
@given(bodies)
def test_a_damaged_reply_or_prompt_is_decoded_or_refused(body: bytes) -> None:
    for read in (decode_row, lambda kept: decode(kept, Prompt)):
        try:
            read(body)
        except msgspec.DecodeError:
            pass


@settings(deadline=None)
@given(bodies)
def test_a_damaged_theme_is_replaced_by_the_configured_one(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    (folder / FILE).write_bytes(body)
    assert isinstance(ChosenTheme(folder, "textual-dark").name, str)


@given(st.text() | st.builds("{} {} {}".format, st.text(), st.from_regex(r"[-0-9\u0660-\u0669\u00b2]*"), st.text()))
@pytest.mark.parametrize("cursor", ["9" * 5000, "²", "-1", ""])
def test_a_damaged_stream_position_is_valid_or_none(cursor: str, text: str) -> None:
    for kept in (text, f"e1 {cursor} p0"):
        place = EchoPosition.parse(kept)
        assert place is None or EchoPosition.parse(str(place)) == place
