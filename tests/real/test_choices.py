"""What is chosen for a prompt, on a real opencode server: it is the server that uses it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.end_to_end.steps import connect
from tests.end_to_end.terminal import Terminal
from tests.real.server import RealServer

pytestmark = pytest.mark.real

Holdfast = Callable[..., Terminal]


def exchange(server: RealServer) -> tuple[Any, Any]:
    """The prompt and its answer, as the server has them."""
    with httpx.Client(base_url=server.address, trust_env=False) as http:
        [session] = http.get("/session").json()
        prompt, *answers = http.get(f"/session/{session['id']}/message").json()
        return prompt, answers[-1]


def test_a_file_is_read_by_the_server(holdfast: Holdfast, opencode: RealServer) -> None:
    (opencode.project / "my notes.md").write_text("the answer is 42")
    terminal = holdfast(opencode.address)
    connect(terminal)
    terminal.type("look at @notes")
    terminal.press("tab")
    terminal.wait_for("my notes.md")
    terminal.press("enter")
    terminal.wait_for('@"my notes.md"')
    terminal.press("enter")
    terminal.wait_for("✓ finished")
    prompt, _ = exchange(opencode)
    assert any("the answer is 42" in part.get("text", "") for part in prompt["parts"] if part.get("synthetic"))


def test_agent_and_model_are_used(holdfast: Holdfast, opencode: RealServer) -> None:
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
    terminal.wait_for("The model from the next prompt on")
    terminal.press("enter")
    terminal.wait_for("scripted/m")
    terminal.type("scripted/m")
    terminal.press("enter")
    terminal.wait_for("From the next prompt on: scripted/m")
    terminal.type("words")
    terminal.press("enter")
    terminal.wait_for("✓ finished")
    prompt, answer = exchange(opencode)
    assert prompt["info"]["agent"] == answer["info"]["agent"] == "plan"
    assert (answer["info"]["providerID"], answer["info"]["modelID"]) == ("scripted", "m")


def test_a_command_is_run_as_one(holdfast: Holdfast, opencode: RealServer) -> None:
    folder = opencode.project / ".opencode" / "command"
    folder.mkdir(parents=True)
    (folder / "greet.md").write_text("---\ndescription: greets\n---\nSay good morning to $ARGUMENTS")
    terminal = holdfast(opencode.address)
    connect(terminal)
    terminal.type("/greet everybody")
    terminal.press("enter")
    terminal.wait_for("Say good morning to everybody")
    terminal.wait_for("✓ finished")
