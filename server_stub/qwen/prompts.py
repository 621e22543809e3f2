"""The prompt queue of one live session, answered in order of arrival.

`Agent` runs the prompts; this module queues them, publishes their events and records how they ended.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, Protocol

from server_stub.domain import agent as agents
from server_stub.domain.api_errors import ApiError
from server_stub.domain.json_encoding import Json
from server_stub.domain.state import Message, ServerState, Session
from server_stub.qwen import background_turns, stored_transcript, updates
from server_stub.qwen.background_turns import Report

MAX_PENDING = 5
RETRY_AFTER = {"Retry-After": "5"}
INTERNAL = {"message": "Internal error", "code": "-32603"}
"""qwen's generic error for a provider's error, except in the event that ends the turn."""


@dataclass(slots=True, eq=False)
class Prompt:
    content: list[Json]
    originator: str | None
    queued_at: int
    """Epoch ms, as all times here."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: Literal["queued", "running", "completed", "cancelled", "error"] = "queued"
    waited: bool = False
    """It was not the first in the queue, which was published."""
    removed: bool = False
    started_at: int | None = None
    cancelled_at: int | None = None
    ended_at: int | None = None
    result: str = ""
    error: Json | None = None
    provider_error: str | None = None
    """The provider's message, sent in the event and, after a load, by the turn's route only."""
    report: Report | None = None
    """Set for a turn of the daemon, in which the model gets an agent's report."""
    echoed: bool = False

    @property
    def text(self) -> str:
        return "\n".join(str(block.get("text", "")) for block in self.content)

    def pending(self) -> Json:
        shown = {"promptId": self.id, "text": self.text, "queuedAt": self.queued_at, "state": self.state}
        return {**shown, **self._originated()}

    def turn(self, session_id: str) -> Json:
        times = {"queuedAt": self.queued_at, "startedAt": self.started_at, "endedAt": self.ended_at}
        known: Json = {"sessionId": session_id, "promptId": self.id, "promptText": self.text, "state": self.state}
        known |= {name: moment for name, moment in times.items() if moment is not None} | self._originated()
        match self.state:
            case "completed":
                known |= {"stopReason": "end_turn", **({"resultText": self.result} if self.result else {})}
            case "cancelled":
                known["stopReason"] = "cancelled"
            case "error":
                known["error"] = self.error or INTERNAL
        return known

    def _originated(self) -> Json:
        return {} if self.originator is None else {"originatorClientId": self.originator}


class Publish(Protocol):
    def __call__(self, kind: str, data: Json, prompt: Prompt | None = None) -> None: ...


