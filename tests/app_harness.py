"""Runs the app with a client without a network and with one open session."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from textual import events
from textual.content import Content
from textual.keys import _character_to_key
from textual.pilot import Pilot

from tests import sample_events as sample
from tests.fake_client import FakeClient
from tests.waiting import wait_until
from tui.client.client import Client
from tui.core import events as e
from tui.core.model import Prompt
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.ui.app import HoldfastApp

IDLE_WITHIN = 100.0
"""Seconds of processor time. Widgets that keep sending each other messages reach this limit."""


class AppHarness:
    """What a test uses: the app, its fake client, and methods to press keys."""

    def __init__(self, client: FakeClient, app: HoldfastApp, pilot: Pilot[None]) -> None:
        self.client, self.app, self.pilot = client, app, pilot
        self.main = app.main

    @property
    def text(self) -> str:
        """All lines currently on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def press(self, *keys: str) -> None:
        """Press keys one after another, each when the previous one has been handled completely."""
        for key in keys:
            self.burst(key)
            await self.settled()

    def burst(self, *keys: str, later: float = 0.0) -> None:
        """Send keys faster than the app handles them, as if they were pressed `later` seconds from now."""
        for key in keys:
            character = key if len(key) == 1 else {"enter": "\r", "space": " "}.get(key)
            event = events.Key(_character_to_key(key) if len(key) == 1 else key, character)
            event.time += later
            self.app.post_message(event)

    async def settled(self) -> None:
        """Return when all widgets have handled their messages, and the messages caused by them.

        The pilot's own wait is for an idle process: longer than necessary, and too short on a busy machine.
        """
        rounds_in_quiet = 0
        deadline = time.process_time() + IDLE_WITHIN
        while rounds_in_quiet < 2:
            assert time.process_time() < deadline, f"never at rest:\n{self.text}"
            await self.pilot._wait_for_screen()
            await self.app.animator.wait_until_complete()
            self.app.screen._on_timer_update()
            asked = any(node.message_queue_size for node in self.app.screen.walk_children(with_self=True))
            asked = (
                asked
                or self.app.input.busy
                or bool(self.app.presenter._changes)
                or self.app.presenter._redraw_transcript.waits
            )
            rounds_in_quiet = 0 if asked or self.app.message_queue_size else rounds_in_quiet + 1

    async def shows(self, *words: str) -> None:
        """Wait until all of `words` are on the screen."""
        await self._wait(lambda: all(word in self.text for word in words), f"{words}")

    async def hides(self, words: str) -> None:
        await self._wait(lambda: words not in self.text, f"{words} to go")

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        await self._wait(condition, what)
        await self.settled()

    async def _wait(self, condition: Callable[[], object], what: str) -> None:
        try:
            await wait_until(condition, what=what)
        except AssertionError as waited:
            waited.add_note(self.text)
            raise

    def pass_input_guard(self) -> None:
        """Let the input guard of a new request (half a second) end, and wait until the footer shows its keys."""
        self.client.advance(2.0)
        self.app.presenter.tick()
        self.main.refresh_hints()

    def second(self) -> None:
        """Advance the screen's clock by one second."""
        self.client.advance(1.0)
        self.app.presenter.tick()

    def run_turn(self, state: TurnState = TurnState.RUNNING, **fields: Any) -> Turn:
        """Add one of our turns, running for 12:04."""
        now = self.client.now()
        turn = Turn.begin(Prompt(sample.SESSION, "words", sample.PROMPT, "prt_1"), now - 724)
        turn.state, turn.post.padding_bytes, turn.post.last_padding, turn.last_activity = state, 72, now - 4, now
        for name, value in fields.items():
            setattr(turn, name, value)
        self.client.turn_moved(turn)
        return turn


def open_app(client: FakeClient, *, session: str | None = sample.SESSION, **options: Any) -> HoldfastApp:
    """The app with `client`, which knows the session of `tests.sample_events`."""
    client.feed(e.SessionUpserted(sample.session()))
    return HoldfastApp(cast(Client, client), session=session, **options)


@asynccontextmanager
async def app_harness(
    *,
    client: FakeClient | None = None,
    size: tuple[int, int] = (120, 40),
    session: str | None = sample.SESSION,
    fails: bool = False,
    **options: Any,
) -> AsyncIterator[AppHarness]:
    """Run the app, by default with the empty session of `tests.sample_events` open.

    `fails`: the test makes a part of the screen raise; otherwise any exception fails the test.
    """
    client = client or FakeClient()
    app = open_app(client, session=session, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        harness = AppHarness(client, app, pilot)
        if session is not None and client.connection_status().up:
            await harness.until(lambda: client.store.transcript(session) is not None, "the session is open")
        yield harness
    assert fails or not app.boundary.errors, app.boundary.errors


def plain(words: Content | None) -> str:
    return "" if words is None else words.plain
