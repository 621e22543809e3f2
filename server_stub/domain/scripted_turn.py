"""The steps of a scenario: text, reasoning, tool calls, requests, failures. One turn answers one prompt."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Literal

from server_stub.domain.json_encoding import Json, encode
from server_stub.domain.pending_requests import Allowed, Answered, Permission, Rejected
from server_stub.domain.rounds import Rounds
from server_stub.domain.state import BUSY, Message, ServerState, Session
from server_stub.domain.tool_call import ToolCall

Script = Callable[["ScriptedTurn"], Awaitable[None]]
Delegate = Callable[[Session, str, Script], Awaitable[Message]]

WORDS_PER_SECOND = 25.0


class TurnEnded(Exception):
    """The turn ends because the user refused a request that it needs."""


class ModelFailed(Exception):
    """The model's provider gave a final error."""

    def __init__(self, error: Json) -> None:
        super().__init__(error)
        self.error = error


class ScriptedTurn(Rounds):
    """The API for scripts, for one prompt of one session."""

    def __init__(
        self, server: ServerState, session: Session, prompt: Message, delegate: Delegate, *, stepless: bool = False
    ) -> None:
        super().__init__(server, session, prompt, stepless=stepless)
        self.waits_for_provider = False
        self.model_input = ""
        """The result of the last tool call, as the model receives it."""
        self._delegate = delegate

    # words

    async def stream_words(self, text: str, rate: float = WORDS_PER_SECOND) -> None:
        """Stream `text` by words, `rate` per second."""
        await self.stream(re.findall(r"\S+\s*|\s+", text), rate)

    async def think(self, text: str, rate: float = WORDS_PER_SECOND) -> None:
        """Stream `text` as reasoning."""
        await self.stream(re.findall(r"\S+\s*|\s+", text), rate, kind="reasoning")

    async def stream(
        self,
        deltas: list[str],
        rate: float,
        *,
        kind: Literal["text", "reasoning"] = "text",
        interrupts: bool = False,
    ) -> None:
        """Stream one part by deltas. With `interrupts` it never ends: the provider's connection broke."""
        self.begin()
        self._step()
        self._store_text()
        start = self.clock.now()
        part = self._put_part({"type": kind, "text": "", "time": {"start": start}})
        said: list[str] = []
        try:
            async with aclosing(self.clock.ticks(rate)) as ticks:
                for delta in deltas:
                    await anext(ticks)
                    said.append(delta)
                    self.server.stream_text(part, delta)
        finally:
            self._words += len(said)
            if not interrupts:
                end = {"start": start, "end": self.clock.now()}
                self._unstored = {**part, "text": "".join(said), "time": end}

    # the provider

    async def retry(self, message: str, attempt: int, seconds: float) -> None:
        """The provider failed temporarily: publish a retry and wait."""
        self.begin()
        until = self.clock.after(seconds)
        self.waits_for_provider = True
        if self.server.profile.provider_retry == "event":
            self._publish_retry(message, attempt, until - self.clock.now())
        else:
            status = {"type": "retry", "attempt": attempt, "message": message, "next": until}
            self.server.set_status(self.session, status)
        await self.clock.sleep(seconds)
        self.waits_for_provider = False
        self.server.set_status(self.session, BUSY)

    def _publish_retry(self, reason: str, attempt: int, delay_ms: int) -> None:
        kind = "rate_limit" if reason.startswith("429") else "server"
        counted = {"attempt": attempt, "phaseAttempt": attempt, "maxAttempts": 0}
        why = {"phase": "request", "kind": kind, "scope": "request", "reason": reason, "nextDelayMs": delay_ms}
        where = {"sessionID": self.session.id, "messageID": self.prompt.info["id"]}
        self.server.bus.publish("session.retry.attempt", {**where, **counted, **why}, self._place)

    def fail(self, message: str, status_code: int) -> None:
        """The provider failed permanently. Always raises ModelFailed."""
        self.begin()
        data = {"message": message, "statusCode": status_code, "isRetryable": False, "responseHeaders": {}}
        raise ModelFailed({"name": "APIError", "data": {**data, "responseBody": "", "metadata": {}}})

    # tools

    async def together(self, *calls: Coroutine[Any, Any, object]) -> None:
        """Run tool calls of one round concurrently; the round ends after all of them."""
        self.begin()
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def call(self, tool: str, tool_input: Json) -> ToolCall:
        """A pending call in the open round."""
        message = self.begin()
        self._step()
        call = ToolCall(self.server, message, tool, tool_input)
        self._calls.append(call)
        return call

    async def use(
        self,
        tool: str,
        tool_input: Json,
        output: str,
        title: str,
        metadata: Json | None = None,
        seconds: float = 0.4,
    ) -> None:
        """A tool call that succeeds after `seconds`."""
        with self.call(tool, tool_input) as call:
            self._run(call)
            await self.clock.sleep(seconds)
            call.completed(output, title, metadata or {})
            self.model_input = output

    async def edit(self, path: str, patch: str, seconds: float = 0.6) -> None:
        """Edit a file by a unified diff, which is added to the session's diff; no file is written."""
        lines = patch.splitlines()
        counts = {
            kind: sum(line.startswith(sign) and not line.startswith(sign * 3) for line in lines)
            for kind, sign in (("additions", "+"), ("deletions", "-"))
        }
        change = {"file": path, "patch": patch, **counts, "status": "modified"}
        metadata = {"diff": patch, "filediff": change, "diagnostics": {}}
        await self.use("edit", {"filePath": path}, "Edit applied successfully.", path, metadata, seconds)
        self.server.set_diff(self.session, [*self.session.diff, change])
        self.server.bus.publish("file.edited", {"file": path}, self._place)

    async def plan(self, todos: list[Json]) -> None:
        """Set the todo list: `{"content", "status", "priority"}` each."""
        open_ones = sum(todo["status"] != "completed" for todo in todos)
        self.server.set_todos(self.session, todos)
        await self.use(
            "todowrite", {"todos": todos}, encode(todos).decode(), f"{open_ones} todos", {"todos": todos}, 0.1
        )

    async def ask(self, *questions: Json) -> list[list[str]]:
        """Wait for the user's answers, a list for each question. Raises TurnEnded when dismissed."""
        where = (self._place, self.session.id)
        with self.call("question", {"questions": list(questions)}) as call:
            asked = self.server.requests.ask_question(*where, list(questions), call.reference)
            self._run(call)
            match await asked.outcome:
                case Answered(answers):
                    title = f"Asked {len(questions)} question{'s' if len(questions) > 1 else ''}"
                    self.model_input = _answered(questions, answers)
                    call.completed(self.model_input, title, {"answers": answers})
                    return answers
                case Rejected():
                    call.failed("The user dismissed this question")
                    raise TurnEnded

    async def shell(self, command: str, lines: list[str], pause: float = 0.3, *, asks: bool = True) -> bool:
        """Play a command whose output grows line by line, `pause` seconds apart; False if it was refused.

        Asks for permission first; raises TurnEnded if refused without a reason.
        """
        with self.call("bash", {"command": command, "description": "Run it"}) as call:
            call.running()
            asked = self._request_permission(call, command) if asks else None
            self._store_text()
            if asked is not None and (reason := _refusal(await asked.outcome)) is not None:
                error = "The user rejected permission to use this specific tool call"
                if not reason:
                    call.failed(f"{error}.")
                    raise TurnEnded
                self.model_input = f"{error} with the following feedback: {reason}"
                call.failed(self.model_input)
                return False
            output = ""
            for line in lines:
                await self.clock.sleep(pause)
                output += f"{line}\n"
                call.running({"output": output})
            output = output or "(no output)"
            call.completed(output, command, {"output": output, "exit": 0})
            self.model_input = output
            return True

    async def interactive(self, command: str) -> None:
        """A command that the user must run at a terminal, sending back its output."""
        if not self.server.profile.bash_interactive:
            await self.shell(command, ["typed"])
            return
        description = "Run it at a terminal"
        with self.call("bash", {"command": command, "description": description, "interactive": True}) as call:
            call.running()
            asked = self._request_permission(call, command)
            self._store_text()
            if _refusal(await asked.outcome) is not None:
                call.failed("The user rejected permission to use this specific tool call.")
                raise TurnEnded
            call.running({"output": "(waiting for user interaction...)", "description": description})
            waiting = self.server.requests.ask_command(self._place, command, description)
            self.model_input, code = await waiting.outcome
            metadata = {"output": self.model_input, "exit": code, "description": description}
            call.completed(self.model_input, description, metadata)

    async def delegate(self, description: str, prompt: str, script: Script) -> None:
        """Run a script in a child session and wait for it. Aborting this turn aborts the child's.

        Raises TurnEnded if a refusal there ends this turn too.
        """
        task = {"description": description, "prompt": prompt, "subagent_type": "general"}
        title = f"{description} (@general subagent)"
        with self.call("task", task) as call:
            child = self.server.create_session(self._place, title, self.session.id)
            self._run(call, {"sessionId": child.id})
            answer = await self._delegate(child, prompt, script)
            refused = answer.info.get("finish") == "tool-calls"
            if refused and self.server.profile.refused_subagent == "ends the turn":
                call.failed("The user refused what it asked for")
                raise TurnEnded
            texts = [part["text"] for part in answer.parts.values() if part["type"] == "text"]
            result = f"<task_result>\n{texts[-1] if texts else ''}\n</task_result>"
            self.model_input = f"task_id: {child.id}\n\n{result}"
            call.completed(self.model_input, description, {"sessionId": child.id})

    def _request_permission(self, call: ToolCall, command: str) -> Permission:
        return self.server.requests.ask_permission(
            self._place,
            self.session.id,
            "bash",
            [command],
            [f"{command.split()[0]} *"],
            metadata={} if self.server.profile.revisions else {"command": command},
            tool=call.reference,
        )

    def _run(self, call: ToolCall, metadata: Json | None = None) -> None:
        call.running(metadata)
        self._store_text()


def _refusal(outcome: Allowed | Rejected) -> str | None:
    """None if allowed, else the reason, which may be empty."""
    match outcome:
        case Allowed():
            return None
        case Rejected(reason):
            return reason or ""


def _answered(questions: Sequence[Json], answers: list[list[str]]) -> str:
    """The tool result for the model, in opencode's words."""
    given = answers + [[]] * (len(questions) - len(answers))
    said = ", ".join(
        f'"{question["question"]}"="{", ".join(answer) or "Unanswered"}"'
        for question, answer in zip(questions, given, strict=False)
    )
    return f"User has answered your questions: {said}. You can now continue with the user's answers in mind."
