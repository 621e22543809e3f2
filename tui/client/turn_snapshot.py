"""The snapshot of a turn in the store, as `tui.core.turn` takes it; its position on the server, its end time.

`turns` is always the list of the session's turns, oldest first.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Literal, TypeAlias

import msgspec

from tui.backends.base import Traits
from tui.client.ports import Ports
from tui.core.model import Failure, Idle, Message, Prompt, ToolPart
from tui.core.recorded_end import ends_rejected
from tui.core.store import ENDED, Store
from tui.core.transcript import Transcript
from tui.core.turn import Turn
from tui.core.turn_inputs import Snapshot
from tui.core.turn_state import TurnState

SEEN_LATE = 5.0
"""Seconds. An end seen sooner, or a prompt that arrived sooner, is dated by this client's clock, since server times are
precise to the second."""

Position: TypeAlias = Literal["unseen", "idle", "behind", "running", "passed"]
"""The server's position relative to a turn: prompt not shown, session idle, running an earlier prompt, running this
turn, running a later prompt."""


class TurnSnapshots:
    """Takes snapshots of turns in the store."""

    def __init__(self, store: Store, ports: Ports) -> None:
        self._store = store
        self._clock = ports.clocks.mono
        self._server_now = ports.server.server_now
        self._before: dict[str, _Before] = {}
        self.traits: Traits | None = None

    def sending(self, prompt: Prompt) -> None:
        """Record the session's current prompts: others that appear before `prompt` are later ones."""
        transcript = self._store.transcript(prompt.session_id)
        before = _Before(self._server_now(), frozenset())
        if transcript is not None and transcript.loaded:
            prompts = [m for m in transcript.messages.values() if m.role == "user"]
            newest = max((m.created for m in prompts), default=float("-inf"))
            before = _Before(newest, frozenset(m.id for m in prompts))
        self._before[prompt.message_id] = before

    def accepted(self, prompt_id: str, server_id: str) -> None:
        """Record that the server has the prompt under another id."""
        if prompt_id in self._before:
            self._before[server_id] = self._before.pop(prompt_id)

    def ended(self, turn: Turn) -> None:
        """Date the end of a turn by the server's record, since it may have ended long before this client saw it."""
        self._before.pop(turn.prompt_id, None)
        transcript = self._store.transcript(turn.session_id)
        prompt = transcript.messages.get(turn.prompt_id) if transcript is not None else None
        answer = self._store.answer_to(turn.session_id, turn.prompt_id)
        if prompt is None or answer is None or not answer.completed or answer.completed <= answer.created:
            return  # the end is not recorded
        ago = self._server_now() - answer.completed
        seen_late = ago > SEEN_LATE or turn.ended is None
        ended = max(turn.started, self._clock() - ago) if seen_late else None
        turn.set_end(max(0.0, answer.completed - prompt.created), ended)

    def has_open_calls(self, turn: Turn) -> bool:
        """Whether the turn's answers contain a tool call that has not ended."""
        transcript = self._store.transcript(turn.session_id)
        if transcript is None:
            return False
        answers = [m for m in transcript.ordered() if m.parent_id == turn.prompt_id]
        parts = (part for m in answers for part in transcript.parts_of(m.id))
        return any(isinstance(part, ToolPart) and part.state not in ENDED for part in parts)

    def position(self, turn: Turn, turns: Sequence[Turn]) -> Position:
        """The server's position relative to the turn, as far as the store shows it."""
        transcript = self._store.transcript(turn.session_id)
        ours = transcript.messages.get(turn.prompt_id) if transcript is not None else None
        if transcript is None or (ours is None and turn.state in (TurnState.SENDING, TurnState.UNKNOWN)):
            return "unseen"
        if isinstance(self._store.status(turn.session_id), Idle):
            return "idle"
        answer = transcript.answer_to(turn.prompt_id)
        waits = ours is None and answer is None and self._aborts_only_running
        if waits or self.earlier_at_work(turn, turns) is not None:
            return "behind"
        later = self._later(turn, ours, transcript, turns)
        whole = answer is not None and answer.completed is not None and (answer.final or answer.failure is not None)
        begun = any(transcript.answer_to(prompt.id) is not None for prompt in later)
        return "passed" if begun or (later and whole) else "running"

    def earlier_at_work(self, turn: Turn, turns: Sequence[Turn]) -> str | None:
        """The id of an earlier prompt that the server runs before this turn, or None."""
        transcript = self._store.transcript(turn.session_id)
        if transcript is None or transcript.answer_to(turn.prompt_id) is not None:
            return None
        ours, answer = transcript.messages.get(turn.prompt_id), transcript.newest_answer()
        at_work = None if answer is None or answer.completed is not None or answer.ended else answer.parent_id
        if self._aborts_only_running and ours is None:
            newest = transcript.newest_prompt()
            at_work = newest.id if newest is not None and transcript.answer_to(newest.id) is None else at_work
        known = turn_of(turns, at_work) if at_work is not None else None
        later = transcript.prompts_after(ours.created) if ours is not None else []
        if (known is not None and known.over) or at_work in {turn.prompt_id, *(prompt.id for prompt in later)}:
            return None
        return at_work

    @property
    def _aborts_only_running(self) -> bool:
        return self.traits is not None and not self.traits.aborts_queued

    def snapshot(
        self,
        turn: Turn,
        turns: Sequence[Turn],
        *,
        polled: bool = False,
        stored: bool | None = None,
        gone: bool = False,
        id_order: bool = False,
    ) -> Snapshot:
        """The current snapshot of the turn; `polled`, `stored` and `gone` are the result of a poll.

        `id_order`: the server selects the prompt to answer by the order of ids.
        """
        session_id, prompt_id = turn.session_id, turn.prompt_id
        transcript = self._store.transcript(session_id)
        ours = transcript.messages.get(prompt_id) if transcript is not None else None
        if ours is not None and ours.created:
            arrived = self._clock() - max(0.0, self._server_now() - ours.created)
            if turn.start_unknown or arrived - turn.started > SEEN_LATE:  # its upload took long, or it was held
                turn.set_started(arrived)
        later = self._later(turn, ours, transcript, turns) if transcript is not None else []
        answers = [self._store.answer_to(session_id, prompt.id) for prompt in later]
        requests = self._store.requests_of(session_id)
        answer = self._store.answer_to(session_id, prompt_id)
        parts = transcript.parts_of(answer.id) if transcript is not None and answer is not None else ()
        complete = [m for m in answers if m is not None and m.ended]
        return Snapshot(
            status=self._store.status(session_id),
            stored=True if ours is not None else stored,
            answer=answer,
            waiting=bool(requests),
            waited=max([0.0, *(self._server_now() - one.asked for one in requests if one.asked is not None)]),
            has_later_prompt=bool(later),
            later_answer=min(complete, key=lambda m: m.created, default=None),
            gone=gone or session_id in self._store.deleted,
            polled=polled,
            version=self._store.session_version(session_id),
            has_no_parts=ours is not None and transcript is not None and not transcript.parts_of(prompt_id),
            others_failure=_is_others(turn.failure, prompt_id, transcript),
            id_too_low=id_order and _is_outrun(turn, transcript),
            rejected=ends_rejected(parts),
        )

    def _later(self, turn: Turn, ours: Message | None, transcript: Transcript, turns: Sequence[Turn]) -> list[Message]:
        """The prompts after the turn's; while the server does not show it, those that are new since it was sent."""
        if ours is not None:
            return transcript.prompts_after(ours.created)
        before = self._before.get(turn.prompt_id)
        if before is None:
            return []  # sent by an earlier run: the prompts before it are unknown
        earlier = takewhile(lambda one: one is not turn, turns)
        known = before.ids | {one.prompt_id for one in earlier}
        return [m for m in transcript.prompts_after(before.created) if m.id not in known]


def turn_of(turns: Sequence[Turn], prompt_id: str) -> Turn | None:
    """The turn of a prompt, by the server's id or this client's id; None if unknown."""
    ours = (t for t in turns if t.prompt is not None and t.prompt.message_id == prompt_id)
    return next((t for t in turns if t.prompt_id == prompt_id), None) or next(ours, None)


def _is_others(failure: Failure | None, prompt_id: str, transcript: Transcript | None) -> bool:
    """Whether an error ended the answer to another prompt: its event may arrive late."""
    if failure is None or transcript is None:
        return False
    return any(answer.parent_id != prompt_id for answer in transcript.failed_with(failure))


def _is_outrun(turn: Turn, transcript: Transcript | None) -> bool:
    newest = transcript.newest_answer() if transcript is not None else None
    return newest is not None and newest.id > turn.prompt_id


class _Before(msgspec.Struct, frozen=True):
    """The prompts of a session when another one was sent: their ids, and the newest's time (epoch seconds)."""

    created: float
    ids: frozenset[str]
