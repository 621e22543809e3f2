"""qwen serve's JSON schema, and the translation of single values into `tui.core`. Without I/O and state.

Shapes as measured on 0.24.4. Every function takes parsed JSON and raises `msgspec.ValidationError` if a required
field is missing or of another type; unused fields may be anything. Values under `text` arrive as fragments (see
`FRAGMENTS`); complete texts that leave this module are sanitized.
"""

import collections
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from tui.backends.decoding import Id, RawJSON, Rows, decode_items, path_or_nothing, read, shortened, string
from tui.backends.numbers import Counter, Number, http_status, moment, tokens
from tui.core.model import Failure, Session, Usage
from tui.core.sanitize import sanitize

FRAGMENTS = frozenset({"text"})
"""Keys of streamed text, which may begin or end within a character."""

MAX_DIFF_CHARACTERS = 100_000
"""Limit in characters of a diff made here, if the server sends none..."""
CONTEXT = 3
"""Lines that a diff shows around a change."""
MAX_STEPS = 4_000_000
"""...and limit of comparisons of equal lines in all diffs of a call: 0.1 s."""


class _Text(msgspec.Struct):
    text: str = ""


class Update(msgspec.Struct, rename="camel"):
    """`data.update` of a `session_update`: the fields shared by its kinds."""

    session_update: str = ""
    content: Any = None
    tool_call_id: Id = ""
    entries: Any = None
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")


class Frame(msgspec.Struct, rename="camel"):
    """One event. Events of the stream to a single reader have no `id`."""

    type: str
    id: Counter | None = None
    prompt_id: Id | None = None
    originator_client_id: Id | None = None
    data: Any = None
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")

    @property
    def at(self) -> float:
        """The event's time in epoch seconds of the server's clock; 0 if unknown."""
        return moment((self.meta or {}).get("serverTimestamp")) or 0.0


class Terminal(msgspec.Struct, rename="camel"):
    """How a prompt ended, by `load`. `at` in epoch milliseconds."""

    prompt_id: str
    terminal: str
    code: str = ""
    stop_reason: str = ""
    at: Number = None


class Loaded(msgspec.Struct, rename="camel"):
    """The response of `load` and `resume`, and (with fewer fields) of a new session."""

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
    """Another client loaded the session with its newest records only, to which all loads are then limited."""

    def terminals(self) -> tuple[Terminal, ...]:
        return decode_items(self.prompt_terminals, lambda one: read(one, Terminal), "how a prompt ended")


class Renamed(msgspec.Struct, rename="camel"):
    """The response to a new title."""

    display_name: str = ""


class Deleted(msgspec.Struct, rename="camel"):
    """The response to a deletion: session ids."""

    removed: list[str] = []
    not_found: list[str] = []


class Accepted(msgspec.Struct, rename="camel"):
    """The 202 of a prompt."""

    prompt_id: str


class _Session(msgspec.Struct, rename="camel"):
    session_id: Id
    workspace_cwd: str = ""
    created_at: str = ""
    updated_at: str | None = None
    display_name: str | None = None
    has_active_prompt: bool = False
    pending_interactions: list[Any] = []


class _Page(msgspec.Struct, rename="camel"):
    sessions: list[Any]
    next_cursor: str | None = None


class Workspace(msgspec.Struct):
    cwd: str
    trusted: bool = True


class Capabilities(msgspec.Struct, rename="camel"):
    """The response of `/capabilities`, which identifies the family."""

    qwen_code_version: str
    features: list[Any]
    workspace_cwd: str = ""
    workspaces: list[Any] = []

    def trusted(self) -> tuple[str, ...]:
        """The directories of its trusted workspaces."""
        found = decode_items(self.workspaces, lambda one: read(one, Workspace), "a workspace")
        return tuple(one.cwd for one in found if one.trusted)


@dataclass(frozen=True, slots=True)
class ListedSession:
    """The current state of one session."""

    session: Session
    busy: bool
    interactions: tuple[RawJSON, ...]


