"""Notices have their own space: what is being read and typed stays visible."""

import pytest
from textual.widgets._toast import Toast

from tests import sample_events as talk
from tests.app_harness import on_stage
from tui.core import events as e
from tui.core.changes import Notice
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.status import notices

SIZES = [(120, 40), (80, 24), (40, 16)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_notice_does_not_cover_other_parts(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        stage.client.feed(e.RequestOpened(talk.PERMISSION))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        await stage.press("tab", "tab", *"typed")
        before = stage.text.split("\n")[-3:]
        for row in range(4):
            stage.client.tell(Notice(f"Notice {row}, of some length, so that it may need two lines.\nAnd a remedy."))
        await stage.shows("Notice 3")
        assert "Notice 0" not in stage.text
        lines = stage.text.split("\n")
        assert lines[-3:] == before
        assert "Notice 3" in " ".join(lines[-5:-3]), "it stands just above the turn and the prompt"
        assert not stage.app.screen.query(Toast)


async def test_a_notice_disappears_after_a_time_or_a_click_unless_sticky(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(notices.LASTS, "information", 0.05)
    async with on_stage() as stage:
        stage.client.tell(Notice("Nothing is kept for the next start: the disk is full.", "error", sticky=True))
        stage.client.tell(Notice("gone soon"))
        await stage.shows("Nothing is kept")
        await stage.hides("gone soon")
        stage.client.tell(Notice("clicked away", "error"))
        await stage.shows("clicked away")
        await stage.pilot.click("#notices")
        await stage.hides("clicked away")
        await stage.shows("Nothing is kept for the next start: the disk is full.")


async def test_a_notice_is_visible_above_a_dialog() -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press("ctrl+q")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        stage.client.tell(Notice("told above the dialog"))
        await stage.shows("told above the dialog")


async def test_the_same_notice_is_not_shown_twice() -> None:
    async with on_stage() as stage:
        for _ in range(2):
            stage.client.tell(Notice("again"))
        await stage.shows("again")
        assert stage.text.count("again") == 1
