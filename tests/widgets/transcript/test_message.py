from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.content import Content

from tests.sample_events import ANSWER, SESSION
from tests.waiting import wait_until
from tui.core.model import Failure, FilePart, Message, NotePart, Part, TextPart, ToolPart
from tui.widgets.text.lines_view import LinesView
from tui.widgets.text.markdown_view import MarkdownView
from tui.widgets.text.note_line import NoteLine
from tui.widgets.transcript.message import MessageView
from tui.widgets.transcript.tool_call import ToolCall


class Page(App[None]):
    def __init__(self, role: str = "assistant") -> None:
        super().__init__()
        self.message = Message(ANSWER, SESSION, role, agent="build")  # type: ignore[arg-type]
        self.view = MessageView(self.message)

    def compose(self) -> ComposeResult:
        yield self.view

    def show(self, *parts: Part) -> None:
        self.view.show(self.message, list(parts))

    @property
    def text(self) -> str:
        return "\n".join(child.text for child in self.view.children if isinstance(child, LinesView | ToolCall))


def text(words: str, **fields: object) -> TextPart:
    return TextPart("prt_1", SESSION, ANSWER, words, **fields)  # type: ignore[arg-type]


async def test_a_prompt_is_shown_verbatim() -> None:
    app = Page("user")
    async with app.run_test(size=(60, 20)):
        app.show(text("# not a *head*\n  [/]"))
        assert app.text == "# not a *head*\n  [/]"


async def test_files_and_notes_are_named() -> None:
    app = Page("user")
    async with app.run_test(size=(60, 20)):
        app.show(FilePart("prt_2", SESSION, ANSWER, "store.py"), NotePart("prt_3", SESSION, ANSWER, "compacted"))
        assert app.text == "with store.py\n· compacted"


async def test_an_empty_message_takes_no_space() -> None:
    app = Page()
    async with app.run_test(size=(60, 20)):
        app.show(text("the server added this", synthetic=True), TextPart("prt_2", SESSION, ANSWER, " \n"))
        assert len(app.view.children) == 0


async def test_a_part_that_changes_its_kind_is_redrawn() -> None:
    app = Page()
    async with app.run_test(size=(60, 20)) as pilot:
        app.show(text("words"))
        app.view.show_part(ToolPart("prt_1", SESSION, ANSWER, "call_1", "bash", "running", title="make"))
        await pilot.pause()
        assert [type(child) for child in app.view.children] == [ToolCall]
        assert "make" in app.text


async def test_removed_parts_disappear() -> None:
    app = Page()
    async with app.run_test(size=(60, 20)) as pilot:
        app.show(text("one"), TextPart("prt_2", SESSION, ANSWER, "two"))
        app.show(text("one"))
        await pilot.pause()
        assert app.text == "one"


async def test_a_part_with_late_text_keeps_its_position() -> None:
    """opencode stores a text as "" until it ends: a fetch in between has its tool call first."""
    app = Page()
    call = ToolPart("prt_2", SESSION, ANSWER, "call_1", "bash", "running", title="make")
    async with app.run_test(size=(60, 20)):
        app.show(text(""), call)
        app.view.show_part(text("I run it."))
        assert [type(child) for child in app.view.children] == [MarkdownView, ToolCall]


async def test_an_unlisted_part_is_last() -> None:
    app = Page()
    async with app.run_test(size=(60, 20)):
        app.show(text("one"))
        app.view.show_part(TextPart("prt_2", SESSION, ANSWER, ""))
        app.view.show_part(ToolPart("prt_3", SESSION, ANSWER, "call_1", "bash", "running", title="make"))
        app.view.show_part(TextPart("prt_2", SESSION, ANSWER, "two"))
        assert [type(child) for child in app.view.children] == [MarkdownView, MarkdownView, ToolCall]


def draw_everything(view: MessageView) -> None:
    failed = replace(view.message, failure=Failure("no model"))
    view.show(failed, [text("words"), ToolPart("prt_2", SESSION, ANSWER, "call_1", "bash", "running")])
    view.show_part(TextPart("prt_3", SESSION, ANSWER, "more words"))
    view.add_note(NoteLine(Content("before all"), classes="note"), None)
    view.add_note(NoteLine(Content("! interrupted"), classes="note end"), "prt_1")
    view.add_note(NoteLine(Content("of a part that is not here"), classes="note"), "prt_9")
    view.drop_part("prt_2")
    view.show_alive(False)


async def test_drawing_before_mounting_is_shown_after_mounting() -> None:
    app = Page()
    async with app.run_test(size=(60, 20)):
        view = MessageView(app.message)
        draw_everything(view)
        assert not view.children
        await app.mount(view)
        view.show(view.message, [text("words")])
        shown = [child.text for child in view.children if isinstance(child, LinesView)]
        assert shown == ["before all", "words", "! interrupted", "✗ failed: no model"]


async def test_drawing_into_a_removed_message_does_nothing() -> None:
    app = Page()
    async with app.run_test(size=(60, 20)):
        app.show(text("words"))
        app.view.remove()
        draw_everything(app.view)
        await wait_until(lambda: not app.view.is_attached)
        draw_everything(app.view)
