"""Control sequences never pass; visible text always does."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.sanitize import in_cells, sanitize, sanitize_fragment, single_line
from tui.core.transcript import join_halves

CONTROL_CHARACTERS = (
    {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} - {"\n", "\t"}
    | set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    | set("\u2028\u2029")
)
any_text = st.text(st.characters(exclude_categories=()))
hostile_text = st.text(st.sampled_from([*CONTROL_CHARACTERS, *"[]();?0m\\PX^_ab \n\t😀é", "\ud83d", "\ude00"]))


@given(any_text | hostile_text)
def test_no_control_sequence_passes(text: str) -> None:
    assert not CONTROL_CHARACTERS & set(sanitize(text))
    assert sanitize(text).encode("utf-8").decode() == sanitize(text)


@given(any_text | hostile_text)
def test_sanitizing_is_idempotent(text: str) -> None:
    assert sanitize(sanitize(text)) == sanitize(text)


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp"))))
def test_visible_text_is_kept(text: str) -> None:
    assert sanitize(text) is text


def test_every_control_character_is_handled() -> None:
    passing = {chr(code) for code in range(0x110000) if sanitize(chr(code)) == chr(code)}
    assert {char for char in passing if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")} == {"\n", "\t"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("a\x1b[2Jb", "ab"),
        ("a\x1b[?1049hb", "ab"),
        ("a\x9b2Jb", "ab"),
        ("a\x1b]52;c;cm0gLXJm\x07b", "ab"),
        ("a\x1b]0;title\x1b\\b", "ab"),
        ("a\x1b]0;title\x9cb", "ab"),
        ("a\x9d0;title\x9cb", "ab"),
        ("a\x1bP1$r\x1b\\b", "ab"),
        ("a\x1b_payload\x1b\\b", "ab"),
        ("a\x1bcb", "ab"),
        ("a\x1b(0b", "ab"),
        ("a\x1b", "a"),
        ("a\x1b[", "a"),
        ("a\x1b[31", "a"),
        ("a\x1b\x1b[31mb", "ab"),
        ("a\x07\x08\x00\x7fb", "ab"),
        ("rm \u202egnp.txt\u202c", "rm gnp.txt"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("a\u2028b\u2029c\x0cd\x0be\x85f", "a b c d e f"),
        ("[bold]a[/]", "[bold]a[/]"),
        ("👩\u200d🚀 naïve 漢字\t|", "👩\u200d🚀 naïve 漢字\t|"),
    ],
)
def test_sequences_are_removed_completely(text: str, shown: str) -> None:
    assert sanitize(text) == shown


@pytest.mark.parametrize("opening", ["\x1b]0;", "\x1bP", "\x9d", "\x1b_", "\x1b^"])
def test_an_unterminated_string_hides_nothing(opening: str) -> None:
    assert sanitize(f"{opening}still\nhere").endswith("still\nhere")


def test_surrogates() -> None:
    assert sanitize("a\ud83db") == "a\ufffdb"
    assert sanitize("a\ude00") == "a\ufffd"
    assert sanitize("\ud83d\ude00") == "😀"
    assert sanitize("\ud83d\ud83d\ude00\ude00") == "\ufffd😀\ufffd"


def test_a_fragment_keeps_lone_surrogates_only_at_its_ends() -> None:
    assert sanitize_fragment("\ude00 a\ud83db \ud83d") == "\ude00 a\ufffdb \ud83d"
    assert sanitize_fragment("\ud83d\ude00") == "😀"
    assert sanitize_fragment("\ude00") == "\ude00"
    assert sanitize_fragment("\x1b[m\x07") == ""


@given(st.text(st.sampled_from("ab\n😀é🚀漢")), st.data())
def test_a_text_split_at_any_utf16_unit_is_the_same_text(text: str, data: st.DataObject) -> None:
    units = text.encode("utf-16-le")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(units) // 2), max_size=8)))
    edges = [0, *(cut * 2 for cut in cuts), len(units)]
    held = shown = ""
    for start, end in pairwise(edges):
        delta = units[start:end].decode("utf-16-le", "surrogatepass")
        ready, held = join_halves(held, sanitize_fragment(delta))
        shown += ready
    assert shown + sanitize(held) == text


@given(any_text | hostile_text, st.integers(1, 40))
def test_one_line_is_one_short_line(text: str, limit: int) -> None:
    line = single_line(text, limit)
    assert len(line) <= limit
    assert line.split() == line.split(" ") or line == ""


def test_a_cut_line_ends_with_an_ellipsis() -> None:
    assert single_line(" a\n\tb \x1b[31m c\r\n") == "a b c"
    assert single_line("abcdef", 4) == "abc…"
    assert single_line("abcd", 4) == "abcd"
    assert single_line("ab cdef", 4) == "ab…"


def test_the_cost_of_hostile_text_is_linear() -> None:
    """Thousands of unterminated openings would take hours if each were searched to the end of the text."""
    for opening in ("\x1b]", "\x9d", "\x1b[", "\x1bP", "\x1b[0;", "\x9b "):
        assert "\x1b" not in sanitize(opening * 100_000)


INVISIBLE = [0xAD, 0x180E, 0x200B, *range(0x2060, 0x2065), 0xFEFF, *range(0xE0000, 0xE0080)]


@pytest.mark.parametrize("code", INVISIBLE, ids=hex)
def test_invisible_characters_are_removed_from_lines_and_cells(code: int) -> None:
    assert single_line(f"pass{chr(code)}word") == "password"
    assert in_cells(f"pass{chr(code)}word", 9) == ("pass-word" if code == 0xAD else "password")


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d🚀",
        "👩🏽\u200d🚀",
        "🏳\ufe0f\u200d🌈",
        "1\ufe0f\u20e3",
        "❤\ufe0f",
        "می\u200cخواهم",
        "क्\u200dष",
        "ක්\u200dෂ",
    ],
)
def test_joiners_within_letters_and_emoji_are_kept(text: str) -> None:
    assert single_line(text) == text
    assert in_cells(text, len(text)) == text


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
def test_a_joiner_that_joins_nothing_is_removed(joiner: str) -> None:
    assert single_line(f"pass{joiner}{joiner}word") == "password"
    assert in_cells(f"{joiner}pass{joiner}word", 8) == "password"