def epoch(stamp: str) -> float:
    """An ISO time in epoch seconds; 0 if it is invalid."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0


def text_of(content: RawJSON) -> str:
    """The text of one content block, which may begin or end within a character."""
    return read(content, _Text).text if isinstance(content, Mapping) else ""


def seen(value: RawJSON) -> ListedSession:
    raw = read(value, _Session)
    created = epoch(raw.created_at)
    session = Session(
        id=raw.session_id,
        title=shortened(raw.display_name),
        directory=path_or_nothing(raw.workspace_cwd),
        created=created,
        updated=epoch(raw.updated_at or "") or created,
    )
    return ListedSession(session, raw.has_active_prompt, tuple(raw.pending_interactions))


def session_of(raw: Loaded) -> Session:
    """The session of a create or load response."""
    created = epoch(raw.created_at)
    return Session(raw.session_id, "", raw.workspace_cwd, created, created)


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page of the list; `cursor` requests the next one, None: there is none."""

    sessions: Rows[ListedSession]
    cursor: str | None


def page(value: RawJSON) -> ListedPage:
    raw = read(value, _Page)
    return ListedPage(decode_items(raw.sessions, seen, "a session"), raw.next_cursor)


def usage(meta: Mapping[str, Any] | None) -> Usage | None:
    """The tokens of one model call, if the chunk has them."""
    found = (meta or {}).get("usage")
    if not isinstance(found, Mapping):
        return None
    return Usage(tokens(found.get("inputTokens")), tokens(found.get("outputTokens")))


def failure(message: str) -> Failure:
    """The failure of a `turn_error`, whose message begins with the provider's status, if any: "401 bad key"."""
    found = re.match(r"(\d{3})\b\s*", message)
    if found is None:
        return Failure(message)
    return Failure(message[found.end() :] or message, "provider", http_status(int(found[1])))


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """The output of a tool call so far, and the diff of its change."""

    text: str
    diff: str


def tool_output(content: RawJSON, result: RawJSON) -> ToolOutput:
    """The output by a call's `content` blocks and its `rawOutput`."""
    found = content if isinstance(content, list) else []
    blocks = [block for block in found if isinstance(block, Mapping)]
    words = (sanitize(text_of(block.get("content"))) for block in blocks if block.get("type") == "content")
    shown = _shell_output(result)
    changes = string(result, "fileDiff")
    if not changes:
        diffs = [block for block in blocks if block.get("type") == "diff"]
        changes = "\n".join(_unified(block, MAX_STEPS // len(diffs)) for block in diffs)
    return ToolOutput("\n".join(words) if shown is None else shown, changes[max(0, changes.find("--- ")) :])


def _shell_output(result: RawJSON) -> str | None:
    """The output of the command itself; the text for the model wraps it in a report."""
    if not isinstance(result, Mapping) or result.get("type") != "shell_result":
        return None
    output = result.get("output")
    return output if isinstance(output, str) else None


def _unified(block: Mapping[str, Any], most_steps: int) -> str:
    path, old, new = string(block, "path"), string(block, "oldText"), string(block, "newText")
    before, after = old.splitlines(), new.splitlines()
    first, last = _same_at_both_ends(before, after)
    before, after = before[first : len(before) - last], after[first : len(after) - last]
    if len(old) + len(new) > MAX_DIFF_CHARACTERS or _steps(before, after) > most_steps:
        return f"--- {path}\n+++ {path}\n@@ too long to compare here @@"
    lines = difflib.unified_diff(before, after, path, path, lineterm="")
    return "\n".join(_moved(line, first) if line.startswith("@@ -") else line for line in lines)


def _same_at_both_ends(before: list[str], after: list[str]) -> tuple[int, int]:
    """How many lines are the same at the beginning and at the end, but for those that a diff shows around it."""
    shorter = min(len(before), len(after))
    first = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    last = next((at for at in range(shorter - first) if before[-1 - at] != after[-1 - at]), shorter - first)
    return max(0, first - CONTEXT), max(0, last - CONTEXT)


def _steps(before: list[str], after: list[str]) -> int:
    """Upper bound for the comparison: each pair of equal lines, in as many passes as there may be."""
    counts = collections.Counter(after)
    pairs = sum(count * counts[line] for line, count in collections.Counter(before).items())
    return pairs * min(len(before), len(after))


def _moved(header: str, lines: int) -> str:
    """The header of a hunk, with its line numbers so many further down."""
    return re.sub(r"(?<=[-+])\d+", lambda found: str(int(found[0]) + lines), header)


def is_truncation(event: RawJSON) -> bool:
    """Whether this event marks dropped events of ended turns; those of the running one have a scope."""
    is_one = isinstance(event, Mapping) and event.get("type") == "history_truncated"
    return is_one and not string(event.get("data"), "scope")
