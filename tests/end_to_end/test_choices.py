"""Options of a prompt, selected by keys: files, commands, the agent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.end_to_end.steps import connect
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]


def the_prompt(server: Stub) -> Any:
    """The only prompt on the server, with its parts."""
    [session] = server.http.get("/session").json()
    messages = server.http.get(f"/session/{session['id']}/message").json()
    [prompt] = [message for message in messages if message["info"]["role"] == "user"]
    return prompt


def test_a_file_completed_with_tab_is_attached(holdfast: Holdfast, stub: StartStub, home: Path) -> None:
    (home / "my notes.md").write_text("words")
    server = stub()
    terminal = holdfast(server.address, "--directory", str(home))
    connect(terminal)
    terminal.type("PLAIN as in @notes")
    terminal.press("tab")
    terminal.wait_for('@"my notes.md"')
    terminal.press("enter")
    terminal.wait_for("with my notes.md")
    terminal.wait_for("✓ finished")
    words, file = the_prompt(server)["parts"]
    assert words["text"].strip() == 'PLAIN as in @"my notes.md"'
    assert file["url"] == f"file://{home}/my%20notes.md"


def test_a_typed_command_is_sent_as_a_command(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.type("/init PLAIN words")
    terminal.press("enter")
    terminal.wait_for("Create or update AGENTS.md")
    terminal.wait_for("✓ finished")
    [part] = the_prompt(server)["parts"]
    assert part["text"].endswith("PLAIN words")
    assert not part["text"].startswith("/init")


def test_the_selected_agent_answers(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.press("ctrl+t")
    terminal.wait_for("it plans nothing")
    terminal.press("down", "enter")
    terminal.wait_for("agent plan")
    terminal.type("PLAIN")
    terminal.press("enter")
    terminal.wait_for("✓ finished")
    assert the_prompt(server)["info"]["agent"] == "plan"
