"""qwen serve's JSON and what single pieces of it mean in `tui.core`'s terms. No network here, and no memory.

Shapes as measured on 0.24.4. Every function takes parsed JSON and raises `msgspec.ValidationError` where a field
that we build on is missing or of another type; fields that we do not use may be anything. What stands under `text`
arrives as fragments (see `FRAGMENTS`): whatever leaves here whole is clean.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from tui.backends.decoding import Rows, decode_items, unreadable_todo
from tui.backends.numbers import Counter, Number, http_status, moment, tokens
from tui.core.model import Failure, Session, Todo, Usage
from tui.core.sanitize import sanitize

JSON = Any
"""A parsed JSON value: what came, before it is checked."""

FRAGMENTS = frozenset({"text"})
"""Where the pieces of a stream stand; they may begin or end within a character."""

LONGEST_DIFF = 100_000
"""Characters up to which a diff is made here, should the server give none..."""
MOST_PAIRS = 4_000_000
"""...and pairs of an old and a new line in all diffs of one call, all of which may have to be compared."""

T = TypeVar("T")


class _Text(msgspec.Struct):
    text: str = ""


class Update(msgspec.Struct, rename="camel"):
    """`data.update` of a `session_update`, as far as its kinds share fields."""

    session_update: str = ""
    content: Any = None
    tool_call_id: str = ""
    entries: Any = None
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")


class Frame(msgspec.Struct, rename="camel"):
    """One event. `id` is missing from those that the stream makes up for one reader."""

    type: str
    id: Counter | None = None
    prompt_id: str | None = None
    originator_client_id: str | None = None
    data: Any = None
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")

    @property
    def at(self) -> float:
        """When it happened, in epoch seconds of the server's clock; 0 if it does not say."""
        return moment((self.meta or {}).get("serverTimestamp")) or 0.0


class Terminal(msgspec.Struct, rename="camel"):
    """How a prompt ended, as `load` remembers it. `at` in epoch milliseconds."""

    prompt_id: str
    terminal: str
    code: str = ""
    stop_reason: str = ""
    at: Number = None


class Loaded(msgspec.Struct, rename="camel"):
    """The answer to `load` and `resume`, and (without what they add) to a new session."""

    session_id: str
    client_id: str = ""
    workspace_cwd: str = ""
    created_at: str = ""
    has_active_prompt: bool = False
    compacted_replay: list[Any] = []
    live_journal: list[Any] = []
    last_event_id: Counter = 0
    event_epoch: str = ""
    prompt_terminals: list[Any] = []
    history_has_more: bool = False
    """Somebody else asked for the newest records alone when they woke the session: that is all anybody gets."""

    def terminals(self) -> tuple[Terminal, ...]:
        return decode_items(self.prompt_terminals, lambda one: read(one, Terminal), "how a prompt ended")


class Named(msgspec.Struct, rename="camel"):
    """The answer to a new title."""

    display_name: str = ""


class Deleted(msgspec.Struct, rename="camel"):
    """The answer to a deletion: ids of sessions."""

    removed: list[str] = []
    not_found: list[str] = []


class Accepted(msgspec.Struct, rename="camel"):
    """The 202 of a prompt."""

    prompt_id: str


class _Session(msgspec.Struct, rename="camel"):
    session_id: str
    workspace_cwd: str = ""
    created_at: str = ""
    updated_at: str | None = None
    display_name: str | None = None
    has_active_prompt: bool = False
    pending_interactions: list[Any] = []


class _Page(msgspec.Struct, rename="camel"):
    sessions: list[Any]
    next_cursor: str | None = None


class _Entry(msgspec.Struct):
    content: str
    status: str = "pending"
    priority: str = ""


class Workspace(msgspec.Struct):
    cwd: str
    trusted: bool = True


class Capabilities(msgspec.Struct, rename="camel"):
    """What the server says of itself; what tells it apart from every other family."""

    qwen_code_version: str
    features: list[Any]
    workspace_cwd: str = ""
    workspaces: list[Any] = []

    def trusted(self) -> tuple[str, ...]:
        """The folders of its workspaces, but for those that it does not trust."""
        found = decode_items(self.workspaces, lambda one: read(one, Workspace), "a workspace")
        return tuple(one.cwd for one in found if one.trusted)


@dataclass(frozen=True, slots=True)
class Seen:
    """One session as the server has it now."""

    session: Session
    busy: bool
    interactions: tuple[JSON, ...]


