"""Strings of any JSON are safe to show."""

import json
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.sanitize import sanitize
from tui.net.errors import NotJson
from tui.net.json_input import JSON, MAX_DEPTH, loads

UNSAFE = [char for char in map(chr, range(0x10000)) if sanitize(char) != char and not "\ud801" <= char <= "\udffe"]

texts = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["\x1b[2J", "\u202e", "\x7f", "\x85", "\r\n", "\x08", "\ud83d", "\u2028", "\u2066", "\u061c", "\x9b1m"]
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def strings(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)


@given(documents, st.booleans())
def test_every_string_is_sanitized_escaped_or_bare(document: JSON, escaped: bool) -> None:
    raw = json.dumps(document, ensure_ascii=escaped)
    assert all(text == sanitize(text) for text in strings(loads(raw, fragments=frozenset())))


@pytest.mark.parametrize("char", sorted(UNSAFE), ids=lambda char: f"U+{ord(char):04X}")
def test_one_unsafe_character_is_found(char: str) -> None:
    assert loads(f'["a{json.dumps(char)[1:-1]}b", "é"]') == [sanitize(f"a{char}b"), "é"]
    if char >= " ":  # the parser refuses the others bare
        assert loads(f'["a{char}b"]') == [sanitize(f"a{char}b")]


@given(documents)
def test_bytes_and_text_give_the_same(document: JSON) -> None:
    raw = json.dumps(document)
    assert loads(raw) == loads(raw.encode()) == loads(b"\xef\xbb\xbf" + raw.encode())


@given(documents)
def test_a_safe_document_equals_the_result_of_json(document: JSON) -> None:
    once = loads(json.dumps(document), fragments=frozenset())
    for ascii_only in (True, False):
        assert loads(json.dumps(once, ensure_ascii=ascii_only)) == once


def test_only_fragments_keep_half_characters() -> None:
    raw = r'{"delta":"a\u001b[31m\ud83d","text":"a\ud83d","list":["\ud83d"],"nested":{"delta":["\ud83d"]}}'
    assert loads(raw) == {
        "delta": "a\ud83d",
        "text": "a\ufffd",
        "list": ["\ufffd"],
        "nested": {"delta": ["\ufffd"]},
    }
    assert loads('{"more":"\\ude00"}', fragments=frozenset({"more"})) == {"more": "\ude00"}


def test_tolerated_input() -> None:
    value = loads('{"cost":NaN,"most":Infinity,"emoji":"\\ud83d\\ude00"}')
    assert isinstance(value, dict)
    assert isinstance(value["cost"], float)
    assert math.isnan(value["cost"])
    assert value["emoji"] == "😀"
    assert loads(b'{"output":"\xff"}') == {"output": "\ufffd"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "Expecting value"),
        ("<html>\x1b[2J<title>502", "<html><title>502"),
        (b"\x1b]52;c;x\x07{", "{"),
        ('{"a":\x1b}', '{"a":'),
        ('{"a":"\x07"}', "Invalid control character"),
        ("{" + "}" * 100_000, "{}}"),
    ],
)
def test_invalid_json_is_quoted_safely(raw: str | bytes, message: str) -> None:
    with pytest.raises(NotJson) as caught:
        loads(raw)
    assert message in caught.value.message
    assert caught.value.message == sanitize(caught.value.message)
    assert len(caught.value.message) <= 200


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("9" * 5000, math.inf),
        ("-" + "9" * 5000, -math.inf),
        ('{"a":[' + "9" * 5000 + ',1,"b"]}', {"a": [math.inf, 1, "b"]}),
        ("9" * 4000, int("9" * 4000)),
        ("1e400", math.inf),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_number_of_any_length_is_accepted(raw: str, value: JSON) -> None:
    assert loads(raw) == value


def nested(depth: int, width: int = 1) -> str:
    return '{"a":[' * (depth // 2) + "[" * (depth % 2) + "1" + "]" * (depth % 2) + "]}" * (depth // 2) + " " * width


@pytest.mark.parametrize("width", [1, 10_000], ids=["small", "large"])
@pytest.mark.parametrize("depth", [0, 1, 2, MAX_DEPTH - 1, MAX_DEPTH])
def test_nesting_is_accepted_up_to_the_limit(depth: int, width: int) -> None:
    assert loads(nested(depth, width)) is not None


@pytest.mark.parametrize("width", [1, 10_000], ids=["small", "large"])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, MAX_DEPTH + 2, 900, 100_000])
def test_nesting_beyond_the_limit_is_refused(depth: int, width: int) -> None:
    with pytest.raises(NotJson, match="nested deeper than 100 levels"):
        loads(nested(depth, width))


def test_many_brackets_are_not_depth() -> None:
    assert loads("[" + ",".join(["[{}]"] * 500) + "]") == [[{}]] * 500
    assert loads(json.dumps(["[{" * 300])) == ["[{" * 300]
