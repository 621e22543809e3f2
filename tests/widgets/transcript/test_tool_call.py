from textual.app import App, ComposeResult

from tests.sample_events import DIFF
from tui.core.model import ToolPart
from tui.widgets.transcript.foldable import MAX_SHOWN
from tui.widgets.transcript.tool_call import ToolCall


def part(**fields: object) -> ToolPart:
    return ToolPart("prt_1", "ses_1", "msg_1", "call_1", **({"tool": "bash", "state": "completed"} | fields))  # type: ignore[arg-type]


class Page(App[None]):
    def __init__(self, part: ToolPart) -> None:
        super().__init__()
        self.call = ToolCall(part)

    def compose(self) -> ComposeResult:
        yield self.call


async def test_one_line_shows_name_duration_and_outcome() -> None:
    app = Page(part(title="pytest -q", started=1.0, ended=9.4))
    async with app.run_test(size=(60, 10)):
        assert app.call.size.height == 1
        assert app.call.text.split() == ["▸", "bash", "pytest", "-q", "8.4s", "✓", "done"]


async def test_each_state_has_a_text() -> None:
    app = Page(part(state="pending"))
    async with app.run_test(size=(60, 10)):
        assert "pending" in app.call.text
        app.call.show_part(part(state="running", input={"command": "make\nall"}))
        assert "make all" in app.call.text
        assert "… running" in app.call.text
        app.call.show_part(part(state="error", error="no such file"))
        assert "✗ failed" in app.call.text
        for why in ("denied", "rejected", "cancelled", "aborted"):
            app.call.show_part(part(state="error", error="no", why=why))
            assert f"× {why}" in app.call.text
            assert "failed" not in app.call.text


async def test_a_long_name_is_truncated_in_the_line_and_complete_in_the_detail() -> None:
    app = Page(part(tool="run_shell_command", title="make"))
    async with app.run_test(size=(60, 10)) as pilot:
        assert app.call.text.startswith("   ▸ run_shell… make ")
        app.call.focus()
        await pilot.press("enter")
        assert "run_shell_command" in app.call.text
        app.call.show_part(part(tool="todo_write", title="make"))
        assert app.call.text.startswith("   ▾ todo_write make ")


async def test_enter_expands_and_collapses_input_output_and_error() -> None:
    app = Page(part(input={"command": "ls [/]"}, output="a\n[red]b", error="it [failed]"))
    async with app.run_test(size=(60, 20)) as pilot:
        app.call.focus()
        await pilot.press("enter")
        await pilot.pause()
        for words in ("$ ls [/]", "[red]b", "it [failed]"):
            assert words in app.call.text
        await pilot.press("enter")
        await pilot.pause()
        assert app.call.size.height == 1


async def test_a_click_expands_it() -> None:
    app = Page(part(output="twelve passed"))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.click(app.call, offset=(5, 0))
        await pilot.pause()
        assert "twelve passed" in app.call.text


async def test_a_diff_is_counted_and_shown() -> None:
    app = Page(part(tool="edit", title="src/store.py", diff=DIFF))
    async with app.run_test(size=(60, 20)):
        assert "src/store.py  +2 −1" in app.call.text
        app.call.action_unfold()
        assert "+import sqlite3" in app.call.text


async def test_an_expanded_output_grows() -> None:
    app = Page(part(state="running", output="one"))
    async with app.run_test(size=(60, 20)):
        app.call.action_unfold()
        app.call.show_part(part(state="running", output="one\ntwo"))
        assert "two" in app.call.text


async def test_a_long_output_is_truncated_and_a_key_shows_more() -> None:
    app = Page(part(output="\n".join(f"line {row}" for row in range(MAX_SHOWN + 7))))
    async with app.run_test(size=(60, 20)) as pilot:
        app.call.focus()
        await pilot.press("enter")
        await pilot.pause()
        assert "… 7 more lines" in app.call.text
        assert f"line {MAX_SHOWN + 6}" not in app.call.text
        await pilot.press("m")
        await pilot.pause()
        assert "more line" not in app.call.text
        assert f"line {MAX_SHOWN + 6}" in app.call.text


async def test_a_click_on_the_count_shows_more() -> None:
    app = Page(part(tool="edit", diff="\n".join(f"+line {row}" for row in range(MAX_SHOWN + 1))))
    async with app.run_test(size=(60, MAX_SHOWN + 20)) as pilot:
        await pilot.click(app.call, offset=(5, 0))
        await pilot.pause()
        assert "… 1 more line ·" in app.call.text
        await pilot.click(app.call, offset=(20, MAX_SHOWN))
        await pilot.pause()
        assert "… 1 more line ·" in app.call.text, "a line of the diff itself"
        await pilot.click(app.call, offset=(20, MAX_SHOWN + 1))
        await pilot.pause()
        assert f"+line {MAX_SHOWN}" in app.call.text
        assert "more line" not in app.call.text
