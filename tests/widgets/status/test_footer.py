import pytest
from textual.content import Content

from tui.config.key_lookup import Hint
from tui.widgets.base.static_text import spread
from tui.widgets.status.footer import dialog_line, everywhere, footer_line

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


@pytest.mark.parametrize("width", range(1, 60))
@pytest.mark.parametrize("waiting", [0, 1, 12])
def test_hints_are_shown_whole_or_not_at_all(width: int, waiting: int) -> None:
    words = footer_line(KEYS, width, waiting).plain
    assert len(words) <= width or words.strip() in ("F1 help", f"F3 inbox ({waiting})")
    shown = [hint.strip() for hint in words.split("  ") if hint.strip()]
    known = [f"{hint.label} {hint.what}" for hint in (*KEYS, *everywhere(waiting))]
    assert [hint for hint in shown if hint not in known] == []
    if waiting and width > len(f" F3 inbox ({waiting})"):
        assert f"F3 inbox ({waiting})" in shown


@pytest.mark.parametrize("width", range(1, 60))
def test_a_dialog_keeps_the_key_that_closes_it(width: int) -> None:
    keys = (Hint("Enter", "open", ("enter",)), Hint("^N", "new", ("ctrl+n",)), Hint("Esc", "close", ("escape",)))
    shown = dialog_line(keys, width).plain.split("  ")
    assert shown[-1] == "Esc close"
    assert shown[:-1] == ["Enter open", "^N new"][: len(shown) - 1]
    assert len(dialog_line(keys, width).plain) <= max(width, len("Esc close"))


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
