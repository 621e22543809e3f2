"""Terminal bytes as keys and lines; and every character in every field."""

from collections.abc import Awaitable, Callable

import pytest
from textual import events
from textual.message import Message
from textual.widgets import Input, TextArea

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tui.core import events as e
from tui.ui.terminal_input import AFTER_ENTER, AFTER_LINES, Burst, InputParser, TextBurst

ODD = "\u3000\u200c\u00a0\u00ad\u2067\ue000\U0001fadf日"


def described(messages: list[Message]) -> list[str]:
    """Keys by name, lines in quotes."""
    return [
        f"“{one.text}”" if isinstance(one, TextBurst) else one.key if isinstance(one, events.Key) else repr(one)
        for one in messages
    ]


def heard(*chunks: str) -> list[str]:
    """The result of chunks that follow each other at once."""
    got: list[Message] = []
    parser, burst = InputParser(), Burst(got.append)
    for chunk in chunks:
        for message in parser.feed(chunk):
            burst.take(message)
        if not burst.lasts:
            burst.end()
    burst.end()
    return described(got)


@pytest.mark.parametrize(
    ("chunks", "keys"),
    [
        (["ab\r"], ["“ab”", "enter"]),
        (["a\tb"], ["a", "tab", "b"]),
        (["\r\r"], ["enter", "enter"]),
        (["ab\r\r"], ["“ab”", "enter", "enter"]),
        (["ab\rc"], ["“ab\rc”"]),
        (["ab\r", "c\r", "d\r"], ["“ab\rc\rd\r”"]),
        (["a", "b\r\n\tc"], ["a", "“b\r\n\tc”"]),
        (["a\nb"], ["“a\nb”"]),
        (["x" * 80 + "\r"], [f"“{'x' * 80}”", "enter"]),
        (["\x1b[Aa\rb\x1b[B"], ["up", "“a\rb”", "down"]),
        (["\x1b[97;;97u\x1b[13u\x1b[98;;98u"], ["a", "enter", "b"]),
        (["\x1bx" + "y" * 40], ["alt+x", f"“{'y' * 40}”"]),
        (["\x1b[0;;26085:26412:26085:26412:26085:26412u"], ["“日本日本日本”"]),
        (["\x1b[127;2u\x1b[32;129u"], ["backspace", "space"]),
    ],
)
def test_a_burst_is_keys_or_lines_of_text(chunks: list[str], keys: list[str]) -> None:
    assert heard(*chunks) == keys


def test_a_burst_ends_when_no_more_input_is_pending() -> None:
    burst = Burst(lambda message: None)
    for character, lasts in (("a", 0.0), ("\r", AFTER_ENTER), ("b", AFTER_LINES), ("\r", AFTER_LINES)):
        for message in InputParser().feed(character):
            burst.take(message)
        assert burst.lasts == lasts


async def _prompt(harness: AppHarness) -> None:
    pass


async def _own_words(harness: AppHarness) -> None:
    harness.client.feed(e.RequestOpened(sample.CHOICES))
    await harness.shows("Where shall")
    await harness.press("f4")
    harness.pass_input_guard()
    await harness.press("3")


def _by(*keys: str) -> Callable[[AppHarness], Awaitable[None]]:
    async def opened(harness: AppHarness) -> None:
        await harness.press(*keys)

    return opened


@pytest.mark.parametrize(
    "open_field",
    [_prompt, _own_words, _by("ctrl+r"), _by("f2"), _by("ctrl+p"), _by("f2", "ctrl+r"), _by("ctrl+f")],
)
async def test_every_character_can_be_typed_in_every_field(open_field: Callable[[AppHarness], Awaitable[None]]) -> None:
    async with app_harness() as harness:
        await open_field(harness)
        await harness.until(lambda: isinstance(harness.app.focused, Input | TextArea))
        field = harness.app.focused
        assert isinstance(field, Input | TextArea)
        await harness.press(*ODD)
        assert ODD in (field.text if isinstance(field, TextArea) else field.value)
        harness.app.post_message(events.Paste("two\nlines"))
        await harness.settled()
        text = field.text if isinstance(field, TextArea) else field.value
        assert "two" in text
        assert "lines" in text
