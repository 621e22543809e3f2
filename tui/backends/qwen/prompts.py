"""Sends prompts to qwen serve, and finds those whose 202 was lost. Nothing is posted twice.

A prompt is accepted at once and has the server's id from then on; which ids are ours is stored here. The server
accepts no ids of ours, so a second post would be a second prompt.
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass

from tui.backends.base import PromptAccepted, PromptLookup, PromptRejected
from tui.backends.client_identity import ClientIdentity
from tui.backends.decoding import decode, read, string
from tui.backends.qwen import schema as wire
from tui.backends.qwen.catalog import QwenCatalog
from tui.backends.qwen.echoes import Echo, compared
from tui.backends.qwen.followed_session import FollowedSession, LoadedSession
from tui.backends.qwen.session_loader import SessionLoader
from tui.core.model import Prompt
from tui.core.sanitize import sanitize
from tui.net.errors import HttpStatusError, NotFound
from tui.net.http_client import Http
from tui.net.json_input import JSON
from tui.net.url import path_segment

LIMIT = 10.0
"""Timeout in seconds of posting a prompt."""
MAX_CLAIMS = 500
"""Limit of stored ids of our prompts, which distinguish prompts of the same text."""
CURSOR = re.compile("[0-9]{1,19}")


class Prompts:
    """`watches`: the followed sessions; `load` loads one, `watch` also follows it."""

    def __init__(
        self,
        http: Http,
        presence: ClientIdentity,
        offers: QwenCatalog,
        watches: Mapping[str, FollowedSession],
        loader: SessionLoader,
        *,
        watch: Callable[[str], Awaitable[LoadedSession]],
    ) -> None:
        self._http = http
        self._identity = presence
        self._offers = offers
        self._watches = watches
        self._loader = loader
        self._watch = watch
        self._claims: dict[str, str] = {}

    def new(self, session_id: str, text: str) -> Prompt:
        """A prompt identified by its position in the session's events, until the server assigns an id."""
        watch = self._watches.get(session_id)
        after = "" if watch is None else str(EchoPosition.of(watch))
        return Prompt(session_id, text, message_id=str(uuid.uuid4()), part_id="", resume_cursor=after)

    async def post(self, prompt: Prompt) -> PromptAccepted:
        """Post the prompt, loading its session if needed. Raises `NetError`, including `PromptRejected`."""
        body: JSON = {"prompt": [{"type": "text", "text": prompt.text}]}
        await self._choose(prompt)
        try:
            reply = await self._identity.call(prompt.session_id, "prompt", json=body, timeout=LIMIT)
        except HttpStatusError as refusal:
            if _code(refusal) == "prompt_queue_full":
                raise PromptRejected(
                    "the server's own queue is full", "Send it again when a turn has ended."
                ) from refusal
            if not isinstance(refusal, NotFound):
                raise
            await self._watch(prompt.session_id)  # the session was closed, or the server restarted: load it
            reply = await self._identity.call(prompt.session_id, "prompt", json=body, timeout=LIMIT)
        known_as = decode("/prompt", read, reply.value, wire.Accepted).prompt_id
        self._claim(known_as, prompt)
        return PromptAccepted(known_as)

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> PromptLookup:
        """See `Backend.look_up`."""
        if prompt is None or prompt.server_id:
            return await self._look_up_known(session_id, prompt_id)
        try:
            loaded = await self._loader.load(session_id)
        except NotFound:
            return PromptLookup(stored=False, session_gone=True)
        found = self._found_in(loaded.watch, prompt)
        if not found:
            return PromptLookup(stored=None if loaded.watch.reducer.truncated else False)
        return PromptLookup(stored=True, server_id=found)

    def server_id_of(self, prompt: Prompt) -> str:
        """See `Backend.server_id_of`."""
        watch = self._watches.get(prompt.session_id)
        return "" if watch is None else self._found_in(watch, prompt)

    def _found_in(self, watch: FollowedSession, prompt: Prompt) -> str:
        mine = frozenset(self._identity.known_ids(prompt.session_id))
        claimed = frozenset(one for one, owner in self._claims.items() if owner != prompt.message_id)
        found = find_prompt(prompt, watch, mine=mine, claimed=claimed)
        if found is None:
            return ""
        self._claim(found, prompt)
        return found

    async def _choose(self, prompt: Prompt) -> None:
        """Set the prompt's options. Raises `PromptRejected` if the server refuses them."""
        try:
            await self._offers.choose(prompt)
        except HttpStatusError as refusal:
            why = string(refusal.value.get("data"), "details") if isinstance(refusal.value, dict) else ""
            raise PromptRejected(why or refusal.message, "Choose another, and send it again.") from refusal

    async def _look_up_known(self, session_id: str, prompt_id: str) -> PromptLookup:
        """Look up a prompt by the server's id. A restarted server knows it only by the transcript.

        A cancelled prompt is stored if its turn had begun, which the transcript shows: it may have been removed from
        the server's queue.
        """
        try:
            turn = await self._http.call("GET", f"/session/{path_segment(session_id)}/turns/{path_segment(prompt_id)}")
            return PromptLookup(stored=string(turn.value, "state") != "cancelled")
        except NotFound:
            pass
        try:
            loaded = await self._watch(session_id)
        except NotFound:
            return PromptLookup(stored=False, session_gone=True)
        return PromptLookup(stored=any(echo.prompt_id == prompt_id for echo in loaded.watch.reducer.echoes))

    def _claim(self, known_as: str, prompt: Prompt) -> None:
        self._claims[known_as] = prompt.message_id
        while len(self._claims) > MAX_CLAIMS:
            del self._claims[next(iter(self._claims))]


