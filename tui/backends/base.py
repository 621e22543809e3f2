"""What a server family must offer. `tui.client.client` knows nothing beyond this.

Every call may raise `tui.net.errors.NetError`; nothing else leaves a backend.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import msgspec

from tui.backends.decoding import Rows
from tui.backends.paging import OnBytes
from tui.core.events import MessagesLoaded, Resynced
from tui.core.model import Answers, CatalogItem, FullMessage, PermissionReply, Prompt, Session, Todo
from tui.net.errors import NetError
from tui.net.event_connection import Feed


class Traits(msgspec.Struct, frozen=True):
    """How a family behaves where that changes what the client does or offers.

    `cancels_on_disconnect`: a turn ends when the connection of its POST breaks; None: not known of this server.
    `queues_prompts`: one that comes while a turn runs is taken, not refused.
    `takes_our_ids`: a prompt keeps the id that we gave it, so that posting it again cannot double it.
    `answers_in_id_order`: one whose id sorts below the session's newest answer is stored and never answered.
    `edits_sessions`: it is a `SessionEditing` too; `undoes`: an `Undoing`.
    `agents_are`: what it calls that which `Catalog.agents` gives.
    `one_stream`: every session's events come on one stream, also of one that was made a moment ago.
    `holds_post`: the answer to a prompt's POST is held back until its turn ends.
    `yes_is_proof`: an answer that it says it took is the one that counts; else it says so of any.
    `aborts_queued`: an abort also ends the prompts that wait at the server behind the turn that runs.
    `beats_every`: seconds from one beat of an event stream to the next, counted from its opening.
    """

    family: str
    cancels_on_disconnect: bool | None = False
    queues_prompts: bool = True
    accepts_client_ids: bool = True
    answers_in_id_order: bool = False
    reject_with_reason: bool = True
    reject_ends_turn: bool = False
    client_heartbeat: bool = False
    edits_sessions: bool = True
    undoes: bool = True
    agent_label: str = "agent"
    single_event_stream: bool = True
    holds_post: bool = True
    yes_is_proof: bool = True
    aborts_queued: bool = True
    heartbeat_interval: float = 10.0


class ServerInfo(msgspec.Struct, frozen=True):
    """What the server said of itself. `clock_skew`: its clock minus ours, in seconds, where it told the time."""

    version: str
    round_trip: float
    clock_skew: float | None = None
    features: frozenset[str] = frozenset()


class PromptLookup(msgspec.Struct, frozen=True):
    """What asking for one prompt gave: `stored` says that it is there, `session_gone` that the session is not.

    `stored` None: the server does not show all that it has, and will later.
    `known_as`: the server's own id for it, where that is another than the one asked for.
    """

    stored: bool | None
    session_gone: bool = False
    server_id: str = ""


class PromptAccepted(msgspec.Struct, frozen=True):
    """The server has the prompt and calls it `known_as`; what becomes of it is told by events, not by the POST."""

    server_id: str


class PromptRejected(NetError):
    """The server says that it does not take the prompt, for a reason that passes: it goes back to the person."""


class PostObserver(Protocol):
    """Hears how a held POST fares while it is open."""

    def headers(self) -> None: ...
    def pads(self, total: int) -> None: ...


class Backend(Protocol):
    """One server, spoken to in its family's dialect."""

    @property
    def traits(self) -> Traits: ...

    async def handshake(self) -> ServerInfo:
        """Ask who is there: the server's version, how long it took, what it offers."""

    async def ping(self) -> float:
        """The round trip of the cheapest call, in seconds."""

    def subscribe(self, on_bytes: Callable[[int], None]) -> AbstractAsyncContextManager[Feed]:
        """Open the event stream; `on_bytes` hears of every byte, heartbeats and comments too."""

    async def resync(self, directories: Sequence[str]) -> Resynced:
        """All statuses and open requests, of the default directory and of `directories`."""

    async def sessions(self, *, limit: int = 100, search: str = "", cursor: str | None = None) -> Rows[Session]:
        """A page of the sessions, newest first; those of subagents are not among them.

        `search`: those whose title holds it. `cursor`: that of the page before; some pages repeat sessions.
        """

    async def session(self, session_id: str) -> Session: ...

    async def children(self, session_id: str) -> tuple[Session, ...]:
        """The sessions of the session's subagents."""

    async def create_session(self, title: str = "") -> Session: ...

    async def messages(
        self, session_id: str, *, limit: int = 50, before: str | None = None, on_bytes: OnBytes | None = None
    ) -> MessagesLoaded:
        """A page of the transcript; `before` is the cursor of a newer page. `on_bytes` hears how far it has come.

        Where the connection is slow, or messages are large, it has fewer than `limit` messages.
        """

    async def todos(self, session_id: str) -> tuple[Todo, ...]: ...

    def new_prompt(self, session_id: str, text: str) -> Prompt:
        """A prompt with ids of our own, or of a form that the server will replace.

        The session's newest messages must have been fetched before: where ids decide what is answered, those of
        the prompt are minted above theirs.
        """

    async def post_prompt(self, prompt: Prompt, watcher: PostObserver) -> FullMessage | PromptAccepted:
        """Post and hold until the turn ends; the message that came back may answer another prompt.

        A server that does not hold the POST gives `PromptAccepted` as soon as it has the prompt.
        """

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> PromptLookup:
        """Ask whether the prompt has arrived; `prompt`, where it is ours, tells it from others' prompts."""

    def told_as(self, prompt: Prompt) -> str:
        """The server's own id of a prompt of ours, by the events that came so far; "" where none told of it."""

    async def abort(self, session_id: str) -> None: ...

    async def answer(self, request_id: str, answers: Answers, *, directory: str) -> bool:
        """True once the server has it. False, or `HttpStatusError` with status 404: it is not open there (any more).

        `directory` is the session's own: requests are kept by directory.
        """

    async def reject(self, request_id: str, *, directory: str) -> bool:
        """Dismiss a question. As `answer`."""

    async def reply(self, request_id: str, reply: PermissionReply, message: str, *, directory: str) -> bool:
        """Answer a permission; `message` ("" for none) goes with a rejection. As `answer`."""

    async def leave(self, session_id: str) -> None:
        """The session is not watched any more: let go of what is held open for it."""

    async def heartbeat(self, session_id: str) -> None:
        """Tell the server that this client still watches the session; only with `traits.client_heartbeat`."""

    async def close(self) -> None: ...


