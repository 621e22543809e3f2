"""Merges fetched pages of messages with the stored transcript: the server has precedence.

A fetched part that is not finished may be older than its streamed text. Text that may be incomplete is *partial*.
"""

from msgspec.structs import replace

from tui.core.events import MessagesLoaded
from tui.core.kept_content import fitting
from tui.core.model import FullMessage, ReasoningPart, TextPart
from tui.core.transcript import Transcript


def fitting_page(page: MessagesLoaded) -> MessagesLoaded:
    """The page, without what is not kept of its parts in any case: it may wait for others that are fetched with it."""
    messages = (replace(full, parts=tuple(map(fitting, full.parts))) for full in page.messages)
    return replace(page, messages=tuple(messages))


def add_older(transcript: Transcript, page: MessagesLoaded) -> None:
    """Add the page before the oldest message."""
    for full in page.messages:
        _take(transcript, full, None)
    transcript.cursor = None if transcript.has_dropped else page.cursor


def merge(old: Transcript, page: MessagesLoaded) -> Transcript:
    """The newest page, with the older messages of `old` where the two overlap."""
    fresh = Transcript()
    fresh.cursor, fresh.loaded = page.cursor, True
    if page.messages and page.cursor is not None and old.loaded:
        first = page.messages[0].message
        # a page that does not overlap would leave a gap: older messages are then loaded again
        kept = [m for m in old.messages.values() if m.created < first.created and first.id in old.messages]
        for message in kept:
            _take(fresh, FullMessage(message, tuple(old.parts_of(message.id))), None)
        if kept:
            fresh.cursor, fresh.has_dropped = old.cursor, old.has_dropped
    for full in page.messages:
        _take(fresh, full, old, up_to_date=page.up_to_date)
    if fresh.has_dropped:
        fresh.cursor = None
    return fresh


def _take(into: Transcript, full: FullMessage, old: Transcript | None, *, up_to_date: bool = False) -> None:
    into.put_message(full.message)
    into.parts.setdefault(full.message.id, {})
    for part in full.parts:
        if isinstance(part, TextPart | ReasoningPart) and part.state != "done":
            had = old.part(part.message_id, part.id) if old is not None else None
            if isinstance(had, TextPart | ReasoningPart) and had.state != "done" and len(had.text) >= len(part.text):
                part = replace(had, state="streaming") if up_to_date else had
            elif full.message.completed is not None:
                part = replace(part, state="done")  # of a message that is complete, nothing more comes
            elif up_to_date:
                part = replace(part, state="streaming")
            else:
                part = with_gap(part)
        into.put_part(part)


def with_gap(part: TextPart | ReasoningPart) -> TextPart | ReasoningPart:
    """The part, of which what would come next may be lost."""
    if isinstance(part, ReasoningPart):
        return replace(part, state="partial")
    end = len(part.text)
    return replace(part, state="partial", gaps=part.gaps if part.gaps[-1:] == (end,) else (*part.gaps, end))
