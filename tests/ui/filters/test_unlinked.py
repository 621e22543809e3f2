import pytest

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tui.config.display import DisplaySettings


def links(stage: Stage) -> set[str]:
    strips = stage.app.screen._compositor.render_strips()
    return {s.style.link for strip in strips for s in strip if s.style is not None and s.style.link}


@pytest.mark.parametrize(("on", "found"), [(True, {"https://sqlite.org/wal.html"}), (False, set[str]())])
async def test_hyperlinks_are_written_only_if_enabled(on: bool, found: set[str]) -> None:
    async with on_stage(look=DisplaySettings(links=on)) as stage:
        words = "see [the docs](https://sqlite.org/wal.html) and [this](file:///etc/passwd)"
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text(words))
        await stage.shows("the docs")
        assert links(stage) == found
