"""The changes that a transcript made by itself to have room."""

from tui.core.changes import Change, MessageRemoved, PartChanged, PartRemoved
from tui.core.transcript import Transcript


def made_room(transcript: Transcript, session_id: str) -> list[Change]:
    """What was cut and dropped in a session's transcript since this was asked last."""
    changes: list[Change] = [PartChanged(session_id, part.message_id, part.id) for part in transcript.newly_cut]
    for message_id, part_id in transcript.newly_dropped:
        gone = PartRemoved(session_id, message_id, part_id) if part_id else MessageRemoved(session_id, message_id)
        changes.append(gone)
    transcript.newly_cut.clear()
    transcript.newly_dropped.clear()
    return changes
