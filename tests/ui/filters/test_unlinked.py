import pytest

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tui.config.display import DisplaySettings


def links(harness: AppHarness) -> set[str]:
    strips = harness.app.screen._compositor.render_strips()
    return {s.style.link for strip in strips for s in strip if s.style is not None and s.style.link}


@pytest.mark.parametrize(("on", "found"), [(True, {"https://sqlite.org/wal.html"}), (False, set[str]())])
async def test_hyperlinks_are_written_only_if_enabled(on: bool, found: set[str]) -> None:
    async with app_harness(look=DisplaySettings(links=on)) as harness:
        words = "see [the docs](https://sqlite.org/wal.html) and [this](file:///etc/passwd)"
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text(words))
        await harness.shows("the docs")
        assert links(harness) == found
