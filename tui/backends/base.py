"""The interface of a server family, the only one that `tui.client` uses.

Every call may raise `tui.net.errors.NetError`, and nothing else.
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
    """Behaviour of a family that changes what the client does or offers.

    `cancels_on_disconnect`: a turn ends when the connection of its POST breaks; None: unknown for this server.
    `queues_prompts`: a prompt during a turn is accepted, not refused.
    `accepts_client_ids`: a prompt keeps the client's id, so that posting it again cannot duplicate it.
    `answers_in_id_order`: a prompt whose id sorts below the session's newest answer is stored and never answered.
    `edits_sessions`: it implements `SessionEditing`; `undoes`: `Undo`.
    `agent_label`: its name for the items of `Catalog.agents`.
    `single_event_stream`: the events of all sessions, including new ones, arrive on one stream.
    `holds_post`: the response to a prompt's POST is held until its turn ends.
    `acceptance_is_proof`: a reply that it confirms is the one that counts; otherwise it confirms any.
    `aborts_queued`: an abort also ends the prompts queued at the server.
    `heartbeat_interval`: seconds between two heartbeats of an event stream.
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
    acceptance_is_proof: bool = True
    aborts_queued: bool = True
    heartbeat_interval: float = 10.0


class ServerInfo(msgspec.Struct, frozen=True):
    """The server's version and features. `clock_skew`: its clock minus ours in seconds, if it sent a Date.

    `folders`: the names of the folders in which it keeps its settings and state, if it tells.
    """

    version: str
    round_trip: float
    clock_skew: float | None = None
    features: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()


class PromptLookup(msgspec.Struct, frozen=True):
    """The result of looking up a prompt: whether it is `stored`, and whether its session was deleted.

    `stored` None: unknown, because the server does not return all of it now.
    `server_id`: the server's own id for it, if different from the requested one.
    """

    stored: bool | None
    session_gone: bool = False
    server_id: str = ""


class PromptAccepted(msgspec.Struct, frozen=True):
    """The server has the prompt, under the id `server_id`; its turn is reported by events, not by the POST."""

    server_id: str


class PromptRejected(NetError):
    """The server refuses the prompt for a temporary reason: it is returned to the user."""


class PostObserver(Protocol):
    """Callbacks for the progress of a held POST."""

    def headers(self) -> None: ...
    def padding(self, total: int) -> None: ...


class Backend(Protocol):
    """One server of a family."""

    @property
    def traits(self) -> Traits: ...

    async def handshake(self) -> ServerInfo:
        """Identify the server: its version, round trip and features."""

    async def ping(self) -> float:
        """The round trip of the cheapest request, in seconds."""

    def subscribe(self, on_bytes: Callable[[int], None]) -> AbstractAsyncContextManager[Feed]:
        """Open the event stream; `on_bytes` is called for all bytes, including heartbeats and comments."""

    async def resync(self, directories: Sequence[str]) -> Resynced:
        """All statuses and open requests, of the default directory and of `directories`."""

    async def sessions(self, *, limit: int = 100, search: str = "", cursor: str | None = None) -> Rows[Session]:
        """A page of sessions, newest first, without those of subagents.

        `search`: filter by title. `cursor`: from the previous page; some pages repeat sessions.
        """

    async def session(self, session_id: str) -> Session: ...

    async def children(self, session_id: str) -> tuple[Session, ...]:
        """The sessions of the session's subagents."""

    async def create_session(self, title: str = "") -> Session: ...

    async def messages(
        self, session_id: str, *, limit: int = 50, before: str | None = None, on_bytes: OnBytes | None = None
    ) -> MessagesLoaded:
        """A page of the transcript; `before` is the cursor of a newer page. `on_bytes` reports progress.

        If the connection is slow, or messages are large, the page has fewer than `limit` messages.
        """

    async def todos(self, session_id: str) -> tuple[Todo, ...]: ...

    def new_prompt(self, session_id: str, text: str) -> Prompt:
        """A prompt with ids of the client, or with temporary ids that the server will replace.

        The session's newest messages must have been fetched before: if the server answers in order of ids, those
        of the prompt are generated above theirs.
        """

    async def post_prompt(self, prompt: Prompt, watcher: PostObserver) -> FullMessage | PromptAccepted:
        """Post and wait until the turn ends; the returned message may answer another prompt.

        A server that does not hold the POST returns `PromptAccepted` at once.
        """

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> PromptLookup:
        """Check whether the prompt has arrived; `prompt`, if it is ours, distinguishes it from others."""

    def server_id_of(self, prompt: Prompt) -> str:
        """The server's id of a prompt of ours, by the events so far; "" if unknown."""

    async def abort(self, session_id: str) -> None: ...

    async def answer(self, request_id: str, answers: Answers, *, directory: str) -> bool:
        """True once the server has it. False, or `HttpStatusError` with status 404: it is not open there.

        `directory` is the session's own: requests are stored by directory.
        """

    async def reject(self, request_id: str, *, directory: str) -> bool:
        """Dismiss a question. As `answer`."""

    async def reply(self, request_id: str, reply: PermissionReply, message: str, *, directory: str) -> bool:
        """Reply to a permission; `message` ("" for none) is sent with a rejection. As `answer`."""

    async def leave(self, session_id: str) -> None:
        """Stop following the session, and close its stream, if any."""

    async def send_heartbeat(self, session_id: str) -> None:
        """Send a client heartbeat for the session; only with `traits.client_heartbeat`."""

    async def close(self) -> None: ...


@runtime_checkable
class SessionEditing(Protocol):
    """Optional: sessions can be renamed, forked and deleted."""

    async def rename(self, session_id: str, title: str) -> Session: ...

    async def fork(self, session_id: str) -> Session:
        """A copy with all messages."""

    async def delete(self, session_id: str) -> None: ...


@runtime_checkable
class Undo(Protocol):
    """Optional: the newest messages can be undone, and restored until the next prompt."""

    async def undo(self, session_id: str, message_id: str) -> Session:
        """Undo the message and all after it."""

    async def redo(self, session_id: str) -> Session:
        """Restore all undone messages."""


class Catalog(Protocol):
    """Lists what a prompt can choose on a server: agents, models, commands.

    For a session ("": none yet) in a directory ("": the server's own).
    """

    async def agents(self, directory: str, session_id: str = "") -> Rows[CatalogItem]: ...

    async def models(self, directory: str, session_id: str = "") -> Rows[CatalogItem]: ...

    async def commands(self, directory: str, session_id: str = "") -> Rows[CatalogItem]: ...

    async def files(self, directory: str, query: str) -> Rows[CatalogItem]: ...


@runtime_checkable
class HasCatalog(Protocol):
    """A backend with a catalog of agents, models, commands and files."""

    @property
    def offers(self) -> Catalog: ...
