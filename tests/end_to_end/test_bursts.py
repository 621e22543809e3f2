"""Keys that arrive all at once, as over a slow connection: none is lost, and none exits the client."""

from collections.abc import Callable

from tests.end_to_end.steps import connect, send, wait_for_request
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]


def test_text_typed_at_a_confirmation_goes_to_the_prompt(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "ASK1")
    wait_for_request(terminal, "Which database?")
    terminal.press("x")
    terminal.wait_for("Reject the question?")
    terminal.type("see what I wrote")
    terminal.wait_for("› see what I wrote")
    assert server.http.get("/question").json()


def test_three_enters_in_a_burst_open_one_session(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    server.http.post("/session", json={"title": "the old one"})
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.press("f2")
    terminal.wait_for("the old one")
    terminal.type("\r\r\r")
    terminal.wait_for("holdfast  the old one")
    terminal.type("still here")
    terminal.wait_for("› still here")
