"""Scrolling the transcript: no animation runs that reaching the end would stop in its last step."""

import pytest

from tests import sample_events as sample
from tests.app_harness import app_harness


@pytest.mark.parametrize("beyond", [0, 3])
async def test_an_animated_scroll_to_the_end_after_a_search_raises_nothing(beyond: int) -> None:
    """Textual's animator raises KeyError if its last step stops the animation itself, as anchoring to the end does."""
    async with app_harness() as harness:
        transcript = harness.main.transcript
        harness.client.feed(*sample.prompt("lorem ipsum " * 2000))
        await harness.until(lambda: transcript.max_scroll_y > 10)
        await transcript.reveal(sample.PROMPT, "prt_1")  # as the search does
        transcript.scroll_to(y=0, animate=False)
        await harness.until(lambda: not transcript.following and transcript.scroll_y == 0)
        transcript.scroll_to(y=transcript.max_scroll_y + beyond, animate=True, duration=0.001)
        await harness.until(lambda: transcript.following)
        assert transcript.scroll_y == transcript.max_scroll_y
        assert harness.app.boundary.errors == []
