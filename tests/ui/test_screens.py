"""Snapshots of the main screens, compared with reviewed ones.

`pytest tests/ui/test_screens.py --snapshot-update` takes new ones: review them before committing.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.app import App

from tests import sample_events as sample
from tests.app_harness import AppHarness, open_app
from tests.fake_client import LIVE, FakeClient
from tests.waiting import wait_until
from tui.core import events as e
from tui.core.changes import ReplyStatusChanged
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.turn_state import TurnState

SIZES = [(120, 40), (80, 24)]
LOST = ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.0, reason="connection reset")
STOPPED = ConnectionStatus(
    ConnectionState.STOPPED, reason="password refused", hint="Set HOLDFAST_PASSWORD, then start again."
)
NO_SERVER = ConnectionStatus(
    ConnectionState.RECONNECTING, attempt=3, retry_in=4.0, reason="cannot connect: connection refused"
)

MARKDOWN = """## What I found
The store keeps *everything* in **one** file, see [the docs](https://sqlite.org/wal.html).

1. `SessionStore.save` rewrites the whole file, which is slow when there are a few thousand sessions
2. nothing else does

> A quotation that matters.

| call | before | after |
|---|---|---|
| save | 41 ms | 0.3 ms |

```python
def save(self, key: str, value: dict) -> None:
    with self._db:  # atomic
        self._db.execute("REPLACE INTO session VALUES (?, ?)", (key, json.dumps(value)))
```
"""

Act = Callable[[AppHarness], Awaitable[None]]


async def live_turn(harness: AppHarness) -> None:
    harness.client.feed(*sample.at_work())
    harness.run_turn()
    await harness.shows("edit", "72 heartbeats")


async def question_single(harness: AppHarness) -> None:
    await live_turn(harness)
    harness.run_turn(TurnState.WAITING, waiting_since=harness.client.now() - 190)
    harness.client.turns.turns[sample.SESSION][:-1] = []
    harness.client.feed(e.RequestOpened(sample.CHOICES), e.RequestOpened(sample.PERMISSION))
    await harness.until(lambda: harness.main.panel.has_focus_within)
    harness.pass_input_guard()
    await harness.shows("Where shall the sessions live?", "1 of 2")


async def question_multiple(harness: AppHarness) -> None:
    await question_single(harness)
    await harness.press("enter", "space")
    await harness.shows("1 [x] Migration")


async def review(harness: AppHarness) -> None:
    await question_multiple(harness)
    await harness.press("enter")
    await harness.shows("Enter sends this:")


async def custom_answer(harness: AppHarness) -> None:
    await question_single(harness)
    await harness.press("3", *"DuckDB")
    await harness.shows("DuckDB", "Enter confirm")


async def answer_retried(harness: AppHarness) -> None:
    await review(harness)
    await harness.press("enter")
    harness.client.tell(ReplyStatusChanged(sample.CHOICES, "retrying", "connection refused"))
    await harness.shows("trying again")


async def request_collapsed(harness: AppHarness) -> None:
    await question_single(harness)
    await harness.press("escape")
    await harness.shows("F4 answers it")


async def permission(harness: AppHarness) -> None:
    await live_turn(harness)
    harness.client.feed(e.RequestOpened(sample.PERMISSION))
    await harness.until(lambda: harness.main.panel.has_focus_within)
    harness.pass_input_guard()
    await harness.shows("Allow bash?")


async def reconnecting(harness: AppHarness) -> None:
    await live_turn(harness)
    turn = harness.client.turn(sample.SESSION)
    assert turn is not None
    turn.post.last_padding = None
    harness.client.set_line(LOST)
    await harness.shows("unknown while disconnected")


async def stopped(harness: AppHarness) -> None:
    await live_turn(harness)
    harness.client.set_line(STOPPED)
    await harness.shows("password refused")


async def stalled(harness: AppHarness) -> None:
    await live_turn(harness)
    turn = harness.client.turn(sample.SESSION)
    assert turn is not None
    turn.last_activity -= 370
    harness.app.presenter.tick()
    await harness.shows("no progress")


async def no_events(harness: AppHarness) -> None:
    await live_turn(harness)
    harness.client.turns.responsiveness.no_events_since = harness.client.now() - 20
    harness.app.presenter.tick()
    await harness.shows("no events")


async def queued(harness: AppHarness) -> None:
    await live_turn(harness)
    for text in ("run the tests of the store", "then write what changed into the README", "and commit"):
        await harness.press(*text, "enter")
    await harness.press("shift+tab", "down")
    await harness.shows("› 2 then write")


async def queue_paused(harness: AppHarness) -> None:
    await live_turn(harness)
    await harness.press(*"and then the README", "enter")
    turn = harness.client.turn(sample.SESSION)
    assert turn is not None
    turn.state, turn.reason, turn.ended = TurnState.FAILED, "the model is overloaded", harness.client.now()
    harness.client.turn_moved(turn)
    await harness.shows("F8 resume queue")


async def queue_editing(harness: AppHarness) -> None:
    await queued(harness)
    await harness.press("enter")
    await harness.shows("in the prompt", "Enter save")


async def prompt_history(harness: AppHarness) -> None:
    await queued(harness)
    await harness.press("escape", "ctrl+r", "e")
    await harness.shows("Earlier prompts", "put it in the prompt")


async def returned(harness: AppHarness) -> None:
    harness.client.feed(*sample.prompt())
    await harness.press(*"do it", "enter")
    turn = harness.client.turn(sample.SESSION)
    assert turn is not None
    turn.state, turn.reason, turn.ended = TurnState.NOT_SENT, "connection refused", harness.client.now()
    harness.client.turn_moved(turn)
    await harness.shows("not sent: connection refused")


async def markdown(harness: AppHarness) -> None:
    harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text(MARKDOWN))
    await harness.shows("REPLACE INTO session")


async def tool_call_expanded(harness: AppHarness) -> None:
    await live_turn(harness)
    await harness.press("tab", "j", "enter")
    await harness.shows("+import sqlite3")


async def sessions(harness: AppHarness) -> None:
    await live_turn(harness)
    harness.client.feed(
        e.SessionUpserted(sample.session("ses_2", "Look at the failing test", updated=time.time() - 3.5 * 86400))
    )
    await harness.press("f2")
    await harness.shows("Look at the failing test", "running")


async def quitting(harness: AppHarness) -> None:
    await live_turn(harness)
    await harness.press("ctrl+q")
    await harness.shows("Quit?")


async def completions(harness: AppHarness) -> None:
    await live_turn(harness)
    await harness.press(*"then see @s")
    await harness.shows("› @src/store.py", "Enter choose")


async def help_dialog(harness: AppHarness) -> None:
    await live_turn(harness)
    await harness.press("f1")
    await harness.shows("Everywhere")


async def scrolled_up(harness: AppHarness) -> None:
    harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("a line\n\n" * 60))
    await harness.until(lambda: harness.main.transcript.max_scroll_y > 60)
    await harness.press("pageup")
    harness.client.feed(sample.text("And now something new."[:22], part_id="prt_9"))
    await harness.shows("2 new lines · End")


async def unchanged(harness: AppHarness) -> None:
    await harness.shows("holdfast")


CONVERSATIONS: list[Act] = [
    live_turn, question_single, question_multiple, review, custom_answer, answer_retried, request_collapsed,
    permission, reconnecting, stopped, stalled, no_events, queued, queue_paused, queue_editing, prompt_history,
    returned, markdown, tool_call_expanded, sessions, quitting, completions, help_dialog, scrolled_up,
]  # fmt: skip


@pytest.fixture
def picture(snap_compare: Callable[..., bool]) -> Callable[..., bool]:
    """Compare the app after `act` with the stored snapshot."""

    def compare(act: Act, size: tuple[int, int], client: FakeClient, session: str | None) -> bool:
        app = open_app(client, session=session)

        async def run_before(pilot: Any) -> None:
            if session is not None:
                await wait_until(lambda: client.store.transcript(session) is not None)
            harness = AppHarness(client, app, pilot)
            await act(harness)
            await harness.settled()
            app.main.transcript.vertical_scrollbar.refresh()  # may be one frame behind
            await harness.settled()
            await pilot.pause()

        compared: App[None] = app
        return snap_compare(compared, terminal_size=size, run_before=run_before)

    return compare


@pytest.mark.parametrize("size", SIZES, ids=["120x40", "80x24"])
@pytest.mark.parametrize("act", CONVERSATIONS, ids=lambda act: act.__name__)
def test_conversation(picture: Callable[..., bool], act: Act, size: tuple[int, int]) -> None:
    assert picture(act, size, FakeClient(line=LIVE), sample.SESSION)


@pytest.mark.parametrize("size", SIZES, ids=["120x40", "80x24"])
@pytest.mark.parametrize("line", [LIVE, NO_SERVER, STOPPED], ids=["live", "no_server", "stopped"])
def test_welcome(picture: Callable[..., bool], line: ConnectionStatus, size: tuple[int, int]) -> None:
    assert picture(unchanged, size, FakeClient(line=line), None)
