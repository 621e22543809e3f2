"""Common to all dialogs: size and position."""

import pytest
from textual import events

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tui.core import events as e
from tui.core.changes import Notice
from tui.ui.terminal_input import TextBurst
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.dialogs.help import Help


@pytest.mark.parametrize("key", ["f1", "f2", "f3", "ctrl+t", "ctrl+r"])
async def test_a_narrow_screen_shows_only_the_dialog(key: str) -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.prompt("lorem " * 400))
        await stage.shows("lorem lorem")
        await stage.press(key)
        await stage.until(lambda: stage.app.screen is not stage.main)
        dialog = stage.app.screen.query_one(".dialog").region
        assert (dialog.x, dialog.width) == (0, 80)
        assert "lorem" not in "\n".join(stage.text.split("\n")[dialog.y : dialog.bottom])
        assert "▔" not in stage.text, "a box of lines"


@pytest.mark.parametrize(("size", "width"), [((120, 40), 100), ((200, 60), 140)], ids=["120x40", "200x60"])
async def test_a_wide_screen_stays_visible_beside_a_dialog(size: tuple[int, int], width: int) -> None:
    async with on_stage(size=size) as stage:
        await stage.press("f2")
        await stage.until(lambda: stage.app.screen is not stage.main)
        assert stage.app.screen.query_one(".dialog").region.width == width


@pytest.mark.parametrize("size", [(80, 24), (60, 12), (120, 40), (200, 60)])
async def test_the_help_always_shows_its_close_key(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        await stage.press("f1")
        await stage.shows("In the prompt", "Enter", "Esc close")
        rows = stage.text.split("\n")
        at = next(row for row, line in enumerate(rows) if "Esc close" in line)
        assert rows[at - 1].strip(" ─") == "", "a line apart from the list"


async def test_the_footer_below_a_dialog_hides_keys_used_by_the_dialog() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.run_turn()
        await stage.press(*"wait", "enter", *"draft")
        await stage.shows("Esc Esc abort")
        await stage.press("shift+tab", "x")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        assert stage.text.split("\n")[-1].strip() == "F1 help"
        stage.second()
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await stage.settled()
        assert stage.text.split("\n")[-1].strip() == "F1 help"
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)
        await stage.shows("x remove", "Esc back")


TEXTS = ["hello brave new world", "quite\u00e9", "x", "q", "1"]


@pytest.mark.parametrize("key", ["f1", "f3"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("how", ["keys", "burst", "paste"])
async def test_text_typed_over_a_page_without_a_field_has_no_effect(key: str, text: str, how: str) -> None:
    async with on_stage() as stage:
        await stage.press(*"draft", key)
        page = stage.app.screen
        if how == "keys":
            stage.burst(*text)
        else:
            stage.app.post_message(TextBurst(text) if how == "burst" and len(text) > 1 else events.Paste(text))
        await stage.shows("Text has no effect here.  Esc ")
        await stage.settled()
        assert (stage.app.screen, stage.main.prompt.text) == (page, "draft")


async def test_text_is_typed_where_the_keys_before_it_led() -> None:
    """Keys that arrive at once: a page opens, takes no text, and closes."""
    async with on_stage() as stage:
        stage.burst(*"one ", "f1", *"two ")
        await stage.until(lambda: isinstance(stage.app.screen, Help))
        await stage.shows("Text has no effect here.  Esc ")
        await stage.press("escape", *"three")
        assert (stage.app.screen, stage.main.prompt.text) == (stage.main, "one three")


async def test_enter_after_text_does_not_close_the_help() -> None:
    async with on_stage() as stage:
        await stage.press("f1", *"one", "enter", *"two", "enter")
        assert isinstance(stage.app.screen, Help)
        assert (stage.main.prompt.text, stage.client.calls("send")) == ("", [])


def rows_of_dialog(stage: Stage) -> list[str]:
    region = stage.app.screen.query_one(".dialog").region
    return [line[region.x : region.right] for line in stage.text.split("\n")[region.y : region.bottom]]


NOTICES = [
    Notice("“a prompt of another session” was not sent (the session is gone). It went back to its prompt.", "warning"),
    Notice("Move the store\n✓ answered  DB: SQLite"),
    Notice("It failed.", "error"),
]


@pytest.mark.parametrize("key", ["f1", "f2", "f3", "ctrl+t", "ctrl+r"])
@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (61, 21)])
async def test_a_notice_covers_no_row_of_a_dialog(key: str, size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await stage.press(key)
        await stage.until(lambda: stage.app.screen is not stage.main)
        await stage.settled()
        before = rows_of_dialog(stage)
        for notice in NOTICES:
            stage.client.tell(notice)
            await stage.until(lambda said=notice.text[:9]: said in stage.text.split("\n")[-1])  # type: ignore[misc]
            assert rows_of_dialog(stage) == before
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)
        await stage.shows("It failed.")
        assert "It failed." not in stage.text.split("\n")[-1]


@pytest.mark.parametrize("key", ["f1", "f2", "f3", "ctrl+t", "ctrl+r"])
@pytest.mark.parametrize("size", [(20, 6), (26, 9), (40, 12), (60, 16), (80, 24)])
async def test_a_dialog_shows_whole_key_hints_and_always_how_to_close_it(key: str, size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await stage.press(key)
        await stage.until(lambda: stage.app.screen is not stage.main)
        await stage.settled()
        line = next(line for line in reversed(rows_of_dialog(stage)) if line.strip())
        assert line.strip().split("  ")[-1] in ("Esc close", "Esc back", "Esc cancel"), stage.text
