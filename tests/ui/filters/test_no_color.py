"""NO_COLOR: no colour codes, while marked and faint text stays distinguishable."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.segment import Segment

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.conftest import COMMAND
from tests.end_to_end.stub import running_stub
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment
from tui.config.display import DisplaySettings

THEMES = ["holdfast", "textual-light", "nord", "ansi-dark"]


@pytest.fixture(autouse=True)
def no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def segments(stage: Stage) -> Iterator[Segment]:
    for strip in stage.app.screen._compositor.render_strips():
        yield from strip


def words(stage: Stage, **style: bool) -> str:
    """The text on the screen with this style."""
    return "\n".join(
        one.text
        for one in segments(stage)
        if one.style is not None and all(bool(getattr(one.style, name)) is on for name, on in style.items())
    )


@pytest.mark.parametrize("theme", THEMES)
async def test_no_part_of_the_screen_has_a_colour(theme: str) -> None:
    async with on_stage(look=DisplaySettings(theme=theme)) as stage:
        stage.client.feed(*talk.at_work())
        await stage.shows("pytest -q tests/store")
        for key in ("f1", "f2", "ctrl+p"):
            await stage.press(key)
            await stage.until(lambda: stage.app.screen is not stage.main)
            coloured = [s for s in segments(stage) if s.style is not None and (s.style.color or s.style.bgcolor)]
            assert coloured == []
            await stage.press("escape")


@pytest.mark.parametrize("theme", ["holdfast", "textual-light", "nord"])
async def test_selections_are_reverse_and_faint_text_is_dim(theme: str) -> None:
    async with on_stage(look=DisplaySettings(theme=theme)) as stage:
        await stage.press("ctrl+t")
        await stage.shows("thinks first")
        assert "build" in words(stage, reverse=True)
        assert "thinks first" in words(stage, dim=True, reverse=False)
        assert "Agent" in words(stage, dim=False, reverse=False, bold=True)
        assert "Enter" in words(stage, dim=False, reverse=False)


async def test_the_palette_highlights_only_one_row() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+p")
        await stage.shows("Copy code")
        assert "Abort the turn" in words(stage, reverse=True)
        assert "Copy code" in words(stage, reverse=False)


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