def _code(refusal: HttpStatusError) -> str:
    return string(refusal.value, "code")


@dataclass(frozen=True, slots=True)
class EchoPosition:
    """A position in a session's events: the last event of an epoch, and the newest prompt before it."""

    epoch: str
    cursor: int
    newest: str

    @classmethod
    def of(cls, watch: FollowedSession) -> "EchoPosition":
        newest = watch.reducer.echoes[-1].prompt_id if watch.reducer.echoes else ""
        return cls(watch.epoch, watch.reducer.cursor, newest)

    @classmethod
    def parse(cls, text: str) -> "EchoPosition | None":
        epoch, _, rest = text.partition(" ")
        cursor, _, newest = rest.partition(" ")
        return cls(epoch, int(cursor), newest) if CURSOR.fullmatch(cursor) else None

    def __str__(self) -> str:
        return f"{self.epoch} {self.cursor} {self.newest}"


def find_prompt(prompt: Prompt, now: FollowedSession, *, mine: Set[str], claimed: Set[str]) -> str | None:
    """The server's id of `prompt`, if the session in the state `now` has it.

    The server stores a prompt's text and, until it is restarted, its author. Together with the position in the
    session's events at which the prompt was created, that identifies it.

    `mine` are all ids that this client has had in it, `claimed` the prompts that are known to be other ones of ours.
    """
    place = EchoPosition.parse(prompt.resume_cursor)
    restarted = place is not None and place.epoch != now.epoch
    words = compared(sanitize(prompt.text))
    for echo in _after(place, now):
        ours = echo.author in mine or (restarted and not echo.author)  # a restart loses the authors
        if ours and echo.prompt_id not in claimed and compared(echo.text) == words:
            return echo.prompt_id
    return None


def _after(place: EchoPosition | None, now: FollowedSession) -> list[Echo]:
    echoes = list(now.reducer.echoes)
    if place is None:
        return echoes
    if place.epoch == now.epoch:
        return [echo for echo in echoes if echo.id > place.cursor]
    known = [index for index, echo in enumerate(echoes) if echo.prompt_id == place.newest]
    return echoes[known[-1] + 1 :] if known else echoes