@runtime_checkable
class SessionEditing(Protocol):
    """What some families offer beside: sessions renamed, copied and deleted at a person's word."""

    async def rename(self, session_id: str, title: str) -> Session: ...

    async def fork(self, session_id: str) -> Session:
        """A copy with all messages."""

    async def delete(self, session_id: str) -> None: ...


@runtime_checkable
class Undoing(Protocol):
    """What some families offer beside: the newest messages undone, and brought back until the next prompt."""

    async def undo(self, session_id: str, message_id: str) -> Session:
        """Undo the message and all after it."""

    async def redo(self, session_id: str) -> Session:
        """Bring back all that is undone."""


class Catalog(Protocol):
    """What a server has to choose from, for a session ("": there is none yet) in a directory ("": its own)."""

    async def agents(self, directory: str, session_id: str = "") -> Rows[CatalogItem]: ...

    async def models(self, directory: str, session_id: str = "") -> Rows[CatalogItem]: ...

    async def commands(self, directory: str, session_id: str = "") -> Rows[CatalogItem]: ...

    async def files(self, directory: str, query: str) -> Rows[CatalogItem]: ...


@runtime_checkable
class HasCatalog(Protocol):
    """A backend whose family lets agent, model, command and files be chosen."""

    @property
    def offers(self) -> Catalog: ...
