"""Notes of the client in the transcript, such as how a turn ended, and their places among the messages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace
from textual.content import Content

from tui.core.model import Message, Part, ToolPart
from tui.core.store import Store
from tui.widgets.text.note_line import NoteLine

if TYPE_CHECKING:
    from tui.widgets.transcript.message import MessageView

MAX_NOTES = 50
"""Notes kept of each session: this many turn ends, and this many others."""


class Note(msgspec.Struct, frozen=True):
    """A note of the client in the transcript: in the message, after the part; before all messages if None.

    `turn`: the prompt whose turn's end the note shows; the note stays below the answer. `call_id`: the tool call that
    the note belongs to, which may be loaded later.
    """

    message_id: str | None
    part_id: str | None
    words: Content
    ends: bool = False
    """Whether it replaces the server's own end of the turn."""
    turn: str = ""
    call_id: str = ""

    def line(self) -> NoteLine:
        return NoteLine(self.words, classes="note end" if self.ends else "note", turn=self.turn)

    def put(self, view: "MessageView") -> None:
        """Show it in its message."""
        if self.turn:
            view.add_end(self.line())
        else:
            view.add_note(self.line(), self.part_id)


class SessionNotes:
    """The notes of one session, oldest first."""

    def __init__(self, store: Store, session_id: str) -> None:
        self._store = store
        self._session_id = session_id
        self._notes: list[Note] = []

    def add(self, note: Note) -> list[Note]:
        """Add a note; returns the oldest ones of its kind beyond `MAX_NOTES`, which are removed."""
        self._notes.append(note)
        beyond = [one for one in self._notes if bool(one.turn) == bool(note.turn)][:-MAX_NOTES]
        for old in beyond:
            self._notes.remove(old)
        return beyond

    def end_of(self, turn: str) -> Note | None:
        return next((note for note in self._notes if note.turn == turn), None)

    def drop_end(self, turn: str) -> bool:
        """Remove the end of a turn; returns whether there was one."""
        before = len(self._notes)
        self._notes = [note for note in self._notes if note.turn != turn]
        return len(self._notes) < before

    def within(self, message_id: str | None) -> list[Note]:
        """The notes that a message contains, or those before all messages."""
        return [note for note in self._notes if self.message_of(note) == message_id]

    def message_of(self, note: Note) -> str | None:
        """The id of the message that contains a note."""
        return self.answer_or_prompt(note.turn) or note.message_id

    def answer_or_prompt(self, prompt_id: str) -> str | None:
        """The id of the message that shows the end of a prompt's turn; None if no such message is shown."""
        transcript = self._store.transcript(self._session_id)
        if transcript is None or not prompt_id:
            return None
        found = transcript.answer_to(prompt_id) or transcript.messages.get(prompt_id)
        return found.id if found is not None and not transcript.is_without_parts(found) else None

    def find_calls(self, messages: Sequence[Message]) -> None:
        """Place the notes whose tool call was not loaded when they were added."""
        for row, note in enumerate(self._notes):
            if note.message_id is None and note.call_id:
                message_id, part_id = self.place(messages, note.call_id)
                self._notes[row] = replace(note, message_id=message_id, part_id=part_id)

    def place(self, messages: Sequence[Message], call_id: str) -> tuple[str | None, str | None]:
        """The ids of the message and the part after which a note belongs: the tool call, else the last part."""
        for message in reversed(messages if call_id else ()):
            for part in self._parts(message.id):
                if isinstance(part, ToolPart) and part.call_id == call_id:
                    return message.id, part.id
        last = messages[-1] if messages else None
        if last is None:
            return None, None
        parts = self._parts(last.id)
        return last.id, parts[-1].id if parts else None

    def _parts(self, message_id: str) -> list[Part]:
        transcript = self._store.transcript(self._session_id)
        return [] if transcript is None else transcript.parts_of(message_id)
