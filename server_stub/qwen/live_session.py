"""One session in the daemon's memory: its events, prompt queue, open requests and clients."""

from collections.abc import Callable
from http import HTTPStatus

from server_stub.domain.agent import COMMANDS, Agent
from server_stub.domain.api_errors import ApiError
from server_stub.domain.client_registry import ClientRegistry
from server_stub.domain.json_encoding import Json
from server_stub.domain.state import ServerState, Session
from server_stub.qwen import interactions, stored_transcript, updates
from server_stub.qwen.compaction import MAX_BYTES, Replay
from server_stub.qwen.event_ring import EventRing
from server_stub.qwen.interactions import ALWAYS, CANCELLED, Interaction
from server_stub.qwen.prompts import Prompt, PromptQueue
from server_stub.qwen.timestamps import iso
from server_stub.qwen.update_translator import UpdateTranslator

DEFAULT_MODE = "default"
"""As with this `tools.approvalMode`; qwen's own default is `auto`, in which a model decides."""
AUTO_APPROVE_MODES = ("auto", "yolo")
"""Approval modes in which the scripted agent's commands need no permission."""


class LiveSession:
    def __init__(
        self,
        server: ServerState,
        agent: Agent,
        clients: ClientRegistry,
        session: Session,
        settled: Callable[["LiveSession"], None],
    ) -> None:
        """`settled` is called after each prompt ends."""
        self.session = session
        self.created_at = server.clock.now()
        """Epoch ms of the activation of the session, not of its transcript."""
        self.state: Json = {}
        """Modes and models of a restored session."""
        self.mode = DEFAULT_MODE
        self.ring = EventRing(
            server.clock.now, server.profile.event_ring, Replay(server.profile.live_journal, MAX_BYTES)
        )
        self.began_with_a_page = False
        """It was loaded with its newest records only."""
        self.turn_ended_at: int | None = None
        self._turn_error: Json | None = None
        self._server = server
        self._clients = clients
        self._translator = UpdateTranslator(server, self._update, self._ask, self._settle)
        self._open: dict[str, Interaction] = {}
        self._resolved: dict[str, tuple[Interaction, Json]] = {}
        self.prompts = PromptQueue(server, agent, session, self._publish, lambda: self._prompt_settled(settled))

    @property
    def id(self) -> str:
        return self.session.id

    @property
    def interactions(self) -> list[Interaction]:
        return list(self._open.values())

    @property
    def is_idle_and_alone(self) -> bool:
        """Without event stream and prompt."""
        return not self.ring.readers and not self.prompts.busy

    @property
    def turn_error(self) -> Json | None:
        """The error of the last turn, until another begins."""
        return None if self.prompts.running else self._turn_error

    def on_event(self, payload: Json) -> None:
        """Handle an event of this session, or of a subagent's session."""
        self._translator.on_event(payload)

    def reset_idle_timer(self) -> None:
        """Reset the idle time."""
        self._clients.record_heartbeat(self.id, None, self._server.clock.now())

    def change_mode(self, mode: str, client_id: str | None) -> None:
        """Set the mode; sends an event for an unchanged mode, too (measured on 0.24.4)."""
        data = {"sessionId": self.id, "previous": self.mode, "next": mode, "persisted": False}
        self.mode = mode
        self.ring.publish("approval_mode_changed", data, originator=client_id)

    def publish_commands(self) -> None:
        data = {"sessionId": self.id, "update": updates.commands(COMMANDS)}
        self.ring.publish("session_update", data)

    def restore(self, page_size: int | None = None) -> None:
        """Replay the stored records: all, or the newest `page_size`, to which later loads are then limited, too."""
        records = stored_transcript.records(self.session)
        kept = records if page_size is None else records[-page_size:]
        self.began_with_a_page = len(kept) < len(records)
        self.ring.seed([event for _, said in kept for event in said])

    def journal(self) -> list[Json]:
        """The kept events of the running turn."""
        running = self.prompts.running
        return self.ring.replay.live_journal(None if running is None else running.id)

    def cancel(self) -> None:
        """Cancel the running prompt and its requests."""
        self.prompts.cancel()
        self._cancel_interactions()

    def remove_prompt(self, prompt_id: str) -> bool:
        """False if it has ended or is unknown."""
        runs = self.prompts.running
        removed = self.prompts.remove(prompt_id)
        if removed and runs is not None and runs.id == prompt_id:
            self._cancel_interactions()
        return removed

    def close(self, reason: str, closed_by: str | None) -> None:
        self.prompts.close()
        by = {} if closed_by is None else {"closedBy": closed_by}
        data = {"sessionId": self.id, "reason": reason, **by}
        self.ring.publish("session_closed", data, originator=closed_by)
        self.ring.close()

    def agent_exited(self) -> None:
        """Simulate the end of the agent's process, as by SIGKILL."""
        running = self.prompts.running
        if running is not None:
            data = {"sessionId": self.id, "reason": "forward_failed"}
            self._publish("prompt_cancelled", data, running)
        self._cancel_interactions()
        self.prompts.agent_exited()
        how = {"reason": "channel_closed", "exitCode": None, "signalCode": "SIGKILL"}
        self.ring.publish("session_died", {"sessionId": self.id, **how})
        self.ring.close()

    # votes

    def has_request(self, request_id: str) -> bool:
        """Whether this request is open here."""
        return request_id in self._open

    def vote(self, request_id: str, outcome: Json, answers: object, voter: str | None) -> None:
        """Raises ApiError: 404 if it is not open, 400 for an option that was not offered."""
        interaction = self._open.get(request_id)
        if interaction is None:
            self._publish_already_resolved(request_id)
            where = {"sessionId": self.id, "requestId": request_id}
            raise ApiError(HTTPStatus.NOT_FOUND, {"error": "No pending permission request for session", **where})
        interaction.check(outcome)
        self._resolve(interaction, outcome, voter)
        requests = self._server.requests
        if interaction.kind == "user_question":
            if interaction.allows(outcome):
                requests.reply_question(interaction.asked, interactions.answers_of(interaction, answers))
            else:
                requests.reject_question(interaction.asked)
        elif not interaction.allows(outcome):
            requests.reply_permission(interaction.asked, "reject")
        else:
            always = outcome["optionId"].startswith(ALWAYS)
            requests.reply_permission(interaction.asked, "always" if always else "once")

    def _ask(self, kind: str, asked: Json, given: Json) -> None:
        running = self.prompts.running
        prompt_id = None if running is None else running.id
        now = iso(self._server.clock.now())
        if kind == "permission" and self.mode in AUTO_APPROVE_MODES:
            self._server.requests.reply_permission(asked["id"], "once")
            return
        if kind == "question":
            interaction = interactions.question(asked, now, prompt_id)
        else:
            interaction = interactions.permission(asked, given, now, prompt_id)
        self._open[interaction.id] = interaction
        data = {"requestId": interaction.id, "sessionId": self.id, "toolCall": interaction.call}
        self._publish("permission_request", {**data, "options": interaction.options}, running)

    def _settle(self, asked: str) -> None:
        """Resolve requests that were closed without a vote of their own."""
        for interaction in self.interactions:
            if interaction.asked == asked:
                self._resolve(interaction, CANCELLED, None)

    def _resolve(self, interaction: Interaction, outcome: Json, voter: str | None) -> None:
        del self._open[interaction.id]
        self._resolved[interaction.id] = (interaction, outcome)
        by = {} if voter is None else {"voterClientId": voter}
        data = {"requestId": interaction.id, "outcome": outcome, **by}
        self.ring.publish("permission_resolved", data, prompt_id=interaction.prompt_id, originator=voter)

    def _publish_already_resolved(self, request_id: str) -> None:
        """Publish the outcome of a request again after a late vote."""
        if request_id in self._resolved:
            interaction, outcome = self._resolved[request_id]
            data = {"requestId": request_id, "sessionId": self.id, "outcome": outcome}
            self.ring.publish("permission_already_resolved", data, prompt_id=interaction.prompt_id)

    def _cancel_interactions(self) -> None:
        for interaction in self.interactions:
            self._resolve(interaction, CANCELLED, None)

    # events

    def _update(self, update: Json) -> None:
        running = self.prompts.running
        sent = [update] if running is None or running.report is None else running.report.translate(update)
        for one in sent:
            self._publish("session_update", {"sessionId": self.id, "update": one}, running)

    def _publish(self, kind: str, data: Json, prompt: Prompt | None = None) -> None:
        if kind == "turn_error":
            self._turn_error = {name: data[name] for name in ("message", "code") if name in data}
        elif kind == "turn_complete":
            self._turn_error = None
        if prompt is None:
            self.ring.publish(kind, data)
        else:
            self.ring.publish(kind, data, prompt_id=prompt.id, originator=prompt.originator)

    def _prompt_settled(self, settled: Callable[["LiveSession"], None]) -> None:
        self.reset_idle_timer()
        self.turn_ended_at = self._server.clock.now()
        settled(self)
