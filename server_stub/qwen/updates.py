"""Conversion of stored parts into qwen's `session_update`: texts, tool calls, plans. Without state.

Parts are stored as in opencode; this module maps them to the names, titles and contents of qwen 0.24.4.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, assert_never

from server_stub.domain.json_encoding import Json

INPUT_TOKENS = 1200
"""Constant: a scripted model reads nothing."""


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    kind: str
    label: str


TOOLS = {
    "bash": Tool("run_shell_command", "execute", "Shell"),
    "question": Tool("ask_user_question", "think", "AskUserQuestion"),
    "read": Tool("read_file", "read", "ReadFile"),
    "grep": Tool("grep_search", "search", "Grep"),
    "edit": Tool("edit", "edit", "Edit"),
    "write": Tool("write_file", "edit", "WriteFile"),
    "task": Tool("agent", "other", "Agent"),
}
"""By opencode's name. `todowrite` is sent as a plan, not as a tool."""

PLAN = "todowrite"

INPUTS = {"filePath": "file_path"}
"""Tool arguments with other names in qwen."""


def text_chunk(kind: Literal["text", "reasoning"], text: str) -> Json:
    name = "agent_message_chunk" if kind == "text" else "agent_thought_chunk"
    return {"sessionUpdate": name, "content": {"type": "text", "text": text}}


def user_chunk(content: Json) -> Json:
    return {"sessionUpdate": "user_message_chunk", "content": content}


def usage(words: int, duration_ms: int | None = None) -> Json:
    """The usage of a round, as the empty chunk that ends it; its duration is not stored."""
    spent = {"inputTokens": INPUT_TOKENS, "outputTokens": words, "totalTokens": INPUT_TOKENS + words}
    meta: Json = {"usage": {**spent, "thoughtTokens": 0, "cachedReadTokens": 0}}
    took = {} if duration_ms is None else {"durationMs": duration_ms}
    return {**text_chunk("text", ""), "_meta": {**meta, **took}}


def plan(todos: Sequence[Json]) -> Json:
    entries = [
        {"content": todo["content"], "priority": "medium", "status": todo["status"]}
        | {"_meta": {"qwenTodo": {"id": str(number)}}}
        for number, todo in enumerate(todos, 1)
    ]
    return {"sessionUpdate": "plan", "entries": entries}


def commands(templates: dict[str, tuple[str, str]]) -> Json:
    """`templates`: name → description and template."""
    available = [
        {
            "name": name,
            "description": description,
            "input": {"hint": ""},
            "_meta": {"source": "builtin-command", "sourceLabel": "Built-in", "modelInvocable": False},
        }
        for name, (description, _) in templates.items()
    ]
    return {
        "sessionUpdate": "available_commands_update",
        "availableCommands": available,
        "_meta": {"availableSkills": []},
    }


# tool calls


def tool_prepared(part: Json) -> Json:
    """A tool call whose arguments are still streamed."""
    tool = TOOLS[part["tool"]]
    return {
        "sessionUpdate": "tool_call",
        "toolCallId": part["callID"],
        "status": "pending",
        "title": tool.label,
        "kind": tool.kind,
        "content": [],
        "locations": [],
        "rawInput": {},
        "_meta": {**_meta(tool), "phase": "preparing"},
    }


def tool_started(part: Json) -> Json:
    """A tool call that runs; not sent if it asks for permission first."""
    tool = TOOLS[part["tool"]]
    given = raw_input(part["state"]["input"])
    return {
        "sessionUpdate": "tool_call_update",
        "toolCallId": part["callID"],
        "status": "in_progress",
        "title": f"{tool.label}: {title(part['tool'], given)}",
        "kind": tool.kind,
        "content": [],
        "locations": _locations(given),
        "rawInput": given,
        "_meta": _meta(tool),
    }


def tool_ended(part: Json) -> Json:
    tool, state = TOOLS[part["tool"]], part["state"]
    completed = state["status"] == "completed"
    shown = _output(part) if completed else {"content": [_text_content(_why(tool, state))]}
    return {
        "sessionUpdate": "tool_call_update",
        "toolCallId": part["callID"],
        "status": "completed" if completed else "failed",
        **shown,
        "_meta": _meta(tool),
    }


def unfinished_tool_call(part: Json) -> Json:
    """A tool call in a restored transcript that had not ended when the daemon was lost."""
    tool = TOOLS[part["tool"]]
    why = "Tool result missing from saved history; the previous run likely ended before this tool completed."
    return {
        "sessionUpdate": "tool_call_update",
        "toolCallId": part["callID"],
        "status": "failed",
        "content": [_text_content(why)],
        "_meta": _meta(tool),
    }


