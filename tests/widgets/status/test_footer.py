import pytest
from textual.content import Content

from tui.config.key_lookup import Hint
from tui.widgets.base.static_text import spread
from tui.widgets.status.footer import footer_line

KEYS = (Hint("Enter", "next"), Hint("↑ ↓", "move"), Hint("Esc", "collapse"), Hint("x", "reject"))


def test_all_keys_are_shown_if_there_is_space() -> None:
    words = footer_line(KEYS, 120).plain
    for expected in ("Enter next", "x reject", "F2 sessions", "F3 inbox", "^P commands", "F1 help"):
        assert expected in words


@pytest.mark.parametrize("width", [60, 50, 20])
def test_a_narrow_screen_keeps_the_first_keys_and_help(width: int) -> None:
    words = footer_line(KEYS, width).plain
    assert words.strip().startswith("Enter next") or width == 20
    assert words.endswith("F1 help")
    assert "F2" not in words
    assert len(words) <= width


@pytest.mark.parametrize("width", [120, 60, 50])
def test_open_requests_are_counted_at_any_width(width: int) -> None:
    words = footer_line(KEYS, width, waiting=2).plain
    assert "F3 inbox (2)" in words
    assert len(words) <= width


@pytest.mark.parametrize(
    ("left", "right", "width", "line"),
    [
        ("ab", "cd", 10, "ab      cd"),
        ("a long left side", "right", 14, "a long…  right"),
        ("left", "a long right side", 8, "  a lon…"),
    ],
)
def test_left_and_right_text_share_one_line(left: str, right: str, width: int, line: str) -> None:
    assert spread(Content(left), Content(right), width).plain == line
