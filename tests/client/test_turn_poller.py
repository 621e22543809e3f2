"""What a poll of a turn fetches of its session."""

from typing import cast

import pytest

from tests import sample_events as talk
from tests.fake_ports import FakeServer, fake_ports
from tests.fake_time import FakeTime
from tui.backends.base import PromptLookup
from tui.client.turn_poller import PollHandler, TurnPoller
from tui.core.events import MessagesLoaded, Resynced
from tui.core.model import FullMessage, Message, Prompt, TextPart
from tui.core.store import Store
from tui.core.turn import Turn

SIZE = 1_000_000


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
        answer = FullMessage(Message(message_id, session_id, "assistant", 1.0), (part,))
        return MessagesLoaded(session_id, (answer,), f"c{self.asked}" if self._new_cursors else "c")

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
    monkeypatch.setattr("tui.backends.paging.PAGES_KEPT", 3.5 * SIZE)
    time, backend = FakeTime(), EndlessPages(new_cursors=new_cursors)
    poller = TurnPoller(Store(), cast(PollHandler, Ignoring()), fake_ports(FakeServer(backend, time), time))
    await poller.fetch(Turn(talk.SESSION, "msg_0", time.mono()))
    assert backend.asked == asked
