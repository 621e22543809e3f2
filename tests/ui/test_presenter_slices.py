"""However many changes are pending, a key is handled between two slices of them."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests import sample_events as talk
from tests.app_harness import on_stage
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


def marks(number: int) -> list[e.Event]:
    undone_from = talk.PROMPT if number % 2 else ""
    return [e.SessionUpserted(replace(talk.session(), undone_from=undone_from, updated=float(number)))]


def pages(number: int) -> list[e.Event]:
    message = Message(f"msg_{number}", talk.SESSION, "user", created=10.0 + number)
    part = TextPart(f"prt_{number}", talk.SESSION, message.id, f"page {number}")
    return [e.MessagesLoaded(talk.SESSION, (FullMessage(message, (part,)),), None)]


@pytest.mark.parametrize("events", [marks, pages])
async def test_transcript_is_redrawn_at_a_limited_rate(
    events: Callable[[int], list[e.Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt())
        await stage.shows("Move the session store")
        await stage.settled()
        draw, transcript, drawn = stage.main.transcript.draw, stage.main.transcript, 0
        later: list[Callable[[], None]] = []

        def counted() -> None:
            nonlocal drawn
            drawn += 1
            draw()

        monkeypatch.setattr(transcript, "draw", counted)
        monkeypatch.setattr(stage.app.presenter._redraw_transcript, "_later", lambda _, call: later.append(call))
        for number in range(21):
            stage.client.feed(*events(number + 1))
            await wait_until(lambda: not stage.app.presenter._changes)
        await wait_until(lambda: later)
        assert (drawn, len(later)) == (1, 1)
        later.pop()()
        await stage.settled()
        assert drawn == 2
        if events is marks:
            assert "Move the session store" not in stage.text
        else:
            assert "page 21" in stage.text


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
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt())
        turn = stage.run_turn()
        await stage.settled()
        drawn = slices = 0
        for number in range(100):
            stage.client.feed(e.TodosChanged(talk.SESSION, (Todo(f"entry {number}", "pending"),)))
            stage.client.turn_moved(turn)
        await stage.settled()
        assert 0 < drawn <= slices < 50


async def test_the_first_line_tells_that_the_oldest_messages_were_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_content, "KEPT", 3_500)
    monkeypatch.setattr(kept_content, "ROOM", 300)
    async with on_stage() as stage:
        stage.client.feed(e.MessagesLoaded(talk.SESSION, (), None), *talk.prompt(), talk.answer_begins())
        await stage.shows("Move the session store")
        stage.client.feed(talk.text("word " * 400))
        await stage.shows("older messages are not kept in memory: open the session again to read them")
        await stage.hides("Move the session store")
