"""Sends the prompt of a job to its session, once that is idle, and once per idempotency key."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from tui.api.errors import FileNotInProject, KeyInUse, KeyNotKept, PromptNotSent, SessionNotFound
from tui.api.session_opening import TRY_AGAIN, open_session
from tui.client.client import Client
from tui.client.prompt_dispatcher import NotFetched, NotSaved
from tui.core.mentions import mention
from tui.core.model import Session
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.errors import InvalidBody, NetError
from tui.storage.job_prompts import BoundPrompt, KeyTaken, KeyUnreadable

log = logging.getLogger(__name__)

SEND_TIMEOUT = 30.0
"""Seconds for which sending waits for another program that has locked the journal."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt and where it goes; see `Connection.start`."""

    prompt: str
    session: str | None = None
    resume: bool = False
    title: str = ""
    agent: str | None = None
    model: str | None = None
    files: Sequence[str] = ()
    key: str = ""


class JobSender:
    """`until` waits for a condition, or raises `CannotConnect`; `pause` waits so many seconds."""

    def __init__(
        self,
        client: Client,
        *,
        until: Callable[[Callable[[], object]], Awaitable[None]],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._until = until
        self._pause = pause
        self._created_new = False
        """Whether the server had no session of the id that it gave to the job's new one."""

    async def send(self, job: Job) -> Turn:
        """The turn of the job's prompt, which was sent now or before with the same key.

        Raises `SessionNotFound`, `FileNotInProject`, `PromptNotSent`, `KeyInUse`, `KeyNotKept` or `CannotConnect`.
        """
        text = await self._with_files(job)
        turn = await self._join(job, text) if job.key else None
        if turn is not None:
            return turn
        session_id, is_new = await self._session(job)
        self._client.choices.choose(session_id, agent=job.agent, model=job.model)
        try:
            return await self._when_idle(session_id, partial(self._client.prompts.send_job, session_id, text, job.key))
        except KeyTaken:  # by another process, just now
            if is_new:
                await self._delete_unused(session_id)
            turn = await self._join(job, text)
        except (KeyNotKept, PromptNotSent):
            if is_new:
                await self._delete_unused(session_id)
            raise
        if turn is None:
            raise KeyNotKept(f"key {job.key} cannot be read from the journal")
        return turn

    async def _join(self, job: Job, text: str) -> Turn | None:
        """The turn of the prompt that the key is bound to; None if the key is free.

        A prompt that the server certainly does not have is posted again with the same ids, unless the client that
        sent it still runs. A server that assigns ids itself never gets a prompt again that was about to be posted.
        """
        journal = self._client.journal
        if journal.in_memory_only:
            raise KeyNotKept(f"key {job.key} cannot be saved: {journal.problem or 'there is no state folder'}")
        while (bound := await self._claim(job.key)) is not None:
            first = bound.prompt
            if (first.text, first.agent, first.model) != (text, job.agent, job.model):
                raise KeyInUse(f"key {job.key} is bound to another prompt", "Use another key for another prompt.")
            if job.session not in (None, first.session_id):
                raise KeyInUse(f"key {job.key} is bound to a prompt of session {first.session_id}")
            await open_session(self._client, first.session_id, self._pause)
            turn = self._client.turns.recover(first)
            await self._until(partial(_is_known, turn))
            if turn.state is not TurnState.NOT_SENT or first.session_id in self._client.store.deleted:
                return turn
            if bound.owned_here:
                if turn.arrival_unknown:
                    return turn
                return await self._when_idle(first.session_id, partial(self._client.prompts.send_job_again, turn))
            await self._pause(TRY_AGAIN)
            self._client.turns.forget(turn)
        return None

    async def _claim(self, key: str) -> BoundPrompt | None:
        """See `JobPrompts.claim`; waits while another program has locked the journal. Raises `KeyNotKept`."""
        client = self._client
        deadline = client.now() + SEND_TIMEOUT
        while True:
            try:
                return client.journal.jobs.claim(key)
            except KeyUnreadable as error:
                if not client.journal.behind or client.now() > deadline:
                    raise KeyNotKept(f"nothing was sent now with key {key}: {error}", error.hint) from error
            await self._pause(TRY_AGAIN)

    async def _when_idle(self, session_id: str, send: Callable[[], Turn]) -> Turn:
        """The result of `send`, once the session is idle and the prompt saved."""
        client = self._client
        deadline = client.now() + SEND_TIMEOUT
        while True:
            await self._until(lambda: client.prompts.may_send_now(session_id) or session_id in client.store.deleted)
            if session_id in client.store.deleted:
                raise SessionNotFound(f"session {session_id} does not exist on the server")
            try:
                return send()
            except (NotFetched, NotSaved) as error:
                if isinstance(error, NotSaved) and client.journal.in_memory_only:
                    raise KeyNotKept(
                        "the key cannot be saved, so nothing was sent", client.journal.problem or ""
                    ) from error
                if client.now() > deadline:
                    raise PromptNotSent(error.message, error.hint) from error
                await self._pause(TRY_AGAIN)

    async def _session(self, job: Job) -> tuple[str, bool]:
        """The id of the job's session, opened, and whether it was created for the job."""
        session_id = job.session
        if session_id is None and job.resume:
            session_id = self._client.journal.last_session() or self._newest()
            if session_id is None:
                raise SessionNotFound("the server has no session to continue")
        is_new = session_id is None
        if session_id is None:
            session_id = (await self._new_session(job.title)).id
        await open_session(self._client, session_id, self._pause, is_new=is_new)
        return session_id, is_new

    async def _delete_unused(self, session_id: str) -> None:
        """Delete the session that was created for a prompt which was not sent, if nothing is in it."""
        transcript = self._client.store.transcript(session_id)
        if not self._created_new or transcript is None or transcript.messages:
            return
        try:
            await self._client.editing.delete(session_id)
        except NetError as error:
            log.info("the unused session %s stays: %s", session_id, error.message)

    def _newest(self) -> str | None:
        """The session that changed last, among those that were listed at the connection."""
        sessions = [one for one in self._client.store.sessions.values() if one.parent_id is None]
        newest = max(sessions, key=lambda one: one.updated, default=None)
        return newest.id if newest is not None else None

    async def _new_session(self, title: str) -> Session:
        while True:
            await self._until(lambda: self._client.synced)
            known = set(self._client.store.sessions)
            try:
                session = await self._client.new_session(title)
                self._created_new = session.id not in known
                return session
            except NetError as error:
                if error.permanent or isinstance(error, InvalidBody):  # after the latter it may have been created
                    raise PromptNotSent(error.message, error.hint) from error
                await self._pause(TRY_AGAIN)

    async def _with_files(self, job: Job) -> str:
        """The prompt, with a mention of each file at its end."""
        text = job.prompt
        for name in job.files:
            wanted = name.removeprefix("./")
            try:
                found = await self._client.choices.files(job.session or "", wanted)
            except NetError as error:
                raise PromptNotSent(f"{name} could not be looked up: {error.message}", error.hint) from error
            if not any(one.name.rstrip("/") == wanted.rstrip("/") for one in found):
                raise FileNotInProject(f"{name} is not in the server's project", "Name it relative to that folder.")
            text += f"\n\n{mention(wanted)}"
        return text


def _is_known(turn: Turn) -> bool:
    """Whether the server has the prompt, or certainly does not have it."""
    return turn.over or not turn.may_arrive
