"""From the prompt to its result, by keys, on a screen of a common size."""

import re
from collections.abc import Callable

import httpx
import pytest

from tests.end_to_end.steps import answer_both_questions, connect, send, wait_for_request
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal
from tests.waiting import MAX_WAIT, block_until

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]


def open_questions(stub: Stub) -> list[str]:
    return [question["question"] for request in stub.http.get("/question").json() for question in request["questions"]]


def test_the_demo_shows_the_tour_and_stops_its_server(holdfast: Holdfast) -> None:
    terminal = holdfast("--demo")
    address = "http://" + terminal.wait_for(re.compile(r"127\.0\.0\.1:\d+"))[0]
    connect(terminal)
    terminal.wait_for("Give me the tour.")
    terminal.wait_for("turn 0:")
    assert httpx.get(f"{address}/global/health", trust_env=False, timeout=MAX_WAIT).is_success

    terminal.press("ctrl+q")
    terminal.wait_for("Quit?")
    terminal.press("enter")
    assert terminal.wait_for_end() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/global/health", trust_env=False, timeout=MAX_WAIT)


@pytest.mark.parametrize("profile", ["opencode", "opencode-padded", "mimo"])
def test_a_prompt_with_two_questions_is_answered(holdfast: Holdfast, stub: StartStub, profile: str) -> None:
    server = stub(profile=profile)
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "ASK")
    answer_both_questions(terminal)
    terminal.wait_for(re.compile(r"Done\. .*SQLite.*auth, search", re.DOTALL))
    terminal.wait_for("answered  DB: SQLite · Feat: auth, search")
    terminal.wait_for(re.compile(r"✓ finished in 0:\d\d"))
    assert open_questions(server) == []


def test_padding_is_counted_while_the_request_is_open(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub(profile="mimo", env={"HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS": "50"})
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "ASK1")
    terminal.wait_for(re.compile(r"request open, \d{2,} heartbeats, last 0s ago · needs answer \d+s"))
    wait_for_request(terminal, "Which database?")
    terminal.press("enter")
    terminal.wait_for(re.compile(r"Done\. .*Postgres", re.DOTALL))
    terminal.wait_for("✓ finished")


def test_a_permission_request_shows_its_command(holdfast: Holdfast, stub: StartStub) -> None:
    terminal = holdfast(stub().address)
    connect(terminal)
    send(terminal, "SHELL made.txt")
    wait_for_request(terminal, "touch made.txt")
    terminal.press("1", "enter")
    terminal.wait_for("allowed once  bash")
    terminal.wait_for("✓ finished")


def test_collapsing_keeps_the_question_and_the_selection(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "ASK")
    wait_for_request(terminal, "Which database?")
    terminal.press("2", "enter")
    terminal.wait_for("Which features?")
    terminal.press("escape")
    terminal.wait_until_gone("Which features?")
    assert open_questions(server) == ["Which database?", "Which features?"]
    terminal.press("f4")
    terminal.wait_for("Which features?")
    terminal.press("left")
    terminal.wait_for(re.compile(r"\(•\) SQLite"))


def test_esc_twice_aborts_the_turn_and_removes_its_question(holdfast: Holdfast, stub: StartStub) -> None:
    terminal = holdfast(stub(profile="opencode").address)
    connect(terminal)
    send(terminal, "ASK1")
    wait_for_request(terminal, "Which database?")
    terminal.press("escape")
    terminal.wait_until_gone("Which database?")
    terminal.press("escape")
    terminal.wait_for("Esc once more aborts the turn")
    terminal.press("escape")
    terminal.wait_for("■ aborted")
    terminal.wait_until_gone("needs your answer")


def test_another_clients_answer_closes_the_question(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "ASK1")
    wait_for_request(terminal, "Which database?")
    [request] = server.http.get("/question").json()
    server.http.post(f"/question/{request['id']}/reply", json={"answers": [["SQLite"]]}).raise_for_status()
    terminal.wait_for(re.compile(r"answered elsewhere +SQLite"))
    terminal.wait_for("✓ finished")


def test_a_model_error_is_shown_with_its_reason(holdfast: Holdfast, stub: StartStub) -> None:
    terminal = holdfast(stub(profile="opencode").address)
    connect(terminal)
    send(terminal, "FAIL 400")
    terminal.wait_for(re.compile(r"✗.*400"))


def test_a_second_client_opens_the_session_from_the_list(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    first = holdfast(server.address)
    connect(first)
    send(first, "PLAIN words to find again")
    first.wait_for("✓ finished")
    second = holdfast(server.address)
    connect(second)
    second.press("f2")
    second.wait_for(re.compile(r"PLAIN words to find again.*ago|PLAIN words to find again"))
    second.type("find again")
    second.press("enter")
    second.wait_for("you          PLAIN words to find again")
    second.wait_for("all is well")


def test_a_small_terminal_shows_all_parts(holdfast: Holdfast, stub: StartStub) -> None:
    terminal = holdfast(stub().address)
    connect(terminal)
    send(terminal, "ASK")
    terminal.wait_for("Which database?")
    terminal.resize(80, 24)
    terminal.wait_for(re.compile(r"^ holdfast.*● live", re.MULTILINE))
    for words in ("Which database?", "SQLite", "turn 0:", "needs your answer"):
        terminal.wait_for(words)


def test_quitting_without_a_running_turn_asks_nothing(holdfast: Holdfast, stub: StartStub) -> None:
    terminal = holdfast(stub().address)
    connect(terminal)
    terminal.press("ctrl+q")
    assert terminal.wait_for_end() == 0


def test_a_turn_continues_on_the_server_after_quitting(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "ASK1")
    wait_for_request(terminal, "Which database?")
    terminal.press("ctrl+q")
    terminal.wait_for(re.compile(r"continues on the server without you;.*questions\s+stay\s+open", re.DOTALL))
    terminal.press("enter")
    assert terminal.wait_for_end() == 0
    assert open_questions(server) == ["Which database?"]

    again = holdfast(server.address, "--continue")
    wait_for_request(again, "Which database?")
    again.press("enter")
    again.wait_for(re.compile(r"Done\. .*Postgres", re.DOTALL))
    block_until(lambda: server.http.get("/session/status").json() == {}, what="the turn to end")
