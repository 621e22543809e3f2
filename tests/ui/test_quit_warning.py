from typing import cast

from tests.fake_client import FakeClient
from tui.client.client import Client
from tui.core.connection_status import Line, LineState
from tui.core.events import SessionUpserted
from tui.core.model import Prompt, Session
from tui.core.turn import Turn
from tui.ui.quit_warning import warnings


def test_the_demo_s_server_ends_with_its_client_and_says_so() -> None:
    client = FakeClient()
    assert warnings(cast(Client, client), demo=True) == []
    client.turn_moved(Turn.post(Prompt("ses_1", "do it", "msg_1", "prt_1"), 0.0))
    assert warnings(cast(Client, client), demo=True) == [
        "A turn runs. The demo's server ends with you, and the turn with it."
    ]
    (usual,) = warnings(cast(Client, client))
    assert usual.startswith("A turn runs.\nIt goes on at the server without you")


def test_what_runs_is_named() -> None:
    client = FakeClient()
    client.feed(SessionUpserted(Session("ses_1", "Parser: rewrite")), SessionUpserted(Session("ses_2", "Docs")))
    client.turn_moved(Turn.post(Prompt("ses_1", "do it", "msg_1", "prt_1"), 0.0))
    (one,) = warnings(cast(Client, client))
    assert one.startswith("A turn runs in “Parser: rewrite”.\nIt goes on")
    client.turn_moved(Turn.post(Prompt("ses_2", "do it", "msg_2", "prt_2"), 0.0))
    (two,) = warnings(cast(Client, client))
    assert two.startswith("2 turns run in “Parser: rewrite” and “Docs”.\nThey go on at the server without you")
    client.set_line(Line(LineState.RECONNECTING))
    (down,) = warnings(cast(Client, client))
    assert down.startswith("2 turns ran in “Parser: rewrite” and “Docs” when the line was lost.")


def test_with_the_line_down_nothing_is_claimed_of_the_server() -> None:
    client = FakeClient(line=Line(LineState.RECONNECTING))
    client.turn_moved(Turn.post(Prompt("ses_1", "do it", "msg_1", "prt_1"), 0.0))
    (words,) = warnings(cast(Client, client))
    assert words.startswith("A turn ran when the line was lost.\nIf the server is up, it goes on without you")
