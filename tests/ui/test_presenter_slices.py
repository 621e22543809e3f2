"""However many changes are pending, a key is handled between two slices of them."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests import sample_events as sample
from tests.app_harness import app_harness
from tests.waiting import wait_until
from tui.core import events as e
from tui.core import kept_content
from tui.core.connection_status import ConnectionStatus
from tui.core.model import Busy, FullMessage, Idle, Message, TextPart, Todo
from tui.ui.presenter import Presenter

SLICES = 5
"""Maximum slices of changes that a key waits for; it needs as many rounds of the loop to reach its field, or more."""


def turn(number: int) -> list[e.Event]:
    prompt, answer = f"msg_{number}", f"msg_{number}_answer"
    return [
        e.StatusChanged(sample.SESSION, Busy()),
        e.MessageUpserted(Message(prompt, sample.SESSION, "user", created=10.0 + number)),
        e.PartUpserted(TextPart(f"{prompt}_part", sample.SESSION, prompt, "words")),
        e.MessageUpserted(Message(answer, sample.SESSION, "assistant", created=10.5 + number, parent_id=prompt)),
        e.PartUpserted(TextPart(f"{answer}_part", sample.SESSION, answer, "words of the answer")),
        e.StatusChanged(sample.SESSION, Idle()),
    ]


async def test_a_flood_of_short_turns_does_not_delay_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_harness() as harness:
        presenter, slices = harness.app.presenter, 0
        show = presenter._show_changes

        def counted() -> None:
            nonlocal slices
            slices += 1
            show()

        monkeypatch.setattr(presenter, "_show_changes", counted)

        async def flood() -> None:
            for number in range(2_000):
                for event in turn(number):
                    harness.client.feed(event)
                await asyncio.sleep(0)

        flooding = asyncio.create_task(flood())
        waited = []
        for key in "abcdefgh":
            before, text = slices, harness.main.prompt.text
            harness.burst(key)
            while harness.main.prompt.text == text:  # noqa: ASYNC110  # each turn of the loop counts
                await asyncio.sleep(0)
            waited.append(slices - before)
            reached = slices + 1
            while slices < reached and not flooding.done():  # noqa: ASYNC110
                await asyncio.sleep(0)
        flooding.cancel()
        assert max(waited) <= SLICES, waited


def marks(number: int) -> list[e.Event]:
    undone_from = sample.PROMPT if number % 2 else ""
    return [e.SessionUpserted(replace(sample.session(), undone_from=undone_from, updated=float(number)))]


def pages(number: int) -> list[e.Event]:
    message = Message(f"msg_{number}", sample.SESSION, "user", created=10.0 + number)
    part = TextPart(f"prt_{number}", sample.SESSION, message.id, f"page {number}")
    return [e.MessagesLoaded(sample.SESSION, (FullMessage(message, (part,)),), None)]


@pytest.mark.parametrize("events", [marks, pages])
async def test_transcript_is_redrawn_at_a_limited_rate(
    events: Callable[[int], list[e.Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt())
        await harness.shows("Move the session store")
        await harness.settled()
        draw, transcript, drawn = harness.main.transcript.draw, harness.main.transcript, 0
        later: list[Callable[[], None]] = []

        def counted() -> None:
            nonlocal drawn
            drawn += 1
            draw()

        monkeypatch.setattr(transcript, "draw", counted)
        monkeypatch.setattr(harness.app.presenter._redraw_transcript, "_later", lambda _, call: later.append(call))
        for number in range(21):
            harness.client.feed(*events(number + 1))
            await wait_until(lambda: not harness.app.presenter._changes)
        await wait_until(lambda: later)
        assert (drawn, len(later)) == (1, 1)
        later.pop()()
        await harness.settled()
        assert drawn == 2
        if events is marks:
            assert "Move the session store" not in harness.text
        else:
            assert "page 21" in harness.text


@pytest.mark.parametrize("part", ["_show_plan", "_show_all_pending", "show_turn_line"])
async def test_part_of_the_screen_is_drawn_once_in_a_slice(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = slices = 0
    shown, show_changes = getattr(Presenter, part), Presenter._show_changes

    def counted(presenter: Presenter, *line: ConnectionStatus) -> None:
        nonlocal drawn
        drawn += presenter._showing
        shown(presenter, *line)

    def counted_slices(presenter: Presenter) -> None:
        nonlocal slices
        slices += 1
        show_changes(presenter)

    monkeypatch.setattr(Presenter, part, counted)
    monkeypatch.setattr(Presenter, "_show_changes", counted_slices)
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt())
        turn = harness.run_turn()
        await harness.settled()
        drawn = slices = 0
        for number in range(100):
            harness.client.feed(e.TodosChanged(sample.SESSION, (Todo(f"entry {number}", "pending"),)))
            harness.client.turn_moved(turn)
        await harness.settled()
        assert 0 < drawn <= slices < 50


async def test_the_first_line_tells_that_the_oldest_messages_were_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_content, "MAX_CONTENT_BYTES", 3_500)
    monkeypatch.setattr(kept_content, "ROOM", 300)
    async with app_harness() as harness:
        harness.client.feed(e.MessagesLoaded(sample.SESSION, (), None), *sample.prompt(), sample.answer_begins())
        await harness.shows("Move the session store")
        harness.client.feed(sample.text("word " * 400))
        await harness.shows("older messages are not kept in memory: open the session again to read them")
        await harness.hides("Move the session store")
