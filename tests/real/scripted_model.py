"""An OpenAI-compatible chat model that does as it is told, so that a real server runs whole turns without one.

It listens on 127.0.0.1, in a thread. The newest user message says what it does:

    ASK            calls the question tool with a single-choice and a multiple-choice question
    ASK1           the same with the first of them only
    SHELL name     calls the shell tool with `touch name`
    TTY name       calls the shell tool with `read name`, to be run by a person at a terminal where the tool can
    SLOW           forty words, one each 0.3 s
    FLOOD n r      n deltas of prose at r a second, with a code fence in the middle third
    FENCE n r      n deltas of code in one fence, at r a second
    THINK          reasoning, then an answer
    FAIL code      answers the request with this HTTP status
    AGENT (words)  calls the agent tool; what it starts works for a while, and reports the words
    anything else  one short sentence

After a tool has run, it answers by quoting the result. A request without tools (a title, a summary) gets a title.
Where a server lets an agent work in the background and tells the model of its report later, the words of that are
a prompt's: `AGENT (ASK1)` ends with a question.
"""

import json
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]

QUESTIONS: list[Json] = [
    {
        "question": "Which database?",
        "header": "DB",
        "multiple": False,
        "multiSelect": False,
        "options": [
            {"label": "Postgres", "description": "relational"},
            {"label": "SQLite", "description": "embedded"},
        ],
    },
    {
        "question": "Which features?",
        "header": "Feat",
        "multiple": True,
        "multiSelect": True,
        "options": [
            {"label": "auth", "description": "logins"},
            {"label": "search", "description": "full text"},
        ],
    },
]
QUESTION_TOOLS = frozenset({"question", "ask_user_question"})
SHELL_TOOLS = frozenset({"bash", "run_shell_command"})
AGENT_TOOLS = frozenset({"agent"})
TITLE = "A short title"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request as received by the model."""

    prompt: str
    """The newest user message, including whatever the server wrapped around the user's text."""
    results: tuple[str, ...]
    """The results of tools since then."""
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Text, one word each `pause` seconds, after `thoughts` at the same pace."""

    words: Iterable[str]
    pause: float = 0.02
    thoughts: Iterable[str] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one tool."""

    tool: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Fail:
    status: int


def choose(asked: ModelRequest) -> Text | Call | Fail:
    """The reply selected by the text of the prompt."""
    if not asked.tools:
        return Text([TITLE])
    if asked.results:
        return Text(_words(f"Done. The tool said: {asked.results[-1][:400]}"))
    agent = next((tool for tool in asked.tools if tool in AGENT_TOOLS), None)
    if report := re.search(r"\bREPORT \((.*?)\)", asked.prompt):
        return Text([*(f"step{i} " for i in range(10)), report[1]], pause=0.3)
    if agent and (work := re.search(r"\bAGENT \((.*?)\)", asked.prompt)):
        return Call(agent, {"description": "look around", "prompt": f"REPORT ({work[1]})"})
    if failure := re.search(r"\bFAIL (\d{3})\b", asked.prompt):
        return Fail(int(failure[1]))
    question = next((tool for tool in asked.tools if tool in QUESTION_TOOLS), None)
    shell = next((tool for tool in asked.tools if tool in SHELL_TOOLS), None)
    if question and (ask := re.search(r"\bASK(1?)\b", asked.prompt)):
        return Call(question, {"questions": QUESTIONS[:1] if ask[1] else QUESTIONS})
    if shell and (command := re.search(r"\bSHELL (\S+)", asked.prompt)):
        arguments: Json = {"command": f"touch {command[1]}", "description": "make a file"}
        if shell == "run_shell_command":
            arguments["is_background"] = False  # required by qwen
        return Call(shell, arguments)
    if shell and (command := re.search(r"\bTTY (\S+)", asked.prompt)):
        return Call(shell, {"command": f"read {command[1]}", "description": "ask for it", "interactive": True})
    if re.search(r"\bSLOW\b", asked.prompt):
        return Text([f"word{i} " for i in range(40)], pause=0.3)
    if sized := re.search(r"\bFLOOD (\d+) (\d+)", asked.prompt):
        return Text(_prose(int(sized[1])), pause=1 / int(sized[2]))
    if sized := re.search(r"\bFENCE (\d+) (\d+)", asked.prompt):
        code = (f"value_{i} = compute({i})\n" for i in range(int(sized[1])))
        return Text(["```python\n", *code, "```\n"], pause=1 / int(sized[2]))
    answer = _words("Done. Nothing to call, **all** is well.")
    if re.search(r"\bTHINK\b", asked.prompt):
        return Text(answer, thoughts=[f"thought{i} " for i in range(20)])
    return Text(answer)


