"""Connects the prompt to the client: drafts, prompt history, the queue.

Every change of the prompt is saved to the journal; text is removed only once the client has it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.config.key_lookup import key
from tui.core.changes import DraftReturned, Notice, ReturnedPromptFound
from tui.core.model import Queued
from tui.core.sanitize import single_line
from tui.core.turn_state import TurnState
from tui.ui.main_screen import MainScreen
from tui.widgets.prompt.prompt import joined, without_end
from tui.widgets.prompt.queue_list import why_waiting
from tui.widgets.prompt.text_limit import fits

if TYPE_CHECKING:
    from tui.client.client import Client

EDITED = "a queued prompt is being edited"
"""Why a queue is held while the user edits one of its prompts."""
NAMED = 2
"""Maximum sessions named in a notice; more are counted."""
QUOTED = 40
"""Maximum characters of a prompt quoted in a notice."""

REFUSED_NOW = Notice("This server accepts no prompt during a turn: it is sent when the turn ends.")


class PromptController:
    """Controls the prompt and the queue above it. `notify` shows a notice."""

    def __init__(self, client: "Client", main: MainScreen, notify: Callable[[Notice], None]) -> None:
        self._client = client
        self._main = main
        self._notify = notify
        self._begun, self._begun_in, self._made = "", "", False
        self._asked: dict[str, Notice] = {}
        """Notices that a turn's status is being checked, by prompt id."""
        self.recovered_elsewhere: list[str] = []
        """Session ids, one per prompt recovered in another session, until the user is notified."""
        self.session_id: str | None = None
        """Session of the draft in the prompt; "" for no session, None before `start`."""
        self._unsaved = False
        """Whether the queue is shown as waiting until it can be saved."""

    @property
    def beginning(self) -> bool:
        """Whether a prompt waits for its session to be created."""
        return bool(self._begun)

    @property
    def waits_for_session(self) -> bool:
        """Whether a prompt waits for a session that is not created yet."""
        return self.beginning and not self._made

    def start(self, session_id: str) -> None:
        """Load the session's saved draft into the prompt, before any text typed already."""
        self.session_id = session_id
        self._main.prompt.load_draft(joined(self._stored_draft(session_id), self._main.prompt.text))
        self._resume_edit(*self._client.journal.change(session_id))
        self.show_queue()

    def open(self, session_id: str, *, carry: bool = False) -> None:
        """Load another session's draft into the prompt; `carry`: append the current text to it."""
        before = self.session_id
        if session_id == before or before is None:
            return
        box, journal = self._main.prompt, self._client.journal
        self.leave_edit()
        self.save()
        change = journal.change(session_id)
        waits_there = self.beginning and session_id == self._begun_in
        draft = "" if waits_there else self._stored_draft(session_id)
        carry = carry or self.beginning
        words = joined(draft, box.draft) if carry else draft
        self.session_id = session_id
        box.load_draft(words)
        self._resume_edit(*change)
        self.save()
        if carry:
            journal.save_draft(before, self._begun if before == self._begun_in else "")
        self.show_queue()

    def _stored_draft(self, session_id: str) -> str:
        """Return the session's draft; "" if it is too long for the prompt and was moved to a file of its own."""
        draft = self._client.journal.draft(session_id)
        if fits(draft) or not self.keep_long(draft):
            return draft
        self._client.journal.save_draft(session_id, "", *self._client.journal.change(session_id))
        return ""

    def keep_long(self, text: str) -> bool:
        """Save a text that is too long for the prompt to a file, and notify the user; return False on failure."""
        kept = self._client.journal.save_to_file(text)
        if kept is not None:
            words = f"The edited text is too long for the prompt ({len(text):,} characters). Saved in {kept}."
            self._notify(Notice(words, "warning", sticky=True))
        return kept is not None

    def save(self) -> None:
        """Save the draft in the journal."""
        if self.session_id is not None:
            begun = self._begun if self.session_id == self._begun_in else ""
            box = self._main.prompt
            change, draft = box.change or ("", ""), box.draft if box.edited is None else box.aside
            self._client.journal.save_draft(self.session_id, joined(begun, draft), *change)

    def hold_for_new_session(self, text: str) -> None:
        """Hold this text until its session is created: it stays a draft but is removed from the prompt."""
        self._begun, self._begun_in, self._made = text, self._session, False
        self._main.prompt.clear_sent(text)
        self.save()

    def held_in(self, session_id: str) -> str:
        """Return the held text if it was sent in this session, or is to be sent there; "" if not."""
        return self._begun if session_id == self._begun_in else ""

    def session_made(self, session_id: str) -> None:
        """Move the held text to the draft of the session created for it."""
        before, self._begun_in, self._made = self._begun_in, session_id, True
        self._client.journal.save_draft(session_id, self._begun)
        if before == self.session_id:
            self.save()
        else:
            self._client.journal.save_draft(before, "")

    def left(self, session_id: str) -> None:
        """After the exit, move the saved draft to the session that was created meanwhile."""
        journal = self._client.journal
        journal.save_draft(session_id, journal.draft(self._begun_in))
        journal.save_draft(self._begun_in, "")
        journal.save_last_session(session_id)

    def release_held(self, *, sent: bool) -> None:
        """Release the held text: the new session has it, or (not `sent`) it returns to the prompt."""
        text, self._begun = self._begun, ""
        if not sent:
            self._main.prompt.append_returned(text)
        if self.session_id != self._begun_in:
            self._client.journal.save_draft(self._begun_in, "")
        self.save()

    def submit(self, text: str) -> None:
        """Queue the prompt, to be sent once the session is idle; an edited queued prompt keeps its position."""
        box = self._main.prompt
        if box.edited is not None:
            self._put_back(box.edited, text)
        elif text.strip():
            self._client.prompts.submit(self._session, text)
            box.clear_sent(text)

    @property
    def takes_now(self) -> bool:
        """Whether the server accepts a prompt now: some servers reject prompts while a turn runs."""
        traits = self._client.traits
        return traits is None or traits.queues_prompts or not self._client.turns.is_running_in(self._session)

    def send_now(self, text: str) -> None:
        """Send without waiting for the running turn; queue if the server does not accept that.

        Raises `NetError`; the text then stays in the prompt.
        """
        box, prompts = self._main.prompt, self._client.prompts
        if not self.takes_now:
            self._notify(REFUSED_NOW)
            self.submit(text)
            return
        if box.edited is not None:
            queued_id = box.edited
            if self._put_back(queued_id, text):
                prompts.send_queued_now(queued_id)
        elif text.strip():
            prompts.send_now(self._session, text)
            box.clear_sent(text)

    def send_waiting(self, queued: Queued) -> None:
        """Send a queued prompt unchanged, now. Raises `NetError`."""
        if not self.takes_now:
            self._notify(REFUSED_NOW)
            return
        if self._main.prompt.edited == queued.id:
            self.leave_edit()
        self._client.prompts.send_queued_now(queued.id)

    def edit(self, queued: Queued) -> None:
        """Load a queued prompt into the prompt box; its queue is held meanwhile."""
        if not fits(queued.text):
            words = f"That prompt is too long to be changed here ({len(queued.text):,} characters)."
            self._notify(Notice(words, "warning"))
            return
        self.leave_edit()
        self._client.prompts.hold(queued.session_id, EDITED)
        self._main.prompt.edit_queued(queued.id, queued.text)
        self._main.prompt.focus()
        self.show_queue()

    def _resume_edit(self, queued_id: str, changed: str) -> None:
        """Restore a queued prompt that was being edited when an earlier run ended."""
        waiting = self._client.prompts.waiting(self._session)
        queued = next((queued for queued in waiting if queued.id == queued_id), None)
        if not fits(changed) and self.keep_long(changed):
            changed = ""
        if queued is not None and changed:
            self._client.prompts.hold(queued.session_id, EDITED)
            self._main.prompt.edit_queued(queued.id, queued.text, changed)
        elif changed:
            self._main.prompt.append_returned(changed)

    def leave_edit(self) -> None:
        """Cancel editing a queued prompt; the edited text is added to the prompt history."""
        if change := self._main.prompt.change:
            self._client.journal.remember(change[1])
        if self._main.prompt.edited is not None:
            self._main.prompt.put_back()
        self.edit_left()

    def edit_cancelled(self, changed: str) -> None:
        """After the user cancelled editing: add the edited text to the prompt history."""
        if changed.strip():
            self._client.journal.remember(changed)
            self._notify(Notice("The change was not saved. ↑ in the prompt restores it."))
        self.edit_left()

    def edit_left(self) -> None:
        """After editing a queued prompt: release its queue."""
        if self._client.prompts.waiting(self._session):
            self._client.prompts.release(self._session, EDITED)
        self.show_queue()

    def remove(self, queued: Queued) -> None:
        """Remove a prompt from the queue; the prompt history (Up) keeps it."""
        if self._main.prompt.edited == queued.id:
            self.leave_edit()
        if self._client.prompts.cancel(queued.id) is None:
            self._notify(Notice("That prompt was already sent; it was not removed.", "warning"))

    def release(self) -> None:
        """Release a held queue."""
        if not self._client.prompts.waiting(self._session):
            self._notify(Notice("No prompt is queued."))
        elif self._main.prompt.edited is None:
            if not self._client.prompts.held(self._session):
                self._notify(Notice("The queue is not paused."))
            self._client.prompts.release(self._session)

    def returned(self, change: DraftReturned, *, quiet: bool) -> None:
        """Return an undelivered prompt to its session's prompt box; notify unless `quiet` is set."""
        because = f" ({change.reason})" if change.reason else ""
        if change.session_id == self.session_id:
            self._main.prompt.append_returned(change.text)
        if quiet:
            return
        quoted, box = single_line(change.text, QUOTED), self._box_of(change.session_id)
        what = f"“{quoted}” was not sent{because}"
        if change.may_have_arrived:
            what = f"Whether the server has “{quoted}” is unknown{because}: sent again, it may be doubled"
        self._notify(Notice(f"{what}. It was returned to {box}.", "warning"))

    def returned_found(self, change: ReturnedPromptFound) -> None:
        """Handle a returned prompt that the server has after all: remove an unchanged copy from the prompt."""
        journal, session_id = self._client.journal, change.session_id
        if session_id == self.session_id:
            draft, taken = self._main.prompt.draft, self._main.prompt.remove_returned(change.text)
            self.save()
        else:
            draft = journal.draft(session_id)
            rest = without_end(draft, change.text)
            taken = rest is not None
            if rest is not None:
                journal.save_draft(session_id, rest, *journal.change(session_id))
        box, then = self._box_of(session_id), ""
        if taken:
            then = f" The copy was removed from {box}."
        elif _may_hold(draft, change.text):
            then = f" Do not send it again from {box}."
        self._notify(Notice(f"The server did receive “{single_line(change.text, QUOTED)}”.{then}", "warning"))

    def _box_of(self, session_id: str) -> str:
        if session_id == self.session_id:
            return "the prompt"
        session = self._client.store.sessions.get(session_id)
        return f"the prompt of {single_line(session.title, QUOTED) if session else 'its session'}"

    def show_queue(self) -> None:
        """Update the queue above the prompt."""
        prompts = self._client.prompts
        edited = self._main.prompt.edited
        waiting = prompts.waiting(self._session)
        held = frozenset(queued.id for queued in waiting if prompts.is_held(queued.id))
        all_held, unsaved = len(held) == len(waiting), self._client.journal.behind
        self._unsaved = unsaved
        why = why_waiting(
            prompts.held(self._session), self._client.connection_status(), all_held=all_held, unsaved=unsaved
        )
        self._main.queue.show_waiting(waiting, why, edited, held)
        self._main.refresh_hints()

    def tick(self) -> None:
        """Update the queue if the journal can be written again, or no longer, which no change reports."""
        if self._client.journal.behind != self._unsaved:
            self.show_queue()

    def notify_recovered(self, place: str) -> None:
        """Notify what an earlier run left in the session `place`; collect other sessions in `recovered_elsewhere`."""
        prompts = self._client.prompts
        under_way = [turn for turn in self._client.turns.running() if turn.prompt is not None]
        for turn in under_way:
            if turn.session_id == place and turn.prompt is not None:
                quoted = single_line(turn.prompt.text, QUOTED)
                what = f"“{quoted}” was still running when Holdfast last exited. Checking its status…"
                self._asked[turn.prompt.message_id] = Notice(what)
                self._notify(self._asked[turn.prompt.message_id])
        self.recovered_elsewhere = [turn.session_id for turn in under_way if turn.session_id != place]
        self.recovered_elsewhere += [s for s in prompts.sessions() if s != place for _ in prompts.waiting(s)]

    def known(self, session_id: str) -> None:
        """Drop the status-check notice of each turn of the session whose state is known again."""
        for turn in self._client.turns.of(session_id) if self._asked else ():
            if turn.prompt is not None and turn.state is not TurnState.UNKNOWN:
                asked = self._asked.pop(turn.prompt.message_id, None)
                if asked is not None:
                    self._main.notices.drop(asked)

    def notify_recovered_elsewhere(self) -> None:
        """Notify once what an earlier run left in other sessions, by title if all titles are known."""
        left, self.recovered_elsewhere = self.recovered_elsewhere, []
        if not left:
            return
        words = "A prompt from your last run is" if len(left) == 1 else f"{len(left)} prompts from your last run are"
        ids = list(dict.fromkeys(left))
        known = [self._client.store.sessions[one].title.strip() for one in ids if one in self._client.store.sessions]
        where = "another session" if len(ids) == 1 else f"{len(ids)} other sessions"
        if len(ids) <= NAMED and len(known) == len(ids) and all(known):
            where = " and ".join(f"“{single_line(title, QUOTED)}”" for title in known)
        opens = f"{key('sessions')} opens {'it' if len(ids) == 1 else 'them'}."
        self._notify(Notice(f"{words} under way or waiting in {where} · {opens}"))

    def unfinished(self, session_id: str) -> bool:
        """Whether an earlier run left a turn, queued prompts or a draft in the session."""
        return bool(
            any(turn.session_id == session_id for turn in self._client.turns.running())
            or self._client.prompts.waiting(session_id)
            or self._client.journal.has_draft(session_id)
        )

    @property
    def _session(self) -> str:
        return self.session_id or ""

    def _put_back(self, queued_id: str, text: str) -> bool:
        """Save an edited queued prompt. If it was sent meanwhile, keep the text in the prompt and return False."""
        box, prompts = self._main.prompt, self._client.prompts
        waits = any(queued.id == queued_id for queued in prompts.waiting(self._session))
        if not waits:
            box.merge()
            self._notify(Notice("That prompt was already sent unchanged. Your text stays here.", "warning"))
        elif text.strip():
            prompts.edit(queued_id, text)
            box.clear_sent(text)
        else:
            prompts.cancel(queued_id)
            box.put_back()
            self._notify(Notice("The emptied prompt was removed from the queue. ↑ in the prompt restores it."))
        self.save()
        self.edit_left()
        return waits and bool(text.strip())


def _may_hold(draft: str, text: str) -> bool:
    """Whether a draft may contain the text in a changed form: its first or last line."""
    lines = [line.strip() for line in text.strip().split("\n")]
    return any(line and line in draft for line in (lines[0], lines[-1]))
