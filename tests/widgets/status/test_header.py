import pytest

from tests.app_harness import app_harness
from tests.fake_client import FakeClient
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.widgets.status.header import HeaderBar, Heading, connection_text, sparkline, spent


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (ConnectionStatus(ConnectionState.CONNECTING), "◌ connecting…"),
        (ConnectionStatus(ConnectionState.LIVE, age=2.4, round_trip=0.011), "● live 2s  11 ms"),
        (ConnectionStatus(ConnectionState.LIVE, age=2.4, gaps=(10.0, 10.0), interval=10.0), "● live 2s ▂▂"),
        (ConnectionStatus(ConnectionState.QUIET, age=14.0), "◐ quiet 14s"),
        (
            ConnectionStatus(ConnectionState.RECONNECTING, attempt=2, retry_in=4.2, reason="connection reset"),
            "↻ lost: connection reset · try 3 in 4s · F5 now",
        ),
        (ConnectionStatus(ConnectionState.RECONNECTING, attempt=2), "↻ lost · reconnecting · F5 now"),
        (
            ConnectionStatus(ConnectionState.STOPPED, reason="password refused"),
            "■ stopped: password refused · fix it, then F5",
        ),
    ],
)
def test_each_state_has_a_text(line: ConnectionStatus, words: str) -> None:
    assert connection_text(line).plain == words


def test_no_heartbeats_are_shown_while_disconnected() -> None:
    line = ConnectionStatus(ConnectionState.RECONNECTING, gaps=(10.0,) * 8, interval=10.0, round_trip=0.01)
    assert "▂" not in connection_text(line).plain
    assert "ms" not in connection_text(line).plain


def test_a_long_reason_is_truncated_before_the_next_attempt() -> None:
    line = ConnectionStatus(
        ConnectionState.RECONNECTING, attempt=2, retry_in=4, reason="a reason that goes on and on and on"
    )
    words = connection_text(line, 40)
    assert words.cell_length <= 40
    assert words.plain.startswith("↻ lost: a")
    assert words.plain.endswith("… · try 3 in 4s · F5 now")


def test_a_late_heartbeat_is_visible_in_the_sparkline() -> None:
    assert sparkline((10.0, 10.0, 16.0, 22.0, 60.0, 2.0), 10.0) == "▂▂▃▅▇▁"
    assert sparkline((), None) == ""
    assert sparkline((0.0, 0.0), 0.0) == "▂▂"


@pytest.mark.parametrize(("width", "address"), [(80, False), (120, True)])
async def test_the_reason_and_the_remedy_have_priority_over_the_address(width: int, address: bool) -> None:
    line = ConnectionStatus(ConnectionState.STOPPED, reason="password refused (401)")
    async with app_harness(size=(width, 24), client=FakeClient(line=line)) as harness:
        await harness.shows("holdfast", "■ stopped: password refused (401) · fix it, then F5")
        header = harness.text.split("\n")[0]
        assert ("127.0.0.1:4096" in header) is address


@pytest.mark.parametrize(
    ("title", "left"),
    [
        ("Short", " holdfast  Short · build · 4.0k tokens  "),
        ("A title of 18 cells", " holdfast  A title of 18 cells · build  "),
        ("A title of 25 cells, or so", " holdfast  A title of 25 cells, or so  "),
        ("A title that is longer than all the room", " holdfast  A title that is longer than a…  "),
    ],
)
async def test_only_the_title_is_truncated(title: str, left: str) -> None:
    line = ConnectionStatus(ConnectionState.LIVE, age=2.4, round_trip=0.011, gaps=(10.0,) * 2, interval=10.0)
    async with app_harness(size=(80, 24)) as harness:
        header = harness.app.query_one(HeaderBar)
        header.show_connection(line)
        header.show_heading(Heading(title, "build", tokens=4000))
        assert header.text.startswith(left)


def test_a_non_finite_cost_is_not_shown() -> None:
    assert spent(Heading(cost=float("inf"))) == spent(Heading(cost=float("nan"))) == ""
    assert spent(Heading(cost=0.314)) == " · $0.31"
