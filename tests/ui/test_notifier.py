"""Notifications of a user without focus: their terminal output, and their time."""

from typing import Any, cast

import pytest

from tests import sample_events as sample
from tests.app_harness import app_harness
from tests.fake_client import LIVE, FakeClient
from tui.client.client import Client
from tui.config.display import NotifySettings
from tui.core import events as e
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Busy, Idle, Prompt, Retrying
from tui.core.turn import Turn
from tui.core.turn_ending import StopRequests
from tui.core.turn_inputs import Rejected
from tui.core.turn_state import TurnState
from tui.ui.notifier import Notifier, TerminalEscapes

LOST = ConnectionStatus(ConnectionState.RECONNECTING, reason="connection reset")


class Called:
    """A notifier with a fake client, and all its output."""

    def __init__(self, settings: NotifySettings | None = None, **environ: str) -> None:
        settings = settings or NotifySettings(title=False)
        self.client = FakeClient()
        self.written: list[str] = []
        terminal = TerminalEscapes(self.written.append, settings, environ)
        self.notifier = Notifier(cast(Client, self.client), terminal, settings)
        self.client.subscribe(self.notifier.on_change)
        self.client.feed(e.SessionUpserted(sample.session(title="Fix the parser")))
        self.client.set_line(LIVE)
        self.notifier.focused = False

    def end_turn(self, state: TurnState, **fields: Any) -> Turn:
        turn = Turn.begin(Prompt(sample.SESSION, "words", "msg_1", "prt_1"), self.client.now())
        turn.state = state
        for name, value in fields.items():
            setattr(turn, name, value)
        self.client.turn_moved(turn)
        return turn

    def second(self) -> None:
        self.client.advance(1.0)
        self.notifier.tick()


def test_a_request_notifies_once() -> None:
    called = Called()
    called.client.feed(e.RequestOpened(sample.asked_in(sample.SESSION)))
    called.client.feed(e.RequestOpened(sample.asked_in(sample.SESSION)))
    called.second()
    assert called.written == ["\a\x1b]9;Holdfast: Fix the parser needs your answer: Which port?\a"]


def test_a_lost_connection_notifies_once() -> None:
    called = Called()
    called.client.set_line(LOST)
    called.client.set_line(LOST)
    called.second()
    called.second()
    called.second()
    assert called.written == ["\a\x1b]9;Holdfast: connection lost: connection reset\a"]


def test_a_reconnection_within_two_seconds_does_not_notify() -> None:
    called = Called()
    for _ in range(3):
        called.client.set_line(
            ConnectionStatus(ConnectionState.RECONNECTING, reason="the server ended the event stream")
        )
        called.second()
        called.client.set_line(LIVE)
        called.second()
        called.second()
    assert called.written == []


@pytest.mark.parametrize(("state", "word"), [(TurnState.FINISHED, "finished"), (TurnState.INTERRUPTED, "interrupted")])
def test_the_end_of_a_turn_notifies(state: TurnState, word: str) -> None:
    called = Called()
    called.end_turn(state)
    assert called.written == [f"\a\x1b]9;Holdfast: Fix the parser: {word}\a"]


def test_a_second_end_of_a_turn_notifies_again() -> None:
    called = Called()
    turn = called.end_turn(TurnState.INTERRUPTED)
    turn.resume(called.client.now())
    called.client.turn_moved(turn)
    called.second()
    turn.state = TurnState.FINISHED
    called.client.turn_moved(turn)
    ends = ["interrupted", "finished"]
    assert called.written == [f"\a\x1b]9;Holdfast: Fix the parser: {word}\a" for word in ends]


@pytest.mark.parametrize(
    ("stops", "rings"),
    [
        (StopRequests(abort_requested=True), 0),
        (StopRequests(rejected=Rejected(here=True)), 0),
        (StopRequests(rejected=Rejected(here=False)), 1),
        (StopRequests(), 1),
    ],
)
def test_an_aborted_turn_notifies_unless_this_client_aborted_it(stops: StopRequests, rings: int) -> None:
    called = Called()
    called.end_turn(TurnState.ABORTED, stops=stops)
    called.second()
    assert len(called.written) == rings


def test_another_clients_turn_notifies_when_its_session_is_idle() -> None:
    called = Called()
    called.client.feed(e.StatusChanged(sample.SESSION, Busy()), e.StatusChanged(sample.SESSION, Idle()))
    assert called.written == ["\a\x1b]9;Holdfast: Fix the parser: done\a"]


def test_notifications_are_limited_to_one_a_second_and_none_is_lost() -> None:
    called = Called()
    for number in range(5):
        called.client.feed(e.RequestOpened(sample.asked_in(sample.SESSION, f"que_{number}", f"question {number}?")))
        called.client.advance(0.1)
    assert len(called.written) == 1
    called.second()
    assert len(called.written) == 2
    assert "question 4? (and 3 more)" in called.written[1]
    called.second()
    assert len(called.written) == 2


