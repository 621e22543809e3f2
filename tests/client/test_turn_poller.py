"""What a poll of a turn fetches of its session."""

from typing import cast

import pytest

from tests import sample_events as sample
from tests.fake_ports import FakeServer, fake_ports, ignore
from tests.fake_time import FakeTime
from tests.tracing import memory_traced
from tui.backends.base import PromptLookup
from tui.client.turn_poller import PollHandler, TurnPoller
from tui.core.events import MessagesLoaded, Resynced
from tui.core.model import FullMessage, Message, Prompt, TextPart
from tui.core.store import Store
from tui.core.turn import Turn

SIZE = 1_200_000


class EndlessPages:
    """A backend that has the prompt, whose pages never contain it; the cursors are new ones or always the same."""

    def __init__(self, *, new_cursors: bool) -> None:
        self._new_cursors = new_cursors
        self.asked = 0

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> PromptLookup:
        return PromptLookup(stored=True)

    async def messages(self, session_id: str, *, before: str | None = None) -> MessagesLoaded:
        self.asked += 1
        message_id = f"msg_{self.asked}"
        part = TextPart(f"prt_{self.asked}", session_id, message_id, "w" * SIZE)
        answer = FullMessage(Message(message_id, session_id, "assistant", 100.0 - self.asked), (part,))
        cursor = f"c{self.asked}" if self._new_cursors else "c"
        return MessagesLoaded(session_id, (answer,), cursor, "newest" if before is None else "older")

    async def resync(self, directories: object) -> Resynced:
        return Resynced({}, (), None)


class Ignoring:
    def on_lookup(self, turn: Turn, found: PromptLookup) -> None:
        pass

    def on_polled(self, turn: Turn, found: PromptLookup) -> None:
        pass


@pytest.mark.parametrize(("new_cursors", "asked"), [(True, 4), (False, 2)])
async def test_pages_are_read_up_to_a_number_of_bytes(
    monkeypatch: pytest.MonkeyPatch, new_cursors: bool, asked: int
) -> None:
    monkeypatch.setattr("tui.backends.paging.MAX_PAGES", 3.5 * SIZE)
    backend = EndlessPages(new_cursors=new_cursors)
    await poll(backend)
    assert backend.asked == asked


async def test_each_page_is_stored_before_the_next_is_read_and_older_ones_are_cut() -> None:
    kept: list[int] = []

    class Measured(EndlessPages):
        async def messages(self, session_id: str, *, before: str | None = None) -> MessagesLoaded:
            kept.append(traced())
            return await super().messages(session_id, before=before)

    with memory_traced() as traced:
        store = await poll(Measured(new_cursors=True))
    assert len(kept) == 21
    assert max(kept) < 2.5 * SIZE
    [newest] = store.transcript(sample.SESSION).parts_of("msg_1")  # type: ignore[union-attr]
    assert isinstance(newest, TextPart)
    assert newest.text == "w" * SIZE


async def poll(backend: EndlessPages) -> Store:
    """Poll a turn whose prompt the pages never contain; returns the store."""
    time, store = FakeTime(), Store()
    store.open_transcript(sample.SESSION)
    server = FakeServer(backend, time, apply=lambda event: ignore(store.apply(event)))
    poller = TurnPoller(store, cast(PollHandler, Ignoring()), fake_ports(server, time))
    await poller.fetch(Turn(sample.SESSION, "msg_0", time.mono()))
    return store
