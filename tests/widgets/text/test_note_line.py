"""Notes of the client in the transcript, as drawn."""

import pytest

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tui.core import events as e
from tui.core.changes import ReplyStatusChanged
from tui.core.model import Option, Question, QuestionRequest

LONG = "Keep the files where they are and write what changes into one SQLite file beside them, for now"
REQUEST = QuestionRequest(
    "que_5", talk.SESSION, (Question("Where?", "Where", (Option(LONG), Option("No")), custom=False),)
)


async def answered(stage: Stage) -> None:
    stage.client.feed(*talk.at_work(), e.RequestOpened(REQUEST))
    await stage.until(lambda: stage.main.panel.has_focus_within)
    stage.after_grace()
    await stage.press("enter")
    stage.client.tell(ReplyStatusChanged(REQUEST, "acknowledged"))
    stage.client.feed(e.QuestionAnswered(talk.SESSION, "que_5", ((LONG,),)))


@pytest.mark.parametrize("size", [(80, 24), (60, 24)])
async def test_further_lines_are_indented_past_the_glyph(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        await answered(stage)
        await stage.shows("✓ answered  Keep the files")
        lines = stage.text.split("\n")
        at = next(row for row, line in enumerate(lines) if "✓ answered" in line)
        below = lines[at + 1]
        assert below.strip() in LONG
        assert len(below) - len(below.lstrip()) == lines[at].index("answered")
