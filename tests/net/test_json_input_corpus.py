"""The client's JSON decoder over a corpus of texts, padded, split and truncated at every byte."""

import json
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import pytest

from tests.backends.recording import NAMES, recording
from tests.net.json_corpus import CASES
from tui.core.sanitize import sanitize
from tui.net.errors import Empty, InvalidBody, NotJson, Truncated
from tui.net.json_input import JSON, loads
from tui.net.padded_json import PaddedJson

MARK = b"\xef\xbb\xbf"
PADDINGS = {
    "none": (b"", b""),
    "a space": (b" ", b""),
    "a newline behind": (b"", b"\n"),
    "lines": (b"\n" * 72, b""),
    "lines on both sides": (b"\n\n", b"\n\n"),
    "CRLF": (b"\r\n\r\n", b"\r\n"),
    "tabs": (b"\t\t", b"\t"),
    "all four": (b" \t\r\n", b"\n\r\t "),
    "a byte order mark": (MARK, b""),
    "a mark and spaces": (MARK + b"  ", b" "),
    "spaces and a mark": (b"  " + MARK, b""),
    "64 KiB": (b" " * 65_536, b" " * 65_536),
}


Outcome: TypeAlias = "JSON | InvalidBody"


def outcome(raw: bytes) -> Outcome:
    try:
        return loads(raw)
    except NotJson as error:
        return error


def padded(pieces: Iterable[bytes]) -> Outcome:
    parser = PaddedJson()
    for piece in pieces:
        parser.feed(piece)
    try:
        return parser.close()
    except InvalidBody as error:
        return error


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def is_error(result: Outcome) -> bool:
    """Whether it is an error, which must be safe for a terminal."""
    if not isinstance(result, InvalidBody):
        return False
    assert result.message == sanitize(result.message)
    return True


@pytest.mark.parametrize("name", CASES)
def test_json_is_a_value_and_invalid_json_an_error(name: str) -> None:
    result = outcome(CASES[name])
    if name.startswith("y_"):
        assert not is_error(result)
    elif name.startswith("n_"):
        assert is_error(result)
    elif not is_error(result):
        json.dumps(result).encode()  # no lone surrogate is left


@pytest.mark.parametrize("padding", PADDINGS)
def test_padding_changes_no_outcome(padding: str) -> None:
    before, after = PADDINGS[padding]
    for name, text in CASES.items():
        plain, data = outcome(text), before + text + after
        for size in (len(data) or 1, 4096, 7, 1) if len(data) < 1000 else (len(data), 4096):
            result = padded(in_pieces(data, size))
            assert is_error(result) == is_error(plain), (name, size)
            assert is_error(result) or repr(result) == repr(plain), (name, size)


@pytest.mark.parametrize("name", [name for name, text in CASES.items() if len(text) < 1000])
def test_truncated_json_is_a_value_or_an_error(name: str) -> None:
    text = CASES[name]
    for end in range(len(text)):
        result = padded([b"\n", text[:end]])
        if name.startswith("y_") and text.lstrip()[:1] in b"{[" and end < len(text.rstrip()):
            assert isinstance(result, Truncated | Empty), text[:end]


@pytest.mark.parametrize("name", NAMES)
def test_a_real_response_truncated_at_any_byte_is_reported_so(name: str) -> None:
    body = json.dumps(recording(name).answers["prompt"]).encode()
    for end in range(1, len(body)):
        assert isinstance(padded([b"\n\n", body[:end]]), Truncated), body[:end]
