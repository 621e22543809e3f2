import pytest

from tests import sample_events as talk
from tests.app_harness import on_stage
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
    async with on_stage(look=DisplaySettings(ascii=True)) as stage:
        stage.client.feed(*talk.at_work())
        stage.run_turn()
        await stage.shows("pytest -q tests/store")
        assert stage.text.isascii()


async def test_replaced_arrows_do_not_look_like_another_key() -> None:
    async with on_stage(look=DisplaySettings(ascii=True)) as stage:
        await asked(stage, talk.CHOICES)
        await stage.shows("^ v move", "Esc collapse")
        assert "^v" not in stage.text


async def test_keys_and_theme_of_the_settings_are_used() -> None:
    look = DisplaySettings(theme="nord", keys={"inbox": "f9", "sessions": "ctrl+s"})
    async with on_stage(look=look) as stage:
        assert stage.app.theme == "nord"
        await stage.shows("F9 inbox", "^S sessions")
        await stage.press("f3")
        assert not isinstance(stage.app.screen, Inbox)
        await stage.press("f9")
        await stage.until(lambda: isinstance(stage.app.screen, Inbox))


async def test_an_unknown_theme_is_reported() -> None:
    async with on_stage(look=DisplaySettings(theme="neon")) as stage:
        await stage.shows("There is no theme 'neon'.")


async def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with on_stage() as stage:
        await stage.shows("● live")
        colours = {
            segment.style.color.triplet
            for strip in stage.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None and segment.style.color is not None
        }
        assert all(colour is None or colour.red == colour.green == colour.blue for colour in colours)


@pytest.mark.parametrize("ascii_only", [True, False])
async def test_the_palette_is_drawn_with_the_same_line_characters(ascii_only: bool) -> None:
    async with on_stage(size=(80, 24), look=DisplaySettings(ascii=ascii_only)) as stage:
        await stage.press("ctrl+p")
        await stage.shows("What needs your answer")
        assert stage.text.isascii() is ascii_only
        assert not [drawn for drawn in ("??", "_" * 20, "🔎", "▔", "▁" * 20) if drawn in stage.text], stage.text
