"""However many changes are pending, a key is handled between two slices of them."""

import asyncio

import pytest

from tests import sample_events as talk
from tests.app_harness import on_stage
from tui.core import events as e
from tui.core.model import Busy, Idle, Message, TextPart

SLICES = 5
"""Maximum slices of changes that a key waits for; it needs as many rounds of the loop to reach its field, or more."""


def turn(number: int) -> list[e.Event]:
    prompt, answer = f"msg_{number}", f"msg_{number}_answer"
    return [
        e.StatusChanged(talk.SESSION, Busy()),
        e.MessageUpserted(Message(prompt, talk.SESSION, "user", created=10.0 + number)),
        e.PartUpserted(TextPart(f"{prompt}_part", talk.SESSION, prompt, "words")),
        e.MessageUpserted(Message(answer, talk.SESSION, "assistant", created=10.5 + number, parent_id=prompt)),
        e.PartUpserted(TextPart(f"{answer}_part", talk.SESSION, answer, "words of the answer")),
        e.StatusChanged(talk.SESSION, Idle()),
    ]


async def test_a_flood_of_short_turns_does_not_delay_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage() as stage:
        presenter, slices = stage.app.presenter, 0
        show = presenter._show_changes

        def counted() -> None:
            nonlocal slices
            slices += 1
            show()

        monkeypatch.setattr(presenter, "_show_changes", counted)

        async def flood() -> None:
            for number in range(2_000):
                for event in turn(number):
                    stage.client.feed(event)
                await asyncio.sleep(0)

        flooding = asyncio.create_task(flood())
        waited = []
        for key in "abcdefgh":
            before, text = slices, stage.main.prompt.text
            stage.burst(key)
            while stage.main.prompt.text == text:  # noqa: ASYNC110  # each turn of the loop counts
                await asyncio.sleep(0)
            waited.append(slices - before)
            reached = slices + 1
            while slices < reached and not flooding.done():  # noqa: ASYNC110
                await asyncio.sleep(0)
        flooding.cancel()
        assert max(waited) <= SLICES, waited
