"""Convenience features in a real terminal: external editor, prompt history, copying, search."""

import base64
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.steps import connect, send
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]


def test_the_external_editor_uses_the_terminal_and_releases_it(
    holdfast: Holdfast, stub: StartStub, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "EDITING $(cat "$1")"\nread answer\nprintf "PLAIN %s" "$answer" > "$1"\n')
    editor.chmod(0o700)
    terminal = holdfast(stub().address, env={"EDITOR": str(editor)})
    connect(terminal)
    terminal.type("draft")
    terminal.wait_for("› draft")
    terminal.press("ctrl+g")
    terminal.wait_for("EDITING draft")
    terminal.type("written elsewhere\r")
    terminal.wait_for("› PLAIN written elsewhere")
    connect(terminal)
    terminal.press("enter")
    terminal.wait_for("✓ finished")


def test_prompt_history_spans_sessions_and_runs(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    first = holdfast(server.address)
    connect(first)
    send(first, "PLAIN the needle")
    first.wait_for("✓ finished")
    first.press("ctrl+q")
    assert first.wait_for_end() == 0
    second = holdfast(server.address)
    connect(second)
    second.press("ctrl+r")
    second.wait_for("Earlier prompts")
    second.type("needle")
    second.wait_for("PLAIN the needle")
    second.press("enter")
    second.wait_for("› PLAIN the needle")


def test_code_is_copied_by_the_terminals_clipboard_sequence(holdfast: Holdfast, stub: StartStub) -> None:
    terminal = holdfast(stub().address)
    connect(terminal)
    send(terminal, "FENCE 3 100")
    terminal.wait_for("✓ finished")
    terminal.press("f7")
    terminal.wait_for("sent to the terminal's clipboard")
    copied = terminal.raw.rpartition(b"\x1b]52;c;")[2].partition(b"\x07")[0]
    assert base64.b64decode(copied).decode().count("compute(") == 3


def test_search_finds_text_of_the_oldest_page(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    session = server.http.post("/session", json={"title": "a long one"}).json()["id"]
    for number in range(130):
        part = {"type": "text", "text": f"prompt number {number}."}
        body = {"noReply": True, "parts": [part]}
        server.http.post(f"/session/{session}/message", json=body)
    terminal = holdfast(server.address, "--session", session)
    terminal.wait_for("prompt number 129.")
    terminal.press("ctrl+f")
    terminal.type("number 3.")
    terminal.wait_for("1 of 1")
    terminal.wait_for("prompt number 3.")
    terminal.press("escape")
    terminal.wait_until_gone("1 of 1")
    terminal.press("end")
    terminal.wait_for("prompt number 129.")
