"""What the person writes, on its way from the box to the client: drafts, earlier prompts, the queue.

The journal has every word of the box at each change; words leave it only when the client has them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.config.keymap import key
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

EDITED = "one of them is being changed"
"""Why a queue is held while the person changes one of its prompts."""
NAMED = 2
"""Sessions that a notice names; more are counted."""
QUOTED = 40
"""Characters of a prompt that a notice quotes."""

REFUSED_NOW = Notice("This server takes no prompt while a turn runs: it is sent when the turn ends.")


class PromptController:
    """The box, and the queue above it. `notify` shows a notice."""

    def __init__(self, client: "Client", main: MainScreen, notify: Callable[[Notice], None]) -> None:
        self._client = client
        self._main = main
        self._notify = notify
        self._begun, self._begun_in, self._made = "", "", False
        self._asked: dict[str, Notice] = {}
        """What says that a turn is asked for, by the id of its prompt."""
        self.recovered_elsewhere: list[str] = []
        """Sessions, one for each prompt that an earlier run left there, until that is told."""
        self.session_id: str | None = None
        """Whose draft stands in the box; "" where there is no session, None before `start`."""
        main.prompt.past = client.journal.history
        main.prompt.keep_long = self._keep_long

    @property
    def beginning(self) -> bool:
        """Whether words wait for their session to be created."""
        return bool(self._begun)

    @property
    def waits_for_session(self) -> bool:
        """Whether the session is not known yet for which words wait."""
        return self.beginning and not self._made

    def start(self, session_id: str) -> None:
        """Put what an earlier run left of the session's draft into the box, before what was typed already."""
        self.session_id = session_id
        self._main.prompt.load_draft(joined(self._stored_draft(session_id), self._main.prompt.text))
        self._resume_edit(*self._client.journal.change(session_id))
        self.show_queue()

    def open(self, session_id: str, *, carry: bool = False) -> None:
        """Put another session's draft into the box; `carry`: what stands there now goes along."""
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
        """The session's draft; "" where it is too long for the box, and kept in a file of its own from now on."""
        draft = self._client.journal.draft(session_id)
        if fits(draft) or not self._keep_long(draft):
            return draft
        self._client.journal.save_draft(session_id, "", *self._client.journal.change(session_id))
        return ""

    def _keep_long(self, text: str) -> bool:
        """Whether a text that is too long for the box is in a file of its own now, which is said."""
        kept = self._client.journal.keep_apart(text)
        if kept is not None:
            words = f"What was written is too long for the prompt ({len(text):,} characters). It is kept in {kept}."
            self._notify(Notice(words, "warning", sticky=True))
        return kept is not None

    def save(self) -> None:
        """Keep what stands in the box."""
        if self.session_id is not None:
            begun = self._begun if self.session_id == self._begun_in else ""
            box = self._main.prompt
            change, draft = box.change or ("", ""), box.draft if box.edited is None else box.aside
            self._client.journal.save_draft(self.session_id, joined(begun, draft), *change)

    def hold_for_new_session(self, text: str) -> None:
        """These words wait for their session to be created: a draft still, though not in the box any more."""
        self._begun, self._begun_in, self._made = text, self._session, False
        self._main.prompt.clear_sent(text)
        self.save()

    def session_made(self, session_id: str) -> None:
        """The session is known for which words wait: they are a draft of that one from now on."""
        before, self._begun_in, self._made = self._begun_in, session_id, True
        self._client.journal.save_draft(session_id, self._begun)
        if before == self.session_id:
            self.save()
        else:
            self._client.journal.save_draft(before, "")

    def left(self, session_id: str) -> None:
        """The client was left, and what `save` kept then is a draft of the session that was made meanwhile."""
        journal = self._client.journal
        journal.save_draft(session_id, journal.draft(self._begun_in))
        journal.save_draft(self._begun_in, "")
        journal.save_last_session(session_id)

    def release_held(self, *, sent: bool) -> None:
        """The new session has the words; or (not `sent`) they go back into the box."""
        text, self._begun = self._begun, ""
        if not sent:
            self._main.prompt.give_back(text)
        if self.session_id != self._begun_in:
            self._client.journal.save_draft(self._begun_in, "")
        self.save()

    def submit(self, text: str) -> None:
        """Send as soon as the session is free; a waiting prompt that was changed goes back to its place."""
        box = self._main.prompt
        if box.edited is not None:
            self._put_back(box.edited, text)
        elif text.strip():
            self._client.prompts.submit(self._session, text)
            box.clear_sent(text)

    @property
    def takes_now(self) -> bool:
        """Whether the server takes a prompt as it is now: some refuse one while a turn runs."""
        traits = self._client.traits
        return traits is None or traits.queues_prompts or not self._client.turns.running_in(self._session)

    def send_now(self, text: str) -> None:
        """Send without waiting for the turn that runs, where the server takes that; where not, it waits.

        Raises `NetError`, with the words still in the box.
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
        """Send a waiting prompt as it is, now. Raises `NetError`."""
        if not self.takes_now:
            self._notify(REFUSED_NOW)
            return
        if self._main.prompt.edited == queued.id:
            self.leave_edit()
        self._client.prompts.send_queued_now(queued.id)

    def edit(self, queued: Queued) -> None:
        """Take a waiting prompt into the box; nothing of its queue is sent meanwhile."""
        if not fits(queued.text):
            words = f"That prompt is too long to be changed here ({len(queued.text):,} characters)."
            self._notify(Notice(words, "warning"))
            return
        self.leave_edit()
        self._client.prompts.hold(queued.session_id, EDITED)
        self._main.prompt.take_waiting(queued.id, queued.text)
        self._main.prompt.focus()
        self.show_queue()

    def _resume_edit(self, queued_id: str, changed: str) -> None:
        """A prompt of the queue that was being changed when an earlier run ended stands in the box again."""
        waiting = self._client.prompts.waiting(self._session)
        queued = next((queued for queued in waiting if queued.id == queued_id), None)
        if not fits(changed) and self._keep_long(changed):
            changed = ""
        if queued is not None and changed:
            self._client.prompts.hold(queued.session_id, EDITED)
            self._main.prompt.take_waiting(queued.id, queued.text, changed)
        elif changed:
            self._main.prompt.give_back(changed)

    def leave_edit(self) -> None:
        """The waiting prompt stays as it was; what it was changed to is an earlier prompt."""
        if change := self._main.prompt.change:
            self._client.journal.remember(change[1])
        if self._main.prompt.edited is not None:
            self._main.prompt.put_back()
        self.edit_left()

    def edit_cancelled(self, changed: str) -> None:
        """The person left a waiting prompt as it was; what it was changed to is an earlier prompt."""
        if changed.strip():
            self._client.journal.remember(changed)
            self._notify(Notice("The change was not saved. ↑ in the prompt finds it."))
        self.edit_left()

    def edit_left(self) -> None:
        """No waiting prompt stands in the box any more: its queue goes on."""
        if self._client.prompts.waiting(self._session):
            self._client.prompts.release(self._session, EDITED)
        self.show_queue()

    def remove(self, queued: Queued) -> None:
        """Take a waiting prompt out of the queue; earlier prompts (Up) still have it."""
        if self._main.prompt.edited == queued.id:
            self.leave_edit()
        if self._client.prompts.cancel(queued.id) is None:
            self._notify(Notice("That prompt was already sent; it was not removed.", "warning"))

    def release(self) -> None:
        """Let a held queue go on."""
        if self._main.prompt.edited is None:
            self._client.prompts.release(self._session)

    def returned(self, change: DraftReturned, *, told: bool) -> None:
        """A prompt never arrived: it is back in its session's box. That is said, unless it is `told` already."""
        because = f" ({change.reason})" if change.reason else ""
        if change.session_id == self.session_id:
            self._main.prompt.give_back(change.text)
        if told:
            return
        quoted, box = single_line(change.text, QUOTED), self._box_of(change.session_id)
        self._notify(Notice(f"“{quoted}” was not sent{because}. It went back to {box}.", "warning"))

    def returned_found(self, change: ReturnedPromptFound) -> None:
        """The server has a prompt that is back in its session's box: an unchanged copy is taken out there."""
        journal, session_id = self._client.journal, change.session_id
        if session_id == self.session_id:
            draft, taken = self._main.prompt.draft, self._main.prompt.take_back(change.text)
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
        """The queue above the box, as the client has it."""
        prompts = self._client.prompts
        edited = self._main.prompt.edited
        waiting = prompts.waiting(self._session)
        held = frozenset(queued.id for queued in waiting if prompts.is_held(queued.id))
        all_held, unsaved = len(held) == len(waiting), self._client.journal.behind
        why = why_waiting(prompts.held(self._session), self._client.line(), all_held=all_held, unsaved=unsaved)
        self._main.queue.show_waiting(waiting, why, edited, held)
        self._main.refresh_hints()

    def notify_recovered(self, place: str) -> None:
        """Say what an earlier run left at `place`, the session that opens now; the rest is `left_elsewhere`."""
        prompts = self._client.prompts
        under_way = [turn for turn in self._client.turns.running() if turn.prompt is not None]
        for turn in under_way:
            if turn.session_id == place and turn.prompt is not None:
                quoted = single_line(turn.prompt.text, QUOTED)
                what = f"“{quoted}” was under way when the last run ended. Checking its status…"
                self._asked[turn.prompt.message_id] = Notice(what)
                self._notify(self._asked[turn.prompt.message_id])
        self.recovered_elsewhere = [turn.session_id for turn in under_way if turn.session_id != place]
        self.recovered_elsewhere += [s for s in prompts.sessions() if s != place for _ in prompts.waiting(s)]

    def known(self, session_id: str) -> None:
        """A turn moved: where it is known what became of it, nothing says any more that this is asked."""
        for turn in self._client.turns.of(session_id) if self._asked else ():
            if turn.prompt is not None and turn.state is not TurnState.UNKNOWN:
                asked = self._asked.pop(turn.prompt.message_id, None)
                if asked is not None:
                    self._main.notices.drop(asked)

    def tell_left_elsewhere(self) -> None:
        """Say, once, what an earlier run left in other sessions: by their titles, where all are known."""
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
        """Whether an earlier run left something in the session: a turn, waiting prompts, a draft."""
        return bool(
            any(turn.session_id == session_id for turn in self._client.turns.running())
            or self._client.prompts.waiting(session_id)
            or self._client.journal.has_draft(session_id)
        )

    @property
    def _session(self) -> str:
        return self.session_id or ""

    def _put_back(self, queued_id: str, text: str) -> bool:
        """Whether the changed prompt is back in its place; if it was sent meanwhile, its words stay in the box."""
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
            self._notify(Notice("The emptied prompt was removed from the queue. ↑ in the prompt finds what it was."))
        self.save()
        self.edit_left()
        return waits and bool(text.strip())


def _may_hold(draft: str, text: str) -> bool:
    """Whether a draft may hold the text, changed: its first or its last line is there."""
    lines = [line.strip() for line in text.strip().split("\n")]
    return any(line and line in draft for line in (lines[0], lines[-1]))
