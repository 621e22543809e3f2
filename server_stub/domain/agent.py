"""Runs scripted turns: which sessions are busy, who waits for which answer, and what an abort does.

A session has one run at a time, as in opencode: prompts are stored at once, and the run goes on until the newest is
answered. All waiters of a session get its last message at the same time. A closed connection never ends a run by
itself; families that abort then do so in their routes.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from textwrap import shorten
from typing import Any

from server_stub.domain.api_errors import ApiError, unexpected
from server_stub.domain.json_encoding import Json
from server_stub.domain.rounds import Superseded
from server_stub.domain.scripted_turn import ModelFailed, Script, ScriptedTurn, TurnEnded
from server_stub.domain.state import BUSY, IDLE, Message, ServerState, Session, acting_in

AGENTS = ("build", "explore", "general", "plan")
MODEL: Json = {"providerID": "holdfast", "modelID": "scripted"}
ABORTED: Json = {"name": "MessageAbortedError", "data": {"message": "Aborted"}}
COMMANDS = {
    "init": ("guided AGENTS.md setup", "Create or update AGENTS.md for this project.\n\n$ARGUMENTS"),
    "review": ("review changes", "Review what has changed and say what is wrong with it.\n\n$ARGUMENTS"),
}
"""Name → description and template."""

SAME_ANSWERS = 3
LOOP: Json = {
    "type": "text",
    "synthetic": True,
    "text": "<system-reminder>\nLOOP DETECTED: Your last several outputs were identical.\n</system-reminder>",
}
"""The prompt that MiMo Code 0.1.15 adds after so many equal answers.

Until then it answers a prompt whose id sorts above the answer's, as with a client clock ahead, again and again.
"""

UNTITLED = ("New session - ", "Child session - ", "Untitled")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the user: `parts` as on the wire, with or without ids."""

    parts: list[Json]
    message_id: str | None = None
    agent: str = "build"
    model: Json = field(default_factory=lambda: MODEL)


@dataclass(slots=True)
class Run:
    """One run of a session; `turn` answers the current prompt. `ends` is set by `end`, while it cleans up."""

    task: "asyncio.Task[None]"
    turn: ScriptedTurn | None = None
    ends: bool = False

    @property
    def waits_for_provider(self) -> bool:
        return self.turn is not None and self.turn.waits_for_provider

    def end(self) -> None:
        """Cancel the task; a second call does nothing, since it would interrupt the clean-up."""
        if not self.ends:
            self.ends = True
            self.task.cancel()


Work = Callable[[Session, Run], Awaitable[ScriptedTurn | None]]
"""The body of a run; returns the turn to summarize after the idle status, if any."""


