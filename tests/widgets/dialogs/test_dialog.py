"""Common to all dialogs: size and position."""

import pytest

from tests import sample_events as talk
from tests.app_harness import on_stage
from tui.core import events as e
from tui.widgets.dialogs.confirm import Confirm


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
