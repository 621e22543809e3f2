"""Where the person writes. What was not sent comes back here; nothing typed is ever dropped.

Other words may take the place of what is being written: an earlier prompt, or one that waits and is changed. What
was being written then lies aside, and comes back.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from textual import events, on
from textual.message import Message

from tui.config.keymap import action_of
from tui.config.keys import Scope
from tui.core.model import CatalogItem
from tui.widgets.focus.input_guard import InputGuard
from tui.widgets.prompt.completions import CompletionList
from tui.widgets.prompt.editor import Editor
from tui.widgets.prompt.text_limit import fits

UNFINISHED_NAME = re.compile(r"(?:^|\s)@\S*$")
UNFINISHED_COMMAND = re.compile(r"^/\S*$")


class PromptBox(Editor):
    """The box at the bottom, with earlier prompts behind it (Up and Down)."""

    @dataclass
    class ScrollWanted(Message):
        """The transcript is to be moved, though the prompt has the keys."""

        where: Literal["up", "down", "end"]

    @dataclass
    class OffersWanted(Message):
        """What may become of `word`, which ends at the cursor: `@` and a file's name, or `/` and a command's.

        `finish`: the person asked for it with Tab, and one alone is taken at once.
        """

        word: str
        finish: bool = False

    class SendNow(Message):
        """What stands here is to be sent without waiting."""

    class SearchWanted(Message):
        """Earlier prompts are to be searched."""

    class KeysChanged(Message):
        """Enter means something again, or nothing for a moment."""

    class EnterIgnored(Message):
        """Enter came just after a question went, which it was meant for; nothing is sent."""

    @dataclass
    class EditLeft(Message):
        """The waiting prompt that stood here stays as it was; `changed`: what it was changed to here, or ""."""

        changed: str

    def __init__(self, now: Callable[[], float], *, id: str | None = None) -> None:
        """`past` gives earlier prompts, the newest first; `submit` takes what stands here, before the next key."""
        super().__init__(placeholder="Ask anything…", id=id)
        self.past: Callable[[], Sequence[str]] = tuple
        self.submit: Callable[[str], None] = lambda text: None
        self.edited: str | None = None
        self.grace = InputGuard(self, now, self._grace_changed)
        """In it Enter sends nothing, until something is written."""
        self._rest_comes = False
        self.completions = CompletionList(self._take, id="completions")
        """Stands above the box, wherever the screen puts it."""
        self._asked_for = ""
        self._list_left = False
        self._earlier: Sequence[str] = ()
        self._at = 0
        self._aside: str | None = None
        self._laid = ""
        self._changed: dict[str, str] = {}
        """Earlier prompts that were changed here and left again, by what was sent."""

    @property
    def unfinished(self) -> str:
        """The word that ends at the cursor and can be finished; "" if there is no such word."""
        row, column = self.cursor_location
        line, rest = self.document.get_line(row)[:column], self.document.get_line(row)[column:]
        if rest[:1].strip():
            return ""
        found = UNFINISHED_COMMAND.search(line) if row == 0 else None
        found = found or UNFINISHED_NAME.search(line)
        return found[0].strip() if found else ""

    def offer(self, word: str, offered: Sequence[CatalogItem], *, finish: bool = False) -> None:
        """`word`, if it still stands before the cursor, may become these; `finish`: where it is one, it does."""
        if self.unfinished != word or not self.has_focus:
            return
        if finish and len(offered) == 1:
            self._take(offered[0].name)
        elif finish or not self._list_left:
            self._list_left = False
            self.completions.offer(word, offered)

    def _take(self, name: str) -> None:
        """Put a name in the place of the word before the cursor."""
        word, (row, column) = self.unfinished, self.cursor_location
        if word:
            whole = f'"{name}"' if " " in name else name
            space = "" if name.endswith("/") else " "
            self.replace(f"{word[0]}{whole}{space}", (row, column - len(word)), (row, column))

    @on(Editor.SelectionChanged)
    def _look_at_word(self) -> None:
        """The word before the cursor may have become another."""
        word = self.unfinished
        self._list_left = self._list_left and bool(word)
        if not word or self._list_left:
            self._asked_for = ""
            self.completions.close()
        elif word != self._asked_for:
            self._asked_for = word
            self.completions.narrow(word)
            self.post_message(self.OffersWanted(word))

    def on_blur(self) -> None:
        self.completions.close()
        self._asked_for = ""

    @property
    def has_words(self) -> bool:
        """Whether there is something to send."""
        return bool(self.text.strip())

    @property
    def draft(self) -> str:
        """All that was written here and not sent, with what lies aside."""
        if self._aside is None:
            return self.text
        return self._aside if self.text == self._laid else joined(self._aside, self.text)

    @property
    def aside(self) -> str:
        """What lies aside for what stands here."""
        return self._aside or ""

    @property
    def change(self) -> tuple[str, str] | None:
        """The waiting prompt that stands here, and what it was changed to; None where it is as it was."""
        return (self.edited, self.text) if self.edited is not None and self.text != self._laid else None

    def load_draft(self, text: str) -> None:
        """Begin with `text`; nothing lies aside."""
        self._aside, self._laid, self._at, self.edited = None, "", 0, None
        self._set(text)

    def recall(self, text: str) -> None:
        """Lay what is being written aside for an earlier prompt."""
        if self._aside is None:
            self._aside = self.text
        self._laid = text
        self._set(text)

    def recall_earlier(self, text: str) -> None:
        """As Up, to the earlier prompt `text`; a waiting one that is being changed gets it inserted."""
        if self.edited is not None:
            self.insert(text)
            return
        if not fits(text):
            self.post_message(self.Refused(len(text)))
            return
        self._keep_changes()
        self._at = 0
        self._show_earlier(text)

    def take_waiting(self, queued_id: str, text: str, changed: str = "") -> None:
        """Lay what is being written aside for a prompt that waits; `changed`: what it is to be already."""
        self._aside = self.draft
        self._at, self.edited = 0, queued_id
        self.recall(changed or text)
        self._laid = text

    def clear_sent(self, sent: str) -> None:
        """These words are sent, or wait: what lay aside comes back, and what was typed since stays."""
        if self.edited is None:
            self._changed.pop(self._laid, None)
        if self._aside is not None or self.text.startswith(sent):
            self.load_draft(joined(self._aside or "", self.text.removeprefix(sent).strip("\n")))

    def put_back(self) -> None:
        """What lay aside comes back; what stands here in its place goes."""
        if self._aside is not None:
            self.load_draft(self._aside)

    def merge(self) -> None:
        """What took the place of the draft becomes a part of it."""
        self.load_draft(self.draft)

    def give_back(self, text: str) -> None:
        """Put back a prompt that was not sent, behind what is being written."""
        if self._aside is not None:
            if text.strip() not in (self._aside.strip(), self.text.strip()):
                self._aside = joined(self._aside, text)
        elif self.text.strip() != text.strip():
            whole = joined(self.text, text)
            if fits(whole) or not self.keep_long(text):
                self._set(whole)

    def take_back(self, text: str) -> bool:
        """Remove a prompt that was given back; false where it is not here, or not as it was."""
        rest = without_end(self.text if self._aside is None else self._aside, text)
        if rest is None:
            return False
        if self._aside is None:
            self._set(rest)
        else:
            self._aside = rest
        return True

    def take_rest(self) -> None:
        """Words that were being written elsewhere go on here: Enter sends none of them until they pause."""
        self._rest_comes = True
        self.grace.begin()

    def _grace_changed(self) -> None:
        self._rest_comes = self._rest_comes and self.grace.runs
        self.post_message(self.KeysChanged())

    def on_paste(self, event: events.Paste) -> None:
        if self.grace.runs:
            self.grace.cancel()

    def on_key(self, event: events.Key) -> None:
        listed, word = self.completions, self.unfinished
        if event.is_printable and self.grace.runs:
            (self.grace.begin if self._rest_comes else self.grace.cancel)()
        match action_of(Scope.PROMPT, event.key):
            case "send" if self.grace.runs:
                self.grace.begin()
                if self.has_words:
                    self.post_message(self.EnterIgnored())
            case "send" if name := listed.entered(word):
                self._take(name)
            case "complete" if name := listed.marked(word):
                self._take(name)
            case "complete" if word:
                self._asked_for = word
                self.post_message(self.OffersWanted(word, finish=True))
            case "cancel_edit" if listed.is_open:
                self._list_left = True
                listed.close()
            case "earlier" | "later" if listed.is_open:
                listed.move(-1 if event.key == "up" else 1)
            case "send":
                self.submit(self.text)
            case "page_up":
                self.post_message(self.ScrollWanted("up"))
            case "page_down":
                self.post_message(self.ScrollWanted("down"))
            case "follow":
                self.post_message(self.ScrollWanted("end"))
            case "follow_if_empty" if not self.text:
                self.post_message(self.ScrollWanted("end"))
            case "send_now":
                self.post_message(self.SendNow())
            case "history":
                self.post_message(self.SearchWanted())
            case "cancel_edit" if self.edited is not None:
                changed = self.change
                self.put_back()
                self.post_message(self.EditLeft(changed[1] if changed else ""))
            case "earlier" if self.cursor_location[0] == 0 and self.edited is None and self._recall(self._at + 1):
                pass
            case "later" if self._at_last_line and self._aside is not None and self.edited is None:
                self._recall(max(0, self._at - 1))
            case _:
                return
        event.stop()
        event.prevent_default()

    @property
    def _at_last_line(self) -> bool:
        return self.cursor_location[0] == self.document.line_count - 1

    def _recall(self, at: int) -> bool:
        """The `at`th newest of the earlier prompts, or (0) the draft; false where there is none."""
        if self._at == 0:
            self._earlier = [text for text in self.past() if fits(text)]
        if at > len(self._earlier):
            return False
        self._keep_changes()
        if at == 0:
            self.put_back()
        else:
            self._at = at
            self._show_earlier(self._earlier[at - 1])
        return True

    def _show_earlier(self, sent: str) -> None:
        """As it was sent, or as it was changed here since."""
        self.recall(self._changed.get(sent, sent))
        self._laid = sent

    def _keep_changes(self) -> None:
        """An earlier prompt that was changed here is found changed when it comes again."""
        if self._aside is not None and self.text != self._laid:
            self._changed[self._laid] = self.text

    def _set(self, text: str) -> None:
        if text != self.text:
            self.text = text
        self.move_cursor(self.document.end)
        self._list_left = bool(self.unfinished)  # nobody is writing that word


def joined(first: str, then: str) -> str:
    """Both texts, apart by a blank line; one alone as it is."""
    return f"{first.rstrip()}\n\n{then}" if first.strip() and then else first or then


def without_end(whole: str, end: str) -> str | None:
    """The text before `end`, which stands on lines of its own; None where the text does not end so."""
    if whole.strip() == end.strip():
        return ""
    return whole.removesuffix(end).rstrip("\n") if whole.endswith(f"\n{end}") else None
