"""One turn as the server stored it, fetched in full: its prompt, the texts of its answer, its end.

The store keeps the beginnings only of old, long parts; this reads the messages themselves.
"""

from collections.abc import Sequence

import msgspec

from tui.backends.base import Backend
from tui.core.memory_size import weight
from tui.core.model import FilePart, FullMessage, Message, Part, TextPart, ToolPart

MAX_PAGES = 2_000
"""Pages of messages that are fetched for one turn..."""
MAX_BYTES = 64 << 20
"""...and bytes of what is kept of them until the prompt is found."""


class RecordedTurn(msgspec.Struct, frozen=True):
    """A turn as stored. `prompt`: None if the server does not have it. `answers`: oldest first.

    `texts`: those of the answers, in order, without the server's own. `denied`: a tool call was denied or its
    request rejected. `cut`: why messages of the turn may be missing, "" if none are.
    """

    prompt: Message | None = None
    answers: tuple[Message, ...] = ()
    texts: tuple[TextPart, ...] = ()
    denied: bool = False
    cut: str = ""


async def fetch_recorded_turn(backend: Backend, session_id: str, prompt_id: str) -> RecordedTurn:
    """Fetch the messages from the newest back to the prompt, within limits. Raises `NetError`."""
    pages: list[list[FullMessage]] = []
    cursors: set[str] = set()
    size = 0
    before: str | None = None
    while True:
        page = await backend.messages(session_id, before=before)
        pages.append([_needed(full) for full in page.messages])
        size += sum(weight(full.message) + sum(map(weight, full.parts)) for full in pages[-1])
        ended = page.cursor is None or any(full.message.id == prompt_id for full in page.messages)
        cut = "" if ended else _limit_reached(len(pages), size, repeated=page.cursor in cursors)
        if page.cursor is None or ended or cut:
            found = [full for one in reversed(pages) for full in one]
            return msgspec.structs.replace(recorded_turn(found, prompt_id), cut=cut)
        cursors.add(page.cursor)
        before = page.cursor


def _limit_reached(pages: int, size: int, *, repeated: bool) -> str:
    """Why no further page is fetched; "" if one may be."""
    if repeated:
        return "the server repeats a page of messages"
    if pages >= MAX_PAGES or size >= MAX_BYTES:
        return f"the prompt is not among the newest {pages} pages of messages"
    return ""


def recorded_turn(messages: Sequence[FullMessage], prompt_id: str) -> RecordedTurn:
    """The turn of a prompt among a session's messages, oldest first.

    Its answers are those to the prompt and to the server's own prompts behind it, as after a compaction; if there
    are none, those to the next prompt, which was answered together with it.
    """
    at = next((row for row, full in enumerate(messages) if full.message.id == prompt_id), None)
    if at is None:
        return RecordedTurn()
    prompts = {prompt_id}
    answers = _answers(messages, prompts, at)
    for full in messages[at + 1 :]:
        if full.message.role != "user":
            continue
        if not is_persons(full.parts):
            prompts.add(full.message.id)
            answers = _answers(messages, prompts, at)
        elif answers:
            break
        else:  # answered together with a later prompt
            prompts.add(full.message.id)
            answers = _answers(messages, prompts, at)
    parts = [part for full in answers for part in full.parts]
    return RecordedTurn(
        prompt=messages[at].message,
        answers=tuple(full.message for full in answers),
        texts=tuple(part for part in parts if isinstance(part, TextPart) and part.text and not part.synthetic),
        denied=any(
            isinstance(part, ToolPart) and (part.rejected or part.why in ("denied", "rejected")) for part in parts
        ),
    )


def _answers(messages: Sequence[FullMessage], prompts: set[str], after: int) -> list[FullMessage]:
    rest = messages[after + 1 :]
    return [full for full in rest if full.message.role == "assistant" and full.message.parent_id in prompts]


def is_persons(parts: Sequence[Part]) -> bool:
    """Whether a user wrote the prompt, not the server."""
    return any(isinstance(one, FilePart) or (isinstance(one, TextPart) and not one.synthetic) for one in parts)


def _needed(full: FullMessage) -> FullMessage:
    """The message without what the turn is not read from: reasoning, and what its tool calls took and returned."""
    parts = tuple(
        msgspec.structs.replace(part, input={}, output="", diff="", title="", error="", answers=None)
        if isinstance(part, ToolPart)
        else part
        for part in full.parts
        if isinstance(part, TextPart | FilePart | ToolPart)
    )
    return FullMessage(full.message, parts)
