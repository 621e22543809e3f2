"""Snapshots of the main screens, compared with reviewed ones.

`pytest tests/ui/test_screens.py --snapshot-update` takes new ones: review them before committing.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.app import App

from tests import sample_events as talk
from tests.app_harness import Stage, open_app
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

Act = Callable[[Stage], Awaitable[None]]


async def live_turn(stage: Stage) -> None:
    stage.client.feed(*talk.at_work())
    stage.run_turn()
    await stage.shows("edit", "72 heartbeats")


async def question_single(stage: Stage) -> None:
    await live_turn(stage)
    stage.run_turn(TurnState.WAITING, waiting_since=stage.client.now() - 190)
    stage.client.turns.turns[talk.SESSION][:-1] = []
    stage.client.feed(e.RequestOpened(talk.CHOICES), e.RequestOpened(talk.PERMISSION))
    await stage.until(lambda: stage.main.panel.has_focus_within)
    stage.after_grace()
    await stage.shows("Where shall the sessions live?", "1 of 2")


async def question_multiple(stage: Stage) -> None:
    await question_single(stage)
    await stage.press("enter", "space")
    await stage.shows("1 [x] Migration")


async def review(stage: Stage) -> None:
    await question_multiple(stage)
    await stage.press("enter")
    await stage.shows("Enter sends this:")


async def custom_answer(stage: Stage) -> None:
    await question_single(stage)
    await stage.press("3", *"DuckDB")
    await stage.shows("DuckDB", "Enter confirm")


async def answer_retried(stage: Stage) -> None:
    await review(stage)
    await stage.press("enter")
    stage.client.tell(ReplyStatusChanged(talk.CHOICES, "retrying", "connection refused"))
    await stage.shows("trying again")


async def request_collapsed(stage: Stage) -> None:
    await question_single(stage)
    await stage.press("escape")
    await stage.shows("F4 answers it")


async def permission(stage: Stage) -> None:
    await live_turn(stage)
    stage.client.feed(e.RequestOpened(talk.PERMISSION))
    await stage.until(lambda: stage.main.panel.has_focus_within)
    stage.after_grace()
    await stage.shows("Allow bash?")


async def reconnecting(stage: Stage) -> None:
    await live_turn(stage)
    turn = stage.client.turn(talk.SESSION)
    assert turn is not None
    turn.post.last_padding = None
    stage.client.set_line(LOST)
    await stage.shows("unknown while disconnected")


async def stopped(stage: Stage) -> None:
    await live_turn(stage)
    stage.client.set_line(STOPPED)
    await stage.shows("password refused")


async def stalled(stage: Stage) -> None:
    await live_turn(stage)
    turn = stage.client.turn(talk.SESSION)
    assert turn is not None
    turn.last_activity -= 370
    stage.app.presenter.tick()
    await stage.shows("no progress")


async def no_events(stage: Stage) -> None:
    await live_turn(stage)
    stage.client.turns.responsiveness.no_events_since = stage.client.now() - 20
    stage.app.presenter.tick()
    await stage.shows("no events")


async def queued(stage: Stage) -> None:
    await live_turn(stage)
    for text in ("run the tests of the store", "then write what changed into the README", "and commit"):
        await stage.press(*text, "enter")
    await stage.press("shift+tab", "down")
    await stage.shows("› 2 then write")


async def queue_paused(stage: Stage) -> None:
    await live_turn(stage)
    await stage.press(*"and then the README", "enter")
    turn = stage.client.turn(talk.SESSION)
    assert turn is not None
    turn.state, turn.reason, turn.ended = TurnState.FAILED, "the model is overloaded", stage.client.now()
    stage.client.turn_moved(turn)
    await stage.shows("F8 resume queue")


async def queue_editing(stage: Stage) -> None:
    await queued(stage)
    await stage.press("enter")
    await stage.shows("in the prompt", "Enter save")


async def prompt_history(stage: Stage) -> None:
    await queued(stage)
    await stage.press("escape", "ctrl+r", "e")
    await stage.shows("Earlier prompts", "put it in the prompt")


async def returned(stage: Stage) -> None:
    stage.client.feed(*talk.prompt())
    await stage.press(*"do it", "enter")
    turn = stage.client.turn(talk.SESSION)
    assert turn is not None
    turn.state, turn.reason, turn.ended = TurnState.NOT_SENT, "connection refused", stage.client.now()
    stage.client.turn_moved(turn)
    await stage.shows("not sent: connection refused")


async def markdown(stage: Stage) -> None:
    stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text(MARKDOWN))
    await stage.shows("REPLACE INTO session")


async def tool_call_expanded(stage: Stage) -> None:
    await live_turn(stage)
    await stage.press("tab", "j", "enter")
    await stage.shows("+import sqlite3")


async def sessions(stage: Stage) -> None:
    await live_turn(stage)
    stage.client.feed(
        e.SessionUpserted(talk.session("ses_2", "Look at the failing test", updated=time.time() - 3.5 * 86400))
    )
    await stage.press("f2")
    await stage.shows("Look at the failing test", "running")


async def quitting(stage: Stage) -> None:
    await live_turn(stage)
    await stage.press("ctrl+q")
    await stage.shows("Quit?")


async def completions(stage: Stage) -> None:
    await live_turn(stage)
    await stage.press(*"then see @s")
    await stage.shows("› @src/store.py", "Enter choose")


async def help_dialog(stage: Stage) -> None:
    await live_turn(stage)
    await stage.press("f1")
    await stage.shows("Everywhere")


async def scrolled_up(stage: Stage) -> None:
    stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("a line\n\n" * 60))
    await stage.until(lambda: stage.main.transcript.max_scroll_y > 60)
    await stage.press("pageup")
    stage.client.feed(talk.text("And now something new."[:22], part_id="prt_9"))
    await stage.shows("2 new lines · End")


async def unchanged(stage: Stage) -> None:
    await stage.shows("holdfast")


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
            await act(Stage(client, app, pilot))
            await pilot.pause()

        compared: App[None] = app
        return snap_compare(compared, terminal_size=size, run_before=run_before)

    return compare


@pytest.mark.parametrize("size", SIZES, ids=["120x40", "80x24"])
@pytest.mark.parametrize("act", CONVERSATIONS, ids=lambda act: act.__name__)
def test_conversation(picture: Callable[..., bool], act: Act, size: tuple[int, int]) -> None:
    assert picture(act, size, FakeClient(line=LIVE), talk.SESSION)


@pytest.mark.parametrize("size", SIZES, ids=["120x40", "80x24"])
@pytest.mark.parametrize("line", [LIVE, NO_SERVER, STOPPED], ids=["live", "no_server", "stopped"])
def test_welcome(picture: Callable[..., bool], line: ConnectionStatus, size: tuple[int, int]) -> None:
    assert picture(unchanged, size, FakeClient(line=line), None)
