"""The prompt field. Unsent prompts return here; typed text is never lost.

Other text may replace the draft: an earlier prompt, or a queued prompt to edit. The draft is then set aside and
restored later.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from textual import events, on
from textual.message import Message

from tui.config.key_lookup import action_of
from tui.config.keymap import Scope
from tui.core.model import CatalogItem
from tui.widgets.focus.input_guard import InputGuard
from tui.widgets.prompt.completions import CompletionList
from tui.widgets.prompt.editor import Editor
from tui.widgets.prompt.text_limit import fits

UNFINISHED_NAME = re.compile(r"(?:^|\s)@\S*$")
UNFINISHED_COMMAND = re.compile(r"^/\S*$")


class PromptBox(Editor):
    """The prompt field, with the prompt history on Up and Down."""

    @dataclass
    class ScrollRequested(Message):
        """Scroll the transcript although the prompt has the focus."""

        where: Literal["up", "down", "end"]

    @dataclass
    class CompletionsRequested(Message):
        """Fetch completions of `word`, which ends at the cursor: `@` and a file name, or `/` and a command name.

        `finish`: requested with Tab; a single completion is inserted immediately.
        """

        word: str
        finish: bool = False

    class SendNow(Message):
        """Send the text without waiting for the running turn."""

    class HistoryRequested(Message):
        """Search the prompt history."""

    class KeysChanged(Message):
        """The input guard started or ended, so Enter changed its meaning."""

    class EnterIgnored(Message):
        """Enter was ignored, as it was meant for a request that just closed."""

    @dataclass
    class EditCancelled(Message):
        """Editing of a queued prompt was cancelled; `changed`: the edited text, or "" if unchanged."""

        changed: str

    def __init__(
        self,
        now: Callable[[], float],
        *,
        submit: Callable[[str], None],
        past: Callable[[], Sequence[str]],
        save_long: Callable[[str], bool],
        id: str | None = None,
    ) -> None:
        """`submit` takes the text before the next key is handled; `past` returns earlier prompts, newest first.

        `save_long` saves a text that is too long for the field elsewhere; it returns False on failure.
        """
        super().__init__(placeholder="Ask anything…", id=id)
        self._submit, self._past, self._save_long = submit, past, save_long
        self.edited: str | None = None
        self.input_guard = InputGuard(self, now, self._guard_changed)
        """While it is active, Enter submits nothing, until text is typed."""
        self._rest_comes = False
        self.completions = CompletionList(self._take, id="completions")
        """Mounted by the screen, above the field."""
        self._asked_for = ""
        self._list_left = False
        self._earlier: Sequence[str] = ()
        self._at = 0
        self._aside: str | None = None
        self._laid = ""
        self._changed: dict[str, str] = {}
        """Edited texts of earlier prompts, by the original text."""

    def keep_long(self, text: str) -> bool:
        return self._save_long(text)

    @property
    def unfinished(self) -> str:
        """The word before the cursor that can be completed; "" if there is none."""
        row, column = self.cursor_location
        line, rest = self.document.get_line(row)[:column], self.document.get_line(row)[column:]
        if rest[:1].strip():
            return ""
        found = UNFINISHED_COMMAND.search(line) if row == 0 else None
        found = found or UNFINISHED_NAME.search(line)
        return found[0].strip() if found else ""

    def begin_name(self, sign: str) -> None:
        """Insert `@` at the cursor, or `/` at the start: its list opens as if it was typed."""
        self.focus()
        if sign == "/":
            if not self.text.startswith("/"):
                self.insert("/ " if self.text else "/", (0, 0))
            self.move_cursor((0, 1))
        else:
            row, column = self.cursor_location
            before, after = self.document.get_line(row)[:column], self.document.get_line(row)[column:]
            self.insert(f"{' ' if before[-1:].strip() else ''}{sign}{' ' if after[:1].strip() else ''}")
            if after[:1].strip():
                self.move_cursor_relative(columns=-1)

    def offer(self, word: str, offered: Sequence[CatalogItem], *, finish: bool = False) -> None:
        """Show completions of `word` if it is still before the cursor; `finish`: insert a single one."""
        if self.unfinished != word or not self.has_focus:
            return
        if finish and len(offered) == 1:
            self._take(offered[0].name)
        elif finish or not self._list_left:
            self._list_left = False
            self.completions.offer(word, offered)

    def _take(self, name: str) -> None:
        """Replace the word before the cursor by a name."""
        word, (row, column) = self.unfinished, self.cursor_location
        if word:
            whole = f'"{name}"' if " " in name else name
            after = self.document.get_line(row)[column : column + 1]
            space = "" if name.endswith("/") or after else " "
            self.replace(f"{word[0]}{whole}{space}", (row, column - len(word)), (row, column))

    @on(Editor.SelectionChanged)
    def _look_at_word(self) -> None:
        """Update the completions if the word before the cursor changed."""
        word = self.unfinished
        self._list_left = self._list_left and bool(word)
        if not word or self._list_left:
            self._asked_for = ""
            self.completions.close()
        elif word != self._asked_for:
            self._asked_for = word
            self.completions.narrow(word)
            self.post_message(self.CompletionsRequested(word))

    def on_blur(self) -> None:
        self.completions.close()
        self._asked_for = ""

    @property
    def has_words(self) -> bool:
        """Whether there is text to send."""
        return bool(self.text.strip())

    @property
    def draft(self) -> str:
        """All unsent text, including the draft set aside."""
        if self._aside is None:
            return self.text
        return self._aside if self.text == self._laid else joined(self._aside, self.text)

    @property
    def aside(self) -> str:
        """The draft set aside for the current text."""
        return self._aside or ""

    @property
    def change(self) -> tuple[str, str] | None:
        """The edited queued prompt's id and its new text; None if it is unchanged."""
        return (self.edited, self.text) if self.edited is not None and self.text != self._laid else None

    def load_draft(self, text: str) -> None:
        """Replace everything by `text`; no draft is set aside."""
        self._aside, self._laid, self._at, self.edited = None, "", 0, None
        self._set(text)

    def recall(self, text: str) -> None:
        """Set the draft aside and show an earlier prompt."""
        if self._aside is None:
            self._aside = self.text
        self._laid = text
        self._set(text)

    def recall_earlier(self, text: str) -> None:
        """Show the earlier prompt `text`, as Up does; while a queued prompt is edited, insert it there."""
        if self.edited is not None:
            self.insert(text)
            return
        if not fits(text):
            self.post_message(self.Refused(len(text)))
            return
        self._keep_changes()
        self._at = 0
        self._show_earlier(text)

    def edit_queued(self, queued_id: str, text: str, changed: str = "") -> None:
        """Set the draft aside and edit a queued prompt; `changed`: its already edited text."""
        self._aside = self.draft
        self._at, self.edited = 0, queued_id
        self.recall(changed or text)
        self._laid = text

    def clear_sent(self, sent: str) -> None:
        """Remove a submitted text: restore the draft set aside, and keep what was typed since."""
        if self.edited is None:
            self._changed.pop(self._laid, None)
        if self._aside is not None or self.text.startswith(sent):
            self.load_draft(joined(self._aside or "", self.text.removeprefix(sent).strip("\n")))

    def put_back(self) -> None:
        """Restore the draft set aside, replacing the current text."""
        if self._aside is not None:
            self.load_draft(self._aside)

    def merge(self) -> None:
        """Merge the current text into the draft."""
        self.load_draft(self.draft)

    def append_returned(self, text: str) -> None:
        """Append an unsent prompt to the draft."""
        if self._aside is not None:
            if text.strip() not in (self._aside.strip(), self.text.strip()):
                self._aside = joined(self._aside, text)
        elif self.text.strip() != text.strip():
            whole = joined(self.text, text)
            if fits(whole) or not self.keep_long(text):
                self._set(whole)

    def remove_returned(self, text: str) -> bool:
        """Remove a prompt that `append_returned` returned; return False if it is missing or was changed."""
        rest = without_end(self.text if self._aside is None else self._aside, text)
        if rest is None:
            return False
        if self._aside is None:
            self._set(rest)
        else:
            self._aside = rest
        return True

    def suppress_enter(self) -> None:
        """Continue text typed elsewhere: Enter submits nothing until the user pauses."""
        self._rest_comes = True
        self.input_guard.begin()

    def _guard_changed(self) -> None:
        self._rest_comes = self._rest_comes and self.input_guard.runs
        self.post_message(self.KeysChanged())

    def on_paste(self, event: events.Paste) -> None:
        if self.input_guard.runs:
            self.input_guard.cancel()

    def on_key(self, event: events.Key) -> None:
        listed, word = self.completions, self.unfinished
        if event.is_printable and self.input_guard.runs:
            (self.input_guard.begin if self._rest_comes else self.input_guard.cancel)()
        match action_of(Scope.PROMPT, event.key):
            case "send" if self.input_guard.runs:
                self.input_guard.begin()
                if self.has_words:
                    self.post_message(self.EnterIgnored())
            case "send" if listed.shown_before(event) and (name := listed.entered(word)):
                self._take(name)
            case "complete" if name := listed.marked(word):
                self._take(name)
            case "complete" if word:
                self._asked_for = word
                self.post_message(self.CompletionsRequested(word, finish=True))
            case "cancel_edit" if listed.is_open:
                self._list_left = True
                listed.close()
            case "earlier" | "later" if listed.is_open:
                listed.move(-1 if event.key == "up" else 1)
            case "send":
                self._submit(self.text)
            case "page_up":
                self.post_message(self.ScrollRequested("up"))
            case "page_down":
                self.post_message(self.ScrollRequested("down"))
            case "follow":
                self.post_message(self.ScrollRequested("end"))
            case "follow_if_empty" if not self.text:
                self.post_message(self.ScrollRequested("end"))
            case "send_now":
                self.post_message(self.SendNow())
            case "history":
                self.post_message(self.HistoryRequested())
            case "cancel_edit" if self.edited is not None:
                changed = self.change
                self.put_back()
                self.post_message(self.EditCancelled(changed[1] if changed else ""))
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
        """Show the `at`-th newest earlier prompt, or (0) the draft; return False if there is none."""
        if self._at == 0:
            self._earlier = [text for text in self._past() if fits(text)]
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
        """Show an earlier prompt, with the user's changes to it."""
        self.recall(self._changed.get(sent, sent))
        self._laid = sent

    def _keep_changes(self) -> None:
        """Save the user's changes to an earlier prompt."""
        if self._aside is not None and self.text != self._laid:
            self._changed[self._laid] = self.text

    def _set(self, text: str) -> None:
        if text != self.text:
            self.text = text
        self.move_cursor(self.document.end)
        self._list_left = bool(self.unfinished)  # the user is not typing that word


def joined(first: str, then: str) -> str:
    """Join two texts by a blank line; if one is empty, return the other unchanged."""
    return f"{first.rstrip()}\n\n{then}" if first.strip() and then else first or then


def without_end(whole: str, end: str) -> str | None:
    """Return the text before `end`, which must be on lines of its own; None if the text ends differently."""
    if whole.strip() == end.strip():
        return ""
    return whole.removesuffix(end).rstrip("\n") if whole.endswith(f"\n{end}") else None