def read(request: Json) -> ModelRequest:
    """The relevant parts of a chat completion request."""
    messages = request.get("messages", [])
    newest = max((i for i, message in enumerate(messages) if message["role"] == "user"), default=-1)
    return ModelRequest(
        prompt=_text(messages[newest]) if newest >= 0 else "",
        results=tuple(_text(message) for message in messages[newest + 1 :] if message["role"] == "tool"),
        tools=tuple(tool["function"]["name"] for tool in request.get("tools", [])),
    )


def _text(message: Json) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def _words(sentence: str) -> list[str]:
    return re.findall(r"\S+\s*", sentence)


def _prose(count: int) -> Iterator[str]:
    opening, closing = count // 3, 2 * count // 3
    for i in range(count):
        if i == opening:
            yield "\n\n```python\n"
        elif i == closing:
            yield "\n```\n\n"
        elif opening < i < closing:
            yield f"x{i} = {i}\n"
        else:
            yield f"w{i} " if i % 20 else f"**w{i}**.\n\n"


class ScriptedModel:
    """The running model: `with ScriptedModel() as model`. `asked` is its log, oldest first."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[ModelRequest] = []
        log = self.asked

        class Handler(_Handler):
            asked = log

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, name="scripted model")

    @property
    def base_url(self) -> str:
        """The base URL for an OpenAI client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[ModelRequest]

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to standard error; `asked` is the log."""

    def do_POST(self) -> None:
        request: Json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = read(request)
        self.asked.append(asked)
        try:
            self._act(choose(asked), stream=bool(request.get("stream")))
        except ConnectionError:
            self.close_connection = True  # aborted: the server has closed the connection

    def _act(self, act: Text | Call | Fail, *, stream: bool) -> None:
        match act:
            case Fail(status):
                self._whole(status, {"error": {"message": f"scripted {status}", "type": "scripted"}})
            case _ if not stream:
                message = {"role": "assistant", "content": TITLE}
                self._whole(200, {**_head("chat.completion"), "choices": [_choice("message", message, "stop")]})
            case Text(words, pause, thoughts):
                self._begin()
                self._paced(({"reasoning_content": thought} for thought in thoughts), pause)
                self._paced(({"content": word} for word in words), pause)
                self._end("stop")
            case Call(tool, arguments):
                self._begin()
                function = {"name": tool, "arguments": json.dumps(arguments)}
                call = {"index": 0, "id": f"call_{time.time_ns()}", "type": "function", "function": function}
                self._delta({"role": "assistant", "content": "Working. "})
                self._delta({"tool_calls": [call]})
                self._end("tool_calls")

    def _whole(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _paced(self, deltas: Iterable[Json], pause: float) -> None:
        due = time.monotonic()
        for delta in deltas:
            self._delta(delta)
            due += pause
            time.sleep(max(0.0, due - time.monotonic()))  # the model's own pace, not a wait for a condition

    def _delta(self, delta: Json, finish: str | None = None) -> None:
        chunk = {**_head("chat.completion.chunk"), "choices": [_choice("delta", delta, finish)]}
        self._chunk(f"data: {json.dumps(chunk)}\n\n".encode())

    def _end(self, finish: str) -> None:
        self._delta({}, finish)
        self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


def _head(kind: str) -> Json:
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    return {"id": "scripted", "object": kind, "created": int(time.time()), "model": "m", "usage": usage}


def _choice(field: str, content: Json, finish: str | None) -> Json:
    return {"index": 0, field: content, "finish_reason": finish}
