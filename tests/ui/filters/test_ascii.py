import pytest

from tests import sample_events as sample
from tests.app_harness import app_harness
from tests.widgets.requests.test_panel import asked
from tui.config.display import DisplaySettings
from tui.ui.filters.ascii import GLYPHS, plain
from tui.widgets.dialogs.inbox import Inbox


@pytest.mark.parametrize(
    ("text", "ascii_text"),
    [
        ("● live 2s ▂▂", "* live 2s __"),
        ("naïve “words”…", 'naive "words".'),
        ("日本", "????"),
        ("ﬁ", "?"),
        ("▸ folded ▾ open", "+ folded - open"),
        ("✓ done ✗ failed", "v done x failed"),
        ("a\nb", "a\nb"),
    ],
)
def test_each_cell_is_replaced_by_one_cell(text: str, ascii_text: str) -> None:
    assert plain(text) == ascii_text


def test_every_glyph_has_a_one_character_replacement() -> None:
    assert all(len(chr(code) if isinstance(code, int) else code) == 1 for code in GLYPHS.values())


async def test_the_whole_screen_is_ascii() -> None:
    async with app_harness(look=DisplaySettings(ascii=True)) as harness:
        harness.client.feed(*sample.at_work())
        harness.run_turn()
        await harness.shows("pytest -q tests/store")
        assert harness.text.isascii()


async def test_replaced_arrows_do_not_look_like_another_key() -> None:
    async with app_harness(look=DisplaySettings(ascii=True)) as harness:
        await asked(harness, sample.CHOICES)
        await harness.shows("^ v move", "Esc collapse")
        assert "^v" not in harness.text


async def test_keys_and_theme_of_the_settings_are_used() -> None:
    look = DisplaySettings(theme="nord", keys={"inbox": "f9", "sessions": "ctrl+s"})
    async with app_harness(look=look) as harness:
        assert harness.app.theme == "nord"
        await harness.shows("F9 inbox", "^S sessions")
        await harness.press("f3")
        assert not isinstance(harness.app.screen, Inbox)
        await harness.press("f9")
        await harness.until(lambda: isinstance(harness.app.screen, Inbox))


async def test_an_unknown_theme_is_reported() -> None:
    async with app_harness(look=DisplaySettings(theme="neon")) as harness:
        await harness.shows("There is no theme 'neon'.")


async def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with app_harness() as harness:
        await harness.shows("● live")
        colours = {
            segment.style.color.triplet
            for strip in harness.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None and segment.style.color is not None
        }
        assert all(colour is None or colour.red == colour.green == colour.blue for colour in colours)


@pytest.mark.parametrize("ascii_only", [True, False])
async def test_the_palette_is_drawn_with_the_same_line_characters(ascii_only: bool) -> None:
    async with app_harness(size=(80, 24), look=DisplaySettings(ascii=ascii_only)) as harness:
        await harness.press("ctrl+p")
        await harness.shows("What needs your answer")
        assert harness.text.isascii() is ascii_only
        assert not [drawn for drawn in ("??", "_" * 20, "🔎", "▔", "▁" * 20) if drawn in harness.text], harness.text
