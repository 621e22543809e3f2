"""Single values of qwen serve's JSON, as sent by a real server, and invalid ones."""

import difflib
from typing import Any

import msgspec
import pytest

from tests.backends.recording_qwen import NAMES, recording
from tui.backends.decoding import read, todos
from tui.backends.qwen import schema as wire
from tui.core.model import Failure, Todo, Usage


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_of_a_real_stream_is_read(name: str) -> None:
    frames = recording(name).frames()
    numbered = [frame.id for frame in frames if frame.id is not None]
    assert numbered == list(range(1, len(numbered) + 1))
    assert {frame.type for frame in frames if frame.id is None} <= {"replay_complete"}
    assert all(frame.at > 1e9 for frame in frames)


@pytest.mark.parametrize("name", NAMES)
def test_every_load_is_read(name: str) -> None:
    for response in recording(name).loads.values():
        loaded = read(response, wire.Loaded)
        assert loaded.session_id == recording(name).session_id
        assert loaded.client_id.startswith("client_")
        assert loaded.event_epoch
        assert loaded.last_event_id > 0


def test_terminals_of_prompts() -> None:
    loaded = read(recording("restart").loads["restarted"], wire.Loaded)
    assert [(one.terminal, one.code) for one in loaded.terminals()] == [
        ("completed", ""),
        ("interrupted", "daemon_lost"),
    ]


def test_a_status_with_an_open_question() -> None:
    seen = wire.seen(recording("ask").status)
    assert seen.busy
    assert seen.session.directory == "/srv/project"
    assert seen.session.created == seen.session.updated > 1e9
    assert len(seen.interactions) == 1


@pytest.mark.parametrize("stamp", ["", "yesterday", "2026-99-99"])
def test_an_invalid_time_is_unknown(stamp: str) -> None:
    assert wire.epoch(stamp) == 0.0


@pytest.mark.parametrize(
    ("message", "failure"),
    [
        ("401 bad key", Failure("bad key", "provider", 401)),
        ("503", Failure("503", "provider", 503)),
        ("4010 things", Failure("4010 things")),
        ("the socket hung up", Failure("the socket hung up")),
    ],
)
def test_an_error_may_begin_with_the_provider_s_status(message: str, failure: Failure) -> None:
    assert wire.failure(message) == failure


@pytest.mark.parametrize(
    ("meta", "usage"),
    [
        ({"usage": {"inputTokens": 7, "outputTokens": 3.0}}, Usage(7, 3)),
        ({"usage": {"inputTokens": "many"}}, Usage(0, 0)),
        ({"usage": 3}, None),
        ({}, None),
        (None, None),
    ],
)
def test_tokens(meta: dict[str, Any] | None, usage: Usage | None) -> None:
    assert wire.usage(meta) == usage


def test_a_shell_shows_the_commands_output_only() -> None:
    content = [{"type": "content", "content": {"type": "text", "text": "Command: ls\nOutput: a"}}]
    assert wire.tool_output(content, {"type": "shell_result", "output": "a"}).text == "a"
    assert wire.tool_output(content, {"type": "shell_result", "output": None}).text == "Command: ls\nOutput: a"


def test_a_diff_is_the_servers_or_else_made_here() -> None:
    block = {"type": "diff", "path": "a.txt", "oldText": "one\ntwo\n", "newText": "one\nthree\n"}
    made = wire.tool_output([block], None).diff
    assert made.startswith("--- a.txt\n+++ a.txt")
    assert "-two\n+three" in made
    assert wire.tool_output([block], {"fileDiff": "Index: a\n====\n--- a\n+++ b\n"}).diff == "--- a\n+++ b\n"


def test_a_huge_diff_is_not_made() -> None:
    block = {"type": "diff", "path": "big", "oldText": "x\n" * wire.MAX_DIFF_CHARACTERS, "newText": "y"}
    assert "too long to compare" in wire.tool_output([block], None).diff


@pytest.mark.parametrize("content", [None, "words", [3, None], [{"type": "content", "content": 5}], [{}]])
def test_content_of_an_unknown_schema_is_empty(content: object) -> None:
    assert wire.tool_output(content, None) == wire.ToolOutput("", "")


def test_complete_text_is_sanitized() -> None:
    content = [{"type": "content", "content": {"text": "a\x1b[2Jb\ud83d"}}]
    assert wire.tool_output(content, None).text == "ab\ufffd"


def test_todos() -> None:
    assert todos([{"content": "a"}, {"content": "b", "status": "completed", "priority": "high"}]) == (
        Todo("a", "pending", ""),
        Todo("b", "completed", "high"),
    )
    assert todos([]) == ()


@pytest.mark.parametrize("value", [{}, {"type": 3}, [], None, "x", {"type": "x", "id": "seven"}])
def test_an_invalid_frame_is_refused(value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(value, wire.Frame)


def test_a_diff_of_very_many_lines_is_not_made() -> None:
    lines = [chr(0x100 + number * 7 % 130) for number in range(24_000)]
    block = {"type": "diff", "path": "a", "oldText": "\n".join(lines), "newText": "\n".join(reversed(lines))}
    assert "too long to compare here" in wire.tool_output([block], None).diff


def test_many_diffs_of_one_call_share_the_limit() -> None:
    lines = [str(number % 130) for number in range(300)]
    block = {"type": "diff", "path": "a", "oldText": "\n".join(lines), "newText": "\n".join(reversed(lines))}
    assert "too long" not in wire.tool_output([block], None).diff
    assert wire.tool_output([block] * 40, None).diff.count("too long to compare here") == 40


def test_a_diff_that_takes_many_passes_is_not_made() -> None:
    block = {"type": "diff", "path": "a", "oldText": "x\ny\n" * 1000, "newText": "x\n" * 199}
    assert "too long to compare here" in wire.tool_output([block], None).diff


def test_a_change_in_a_long_file_is_compared() -> None:
    old = [f"line {number}" for number in range(5_000)]
    new = [*old[:2_000], "new", *old[2_000:3_000], "newer", *old[3_001:]]
    block = {"type": "diff", "path": "a", "oldText": "\n".join(old), "newText": "\n".join(new)}
    made = wire.tool_output([block], None).diff
    assert made.split("\n") == list(difflib.unified_diff(old, new, "a", "a", lineterm=""))
