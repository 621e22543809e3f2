import pytest

from tui.widgets.base.format import clock, ordinal, span, step_duration


@pytest.mark.parametrize(("seconds", "words"), [(-3, "0:00"), (7.9, "0:07"), (724, "12:04"), (3723, "1:02:03")])
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0s"), (4.9, "4s"), (59, "59s"), (180, "3 min"), (7200, "2 h"), (432_000, "5 d")]
)
def test_span(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.14, "0.1s"), (8.4, "8.4s"), (90, "1:30")])
def test_duration(seconds: float, words: str) -> None:
    assert step_duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (21, "21st"), (112, "112th")],
)
def test_ordinal(number: int, words: str) -> None:
    assert ordinal(number) == words
