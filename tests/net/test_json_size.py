"""The memory of a document is estimated before parsing; long strings have a higher limit."""

import json
import tracemalloc
from collections.abc import Callable

import pytest

from tui.net import json_input, json_size
from tui.net.errors import NotJson, TooLarge
from tui.net.json_input import loads

MAX_BYTES = 2 << 20

SHAPES: dict[str, Callable[[int], str]] = {
    "lists": lambda n: "[" + ",".join(["[]"] * n) + "]",
    "objects": lambda n: "[" + ",".join(["{}"] * n) + "]",
    "objects with a key": lambda n: "[" + ",".join(['{"a":1}'] * n) + "]",
    "numbers": lambda n: "[" + ",".join(["1.5"] * n) + "]",
    "long numbers": lambda n: "[" + ",".join(["12345678901234567890123"] * n) + "]",
    "short texts": lambda n: json.dumps([f"t{at}" for at in range(n)]),
    "keys": lambda n: json.dumps({str(at): 0 for at in range(n)}),
    "sessions": lambda n: json.dumps(
        [{"id": f"ses_{at}", "title": f"title {at}", "time": {"created": at, "updated": at}} for at in range(n)]
    ),
    "one text": lambda n: json.dumps("x" * n * 5),
    "a text of code": lambda n: json.dumps('{"a": [1, 2, "b"]},\n' * (n // 4)),
    "a wide text": lambda n: json.dumps("x" * n * 5 + "😀", ensure_ascii=False),
    "a wide text, escaped": lambda n: json.dumps("x" * n * 5 + "😀"),
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_size, "UNCHECKED_SIZE", 10_000)
    monkeypatch.setattr(json_size, "MAX_BYTES", MAX_BYTES)
    monkeypatch.setattr(json_size, "MAX_TEXT_BYTES", 3 * MAX_BYTES)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("large", [1 << 10, 1 << 30], ids=["as it is", "as text"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_document_that_takes_too_much_memory_is_refused(
    shape: str, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_input, "LARGE", large)
    loads(SHAPES[shape](1000))
    document = SHAPES[shape](2_000_000 if "text" in shape else 300_000)
    with pytest.raises(TooLarge):
        loads(bytearray(document, "utf-8") if large < 1 << 20 else document)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("shape", SHAPES)
def test_an_accepted_document_takes_no_more_than_estimated(shape: str) -> None:
    most = 3 * MAX_BYTES if "text" in shape else MAX_BYTES
    taken = 0
    for count in (1000, 3000, 10_000, 30_000, 100_000, 300_000):
        document = bytearray(SHAPES[shape](count), "utf-8")
        if json_size.too_much(document) is not None:
            break
        size = len(document)
        tracemalloc.start()
        value = json_input._large(document, frozenset(), 100)
        taken = size + tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert value
        assert taken <= most * 1.3
    assert taken


@pytest.mark.usefixtures("small")
def test_long_strings_may_take_twice_their_size() -> None:
    text = "x" * (MAX_BYTES + 1000)
    assert loads(bytearray(json.dumps({"a": {"b": [text]}}), "utf-8")) == {"a": {"b": [text]}}


class TestAsItIs:
    """A large document is parsed without a copy of it as text: the value is the same."""

    @pytest.fixture(autouse=True, params=[json_input.STEP, 0], ids=["at once", "in steps"])
    def _everything_is_large(self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        monkeypatch.setattr(json_input, "LARGE", 0)
        monkeypatch.setattr(json_input, "STEP", request.param)

    @pytest.mark.parametrize(
        "document",
        [
            '{"a":[1,-0.5,1e5,true,null,"é😀\\u00e9",{}],"a":2}',
            '"\\u001b]52;c;x\\u0007[2J"',
            '"\u202e\u2028\x9b2J\u061c"',
            '"a\x7fb\\r\\n"',
            '"\\ud83d\\ude00"',
            "\ufefftrue",
            " \n[] ",
            "[" * 100 + "]" * 100,
        ],
    )
    def test_the_value_is_the_same(self, document: str) -> None:
        raw = document.encode()
        assert loads(raw) == loads(bytearray(raw)) == loads(document)

    @pytest.mark.parametrize("at", range(-4, 5))
    @pytest.mark.parametrize("unsafe", ["\x7f", "\x80", "\u061c", "\u202e", "\u2066"])
    def test_a_character_across_two_slices(self, unsafe: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json_input, "_SLICE", 16)
        assert loads(json.dumps("x" * (15 + at) + unsafe + "y" * 40, ensure_ascii=False).encode()) in (
            "x" * (15 + at) + "y" * 40,
            "x" * (15 + at) + " " + "y" * 40,
        )

    def test_nesting_has_its_limit(self) -> None:
        for depth in (101, 5000):
            with pytest.raises(NotJson, match="nested deeper than 100 levels"):
                loads(b"[" * depth + b"]" * depth)

    def test_a_cut_character_is_quoted_safely(self) -> None:
        with pytest.raises(NotJson, match="nested deeper than 100 levels"):
            loads(b'["x' + "é".encode() * 100 + b'",' + b"[" * 101 + b"]" * 102)

    @pytest.mark.parametrize("raw", [b'"\\ud83d"', b'"\xff"', b"NaN", b"1e400", b'{"a":', b"<html>"])
    def test_input_that_the_strict_parser_refuses(self, raw: bytes) -> None:
        with pytest.raises(TooLarge):
            loads(raw)
