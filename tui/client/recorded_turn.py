"""What the server stored of one turn: its prompt, the texts of its answer, its end.

The store keeps the beginnings only of old, long parts; this reads the messages themselves.
"""

from collections.abc import Sequence

import msgspec

from tui.backends.base import Backend
from tui.core.model import FilePart, FullMessage, Message, Part, TextPart, ToolPart


class RecordedTurn(msgspec.Struct, frozen=True):
    """A turn as stored. `prompt`: None if the server does not have it. `answers`: oldest first.

    `texts`: those of the answers, in order, without the server's own. `denied`: a tool call was denied or its
    request rejected.
    """

    prompt: Message | None = None
    answers: tuple[Message, ...] = ()
    texts: tuple[TextPart, ...] = ()
    denied: bool = False


async def fetch_recorded_turn(backend: Backend, session_id: str, prompt_id: str) -> RecordedTurn:
    """Fetch the messages from the newest back to the prompt. Raises `NetError`."""
    found: list[FullMessage] = []
    before: str | None = None
    while True:
        page = await backend.messages(session_id, before=before)
        found[:0] = map(_without_output, page.messages)
        if page.cursor is None or any(full.message.id == prompt_id for full in page.messages):
            return recorded_turn(found, prompt_id)
        before = page.cursor


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


def _without_output(full: FullMessage) -> FullMessage:
    """The message without what its tool calls returned, which may be long."""
    parts = tuple(
        msgspec.structs.replace(part, input={}, output="", diff="") if isinstance(part, ToolPart) else part
        for part in full.parts
    )
    return FullMessage(full.message, parts)
