"""The conversation: messages oldest first, a limited number of them mounted.

It reads the given store; the caller reports what changed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message as TextualMessage
from textual.widget import Widget

from tui.config.keymap import Scope
from tui.core.model import Idle, Message, Part
from tui.core.store import Store
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import StaticText
from tui.widgets.text.blocks import paragraphs
from tui.widgets.text.lines_view import LinesView
from tui.widgets.text.note_line import NoteLine
from tui.widgets.transcript.foldable import MARGIN, USER_LABEL, Foldable, focus_fold
from tui.widgets.transcript.notes import Note, SessionNotes
from tui.widgets.transcript.part_drawing import PartDrawing
from tui.widgets.transcript.reading_scroll import ReadingScroll
from tui.widgets.transcript.transcript_top import Loading, TranscriptTop

if TYPE_CHECKING:
    from tui.widgets.transcript.message import MessageView

MESSAGES_AT_FIRST = 40
MESSAGES_MORE = 40
MAX_MESSAGES = 60
"""Messages that stay mounted while following the end; older ones are mounted again on scrolling up."""


RecordedEnd: TypeAlias = Callable[[str, str], Content | None]
"""Returns the end of a prompt's turn from the server's record, by session and prompt id."""


class TranscriptView(ReadingScroll, can_focus=True):
    """The messages of one session."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.TRANSCRIPT)

    class OlderRequested(TextualMessage):
        """The user reached the top of the loaded messages."""

    def __init__(self, store: Store, recorded_end: RecordedEnd, *, id: str | None = None) -> None:
        """`recorded_end` is used for the end of a turn if nothing else is known of it."""
        super().__init__(id=id)
        self._store = store
        self.session_id: str | None = None
        self._views: dict[str, MessageView] = {}
        self._notes: dict[str, SessionNotes] = {}
        self._drawing = PartDrawing(self, parts_of=self._parts, show_part=self.show_part, filled=self.show_top)
        self._pending: dict[str, LinesView] = {}
        self._top = TranscriptTop()
        self._loading = Loading()
        self._recorded_end = recorded_end

    @property
    def text(self) -> str:
        """The text of all mounted widgets."""
        return "\n".join(
            view.text for view in self.walk_children() if isinstance(view, LinesView | Foldable | StaticText)
        )

    def show_session(self, session_id: str | None) -> None:
        """Draw another session, or none, from its end."""
        self.session_id = session_id
        self.draw()

    def show_pending(self, message_id: str, text: str) -> None:
        """Show a prompt being sent, until the server's copy of the message has text."""
        if message_id not in self._views and message_id not in self._pending:
            if self.behind:
                self.draw()
            view = LinesView(
                paragraphs(text.expandtabs(4), gap=0), label=USER_LABEL, margin=MARGIN, classes="words pending"
            )
            self._pending[message_id] = view
            self.mount(view)

    def drop_pending(self, message_id: str) -> None:
        view = self._pending.pop(message_id, None)
        if view is not None:
            view.remove()

    def draw(self) -> None:
        """Redraw from the store: the newest messages, and the notes at their places."""
        self._draw(self._messages()[-MESSAGES_AT_FIRST:], behind=False)
        self.follow()

    def _draw(self, messages: list[Message], *, behind: bool) -> None:
        """Draw these messages. `behind`: newer messages exist that are not mounted."""
        self._drawing.clear()
        self._views.clear()
        self._pending.clear()
        self.behind = behind
        self.release()
        self.remove_children()
        self._session_notes().find_calls(self._messages())
        self._top = TranscriptTop()
        self.mount(self._top)
        self.show_top()
        self.mount_all([note.line() for note in self._session_notes().within(None)])
        self._mount_messages(messages)

    async def reveal(self, message_id: str, part_id: str) -> Widget | None:
        """Mount and lay out the message of a part; return the part's widget, or None if it has none."""
        messages = self._messages()
        at = next((row for row, message in enumerate(messages) if message.id == message_id), None)
        if at is None:
            return None
        self.following = False
        self.anchor(False)
        if message_id not in self._views:
            around = messages[max(0, at - MESSAGES_AT_FIRST // 2) : at + MESSAGES_AT_FIRST // 2]
            self._draw(around, behind=around[-1] is not messages[-1])
        await self.laid_out()
        view = self._views.get(message_id)
        if view is not None and view.hides(part_id):
            view.show_earlier(self._parts(message_id), part_id)
            await self.laid_out()
        return None if view is None else view.view_of(part_id)

    def show_message(self, message_id: str) -> None:
        """Update or mount a message that is new or changed."""
        transcript = self._store.transcript(self.session_id or "")
        message = transcript.messages.get(message_id) if transcript is not None else None
        if transcript is None or message is None or transcript.is_without_parts(message):
            return
        self.drop_pending(message_id)
        view = self._views.get(message_id)
        if view is not None:
            view.message = message
            self._drawing.fill(view)
            return
        if message_id in self._store.undone(self.session_id or ""):
            return
        at = transcript.index(message_id)
        mounted = [(transcript.index(one), view) for one, view in self._views.items() if one in transcript.messages]
        if self.behind and mounted and at > mounted[-1][0]:
            return  # mounted when the user scrolls there
        if mounted and at < mounted[0][0]:
            return  # older than the mounted messages
        self._mount_messages([message], before=next((view for row, view in mounted if row > at), None))
        self._forget_oldest()

    def show_alive(self) -> None:
        """Update which message is worked on: the newest answer, unless the session is idle."""
        transcript = self._store.transcript(self.session_id or "")
        newest = transcript.newest_answer() if transcript is not None else None
        rests = isinstance(self._store.status(self.session_id or ""), Idle)
        for message_id, view in self._views.items():
            view.show_alive(not rests and newest is not None and newest.id == message_id)

    def drop_message(self, message_id: str) -> None:
        self.drop_end(message_id)
        view = self._views.pop(message_id, None)
        if view is not None:
            view.remove()

    def show_part(self, message_id: str, part_id: str) -> None:
        """Update a part that is new or replaced."""
        self._drawing.drawn(message_id, part_id)
        transcript = self._store.transcript(self.session_id or "")
        part = transcript.part(message_id, part_id) if transcript is not None else None
        view = self._views.get(message_id)
        if view is not None and part is not None:
            view.show_part(part)
        elif part is not None and transcript is not None and transcript.parts[message_id].keys() == {part_id}:
            self.show_message(message_id)

    def on_message_view_earlier_requested(self, event: "MessageView.EarlierRequested") -> None:
        event.stop()
        view = self._views.get(event.message_id)
        if view is not None and view.show_earlier(self._parts(event.message_id)):
            self._drawing.continue_filling(view)

    def drop_part(self, message_id: str, part_id: str) -> None:
        view = self._views.get(message_id)
        if view is not None:
            view.drop_part(part_id)

    def schedule_part_redraw(self, message_id: str, part_id: str) -> None:
        """Schedule a grown part for the next drawing."""
        self._drawing.schedule_part_redraw(message_id, part_id)

    def note(self, words: Content, call_id: str = "") -> None:
        """Add a note after the tool call with this id, else at the end.

        It keeps its position when later content arrives and when the transcript is redrawn.
        """
        self._keep(Note(*self._session_notes().place(self._messages(), call_id), words, call_id=call_id))

    def note_end(self, turn: str, words: Content, *, ends: bool) -> None:
        """Show how the turn of this prompt ended, replacing an earlier note of that turn.

        `ends`: it is more specific than the server's own end and replaces it.
        """
        existing = self._session_notes().end_of(turn)
        if existing is not None and (existing.words.plain, existing.ends) == (words.plain, ends):
            return
        self.drop_end(turn)
        last = next(reversed(self._messages()), None)
        self._keep(Note(None if last is None else last.id, None, words, ends, turn))

    def drop_end(self, turn: str) -> None:
        """Remove the end note of a turn that continues."""
        if self._session_notes().drop_end(turn):
            for view in self._views.values():
                view.drop_end(turn)
            for line in [one for one in self.children if isinstance(one, NoteLine) and one.turn == turn]:
                line.remove()

    def show_recorded_ends(self) -> None:
        """Update the turn ends that come from the server's record."""
        for view in self._views.values():
            view.show_recorded_end(self._recorded_in(view.message))

    def _recorded_in(self, message: Message) -> Content | None:
        """Return the recorded turn end that this message shows; None if a note shows it."""
        prompt_id = message.id if message.role == "user" else message.parent_id or ""
        notes = self._session_notes()
        if notes.answer_or_prompt(prompt_id) != message.id or notes.end_of(prompt_id) is not None:
            return None
        return self._recorded_end(self.session_id or "", prompt_id)

    def _session_notes(self) -> SessionNotes:
        session_id = self.session_id or ""
        return self._notes.setdefault(session_id, SessionNotes(self._store, session_id))

    def _keep(self, note: Note) -> None:
        notes = self._session_notes()
        for old in notes.add(note):
            self._take_away(old)
        message_id = notes.message_of(note)
        view = self._views.get(message_id or "")
        if view is not None:
            note.put(view)
        elif message_id is None:
            self.mount(note.line())

    def _take_away(self, note: Note) -> None:
        view = self._views.get(self._session_notes().message_of(note) or "")
        if view is not None and not note.turn:
            view.drop_note(note.words)
        for line in [one for one in self.children if isinstance(one, NoteLine) and one.words is note.words]:
            line.remove()

    def older_loaded(self) -> None:
        """Update the view after older messages were loaded; mount them if the user is at the top."""
        self.show_top()
        self.want_older()

    def show_loading(self, activity: str, received: int, failed: str, failed_older: str) -> None:
        """Show the state of message loading; once it ends, check whether to load more."""
        self._loading = Loading(activity, received, failed, failed_older)
        self.show_top()
        if not activity:
            self.call_after_refresh(self.want_older)

    def show_top(self) -> None:
        """Update the first line: whether there are older messages."""
        if not self._top.is_attached:
            return
        transcript = self._store.transcript(self.session_id or "")
        loaded = transcript is not None and transcript.loaded
        messages = self._messages()
        unmounted = bool(messages) and bool(self._views) and messages[0].id not in self._views
        more = unmounted or (transcript is not None and transcript.cursor is not None)
        long = len(messages) > MESSAGES_AT_FIRST and self._drawing.has_heights
        dropped = transcript is not None and transcript.has_dropped
        self._top.show_top(self._loading, loaded=loaded, more=more, long=long, dropped=dropped)

    def want_older(self, *, again: bool = False) -> None:
        if self.scroll_y > 0 or (self.is_holding and not again) or self._loading.activity:
            return
        if self.following and self.virtual_size.height > self.size.height:
            return
        transcript = self._store.transcript(self.session_id or "")
        if transcript is None or self._mount_older() or transcript.cursor is None:
            return
        if again or not self._loading.failed_older:
            self.post_message(self.OlderRequested())

    def _messages(self) -> list[Message]:
        transcript = self._store.transcript(self.session_id) if self.session_id else None
        if transcript is None:
            return []
        undone = self._store.undone(self.session_id or "")
        return [m for m in transcript.ordered() if not transcript.is_without_parts(m) and m.id not in undone]

    def _parts(self, message_id: str) -> list[Part]:
        transcript = self._store.transcript(self.session_id or "")
        return [] if transcript is None else transcript.parts_of(message_id)

    def _mount_messages(self, messages: list[Message], *, before: "MessageView | None" = None) -> None:
        from tui.widgets.transcript.message import MessageView  # imported after the first frame

        views, notes = [], self._session_notes()
        for message in messages:
            view = MessageView(message)
            for note in notes.within(message.id):
                note.put(view)
            view.show_recorded_end(self._recorded_in(message))
            views.append(view)
        if before is None:
            self._views.update({view.message.id: view for view in views})
        else:
            ordered = list(self._views.items())
            at = [view for _, view in ordered].index(before)
            ordered[at:at] = [(view.message.id, view) for view in views]
            self._views = dict(ordered)
        self.mount_all(views, before=before)
        self.show_alive()
        self._drawing.mounted(views)

    def _forget_oldest(self) -> None:
        if self.following and len(self._views) > MAX_MESSAGES + MESSAGES_MORE:
            for message_id in list(self._views)[: len(self._views) - MAX_MESSAGES]:
                self._views.pop(message_id).remove()

    def _mount_older(self) -> bool:
        first = next(iter(self._views.values()), None)
        messages = self._messages()
        if first is None:
            self._mount_messages(messages[-MESSAGES_AT_FIRST:])
            return bool(messages)
        at = next((row for row, m in enumerate(messages) if m.id == first.message.id), 0)
        older = messages[max(0, at - MESSAGES_MORE) : at]
        if not older:
            return False
        self.hold(first)
        self._mount_messages(older, before=first)
        self.show_top()
        self.call_after_refresh(self.keep_place)
        return True

    def last_message(self) -> Widget | None:
        return next(reversed(self._views.values()), None)

    def reach_top(self) -> None:
        if not self._mount_older():
            self.post_message(self.OlderRequested())

    def mount_newer(self) -> None:
        """Mount newer messages when the user reaches the end of the mounted ones."""
        messages = self._messages()
        at = max((row for row, message in enumerate(messages) if message.id in self._views), default=-1)
        newer = messages[at + 1 : at + 1 + MESSAGES_MORE]
        self.behind = at + 1 + MESSAGES_MORE < len(messages)
        self._mount_messages(newer)

    def action_next_fold(self) -> None:
        focus_fold(self, 1)

    def action_previous_fold(self) -> None:
        focus_fold(self, -1)


class Unread(StaticText):
    """`↓ 12 new lines · End`, shown over the transcript while it does not follow the end."""

    def show_unread(self, following: bool, unread: int) -> None:
        self.display = not following
        lines = "1 new line" if unread == 1 else f"{unread} new lines"
        self.show(f" ↓ {lines if unread else 'more below'} · End ")
