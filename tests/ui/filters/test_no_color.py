"""NO_COLOR: no colour codes, while marked and faint text stays distinguishable."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.segment import Segment

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.conftest import COMMAND
from tests.end_to_end.stub import running_stub
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment
from tui.config.display import DisplaySettings

THEMES = ["holdfast", "textual-light", "nord", "ansi-dark"]


@pytest.fixture(autouse=True)
def no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def segments(harness: AppHarness) -> Iterator[Segment]:
    for strip in harness.app.screen._compositor.render_strips():
        yield from strip


def words(harness: AppHarness, **style: bool) -> str:
    """The text on the screen with this style."""
    return "\n".join(
        one.text
        for one in segments(harness)
        if one.style is not None and all(bool(getattr(one.style, name)) is on for name, on in style.items())
    )


@pytest.mark.parametrize("theme", THEMES)
async def test_no_part_of_the_screen_has_a_colour(theme: str) -> None:
    async with app_harness(look=DisplaySettings(theme=theme)) as harness:
        harness.client.feed(*sample.at_work())
        await harness.shows("pytest -q tests/store")
        for key in ("f1", "f2", "ctrl+p"):
            await harness.press(key)
            await harness.until(lambda: harness.app.screen is not harness.main)
            coloured = [s for s in segments(harness) if s.style is not None and (s.style.color or s.style.bgcolor)]
            assert coloured == []
            await harness.press("escape")


@pytest.mark.parametrize("theme", ["holdfast", "textual-light", "nord"])
async def test_selections_are_reverse_and_faint_text_is_dim(theme: str) -> None:
    async with app_harness(look=DisplaySettings(theme=theme)) as harness:
        await harness.press("ctrl+t")
        await harness.shows("thinks first")
        assert "build" in words(harness, reverse=True)
        assert "thinks first" in words(harness, dim=True, reverse=False)
        assert "Agent" in words(harness, dim=False, reverse=False, bold=True)
        assert "Enter" in words(harness, dim=False, reverse=False)


async def test_the_palette_highlights_only_one_row() -> None:
    async with app_harness() as harness:
        await harness.press("ctrl+p")
        await harness.shows("Copy code")
        assert "Abort the turn" in words(harness, reverse=True)
        assert "Copy code" in words(harness, reverse=False)


def test_no_colour_code_is_written(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path) | {"NO_COLOR": "1", "COLORTERM": "truecolor"}
    with running_stub(tmp_path) as stub:
        with closing(Terminal([COMMAND, stub.address], env=environment, cwd=tmp_path)) as terminal:
            terminal.wait_for("ready")
            terminal.type("ASK")
            terminal.press("enter")
            terminal.wait_for("Which database")
            sent = terminal.raw
    codes = {code for found in re.findall(rb"\x1b\[([\d;:]*)m", sent) for code in re.split(rb"[;:]", found)}
    assert codes <= {b"", b"0", b"1", b"2", b"3", b"4", b"7", b"9"}
