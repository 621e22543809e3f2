"""Notes of the client in the transcript, as drawn."""

import pytest

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tui.core import events as e
from tui.core.changes import ReplyStatusChanged
from tui.core.model import Option, Question, QuestionRequest

LONG = "Keep the files where they are and write what changes into one SQLite file beside them, for now"
REQUEST = QuestionRequest(
    "que_5", sample.SESSION, (Question("Where?", "Where", (Option(LONG), Option("No")), custom=False),)
)


async def answered(harness: AppHarness) -> None:
    harness.client.feed(*sample.at_work(), e.RequestOpened(REQUEST))
    await harness.until(lambda: harness.main.panel.has_focus_within)
    harness.pass_input_guard()
    await harness.press("enter")
    harness.client.tell(ReplyStatusChanged(REQUEST, "acknowledged"))
    harness.client.feed(e.QuestionAnswered(sample.SESSION, "que_5", ((LONG,),)))


@pytest.mark.parametrize("size", [(80, 24), (60, 24)])
async def test_further_lines_are_indented_past_the_glyph(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        await answered(harness)
        await harness.shows("✓ answered  Keep the files")
        lines = harness.text.split("\n")
        at = next(row for row, line in enumerate(lines) if "✓ answered" in line)
        below = lines[at + 1]
        assert below.strip() in LONG
        assert len(below) - len(below.lstrip()) == lines[at].index("answered")