class Agent:
    """Runs prompts as scripted turns. `choose` returns the script for a prompt's text."""

    def __init__(self, server: ServerState, choose: Callable[[str], Script]) -> None:
        self._server = server
        self._choose = choose
        self._runs: dict[tuple[str, str], Run] = {}
        """By session and directory."""
        self._scripts: dict[str, Script] = {}

    def is_busy(self, session: Session) -> bool:
        return self._run_of(session) is not None

    def accept(self, session: Session, prompt: Prompt) -> Message:
        """Store the prompt; repeated ids are stored once.

        Raises ApiError 500 for an unknown agent, and for an id that belongs to another session.
        """
        if prompt.agent not in AGENTS:
            known = ", ".join(AGENTS)
            self._report(session, f'Agent not found: "{prompt.agent}". Available agents: {known}')
            raise unexpected()
        message_id = prompt.message_id or self._server.ids.new("msg")
        if any(message_id in other.messages for other in self._server.sessions.values() if other is not session):
            raise unexpected()
        info: Json = {
            "id": message_id,
            "role": "user",
            "sessionID": session.id,
            "time": {"created": self._next_moment(session)},
            "agent": prompt.agent,
            "model": prompt.model,
        }
        self._remove_reverted(session)
        if self._server.profile.revisions:
            mode = {"systemMode": "append", "harness": "auto"}
            info |= {**mode, "agentID": "main"}
            self._server.update_session(session, prompt=mode)
        else:
            model = {"id": prompt.model["modelID"], "providerID": prompt.model["providerID"], "variant": "default"}
            self._server.update_session(session, agent=prompt.agent, model=model)
        message = self._server.put_message(info)
        where = {"messageID": message_id, "sessionID": session.id}
        for part in prompt.parts:
            self._server.put_prompt_part({"id": self._server.ids.new("prt"), **part, **where})
        return message

    def start(self, session: Session) -> Run:
        """The session's run, started if there is none. Raises ApiError 500 if the prompt's model does not exist."""
        run = self._run_of(session)
        if run is None or run.ends:
            prompt = newest(session, "user")
            if prompt is not None and prompt.info["model"] != MODEL:
                self._refuse_model(session, prompt.info["model"])
            run = self._begin(session, self._answer_prompts)
        return run

    async def answer(self, session: Session) -> Message:
        """Wait until the newest prompt is answered; every waiter gets the last assistant message.

        Cancelling the wait does not stop the run. Raises what `start` raises.
        """
        return await self._outcome(session, self.start(session))

    def abort(self, session: Session) -> None:
        """Cancel the run. Idle is published twice: at once, and again when the parts are closed.

        While the run waits for the provider, nothing is published at once.
        """
        run = self._run_of(session)
        if run is None:
            self._server.set_status(session, IDLE)
            return
        profile = self._server.profile
        says_nothing = run.waits_for_provider and profile.provider_retry == "status"
        if not run.ends and not says_nothing:
            self._server.report_error(session, ABORTED)
            if profile.early_idle:
                self._server.set_status(session, IDLE)
        if profile.abort_takes_permission:
            self._server.requests.withdraw_permissions(session.id)
        run.end()

    async def end(self, sessions: list[Session]) -> None:
        """Cancel their runs and wait until their final messages are stored."""
        runs = [run for session in sessions if (run := self._run_of(session)) is not None]
        for run in runs:
            run.end()
        if runs:
            await asyncio.wait([run.task for run in runs])

    async def dispose(self, directory: str | None = None) -> None:
        """Abort all runs of a directory, or (None) of every one, and drop their requests and grants."""
        places = {place for _, place in self._runs} | {one.directory for one in self._server.with_deleted()}
        for place in places if directory is None else {directory}:
            with acting_in(place):
                affected = self._server.with_deleted()
                for session in affected:
                    if self.is_busy(session):
                        self.abort(session)
                await self.end(affected)
        self._server.requests.forget(directory)
        for one in places if directory is None else {directory}:
            self._server.bus.publish("server.instance.disposed", {"directory": one}, one, last=True)
        if directory is None:
            self._server.bus.publish("global.disposed", {}, "global")

    def command(
        self, session: Session, name: str, arguments: str, prompt: Prompt | None = None
    ) -> Coroutine[Any, Any, Message]:
        """Prompt with the command's template, at once; the returned coroutine waits for the answer.

        `prompt` carries the files, id, agent and model. Raises ApiError 500 for an unknown command.
        """
        if name not in COMMANDS:
            message = f'Command not found: "{name}". Available commands: {", ".join(COMMANDS)}'
            self._report(session, message)
            zods = self._server.profile.validation == "zod"
            raise ApiError(500, {"name": "UnknownError", "data": {"message": message}}) if zods else unexpected()
        _, template = COMMANDS[name]
        prompt = prompt or Prompt([])
        text = template.replace("$ARGUMENTS", arguments)
        self.accept(session, replace(prompt, parts=[{"type": "text", "text": text}, *prompt.parts]))

        async def executed() -> Message:
            answer = await self.answer(session)
            done = {"name": name, "arguments": arguments, "messageID": answer.info["id"]}
            self._server.publish(session, "command.executed", done)
            return answer

        return executed()

    async def shell(self, session: Session, command: str) -> Message:
        """Play a shell command of the user. No model is involved: the message has neither steps nor a finish."""
        text = "The following tool was executed by the user"
        prompt = self.accept(session, Prompt([{"type": "text", "text": text, "synthetic": True}]))

        async def play(session: Session, run: Run) -> ScriptedTurn | None:
            run.turn = ScriptedTurn(self._server, session, prompt, self._delegate, stepless=True)
            await run.turn.shell(command, [f"(the stub runs nothing: {command})"], asks=False)
            run.turn.interrupt(None)
            return None if newest(session, "user") is prompt else await self._answer_prompts(session, run)

        return await self._outcome(session, self._begin(session, play))

    async def summarize(self, session: Session) -> None:
        async def script(turn: ScriptedTurn) -> None:
            await turn.stream_words("So far: the work was described, begun, and is going well.")
            turn.end("stop")
            self._server.publish(session, "session.compacted", {})

        await self._perform(session, Prompt([{"type": "compaction", "auto": False}]), script)

    async def _perform(self, session: Session, prompt: Prompt, script: Script) -> Message:
        message = self.accept(session, prompt)
        self._scripts[message.info["id"]] = script
        return await self.answer(session)

    def _run_of(self, session: Session) -> Run | None:
        run = self._runs.get((session.id, self._server.directory_of(session)))
        return None if run is None or run.task.done() else run

    def _begin(self, session: Session, work: Work) -> Run:
        before = self._run_of(session)
        run = self._runs[session.id, self._server.directory_of(session)] = Run(
            asyncio.create_task(self._run(session, before, work))
        )
        return run

    async def _outcome(self, session: Session, run: Run) -> Message:
        """The last assistant message when the run has ended. Raises ApiError 500 if there is none."""
        await asyncio.wait({run.task})
        if not run.task.cancelled():
            run.task.result()
        answer = newest(session, "assistant")
        if answer is None or session.id in self._server.deleted:
            raise unexpected()
        return answer

    async def _run(self, session: Session, before: Run | None, work: Work) -> None:
        run = self._runs[session.id, self._server.directory_of(session)]
        ended: ScriptedTurn | None = None
        try:
            if before is not None:
                await asyncio.wait({before.task})
            await self._server.wait_until_not_wedged()
            self._server.set_status(session, BUSY)
            ended = await work(session, run)
            if session.id in self._server.deleted:
                # opencode retries to store its messages for ever; only an abort ends the run
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if run.turn is not None:
                silent = run.turn.waits_for_provider and self._server.profile.provider_retry == "status"
                run.turn.interrupt(None if silent else ABORTED)
            if not self._server.profile.early_idle:
                self._server.set_status(session, IDLE)
        finally:
            self._server.set_status(session, IDLE)
        if ended is not None and session.id in self._server.sessions:
            self._summarize(ended)

    async def _answer_prompts(self, session: Session, run: Run) -> ScriptedTurn | None:
        """Answer prompts until none is left; returns the last turn, or None if the model failed in it."""
        answered: Counter[str] = Counter()
        while (prompt := self._unanswered(session)) is not None:
            if answered[prompt.info["id"]] == SAME_ANSWERS:
                prompt = self.accept(session, Prompt([LOOP], agent=prompt.info["agent"]))
            answered[prompt.info["id"]] += 1
            run.turn = ScriptedTurn(self._server, session, prompt, self._delegate)
            try:
                await self._play(run.turn)
            except Superseded:
                await self._server.wait_until_not_wedged()
            except TurnEnded:
                if not self._server.profile.finishes_rejected:
                    run.turn.interrupt(None)
                    self._measure(run.turn, "completed")
                    return None
                run.turn.end("tool-calls")
                break
            except ModelFailed as failure:
                self._server.report_error(session, failure.error)
                if self._server.profile.early_idle:
                    self._server.set_status(session, IDLE)
                run.turn.interrupt(failure.error)
                self._measure(run.turn, "error")
                return None
        await self._server.stored()
        if run.turn is not None:
            self._measure(run.turn, "completed")
        return run.turn

    def _measure(self, turn: ScriptedTurn, phase: str) -> None:
        used = {"total_tokens_in": turn.used[0], "total_tokens_out": turn.used[1]}
        about = {"phase": phase, "task_type": turn.prompt.info["agent"], "surface": "cli"}
        done = {"files_changed": len(turn.session.diff), "validation_status": "skipped"}
        self._server.measure(turn.session, "agent_request", {**about, **used, **done})

    async def _play(self, turn: ScriptedTurn) -> None:
        text = " ".join(part["text"] for part in turn.prompt.parts.values() if part["type"] == "text")
        self._introduce(turn, text)
        script = self._scripts.pop(turn.prompt.info["id"], None) or self._choose(text)
        await script(turn)
        turn.end("stop")
        if turn.is_superseded():
            raise Superseded

    def _introduce(self, turn: ScriptedTurn, text: str) -> None:
        """Title a session after its first prompt, and store the prompt's summary."""
        turn.begin()
        if turn.session.info["title"].startswith(UNTITLED):
            title = shorten(text, 50, placeholder="…") or "Untitled"
            revision = {"titleRevision": 1} if self._server.profile.revisions else {}
            self._server.update_session(turn.session, title=title, **revision)
        self._summarize(turn)

    def _summarize(self, turn: ScriptedTurn) -> None:
        """Store the changes so far on the session and on the prompt."""
        diff = turn.session.diff
        counts = {kind: sum(file[kind] for file in diff) for kind in ("additions", "deletions")}
        self._server.update_session(turn.session, summary={**counts, "files": len(diff)})
        self._server.set_diff(turn.session, diff)
        self._server.put_message({**turn.prompt.info, "summary": {"diffs": diff}})

    async def _delegate(self, child: Session, text: str, script: Script) -> Message:
        try:
            return await self._perform(child, Prompt([{"type": "text", "text": text}], agent="general"), script)
        except asyncio.CancelledError:
            self.abort(child)
            raise

    def _unanswered(self, session: Session) -> Message | None:
        """The newest prompt, or None if the last answer is a finished answer to it."""
        prompt, answer = newest(session, "user"), newest(session, "assistant")
        if prompt is None or answer is None:
            return prompt
        finished = answer.info.get("finish") not in (None, "tool-calls")
        if self._server.profile.answered_by == "id order":
            answered = prompt.info["id"] < answer.info["id"]
        else:
            answered = answer.info["parentID"] == prompt.info["id"]
        return None if finished and answered else prompt

    def _next_moment(self, session: Session) -> int:
        """Now, but later than every message of the session: prompts are ordered by their time."""
        moment = self._server.clock.now()
        for message in session.messages.values():
            moment = max(moment, message.info["time"]["created"] + 1)
        return moment

    def _remove_reverted(self, session: Session) -> None:
        """Delete the reverted messages: a prompt after a revert makes it final."""
        if "revert" not in session.info:
            return
        ids = list(session.messages)
        for message_id in ids[ids.index(session.info["revert"]["messageID"]) :]:
            self._server.remove_message(session, message_id)
        self._server.update_session(session, revert=None)

    def _refuse_model(self, session: Session, model: Json) -> None:
        self._server.set_status(session, BUSY)
        self._report(session, f"Model not found: {model['providerID']}/{model['modelID']}.")
        self._server.set_status(session, IDLE)
        raise unexpected()

    def _report(self, session: Session, message: str) -> None:
        self._server.report_error(session, {"name": "UnknownError", "data": {"message": message}})


def newest(session: Session, role: str) -> Message | None:
    """The newest message of a role by `time.created`, which posting a prompt again renews."""
    messages = [message for message in session.messages.values() if message.info["role"] == role]
    return max(messages, key=lambda message: message.info["time"]["created"], default=None)
