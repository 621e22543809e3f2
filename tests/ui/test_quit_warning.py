from typing import cast

import pytest

from tests.fake_client import FakeClient
from tui.client.client import Client
from tui.core.changes import AbortProgress, AbortState
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.events import SessionUpserted
from tui.core.model import Prompt, Session
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.ui.quit_warning import warnings


def runs(client: FakeClient, *prompt: str, state: TurnState = TurnState.RUNNING) -> None:
    turn = Turn.begin(Prompt(*prompt), 0.0)
    turn.state = state
    client.turn_moved(turn)


def test_a_prompt_being_sent_is_not_reported_as_continuing() -> None:
    client = FakeClient()
    runs(client, "ses_1", "do it", "msg_1", "prt_1", state=TurnState.SENDING)
    sending = "A prompt is being sent. If it is not delivered, it is restored in the prompt at the next start."
    assert warnings(cast(Client, client)) == [sending]
    assert warnings(cast(Client, FakeClient()), beginning=True) == [sending]


def test_the_demo_warns_that_its_server_stops_too() -> None:
    client = FakeClient()
    assert warnings(cast(Client, client), demo=True) == []
    runs(client, "ses_1", "do it", "msg_1", "prt_1")
    assert warnings(cast(Client, client), demo=True) == [
        "A turn runs. The demo server stops when you quit, and the turn with it."
    ]
    (usual,) = warnings(cast(Client, client))
    assert usual.startswith("A turn runs.\nIt continues on the server without you")


def test_running_turns_are_named() -> None:
    client = FakeClient()
    client.feed(SessionUpserted(Session("ses_1", "Parser: rewrite")), SessionUpserted(Session("ses_2", "Docs")))
    runs(client, "ses_1", "do it", "msg_1", "prt_1")
    (one,) = warnings(cast(Client, client))
    assert one.startswith("A turn runs in “Parser: rewrite”.\nIt continues")
    runs(client, "ses_2", "do it", "msg_2", "prt_2")
    (two,) = warnings(cast(Client, client))
    assert two.startswith("2 turns run in “Parser: rewrite” and “Docs”.\nThey continue on the server without you")
    client.set_line(ConnectionStatus(ConnectionState.RECONNECTING))
    (down,) = warnings(cast(Client, client))
    assert down.startswith("2 turns ran in “Parser: rewrite” and “Docs” when the connection was lost.")


def test_nothing_is_claimed_about_the_server_while_disconnected() -> None:
    client = FakeClient(line=ConnectionStatus(ConnectionState.RECONNECTING))
    runs(client, "ses_1", "do it", "msg_1", "prt_1")
    (words,) = warnings(cast(Client, client))
    assert words.startswith("A turn ran when the connection was lost.\nIf the server is up, it continues without you")


@pytest.mark.parametrize(
    ("state", "reported"),
    [("unsent", True), ("sending", True), ("retrying", True), ("stopped", True), ("delivered", False)],
)
def test_an_unconfirmed_abort_is_reported(state: AbortState, reported: bool) -> None:
    client = FakeClient(line=ConnectionStatus(ConnectionState.RECONNECTING))
    runs(client, "ses_1", "do it", "msg_1", "prt_1")
    client.abort_progress = AbortProgress(state, "no connection")
    _, *more = warnings(cast(Client, client))
    words = "The server has not confirmed the abort."
    words += "\nIt is saved and will be sent at the next start if the turn is still running."
    assert more == ([words] if reported else [])
