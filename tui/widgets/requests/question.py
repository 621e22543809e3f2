"""Form for the questions of one request: tabs, options, custom answer, review. Edits an `AnswerDraft`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message

from tui.config.key_lookup import Keys, hints
from tui.config.keymap import Scope
from tui.core.answer_draft import AnswerDraft, Step
from tui.core.model import Question
from tui.core.sanitize import excerpt, single_line
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import BOLD, MUTED, SUCCESS, WARNING, StaticText
from tui.widgets.prompt.editor import Editor
from tui.widgets.requests.option_row import Choice, OptionRow, label_column
from tui.widgets.requests.request_form import AnswerInput, KeyOwner, RequestForm
from tui.widgets.text.blocks import Paragraph, TextBlock
from tui.widgets.text.lines_view import LinesView

MAX_HEADER_CHARACTERS = 24
"""Maximum characters of a header in its tab."""
LABEL_SHOWN = 500
ABOUT_SHOWN = 1_000
TEXT_SHOWN = 8_000
TEXT_LINES = 200
"""Maximum characters shown of a label, a description and a question, and lines of a question."""
ROWS_SHOWN = 50
"""Maximum options with a row; of more, those around the cursor are shown."""
JUMP_ROWS = {"page_up": -10, "page_down": 10, "scroll_home": -1_000_000_000, "scroll_end": 1_000_000_000}
"""Rows to move on PgUp and PgDn, and on Home and End."""
TABS_SHOWN = 20
"""Maximum questions with a tab; of more, those around the current one are shown."""
REVIEWED = 500
"""Maximum answers listed in the review; the others are counted."""
OWN = "Other…"
OWN_ONLY = "Type your own answer…"


class TabLabel(StaticText):
    """One tab: the header of a question, and a mark if it is answered."""

    @dataclass
    class Clicked(Message):
        tab: int

    def __init__(self, tab: int) -> None:
        super().__init__(classes="tab")
        self.tab = tab

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Clicked(self.tab))


class QuestionForm(RequestForm):
    """Draws a draft. Enter on the last step calls `ready` before the next key; it does not send."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.QUESTION)

    class KeysChanged(Message):
        """The tab changed, and with it the keys."""

    def __init__(
        self,
        draft: AnswerDraft,
        key_owner: KeyOwner,
        ready: Callable[[AnswerDraft], None],
    ) -> None:
        super().__init__(AnswerInput(placeholder="Type your own answer · Enter confirms"), key_owner)
        self._ready = ready
        self.draft = draft
        self._drawn_tab = -1
        self._tabs = [TabLabel(tab) for tab in range(min(draft.tabs, TABS_SHOWN))] if draft.has_review else []
        self._text = LinesView(classes="question")
        self._rows: list[OptionRow] = []
        self._first = 0
        """Index of the option in the first row."""
        self._more = StaticText(classes="tab")

    def compose(self) -> ComposeResult:
        if self._tabs:
            with Horizontal(classes="tabs"):
                yield from self._tabs
        yield self._text
        yield self._more
        yield self.editor

    def on_mount(self) -> None:
        self.editor.display = False
        self.draw()

    def on_resize(self) -> None:
        self.draw()  # another panel may have moved the draft to another question

    @property
    def keys(self) -> Keys:
        question = self.draft.question
        if self.screen.focused is self.editor:
            back = hints(Scope.CUSTOM_ANSWER, "back" if self.takes_text else "back_to_options")
            return (*hints(Scope.CUSTOM_ANSWER, "confirm"), *hints(Scope.EDITOR, "newline"), *back)
        leave = hints(Scope.REQUEST, "fold", "reject")
        if question is None:
            return (*hints(Scope.QUESTION, "confirm", "back"), *leave)
        onward = "next_step" if self.draft.has_review else "confirm"
        if self.takes_text:
            enter = onward if self.draft.answered(self.draft.tab) else "write"
            return (*hints(Scope.QUESTION, enter), *hints(Scope.REQUEST, "fold", "reject_typing"))
        choose = ("choose",) if question.multiple else ()
        turn = hints(Scope.QUESTION, "turn(-1)", "turn(1)") if self.draft.has_review else ()
        return (*hints(Scope.QUESTION, *choose, onward, "move(-1)", "move(1)"), *leave, *turn)

    @property
    def takes_text(self) -> bool:
        question = self.draft.question
        return question is not None and question.custom and not question.options

    def draw(self) -> None:
        """Redraw the current state of the draft."""
        draft = self.draft
        first = _window(draft.tab, len(self._tabs), draft.tabs, self._tabs[0].tab if self._tabs else 0)
        for tab, label in enumerate(self._tabs, first):
            label.tab = tab
            label.show(self._tab_words(tab))
            label.set_class(tab == draft.tab, "-here")
        if draft.tab != self._drawn_tab:
            self._drawn_tab = draft.tab
            self.editor.display = False
            self._text.replace_from(0, self._question_pieces())
            for row in self._rows:
                row.remove()
            self._first = 0
            self._rows = [OptionRow(row) for row in range(min(draft.rows, ROWS_SHOWN))]
            self.mount_all(self._rows, before=self.editor)
            self.editor.load_text(draft.custom_text)
            self.scroll_home(animate=False)
            self.post_message(self.KeysChanged())
        elif draft.on_review:
            self._text.replace_from(0, self._question_pieces())
        self._draw_rows()

    def _draw_rows(self) -> None:
        self.post_message(self.Changed(self.draft))
        question = self.draft.question
        self._more.display = question is not None and self.draft.rows > len(self._rows)
        if question is None:
            return
        self._first = _window(self.draft.cursor, len(self._rows), self.draft.rows, self._first)
        above, below = self._first, self.draft.rows - self._first - len(self._rows)
        self._more.show(Content.styled(f"   {above:,} more above, {below:,} below · PgUp PgDn Home End", MUTED))
        choices = self._choices(question)
        column = label_column([choice.label for choice in choices if choice.about])
        for row, (view, choice) in enumerate(zip(self._rows, choices, strict=True), self._first):
            view.row = row
            view.show_choice(
                choice, column, cursor=row == self.draft.cursor, marked=self.has_focus or self.editor.has_focus
            )

    def draw_cursor(self) -> None:
        if self.draft.tab == self._drawn_tab:
            self._draw_rows()

    def _choices(self, question: Question) -> list[Choice]:
        """Return the options that have a row."""
        shown = question.options[self._first :][: len(self._rows)]
        labels = [(option.label, option.description) for option in shown]
        if question.custom and len(labels) < len(self._rows):
            labels.append((self.draft.custom_text.strip().split("\n")[0] or (OWN if labels else OWN_ONLY), ""))
        return [
            Choice(
                single_line(label, LABEL_SHOWN),
                single_line(about, ABOUT_SHOWN),
                self._mark(question, row),
                self.draft.is_chosen(row),
            )
            for row, (label, about) in enumerate(labels, self._first)
        ]

    def _mark(self, question: Question, row: int) -> str:
        chosen = self.draft.is_chosen(row)
        if question.multiple:
            return "[x]" if chosen else "[ ]"
        return "(•)" if chosen else "( )"

    def _tab_words(self, tab: int) -> Content:
        questions = self.draft.request.questions
        if tab == len(questions):
            return Content(" Review ")
        header = single_line(questions[tab].header, MAX_HEADER_CHARACTERS) or f"Question {tab + 1}"
        return Content.assemble(f" {header}", (" ✓ " if self.draft.answered(tab) else " ", SUCCESS))

    def _question_pieces(self) -> list[TextBlock]:
        question = self.draft.question
        if question is not None:
            how = "choose any" if question.multiple else "choose one" if question.options else ""
            return [
                Paragraph(
                    Content.assemble(
                        (excerpt(question.text, lines=TEXT_LINES, characters=TEXT_SHOWN), BOLD),
                        (f"   {how}" if how else "", MUTED),
                    ),
                    " ",
                    " ",
                    gap=0,
                )
            ]
        lines: list[TextBlock] = [Paragraph(Content.styled("Enter sends this:", MUTED), " ", " ", gap=0)]
        answers = self.draft.answers()
        questions = self.draft.request.questions[:REVIEWED]
        column = label_column([single_line(asked.header or asked.text) for asked in questions])
        for asked, answer in zip(questions, answers, strict=False):
            words = Content(excerpt(", ".join(answer))) if answer else Content.styled("not answered", WARNING)
            name = single_line(asked.header or asked.text)
            lines.append(Paragraph(Content.assemble((name.ljust(column), MUTED), "  ", words), "   ", "     ", gap=0))
        more = len(answers) - len(questions)
        if more:
            lines.append(Paragraph(Content.styled(f"… and {more:,} more answers", MUTED), "   ", gap=0))
        return lines

    def action_move(self, rows: int) -> None:
        self.draft.move(rows)
        self._draw_rows()
        if self._rows:
            self.show_row(self._rows[self.draft.cursor - self._first])

    async def action_leap(self, scroll: str) -> None:
        """Scroll; if only some of the options have a row, move the cursor instead."""
        if self.draft.rows > ROWS_SHOWN:
            self.action_move(JUMP_ROWS[scroll])
        else:
            await self.run_action(scroll)

    def action_turn(self, tabs: int) -> None:
        self.draft.go(self.draft.tab + tabs)
        self.draw()

    def action_choose(self) -> None:
        if not self._cursor_brought():
            self._follow(self.draft.choose())

    def _cursor_brought(self) -> bool:
        return bool(self._rows) and self.brought(self._rows[self.draft.cursor - self._first])

    def action_confirm(self) -> None:
        if self._cursor_brought():
            return
        before = self.draft.tab
        step = self.draft.confirm()
        if step is Step.STAY and self.draft.tab == before:
            self.post_message(self.Hint("nothing is chosen yet · Space chooses"))
        self._follow(step)

    def _follow(self, step: Step) -> None:
        self.draw()
        match step:
            case Step.WRITE:
                self.open_words()
            case Step.SEND:
                self._ready(self.draft)
            case Step.STAY:
                pass

    def on_key(self, event: events.Key) -> None:
        here = self.screen.focused is self
        if self.wrote(event) or (here and self.key_owner.takes_key(event)):
            event.prevent_default()
        elif event.key == "escape" and self.editor.display:
            self._leave_editor()
        elif here and event.key.isdecimal() and event.key != "0":
            self._follow(self.draft.choose(int(event.key) - 1))
            if self._rows:
                self.show_row(self._rows[self.draft.cursor - self._first])
        else:
            return
        event.stop()

    def _leave_editor(self) -> None:
        self.close_words()
        self.draw()

    def words_ready(self, words: str) -> None:
        self.draft.write(words)
        step = self.draft.commit_text()
        self._leave_editor()
        self._follow(step)

    @on(Editor.Changed)
    def _words_changed(self, event: Editor.Changed) -> None:
        event.stop()
        if self.editor.display:
            self.draft.write(self.editor.text)
        self.post_message(self.Changed(self.draft))

    @on(OptionRow.Clicked)
    def _row_clicked(self, event: OptionRow.Clicked) -> None:
        event.stop()
        self.screen.set_focus(self)
        self._follow(self.draft.choose(event.row))

    @on(TabLabel.Clicked)
    def _tab_clicked(self, event: TabLabel.Clicked) -> None:
        event.stop()
        self.screen.set_focus(self)
        self.draft.go(event.tab)
        self.draw()


def _window(at: int, shown: int, count: int, first: int) -> int:
    """Return the first of `shown` rows out of `count`: as close to `first` as shows row `at`."""
    first = min(max(first, at - shown + 1), at)
    return max(0, min(first, count - shown))
