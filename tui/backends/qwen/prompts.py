"""Prompts to qwen serve: posted, refused for now, or found again where the 202 was lost. Nothing is posted twice.

A prompt is taken at once and known from then on by the server's own id; which of them are ours is kept here.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping

from tui.backends.base import PromptAccepted, PromptLookup, PromptRejected
from tui.backends.client_identity import ClientIdentity
from tui.backends.decoding import decode
from tui.backends.qwen import schema as wire
from tui.backends.qwen.catalog import QwenCatalog
from tui.backends.qwen.echo import EchoPosition, find_prompt
from tui.backends.qwen.streams import FollowedSession, LoadedSession
from tui.core.model import Prompt
from tui.net.errors import HttpStatusError
from tui.net.http_client import Http
from tui.net.json_input import JSON
from tui.net.url import path_segment

LIMIT = 10.0
"""Seconds for a prompt to be taken."""
CLAIMS_KEPT = 500
"""Prompts of ours that are remembered, so that no other of the same words is taken for one of them."""


class Prompts:
    """`watches`: the sessions that are followed; `load` loads one, `watch` follows it from then on too."""

    def __init__(
        self,
        http: Http,
        presence: ClientIdentity,
        offers: QwenCatalog,
        watches: Mapping[str, FollowedSession],
        *,
        load: Callable[[str], Awaitable[LoadedSession]],
        watch: Callable[[str], Awaitable[LoadedSession]],
    ) -> None:
        self._http = http
        self._presence = presence
        self._offers = offers
        self._watches = watches
        self._load = load
        self._watch = watch
        self._claims: dict[str, str] = {}

    def new(self, session_id: str, text: str) -> Prompt:
        """One that is known by its place among the session's events, until the server names it."""
        watch = self._watches.get(session_id)
        after = "" if watch is None else str(EchoPosition.of(watch))
        return Prompt(session_id, text, message_id=str(uuid.uuid4()), part_id="", resume_cursor=after)

    async def post(self, prompt: Prompt) -> PromptAccepted:
        """Post it, in a session that is woken for it if need be. Raises `NetError`, `PromptRejected` among them."""
        body: JSON = {"prompt": [{"type": "text", "text": prompt.text}]}
        await self._choose(prompt)
        try:
            reply = await self._presence.call(prompt.session_id, "prompt", json=body, timeout=LIMIT)
        except HttpStatusError as refusal:
            if _code(refusal) == "prompt_queue_full":
                raise PromptRejected(
                    "the server's own queue is full", "Send it again when a turn has ended."
                ) from refusal
            if refusal.status != 404:
                raise
            await self._watch(prompt.session_id)  # the session was closed, or the server restarted: wake it
            reply = await self._presence.call(prompt.session_id, "prompt", json=body, timeout=LIMIT)
        known_as = decode("/prompt", wire.read, reply.value, wire.Accepted).prompt_id
        self._claim(known_as, prompt)
        return PromptAccepted(known_as)

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> PromptLookup:
        """See `Backend.look_up`."""
        if prompt is None or prompt.server_id:
            return await self._look_up_known(session_id, prompt_id)
        try:
            loaded = await self._load(session_id)
        except HttpStatusError as refusal:
            if refusal.status != 404:
                raise
            return PromptLookup(stored=False, session_gone=True)
        found = self._found_in(loaded.watch, prompt)
        if not found:
            return PromptLookup(stored=None if loaded.watch.fold.truncated else False)
        return PromptLookup(stored=True, server_id=found)

    def told_as(self, prompt: Prompt) -> str:
        """See `Backend.told_as`."""
        watch = self._watches.get(prompt.session_id)
        return "" if watch is None else self._found_in(watch, prompt)

    def _found_in(self, watch: FollowedSession, prompt: Prompt) -> str:
        mine = frozenset(self._presence.known_ids(prompt.session_id))
        claimed = frozenset(one for one, owner in self._claims.items() if owner != prompt.message_id)
        found = find_prompt(prompt, watch, mine=mine, claimed=claimed)
        if found is None:
            return ""
        self._claim(found, prompt)
        return found

    async def _choose(self, prompt: Prompt) -> None:
        """Set what was chosen for the prompt; where the server does not take that, it does not get the prompt."""
        try:
            await self._offers.choose(prompt)
        except HttpStatusError as refusal:
            why = wire.string(refusal.value.get("data"), "details") if isinstance(refusal.value, dict) else ""
            raise PromptRejected(why or refusal.message, "Picker another, and send it again.") from refusal

    async def _look_up_known(self, session_id: str, prompt_id: str) -> PromptLookup:
        """Ask for a prompt by the server's id. A restarted server knows it only by the transcript.

        One that was cancelled is stored if it had begun, which the transcript tells: it may have been taken out of
        the server's queue.
        """
        try:
            turn = await self._http.call("GET", f"/session/{path_segment(session_id)}/turns/{path_segment(prompt_id)}")
        except HttpStatusError as refusal:
            if refusal.status != 404:
                raise
        else:
            return PromptLookup(stored=wire.string(turn.value, "state") != "cancelled")
        try:
            loaded = await self._watch(session_id)
        except HttpStatusError as refusal:
            if refusal.status != 404:
                raise
            return PromptLookup(stored=False, session_gone=True)
        return PromptLookup(stored=any(echo.prompt_id == prompt_id for echo in loaded.watch.fold.echoes))

    def _claim(self, known_as: str, prompt: Prompt) -> None:
        self._claims[known_as] = prompt.message_id
        while len(self._claims) > CLAIMS_KEPT:
            del self._claims[next(iter(self._claims))]


def _code(refusal: HttpStatusError) -> str:
    return wire.string(refusal.value, "code")