@pytest.mark.parametrize(
    ("when", "focused", "rings"),
    [("unfocused", True, False), ("always", True, True), ("never", False, False), ("unfocused", False, True)],
)
def test_notifications_depend_on_the_setting_and_the_focus(when: str, focused: bool, rings: bool) -> None:
    called = Called(NotifySettings(when=when, title=False))  # type: ignore[arg-type]
    called.notifier.focused = focused
    called.client.feed(e.RequestOpened(sample.asked_in(sample.SESSION)))
    assert bool(called.written) is rings


@pytest.mark.parametrize(
    ("settings", "environ", "written"),
    [
        (NotifySettings(title=False, bell=False, osc9=False), {}, []),
        (NotifySettings(title=False, osc9=False), {}, ["\a"]),
        (
            NotifySettings(title=False, bell=False),
            {"TERM": "foot"},
            ["\x1b]777;notify;Holdfast;Fix the parser: done\a"],
        ),
        (
            NotifySettings(title=False, bell=False),
            {"TERM": "tmux-256color", "TMUX": "/tmp/tmux"},
            ["\x1bPtmux;\x1b\x1b]9;Holdfast: Fix the parser: done\a\x1b\\"],
        ),
        (
            NotifySettings(title=False, bell=False, osc9=True, osc777=True),
            {},
            ["\x1b]9;Holdfast: Fix the parser: done\a\x1b]777;notify;Holdfast;Fix the parser: done\a"],
        ),
    ],
)
def test_each_notification_method_can_be_disabled(
    settings: NotifySettings, environ: dict[str, str], written: list[str]
) -> None:
    called = Called(settings, **environ)
    called.client.feed(e.StatusChanged(sample.SESSION, Busy()), e.StatusChanged(sample.SESSION, Idle()))
    assert called.written == written


def test_a_semicolon_does_not_start_a_further_field_of_osc_777() -> None:
    called = Called(NotifySettings(title=False, bell=False), TERM="foot")
    called.client.feed(e.SessionUpserted(sample.session(title="a;b")))
    called.client.feed(e.StatusChanged(sample.SESSION, Busy()), e.StatusChanged(sample.SESSION, Idle()))
    assert called.written == ["\x1b]777;notify;Holdfast;a,b: done\a"]


def test_server_text_cannot_escape_the_notification_sequence() -> None:
    called = Called(NotifySettings(title=False, bell=False, osc777=True))
    called.client.feed(e.SessionUpserted(sample.session(title="a\x07\x1b]52;c;eA==\x07b;c\nd")))
    called.client.feed(e.RequestOpened(sample.asked_in(sample.SESSION, text="x" * 500)))
    (written,) = called.written
    assert written.count("\x1b") == 2
    assert written.count("\a") == 2
    assert "52;c" not in written
    assert len(written) < 400


def test_the_title_shows_states_and_no_session_text() -> None:
    called = Called(NotifySettings(when="never"))
    called.second()
    called.client.feed(e.StatusChanged(sample.SESSION, Busy()))
    called.client.feed(e.RequestOpened(sample.asked_in(sample.SESSION)))
    called.client.set_line(LOST)
    called.second()
    called.notifier.close()
    titles = [one.rpartition("]2;")[2].rstrip("\a") for one in called.written[:-1]]
    assert titles == [
        "holdfast",
        "holdfast · 1 running",
        "holdfast · 1 needs your answer",
        "holdfast · connection lost",
    ]
    assert called.written[0].startswith("\x1b[22;2t")
    assert called.written[-1] == "\x1b[23;2t"


def test_a_retrying_turn_counts_as_running_in_the_title() -> None:
    called = Called(NotifySettings(when="never"))
    called.client.feed(e.StatusChanged(sample.SESSION, Retrying(2, "429", None)))
    called.second()
    assert called.written[-1] == "\x1b]2;holdfast · 1 running\a"


async def test_the_app_notifies_only_without_focus(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_harness() as harness:
        written: list[str] = []
        monkeypatch.setattr(harness.app.notifier._terminal, "_write", written.append)
        harness.client.feed(e.RequestOpened(sample.asked_in(sample.SESSION, "que_1")))
        await harness.pilot.pause()
        assert not any("\x1b]9" in one for one in written)
        harness.app.on_app_blur()
        harness.client.feed(e.RequestOpened(sample.asked_in(sample.SESSION, "que_2")))
        await harness.until(lambda: any("\x1b]9" in one for one in written))


@pytest.mark.parametrize(
    ("environ", "written"),
    [({"TMUX": "/tmp/tmux"}, "\x1bPtmux;\x1b\x1b]52;c;Y29kZQo=\a\x1b\\"), ({"TERM": "xterm"}, "")],
)
async def test_copied_text_is_passed_through_tmux(
    environ: dict[str, str], written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("```\ncode\n```\n"))
        await harness.until(lambda: "code" in harness.main.transcript.text)  # the header names opencode
        out: list[str] = []
        monkeypatch.setattr(harness.app.terminal, "_write", out.append)
        await harness.press("f7")
        await harness.until(lambda: harness.app.clipboard == "code\n")
        assert "".join(one for one in out if "]52;" in one) == written
