"""Common to all dialogs: size and position."""

import pytest
from textual import events

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tui.core import events as e
from tui.core.changes import Notice
from tui.ui.terminal_input import TextBurst
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.dialogs.help import Help


@pytest.mark.parametrize("key", ["f1", "f2", "f3", "ctrl+t", "ctrl+r"])
async def test_a_narrow_screen_shows_only_the_dialog(key: str) -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(*sample.prompt("lorem " * 400))
        await harness.shows("lorem lorem")
        await harness.press(key)
        await harness.until(lambda: harness.app.screen is not harness.main)
        dialog = harness.app.screen.query_one(".dialog").region
        assert (dialog.x, dialog.width) == (0, 80)
        assert "lorem" not in "\n".join(harness.text.split("\n")[dialog.y : dialog.bottom])
        assert "▔" not in harness.text, "a box of lines"


@pytest.mark.parametrize(("size", "width"), [((120, 40), 100), ((200, 60), 140)], ids=["120x40", "200x60"])
async def test_a_wide_screen_stays_visible_beside_a_dialog(size: tuple[int, int], width: int) -> None:
    async with app_harness(size=size) as harness:
        await harness.press("f2")
        await harness.until(lambda: harness.app.screen is not harness.main)
        assert harness.app.screen.query_one(".dialog").region.width == width


@pytest.mark.parametrize("size", [(80, 24), (60, 12), (120, 40), (200, 60)])
async def test_the_help_always_shows_its_close_key(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        await harness.press("f1")
        await harness.shows("In the prompt", "Enter", "Esc close")
        rows = harness.text.split("\n")
        at = next(row for row, line in enumerate(rows) if "Esc close" in line)
        assert rows[at - 1].strip(" ─") == "", "a line apart from the list"


async def test_the_footer_below_a_dialog_hides_keys_used_by_the_dialog() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.run_turn()
        await harness.press(*"wait", "enter", *"draft")
        await harness.shows("Esc Esc abort")
        await harness.press("shift+tab", "x")
        await harness.until(lambda: isinstance(harness.app.screen, Confirm))
        assert harness.text.split("\n")[-1].strip() == "F1 help"
        harness.second()
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await harness.settled()
        assert harness.text.split("\n")[-1].strip() == "F1 help"
        await harness.press("escape")
        await harness.until(lambda: harness.app.screen is harness.main)
        await harness.shows("x remove", "Esc back")


TEXTS = ["hello brave new world", "quite\u00e9", "x", "q", "1"]


@pytest.mark.parametrize("key", ["f1", "f3"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("how", ["keys", "burst", "paste"])
async def test_text_typed_over_a_page_without_a_field_has_no_effect(key: str, text: str, how: str) -> None:
    async with app_harness() as harness:
        await harness.press(*"draft", key)
        page = harness.app.screen
        if how == "keys":
            harness.burst(*text)
        else:
            harness.app.post_message(TextBurst(text) if how == "burst" and len(text) > 1 else events.Paste(text))
        await harness.shows("Text has no effect here.  Esc ")
        await harness.settled()
        assert (harness.app.screen, harness.main.prompt.text) == (page, "draft")


async def test_text_is_typed_where_the_keys_before_it_led() -> None:
    """Keys that arrive at once: a page opens, takes no text, and closes."""
    async with app_harness() as harness:
        harness.burst(*"one ", "f1", *"two ")
        await harness.until(lambda: isinstance(harness.app.screen, Help))
        await harness.shows("Text has no effect here.  Esc ")
        await harness.press("escape", *"three")
        assert (harness.app.screen, harness.main.prompt.text) == (harness.main, "one three")


async def test_enter_after_text_does_not_close_the_help() -> None:
    async with app_harness() as harness:
        await harness.press("f1", *"one", "enter", *"two", "enter")
        assert isinstance(harness.app.screen, Help)
        assert (harness.main.prompt.text, harness.client.calls("send")) == ("", [])


def rows_of_dialog(harness: AppHarness) -> list[str]:
    region = harness.app.screen.query_one(".dialog").region
    return [line[region.x : region.right] for line in harness.text.split("\n")[region.y : region.bottom]]


NOTICES = [
    Notice(
        "“a prompt of another session” was not sent (the session is gone). It was returned to its prompt.", "warning"
    ),
    Notice("Move the store\n✓ answered  DB: SQLite"),
    Notice("It failed.", "error"),
]


@pytest.mark.parametrize("key", ["f1", "f2", "f3", "ctrl+t", "ctrl+r"])
@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (61, 21)])
async def test_a_notice_covers_no_row_of_a_dialog(key: str, size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await harness.press(key)
        await harness.until(lambda: harness.app.screen is not harness.main)
        await harness.settled()
        before = rows_of_dialog(harness)
        for notice in NOTICES:
            harness.client.tell(notice)
            await harness.until(lambda message=notice.text[:9]: message in harness.text.split("\n")[-1])  # type: ignore[misc]
            assert rows_of_dialog(harness) == before
        await harness.press("escape")
        await harness.until(lambda: harness.app.screen is harness.main)
        await harness.shows("It failed.")
        assert "It failed." not in harness.text.split("\n")[-1]


@pytest.mark.parametrize("key", ["f1", "f2", "f3", "ctrl+t", "ctrl+r"])
@pytest.mark.parametrize("size", [(20, 6), (26, 9), (40, 12), (60, 16), (80, 24)])
async def test_a_dialog_shows_whole_key_hints_and_always_how_to_close_it(key: str, size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await harness.press(key)
        await harness.until(lambda: harness.app.screen is not harness.main)
        await harness.settled()
        line = next(line for line in reversed(rows_of_dialog(harness)) if line.strip())
        assert line.strip().split("  ")[-1] in ("Esc close", "Esc back", "Esc cancel"), harness.text