def read(value: JSON, shape: type[T]) -> T:
    return msgspec.convert(value, shape, strict=False)


def epoch(stamp: str) -> float:
    """An ISO time in epoch seconds; 0 where there is none."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0


def text_of(content: JSON) -> str:
    """The words of one content block, in which half a character may stand at either end."""
    return read(content, _Text).text if isinstance(content, Mapping) else ""


def seen(value: JSON) -> Seen:
    raw = read(value, _Session)
    created = epoch(raw.created_at)
    session = Session(
        id=raw.session_id,
        title=raw.display_name or "",
        directory=raw.workspace_cwd,
        created=created,
        updated=epoch(raw.updated_at or "") or created,
    )
    return Seen(session, raw.has_active_prompt, tuple(raw.pending_interactions))


def session_of(raw: Loaded) -> Session:
    """The session that was created or loaded."""
    created = epoch(raw.created_at)
    return Session(raw.session_id, "", raw.workspace_cwd, created, created)


@dataclass(frozen=True, slots=True)
class SeenPage:
    """A page of the list; `cursor` asks for the next one, None: there is none."""

    sessions: Rows[Seen]
    cursor: str | None


def page(value: JSON) -> SeenPage:
    raw = read(value, _Page)
    return SeenPage(decode_items(raw.sessions, seen, "a session"), raw.next_cursor)


def todos(entries: JSON) -> tuple[Todo, ...]:
    return decode_items(read(entries or [], list[Any]), _todo, "an entry of a plan", unreadable_todo)


def _todo(entry: JSON) -> Todo:
    raw = read(entry, _Entry)
    return Todo(raw.content, raw.status, raw.priority)


def usage(meta: Mapping[str, Any] | None) -> Usage | None:
    """The tokens of one call of the model, where the chunk carries them."""
    found = (meta or {}).get("usage")
    if not isinstance(found, Mapping):
        return None
    return Usage(tokens(found.get("inputTokens")), tokens(found.get("outputTokens")))


def failure(message: str) -> Failure:
    """`turn_error`'s words begin with the provider's status where that is what failed: "401 bad key"."""
    found = re.match(r"(\d{3})\b\s*", message)
    if found is None:
        return Failure(message)
    return Failure(message[found.end() :] or message, "provider", http_status(int(found[1])))


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool call has given so far: words, and the diff of what it changes."""

    text: str
    diff: str


def tool_output(content: JSON, result: JSON) -> ToolOutput:
    """From a call's `content` blocks and its `rawOutput`."""
    found = content if isinstance(content, list) else []
    blocks = [block for block in found if isinstance(block, Mapping)]
    words = (sanitize(text_of(block.get("content"))) for block in blocks if block.get("type") == "content")
    shown = _shell_output(result)
    changes = string(result, "fileDiff")
    if not changes:
        diffs = [block for block in blocks if block.get("type") == "diff"]
        changes = "\n".join(_unified(block, MOST_PAIRS // len(diffs)) for block in diffs)
    return ToolOutput("\n".join(words) if shown is None else shown, changes[max(0, changes.find("--- ")) :])


def _shell_output(result: JSON) -> str | None:
    """What the command itself printed; the words for the model wrap it in a report."""
    if not isinstance(result, Mapping) or result.get("type") != "shell_result":
        return None
    output = result.get("output")
    return output if isinstance(output, str) else None


def _unified(block: Mapping[str, Any], most_pairs: int) -> str:
    path, old, new = string(block, "path"), string(block, "oldText"), string(block, "newText")
    before, after = old.splitlines(), new.splitlines()
    if len(old) + len(new) > LONGEST_DIFF or len(before) * len(after) > most_pairs:
        return f"--- {path}\n+++ {path}\n@@ too long to compare here @@"
    return "\n".join(difflib.unified_diff(before, after, path, path, lineterm=""))


def is_truncation(event: JSON, scope: str = "") -> bool:
    """Whether `load` says here that it does not give all: of the past, or ("live_journal") of the running turn."""
    is_one = isinstance(event, Mapping) and event.get("type") == "history_truncated"
    return is_one and string(event.get("data"), "scope") == scope


def string(value: object, *names: str) -> str:
    """The first of `names` that holds a text in a mapping of unknown shape."""
    if isinstance(value, Mapping):
        for name in names:
            found = value.get(name)
            if isinstance(found, str) and found:
                return found
    return ""
