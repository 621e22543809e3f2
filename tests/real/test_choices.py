"""Options selected for a prompt are used by a real opencode server."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.end_to_end.steps import connect
from tests.end_to_end.terminal import Terminal
from tests.real.server import RealServer
from tests.waiting import block_until

pytestmark = pytest.mark.real

Holdfast = Callable[..., Terminal]
Exchange = Callable[[], tuple[Any, Any]]


@pytest.fixture
def exchange(opencode: RealServer) -> Iterator[Exchange]:
    """The prompt and its answer, as stored by the server, in the only session that the test creates."""
    with httpx.Client(base_url=opencode.address, trust_env=False) as http:

        def sessions() -> set[str]:
            return {session["id"] for session in http.get("/session").json()}

        def read() -> tuple[Any, Any]:
            [begun] = sessions() - before
            prompt, *answers = http.get(f"/session/{begun}/message").json()
            return prompt, answers[-1]

        before = sessions()
        yield read


def files(server: RealServer, query: str) -> list[str]:
    """The files that the server finds by name; a just created file is missing at first."""
    found = httpx.get(f"{server.address}/find/file", params={"query": query}, timeout=10, trust_env=False)
    names: list[str] = found.json()
    return names


def test_a_file_is_read_by_the_server(holdfast: Holdfast, opencode: RealServer, exchange: Exchange) -> None:
    (opencode.project / "my notes.md").write_text("the answer is 42")
    block_until(lambda: "my notes.md" in files(opencode, "notes"), within=20, what="the server's index of files")
    terminal = holdfast(opencode.address)
    connect(terminal)
    terminal.type("look at @notes")
    terminal.press("tab")
    terminal.wait_for("my notes.md")
    terminal.press("enter")
    terminal.wait_for('@"my notes.md"')
    terminal.press("enter")
    terminal.wait_for("✓ finished")
    prompt, _ = exchange()
    assert any("the answer is 42" in part.get("text", "") for part in prompt["parts"] if part.get("synthetic"))


def test_the_selected_agent_and_model_are_used(holdfast: Holdfast, opencode: RealServer, exchange: Exchange) -> None:
    terminal = holdfast(opencode.address)
    connect(terminal)
    terminal.press("ctrl+t")
    terminal.wait_for("Agent")
    terminal.type("plan")
    terminal.press("enter")
    terminal.wait_for("agent plan")
    terminal.press("ctrl+p")
    terminal.wait_for("Search for commands")
    terminal.type("Model")
    terminal.wait_for("Choose the model from the next prompt on")
    terminal.press("enter")
    terminal.wait_for("scripted/m")
    terminal.type("scripted/m")
    terminal.press("enter")
    terminal.wait_for("From the next prompt on: scripted/m")
    terminal.type("words")
    terminal.press("enter")
    terminal.wait_for("✓ finished")
    prompt, answer = exchange()
    assert prompt["info"]["agent"] == answer["info"]["agent"] == "plan"
    assert (answer["info"]["providerID"], answer["info"]["modelID"]) == ("scripted", "m")


def test_a_command_is_run_as_a_command(holdfast: Holdfast, opencode: RealServer) -> None:
    terminal = holdfast(opencode.address)
    connect(terminal)
    terminal.type("/greet everybody")
    terminal.press("enter")
    terminal.wait_for("Say good morning to everybody")
    terminal.wait_for("✓ finished")