def permission_call(tool_name: str, call_id: str, given: Json) -> Json:
    """The tool call of a permission request; `given` is its raw input."""
    tool = TOOLS[tool_name]
    meta: Json = {"toolName": tool.name}
    if tool_name == "question":
        meta |= {"qwenInteractionKind": "user_question", "qwenQuestions": given["questions"]}
    return {
        "toolCallId": call_id,
        "status": "pending",
        "title": title(tool_name, given),
        "kind": tool.kind,
        "content": [],
        "locations": _locations(given),
        "rawInput": given,
        "_meta": meta,
    }


def raw_input(given: Json) -> Json:
    """A tool's arguments with qwen's names."""
    renamed = {INPUTS.get(name, name): value for name, value in given.items()}
    if "questions" in renamed:
        renamed["questions"] = [_question(question) for question in renamed["questions"]]
    if "command" in renamed:
        renamed["is_background"] = False
    return renamed


def title(tool_name: str, given: Json) -> str:
    match tool_name:
        case "bash":
            return f"{given['command']} ({given['description']})"
        case "question":
            count = len(given["questions"])
            return f"Ask user {count} question{'s' if count > 1 else ''}"
        case "grep":
            return f"'{given['pattern']}' in ."
        case "task":
            return str(given["description"])
        case _:
            return PurePosixPath(given.get("file_path", "")).name


def _question(question: Json) -> Json:
    """A question without `custom`, which qwen does not have."""
    known = {name: question[name] for name in ("question", "header", "options")}
    return {**known, "multiSelect": question.get("multiple", False)}


def _meta(tool: Tool) -> Json:
    return {"toolName": tool.name, "provenance": "builtin"}


def _locations(given: Json) -> list[Json]:
    return [{"path": given["file_path"]}] if "file_path" in given else []


def _text_content(text: str) -> Json:
    return {"type": "content", "content": {"type": "text", "text": text}}


def _why(tool: Tool, state: Json) -> str:
    if state.get("metadata", {}).get("interrupted"):
        return "Tool call was cancelled before execution."
    if tool.name == "agent":  # a request of the subagent was refused
        return "The tool had already completed; its output was discarded."
    return f'Tool "{tool.name}" was canceled by the user.'


def _output(part: Json) -> Json:
    """Content and raw output of a completed call."""
    state = part["state"]
    match part["tool"]:
        case "question":
            return _answers(state["input"]["questions"], state["metadata"]["answers"])
        case "bash":
            return _shell(state)
        case "edit":
            return _edit(state)
        case _:
            return {"content": [_text_content(state["output"])], "rawOutput": state["output"]}


def _answers(questions: Sequence[Json], answers: Sequence[Sequence[str]]) -> Json:
    given = [(question, ", ".join(answer)) for question, answer in zip(questions, answers, strict=False) if answer]
    lines = "\n".join(f"**{question['header']}**: {answer}" for question, answer in given)
    text = f"User has provided the following answers:\n\n{lines or 'No valid answers were provided.'}"
    listed = [{"question": question["question"], "answer": answer} for question, answer in given]
    raw = {"type": "ask_user_question_answers", "text": text, "answers": listed}
    return {"content": [_text_content(text)], "rawOutput": raw}


def _shell(state: Json) -> Json:
    command, output = state["input"]["command"], state["metadata"].get("output", "").rstrip("\n")
    said = f"Command: {command}\nDirectory: (root)\nOutput: {output or '(empty)'}\nError: (none)\nExit Code: 0"
    raw = {"type": "shell_result", "version": 1, "text": output, "output": output, "exitCode": 0, "signal": None}
    more: Json = {"error": None, "outcome": "completed", "notices": [], "truncated": False, "outputFiles": []}
    return {"content": [_text_content(said)], "rawOutput": {**raw, **more}}


def _edit(state: Json) -> Json:
    path, patch = state["input"]["filePath"], state["metadata"]["diff"]
    before, after = (_side(patch, side) for side in ("-", "+"))
    diff = {"type": "diff", "path": path, "oldText": before, "newText": after}
    raw = {"fileDiff": patch, "fileName": PurePosixPath(path).name, "filePath": path}
    return {"content": [diff], "rawOutput": {**raw, "originalContent": before, "newContent": after}}


def _side(patch: str, side: Literal["-", "+"]) -> str:
    """The lines of a unified diff's hunks before (`-`) or after (`+`) the change."""
    match side:
        case "-":
            other = "+"
        case "+":
            other = "-"
        case never:
            assert_never(never)
    hunks = re.split(r"^@@.*@@.*\n", patch, flags=re.MULTILINE)[1:]
    lines = [line for hunk in hunks for line in hunk.splitlines() if not line.startswith(other)]
    return "".join(f"{line[1:]}\n" for line in lines)
