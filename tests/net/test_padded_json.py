"""Padded JSON, split anywhere, is one value or one specific error."""

import json
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.net.test_json_input import documents
from tests.tracing import memory_traced
from tui.net.errors import Empty, InvalidBody, NetError, NotJson, TooLarge, TrailingBytes, Truncated
from tui.net.json_input import JSON
from tui.net.padded_json import PaddedJson

MARK = b"\xef\xbb\xbf"
padding = st.text(" \t\r\n", max_size=20).map(str.encode)
readable = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=8)
objects = st.dictionaries(
    readable,
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | readable,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(readable, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def outcome(pieces: list[bytes], limit: int = 1 << 20) -> object:
    """The value or the error's message, with the parser's counters."""
    parser = PaddedJson(limit)
    try:
        for piece in pieces:
            parser.feed(piece)
        result: object = parser.close()
    except NetError as error:
        result = (type(error), error.message)
    return result, parser.padding_bytes, parser.received, parser.started


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def whole(document: JSON, escaped: bool = True) -> bytes:
    return json.dumps(document, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


@given(objects, padding, padding, st.booleans(), st.booleans())
def test_padding_and_byte_order_mark_are_not_part_of_the_value(
    document: dict[str, JSON], before: bytes, after: bytes, escaped: bool, marked: bool
) -> None:
    parser = PaddedJson()
    data = MARK * marked + before + whole(document, escaped) + after
    parser.feed(data)
    assert parser.close() == document
    assert (parser.padding_bytes, parser.received, parser.started) == (len(before), len(data), True)


@given(
    st.tuples(st.sampled_from([b"", MARK]), padding, documents.map(whole) | st.binary(max_size=20), padding).map(
        b"".join
    ),
    st.lists(st.integers(0, 1000), max_size=12),
)
def test_any_split_of_the_bytes_gives_the_same(data: bytes, cuts: list[int]) -> None:
    assert outcome(split(data, cuts)) == outcome([data])


@given(objects, st.booleans(), st.integers(0, 1 << 20))
def test_every_proper_prefix_is_truncated(document: dict[str, JSON], escaped: bool, at: int) -> None:
    data = whole(document, escaped)
    parser = PaddedJson()
    parser.feed(b"\n\n" + data[: 1 + at % (len(data) - 1)])
    with pytest.raises(Truncated) as caught:
        parser.close()
    assert caught.value.received == parser.received


@pytest.mark.parametrize(
    "end",
    [
        "1.",
        "1e",
        "1.5e+",
        "-",
        "tr",
        "fals",
        "nul",
        "Na",
        "-Infini",
        '"',
        '"\\',
        '"\\u12',
        '"\\ud83d\\u',
        "[",
        '{"b"',
        "",
    ],
)
def test_truncation_at_any_place(end: str) -> None:
    parser = PaddedJson()
    parser.feed(b'{"a":' + end.encode())
    with pytest.raises(Truncated):
        parser.close()


@given(objects, padding, st.sampled_from([b"{}", b"null", b"]", b"}", b"x", b"\x00", b"<html>"]))
def test_trailing_bytes(document: dict[str, JSON], between: bytes, more: bytes) -> None:
    parser = PaddedJson()
    parser.feed(whole(document) + between + more)
    with pytest.raises(TrailingBytes):
        parser.close()


@pytest.mark.parametrize("data", [b"", b" ", b"\n" * 72, MARK, b" " + MARK])
def test_an_empty_body(data: bytes) -> None:
    parser = PaddedJson()
    parser.feed(data)
    assert not parser.started
    with pytest.raises(Empty) as caught:
        parser.close()
    assert caught.value.padding_bytes == parser.padding_bytes == len(data.replace(MARK, b""))


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        b"Bad Gateway",
        b"{]",
        b'{"a" 1}',
        b'{"a":"\\u12zz"}',
        b'{"a":1x}',
        b"{'a':1}",
        b"[" * 100_000 + b"]",
    ],
)
def test_invalid_json(data: bytes) -> None:
    parser = PaddedJson()
    parser.feed(b"\n" + data)
    with pytest.raises(NotJson):
        parser.close()


def test_padding_takes_no_memory() -> None:
    parser = PaddedJson(limit=10)
    for _ in range(1000):
        parser.feed(b"\n" * 10_000)
    assert parser.padding_bytes == 10_000_000
    assert sys.getsizeof(parser._value) < 1000
    parser.feed(b"{}")
    assert parser.close() == {}


def test_the_limit_is_on_the_value() -> None:
    parser = PaddedJson(limit=10)
    parser.feed(b" " * 100 + b'"45678901')
    parser.feed(b'"')
    assert parser.close() == "45678901"


@pytest.mark.parametrize("pieces", [[b'"4567890123"'], [b'"456789012', b'"'], [b"{}", b" " * 9]])
def test_a_value_over_the_limit_is_refused_at_once_and_again(pieces: list[bytes]) -> None:
    parser = PaddedJson(limit=10)
    for piece in pieces[:-1]:
        parser.feed(piece)
    with pytest.raises(TooLarge):
        parser.feed(pieces[-1])
    with pytest.raises(TooLarge):
        parser.close()


def test_a_value_near_the_limit_in_small_pieces() -> None:
    body = b'{"output":"' + b"x" * (8 << 20) + b'"}'
    parser = PaddedJson(limit=len(body))
    for start in range(0, len(body), 4096):
        parser.feed(body[start : start + 4096])
    assert parser.close() == {"output": "x" * (8 << 20)}


def test_strings_of_the_value_are_sanitized() -> None:
    parser = PaddedJson()
    parser.feed(b'  {"text":"\\u001b[2J\xc2\x9b1mhi"}')
    assert parser.close() == {"text": "hi"}


@pytest.mark.parametrize("body", [b'{"a": "' + b"x" * 3_000_000, b"[" + b"[]," * 1_000_000 + b"[]]"])
def test_an_error_does_not_keep_the_document(body: bytes) -> None:
    with memory_traced() as kept:
        parser = PaddedJson()
        parser.feed(body)
        with pytest.raises(InvalidBody) as caught:
            parser.close()
        assert kept() < 500_000, caught.value