class PromptQueue:
    def __init__(
        self,
        server: ServerState,
        agent: agents.Agent,
        session: Session,
        publish: Publish,
        settled: Callable[[], None],
    ) -> None:
        """`settled` is called after each prompt ends."""
        self._server = server
        self._agent = agent
        self._session = session
        self._publish = publish
        self._settled = settled
        self._known: dict[str, Prompt] = {}
        self._waiting: deque[Prompt] = deque()
        self._work: asyncio.Task[None] | None = None
        self._own: Prompt | None = None
        self._reports: deque[Report] = deque()
        self._expected = {report.call_id for report in background_turns.started(session, "")}
        """Calls whose report is sent or expected; agents of an earlier process never report."""
        self._agents: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> list[Prompt]:
        """The running prompt, and those behind it."""
        return list(self._waiting)

    @property
    def busy(self) -> bool:
        return bool(self._waiting) or self._own is not None

    @property
    def running(self) -> Prompt | None:
        if self._own is not None:
            return self._own
        first = self._waiting[0] if self._waiting else None
        return first if first is not None and first.state == "running" else None

    def turn(self, prompt_id: str) -> Json:
        """The state of a prompt. Raises ApiError 404 if it is neither known nor stored."""
        known = self._known.get(prompt_id)
        turn = stored_transcript.turn(self._session, prompt_id) if known is None else known.turn(self._session.id)
        if turn is None:
            where = {"code": "prompt_not_found", "sessionId": self._session.id, "promptId": prompt_id}
            error = f"Prompt {prompt_id} not found in session {self._session.id}"
            raise ApiError(HTTPStatus.NOT_FOUND, {"error": error, **where})
        return turn

    def accept(self, content: list[Json], originator: str | None) -> Prompt:
        """Queue a prompt. Raises ApiError 503 if MAX_PENDING are queued."""
        count = len(self._waiting)
        if count >= MAX_PENDING:
            error = f'Prompt queue full for session "{self._session.id}" ({count}/{MAX_PENDING} pending)'
            where = {"code": "prompt_queue_full", "sessionId": self._session.id}
            body = {"error": error, **where, "limit": MAX_PENDING, "pendingCount": count}
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, body, RETRY_AFTER)
        prompt = Prompt(content, originator, self._server.clock.now(), waited=count > 0)
        self._known[prompt.id] = prompt
        self._waiting.append(prompt)
        stored_transcript.record(self._server, self._session, {"promptId": prompt.id, "at": prompt.queued_at})
        if prompt.waited:
            shown = {"text": prompt.text, "queuedAt": prompt.queued_at}
            self._publish("pending_prompt_added", self._named(prompt, **shown), prompt)
        if self._own is not None and not prompt.waited:
            self._echo(prompt)
            self._abort(self._own)
        self._begin_work()
        return prompt

    def cancel(self) -> Prompt | None:
        """Cancel the running prompt, if any."""
        prompt = self.running
        self._publish("prompt_cancelled", {"sessionId": self._session.id}, prompt)
        if prompt is not None:
            self._abort(prompt)
        return prompt

    def remove(self, prompt_id: str) -> bool:
        """Remove a prompt from the queue, or cancel it if it runs; False if it does neither."""
        prompt = next((one for one in self._waiting if one.id == prompt_id), None)
        if prompt is None or prompt.removed:
            return False
        prompt.removed = True
        if prompt is self.running:
            self.cancel()
            self._publish("pending_prompt_completed", self._named(prompt, state="removed"), prompt)
        else:
            self._waiting.remove(prompt)
            self._publish("pending_prompt_completed", self._named(prompt, state="removed"), prompt)
            self._end(prompt, "cancelled")
        return True

    def close(self) -> None:
        """End all prompts; the caller ends the agent's runs.

        Waiting prompts begin and are refused, because the session closes; their text is not stored. The last of several
        fails with another error, as it is still with the agent (measured).
        """
        self._stop()
        refused = 0
        while self._waiting:
            prompt = self._waiting.popleft()
            if not prompt.waited or prompt.state == "running":
                self._end(prompt, "cancelled")
                continue
            self._publish("pending_prompt_started", self._named(prompt, text=prompt.text), prompt)
            self._echo(prompt)
            if refused and not self._waiting:
                self._interrupt(prompt, "session closed before the prompt completed", code="session_closed")
                self._publish("prompt_cancelled", {"sessionId": self._session.id}, prompt)
            else:
                self._refuse(prompt, {"message": "Invalid params: Session is closing", "code": "-32602"})
                self._publish("pending_prompt_completed", self._named(prompt, state="completed"), prompt)
            refused += 1

    def agent_exited(self) -> None:
        """The agent's process has ended: the running prompt fails, and waiting prompts are lost."""
        self._stop()
        where = self._session.id
        while self._waiting:
            prompt = self._waiting.popleft()
            if prompt.state == "running":
                self._interrupt(prompt, f"agent channel closed mid-request (session {where})")
            else:
                self._publish("pending_prompt_started", self._named(prompt, text=prompt.text), prompt)
                self._interrupt(prompt, f'No session with id "{where}"', code="session_not_found")
            if prompt.waited:
                self._publish("pending_prompt_completed", self._named(prompt, state="completed"), prompt)

    def _abort(self, prompt: Prompt) -> None:
        if prompt.cancelled_at is None:
            prompt.cancelled_at = self._server.clock.now()
            self._agent.abort(self._session)

    def _begin_work(self) -> None:
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._answer_all())

    def _stop(self) -> None:
        for task in (self._work, *self._agents):
            if task is not None:
                task.cancel()
        self._reports.clear()
        own, self._own = self._own, None
        if own is not None:
            self._end(own, "cancelled")

    async def _answer_all(self) -> None:
        while self._waiting or self._reports:
            if not self._waiting:
                if not await self._answer_report(self._reports.popleft()):
                    return
                continue
            prompt = self._waiting[0]
            prompt.state, prompt.started_at = "running", self._server.clock.now()
            if prompt.waited:
                self._publish("pending_prompt_started", self._named(prompt, text=prompt.text), prompt)
            self._echo(prompt)
            if not await self._answer(prompt):
                return
            self._waiting.popleft()
            if prompt.waited and not prompt.removed:
                self._publish("pending_prompt_completed", self._named(prompt, state="completed"), prompt)
            self._expect_reports(prompt.id)
            self._settled()

    def _expect_reports(self, source: str) -> None:
        for report in background_turns.started(self._session, source):
            if report.call_id not in self._expected:
                self._expected.add(report.call_id)
                agent = asyncio.create_task(self._await_report(report))
                self._agents.add(agent)
                agent.add_done_callback(self._agents.discard)

    async def _await_report(self, report: Report) -> None:
        await self._server.clock.sleep(background_turns.REPORTS_AFTER)
        self._publish_update(report.completed())
        self._reports.append(report)
        self._begin_work()

    async def _answer_report(self, report: Report) -> bool:
        """Run a turn of the daemon; False if the process has ended."""
        now = self._server.clock.now()
        report.begin(self._session.id, now)
        block = {"type": "text", "text": report.text}
        prompt = self._own = Prompt([block], None, now, report.id, "running", started_at=now, report=report)
        for update in report.opening():
            self._publish_update(update, prompt)
        alive = await self._answer(prompt)
        self._own = None
        if alive:
            self._settled()
        return alive

    async def _answer(self, prompt: Prompt) -> bool:
        """Run a prompt; False if the run ended without `cancel`: the process has ended."""
        if not all(isinstance(block.get("text"), str) for block in prompt.content if block.get("type") == "text"):
            self._fail(prompt, INTERNAL["message"])
            return True
        parts = [block for block in prompt.content if block.get("type") == "text"]
        asked = self._agent.accept(self._session, agents.Prompt(parts))
        own = {} if prompt.report is None else prompt.report.stored()
        self._server.put_message({**asked.info, "promptId": prompt.id, **own})
        answer = await self._answer_to(asked)
        error = answer.info.get("error") if answer is not None else None
        if prompt.cancelled_at is not None:
            elapsed = prompt.cancelled_at - (prompt.started_at or 0)
            cancelled = {"cancelledAt": prompt.cancelled_at, "elapsedMs": elapsed}
            self._end(prompt, "cancelled", promptCancelled=cancelled)
        elif answer is not None and "finish" in answer.info:
            self._complete(prompt, answer)
        elif error is not None and error != agents.ABORTED:
            self._fail(prompt, error["data"]["message"])
        else:
            return False
        return True

    async def _answer_to(self, asked: Message) -> Message | None:
        """None if the run ended before it began this prompt."""
        try:
            answer = await self._agent.answer(self._session)
        except ApiError:
            return None
        return answer if answer.info["parentID"] == asked.info["id"] else None

    def _complete(self, prompt: Prompt, answer: Message) -> None:
        if answer.info.get("finish") == "stop":
            prompt.result = "".join(part["text"] for part in answer.parts.values() if part["type"] == "text")
        branch = {"assistantRecordUuid": str(uuid.uuid4()), "checkpointUuid": str(uuid.uuid4())}
        self._end(prompt, "completed", **({"branchPoint": branch} if prompt.result else {}))

    def _fail(self, prompt: Prompt, message: str) -> None:
        """End the turn with a provider's error; the turn's route shows less of it than the event."""
        if prompt.report is not None:
            self._publish_update(prompt.report.failed(message), prompt)
            self._end(prompt, "completed")
            return
        prompt.provider_error = message
        self._refuse(prompt, INTERNAL)

    def _refuse(self, prompt: Prompt, error: Json) -> None:
        where = {"sessionId": self._session.id}
        self._publish("prompt_cancelled", {**where, "reason": "forward_failed"}, prompt)
        prompt.error = error
        self._record(prompt, "error", code=error["code"])
        data = {**where, **error, "message": prompt.provider_error or error["message"], "promptId": prompt.id}
        self._publish("turn_error", data, prompt)

    def _interrupt(self, prompt: Prompt, message: str, **code: str) -> None:
        self._record(prompt, "error", **code)
        data = {"sessionId": self._session.id, "message": message, **code, "promptId": prompt.id}
        self._publish("turn_error", data, prompt)

    def _end(self, prompt: Prompt, state: Literal["completed", "cancelled"], **more: Json) -> None:
        reason = "end_turn" if state == "completed" else "cancelled"
        if prompt.report is not None:
            self._end_own(prompt, prompt.report, reason)
            return
        self._record(prompt, state, **({"stopReason": reason} if state == "completed" else {}))
        data = {"sessionId": self._session.id, "stopReason": reason, "promptId": prompt.id, **more}
        self._publish("turn_complete", data, prompt)

    def _end_own(self, prompt: Prompt, report: Report, reason: str) -> None:
        for update in report.closing():
            self._publish_update(update, prompt)
        where = {"sessionId": self._session.id}
        data = {**where, "promptId": prompt.id, "stopReason": reason, "backgroundTurn": report.turn}
        self._publish("turn_complete", data, prompt)
        over = {**where, "reason": reason, "turnId": prompt.id}
        self._publish("background_notification_turn_complete", over, prompt)

    def _record(self, prompt: Prompt, state: Literal["completed", "cancelled", "error"], **more: str) -> None:
        """Store the end of a prompt, for loads after this process, unless it was interrupted."""
        prompt.state, prompt.ended_at = state, self._server.clock.now()
        entry: Json = {"promptId": prompt.id, "terminal": state, **more, "at": prompt.ended_at}
        if state != "error" or prompt.error is not None:
            details = {} if prompt.provider_error is None else {"error": {"message": prompt.provider_error}}
            entry[stored_transcript.ENDED] = prompt.turn(self._session.id) | details
        stored_transcript.record(self._server, self._session, entry)

    def _named(self, prompt: Prompt, **more: object) -> Json:
        return {"sessionId": self._session.id, "promptId": prompt.id, **more}

    def _publish_update(self, update: Json, prompt: Prompt | None = None) -> None:
        self._publish("session_update", {"sessionId": self._session.id, "update": update}, prompt)

    def _echo(self, prompt: Prompt) -> None:
        """Publish the prompt's text once, before its turn if it interrupts a turn of the daemon."""
        if prompt.echoed:
            return
        prompt.echoed = True
        meta = {"serverTimestamp": prompt.started_at or self._server.clock.now(), "source": "bridge-echo"}
        for block in prompt.content:
            self._publish_update({**updates.user_chunk(block), "_meta": meta}, prompt)
