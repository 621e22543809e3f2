"""Notices have their own space: what is being read and typed stays visible."""

import pytest
from textual.widgets._toast import Toast

from tests import sample_events as sample
from tests.app_harness import app_harness
from tui.core import events as e
from tui.core.changes import Notice
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.status import notices

SIZES = [(120, 40), (80, 24), (40, 16)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_notice_does_not_cover_other_parts(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        harness.client.feed(e.RequestOpened(sample.PERMISSION))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        await harness.press("tab", "tab", *"typed")
        before = harness.text.split("\n")[-3:]
        for row in range(4):
            harness.client.tell(Notice(f"Notice {row}, of some length, so that it may need two lines.\nAnd a remedy."))
        await harness.shows("Notice 3")
        assert "Notice 0" not in harness.text
        lines = harness.text.split("\n")
        assert lines[-3:] == before
        assert "Notice 3" in " ".join(lines[-5:-3]), "it stands just above the turn and the prompt"
        assert not harness.app.screen.query(Toast)


async def test_a_notice_disappears_after_a_time_or_a_click_unless_sticky(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(notices.LASTS, "information", 0.05)
    async with app_harness() as harness:
        harness.client.tell(Notice("Nothing is kept for the next start: the disk is full.", "error", sticky=True))
        harness.client.tell(Notice("gone soon"))
        await harness.shows("Nothing is kept")
        await harness.hides("gone soon")
        harness.client.tell(Notice("clicked away", "error"))
        await harness.shows("clicked away")
        await harness.pilot.click("#notices")
        await harness.hides("clicked away")
        await harness.shows("Nothing is kept for the next start: the disk is full.")


async def test_a_notice_is_visible_above_a_dialog() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press("ctrl+q")
        await harness.until(lambda: isinstance(harness.app.screen, Confirm))
        harness.client.tell(Notice("told above the dialog"))
        await harness.shows("told above the dialog")


async def test_the_same_notice_is_not_shown_twice() -> None:
    async with app_harness() as harness:
        for _ in range(2):
            harness.client.tell(Notice("again"))
        await harness.shows("again")
        assert harness.text.count("again") == 1
