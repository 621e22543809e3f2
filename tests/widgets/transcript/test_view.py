from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip

import tui.ui.app
from tests import sample_events as sample
from tests.app_harness import app_harness
from tests.waiting import wait_until
from tui.core import changes as c
from tui.core import events as e
from tui.core.model import Busy, Failure, FullMessage, Idle, Message, TextPart
from tui.core.store import Store
from tui.core.turn_state import TurnState
from tui.widgets.text.markdown_view import MarkdownView
from tui.widgets.text.note_line import NoteLine
from tui.widgets.transcript.foldable import Foldable
from tui.widgets.transcript.message import MessageView
from tui.widgets.transcript.view import MAX_MESSAGES, MESSAGES_AT_FIRST, MESSAGES_MORE, TranscriptView


class Page(App[None]):
    """A transcript view on a store; `feed` routes changes as the app does."""

    CSS_PATH = Path(tui.ui.app.__file__).with_name("app.tcss")

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.store.open_transcript(sample.SESSION)
        self.transcript = TranscriptView(self.store, lambda session_id, prompt_id: None)
        self.older_requested = 0

    def compose(self) -> ComposeResult:
        yield self.transcript

    def on_mount(self) -> None:
        self.transcript.show_session(sample.SESSION)

    def on_transcript_view_older_requested(self) -> None:
        self.older_requested += 1

    def feed(self, *events: e.Event) -> None:
        for event in events:
            for change in self.store.apply(event):
                self._show(change)

    def _show(self, change: c.Change) -> None:
        match change:
            case c.MessageChanged(_, message_id):
                self.transcript.show_message(message_id)
            case c.MessageRemoved(_, message_id):
                self.transcript.drop_message(message_id)
            case c.PartChanged(_, message_id, part_id):
                self.transcript.show_part(message_id, part_id)
            case c.PartRemoved(_, message_id, part_id):
                self.transcript.drop_part(message_id, part_id)
            case c.TextAppended(_, message_id, part_id):
                self.transcript.schedule_part_redraw(message_id, part_id)
            case c.TranscriptReset():
                self.transcript.draw()
            case c.OlderLoaded():
                self.transcript.older_loaded()
            case _:
                pass

    def has(self, *words: str) -> Callable[[], bool]:
        return lambda: all(word in self.transcript.text for word in words)


def long_history(messages: int, first: int = 0) -> list[e.Event]:
    events: list[e.Event] = []
    for number in range(first, first + messages):
        message_id = f"msg_{number:05}"
        events += [
            e.MessageUpserted(Message(message_id, sample.SESSION, "user", created=float(number))),
            e.PartUpserted(TextPart(f"prt_{number:05}", sample.SESSION, message_id, f"words number {number}.")),
        ]
    return events


async def settled(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    await wait_until(condition)
    await pilot.pause()


async def test_messages_are_drawn_in_order() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.at_work())
        await settled(pilot, app.has("Move the session store", "thought", "I'll look", "read", "edit"))
        text = app.transcript.text
        order = ["Move the session", "thought", "I'll look", "read", "bash", "edit"]
        assert sorted(order, key=text.index) == order


async def test_deltas_are_batched() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.prompt(), sample.answer_begins(), sample.text("", state="streaming"))
        await pilot.pause()
        for word in ("one ", "two ", "three"):
            app.feed(sample.delta(word))
        assert "one" not in app.transcript.text
        await settled(pilot, app.has("one two three"))


async def test_growing_text_is_laid_out_and_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Page()
    async with app.run_test(size=(80, 10)) as pilot:
        app.feed(
            *sample.prompt(), sample.answer_begins(), sample.text("", state="streaming"), sample.delta("one\n\n" * 40)
        )
        await settled(pilot, app.has("one"))
        await settled(pilot, lambda: not app.screen._layout_required)
        drawn, laid_out = [], []
        draw, lay_out = MarkdownView.render_lines, Screen._refresh_layout

        def counted_draw(prose: MarkdownView, crop: Region) -> list[Strip]:
            drawn.append(crop)
            return draw(prose, crop)

        def counted_layout(screen: Screen[None], *args: Any, **options: Any) -> None:
            laid_out.append(screen)
            lay_out(screen, *args, **options)

        monkeypatch.setattr(MarkdownView, "render_lines", counted_draw)
        monkeypatch.setattr(Screen, "_refresh_layout", counted_layout)
        app.feed(sample.delta("two\n\n" * 5))
        await settled(pilot, app.has("two"))
        await app.transcript.laid_out()
        assert (len(laid_out), len(drawn)) == (1, 1)


async def test_no_timer_runs_while_nothing_grows() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.prompt(), sample.answer_begins(), sample.text("", state="streaming"), sample.delta("one"))
        await settled(pilot, app.has("one"))
        await settled(pilot, lambda: app.transcript._drawing.is_idle)


async def test_a_possibly_incomplete_part_is_marked() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.prompt(), sample.answer_begins(), sample.text("some wo", state="streaming"), e.StreamLost())
        await settled(pilot, app.has("… text may be missing until the server sends all of it"))
        app.feed(sample.text("some words"))
        await settled(pilot, app.has("some words"))
        assert "missing" not in app.transcript.text


async def test_a_not_sent_note_does_not_end_the_answer_above_it() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        answer = e.MessageUpserted(Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, None, sample.PROMPT))
        app.feed(*sample.prompt(), answer, sample.text("some wo", state="streaming"), e.StreamLost())
        await settled(pilot, app.has("until the server sends all of it"))
        app.transcript.note_end("msg_not_sent", Content("↩ not sent"), ends=False)
        await settled(pilot, app.has("↩ not sent"))
        assert "until the server sends all of it" in app.transcript.text


async def test_a_possible_gap_is_marked_until_the_text_is_complete() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.prompt(), sample.answer_begins(), sample.text("some wo", state="streaming"), e.StreamLost())
        app.feed(sample.delta("ther words"))
        await settled(pilot, app.has("some wo […] ther words"))
        assert "text may be missing until the server sends all of it" in app.transcript.text
        app.feed(sample.text("some words and other words"))
        await settled(pilot, app.has("some words and other words"))
        assert "[…]" not in app.transcript.text


@pytest.mark.parametrize("told_by", ["the turn", "the message"])
async def test_an_incomplete_part_of_an_ended_turn_names_the_missing_rest(
    told_by: str,
) -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        answer = e.MessageUpserted(Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, None, sample.PROMPT))
        app.feed(*sample.prompt(), answer, sample.text("some wo", state="streaming"), e.StreamLost())
        await settled(pilot, app.has("until the server sends all of it"))
        if told_by == "the turn":
            app.transcript.note_end(sample.PROMPT, Content("! interrupted"), ends=True)
        else:
            app.feed(e.MessageUpserted(replace(answer.message, failure=Failure("Aborted", "aborted"))))
        await settled(pilot, app.has("… the server does not have the rest of this text"))
        assert "until the server" not in app.transcript.text
        if told_by == "the turn":
            app.transcript.drop_end(sample.PROMPT)
            await settled(pilot, app.has("until the server sends all of it"))
        app.feed(sample.text("some words"))
        await settled(pilot, app.has("some words"))
        assert "the rest" not in app.transcript.text


async def test_changes_of_several_messages_are_drawn_while_scrolled_up() -> None:
    app = Page()
    async with app.run_test(size=(80, 10)) as pilot:
        app.feed(*long_history(4 * MESSAGES_AT_FIRST))
        await pilot.pause()
        await app.transcript.reveal("msg_00050", "prt_00050")
        last = next(reversed(app.transcript._views.values())).message
        new = Message("msg_90000", sample.SESSION, "user", created=90_000.0)
        reported = [
            change
            for message in (new, replace(last, completed=91_000.0))
            for change in app.store.apply(e.MessageUpserted(message))
        ]
        for change in reported:  # the store is always ahead of the screen
            app._show(change)
        assert app.transcript._views[last.id].message.completed == 91_000.0
        assert new.id not in app.transcript._views


async def test_a_failed_message_shows_its_reason() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        failed = Message(
            sample.ANSWER, sample.SESSION, "assistant", 2.0, failure=Failure("overloaded [/]", "provider", 529)
        )
        app.feed(*sample.prompt(), e.MessageUpserted(failed))
        await settled(pilot, app.has("✗ failed (529): overloaded [/]"))


async def test_removed_messages_disappear() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.at_work())
        await settled(pilot, app.has("bash"))
        app.feed(e.PartRemoved(sample.SESSION, sample.ANSWER, "prt_4"))
        await settled(pilot, lambda: "bash" not in app.transcript.text)
        app.feed(e.MessageRemoved(sample.SESSION, sample.ANSWER))
        await settled(pilot, lambda: "I'll look" not in app.transcript.text)


@pytest.mark.parametrize("call", ["call_prt_3", "call_unknown"])
async def test_a_note_keeps_its_position_while_its_message_grows(call: str) -> None:
    app = Page()
    async with app.run_test() as pilot:
        app.feed(*sample.prompt(), sample.answer_begins(), sample.tool("prt_3", title="the call"))
        await settled(pilot, app.has("the call"))
        app.feed(sample.text("words beside it", part_id="prt_4"))
        await settled(pilot, app.has("words beside it"))
        app.transcript.note(Content("✓ answered  one"), call)
        app.transcript.note(Content("✓ answered  two"), call)
        app.feed(sample.text("after the note", part_id="prt_5"))
        await settled(pilot, app.has("after the note"))
        for _ in range(2):
            reported = app.transcript.text
            marks = ["the call", "words beside it", "after the note", "✓ answered  one", "✓ answered  two"]
            order = sorted(marks, key=reported.index)
            at_call = ["the call", "✓ answered  one", "✓ answered  two", "words beside it", "after the note"]
            at_end = ["the call", "words beside it", "✓ answered  one", "✓ answered  two", "after the note"]
            assert order == (at_call if call == "call_prt_3" else at_end)
            app.transcript.draw()
            await settled(pilot, app.has(*marks))


async def test_a_note_before_any_message_stays_before_them() -> None:
    app = Page()
    async with app.run_test() as pilot:
        app.transcript.note(Content("↩ not sent"))
        app.feed(*sample.prompt("the prompt"))
        for _ in range(2):
            await settled(pilot, app.has("↩ not sent", "the prompt"))
            assert app.transcript.text.index("↩ not sent") < app.transcript.text.index("the prompt")
            app.transcript.draw()


async def test_a_note_of_an_unmounted_message_appears_with_it() -> None:
    app = Page()
    async with app.run_test() as pilot:
        app.feed(*sample.prompt("the first"))
        app.transcript.note(Content("✓ finished"))
        for row in range(MESSAGES_AT_FIRST + 5):
            message_id = f"msg_9{row:03}"
            app.feed(
                e.MessageUpserted(Message(message_id, sample.SESSION, "user", created=10.0 + row)),
                e.PartUpserted(TextPart(f"prt_9{row:03}", sample.SESSION, message_id, f"later words {row}")),
            )
        app.transcript.draw()
        await settled(pilot, lambda: len(app.transcript.query(MessageView)) == MESSAGES_AT_FIRST)
        assert "✓ finished" not in app.transcript.text
        await settled(pilot, lambda: app.transcript.scroll_y > 0)
        app.transcript.scroll_home(animate=False)
        await settled(pilot, app.has("the first", "✓ finished"))


async def test_a_note_keeps_its_position_when_the_transcript_is_redrawn() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.prompt())
        await pilot.pause()
        app.transcript.note(Content("✓ answered  [yes]"))
        app.feed(sample.answer_begins(), sample.text("after the note"))
        await settled(pilot, app.has("after the note"))
        app.transcript.draw()
        await settled(pilot, app.has("after the note", "✓ answered  [yes]"))
        assert app.transcript.text.index("answered") < app.transcript.text.index("after the note")


async def test_a_prompt_being_sent_is_shown_until_the_server_has_it() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.transcript.show_pending(sample.PROMPT, "Move the session store")
        await settled(pilot, app.has("Move the session store"))
        app.feed(*sample.prompt())
        await settled(pilot, lambda: app.transcript.text.count("Move the session store") == 1)
        assert not app.transcript.query(".pending")


async def test_a_prompt_being_sent_is_shown_while_the_servers_copy_is_empty() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        message, words = sample.prompt("Move the session store")
        app.transcript.show_pending(sample.PROMPT, "Move the session store")
        app.feed(message)
        await settled(pilot, app.has("Move the session store"))
        assert app.transcript.query(".pending")
        app.feed(words)
        await settled(pilot, lambda: not app.transcript.query(".pending"))
        assert app.transcript.text.count("Move the session store") == 1


async def test_a_prompt_stays_visible_after_a_refetch_without_its_text() -> None:
    async with app_harness() as harness:
        harness.run_turn(TurnState.UNKNOWN)
        await harness.shows("▌ you", "words")
        message, _ = sample.prompt()
        assert isinstance(message, e.MessageUpserted)
        harness.client.feed(e.MessagesLoaded(sample.SESSION, (FullMessage(message.message, ()),), None, "newest"))
        await harness.pilot.pause()
        await harness.shows("▌ you", "words")


async def test_a_tool_call_without_a_turn_is_not_shown_as_running() -> None:
    """A server killed during a call keeps it as running forever."""
    async with app_harness() as harness:
        harness.client.feed(e.StatusChanged(sample.SESSION, Busy()), *sample.prompt(), sample.answer_begins())
        harness.client.feed(sample.tool(state="running"))
        await harness.shows("… running")
        harness.client.feed(e.StatusChanged(sample.SESSION, Idle()))
        await harness.shows("! interrupted")
        later = Message("msg_9", sample.SESSION, "assistant", created=9.0)
        harness.client.feed(e.StatusChanged(sample.SESSION, Busy()))
        await harness.shows("… running")
        harness.client.feed(
            e.MessageUpserted(later), e.PartUpserted(TextPart("prt_9", sample.SESSION, "msg_9", "Next."))
        )
        await harness.shows("! interrupted", "Next.")


async def test_an_old_unfinished_tool_call_is_drawn_as_interrupted() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.tool(state="pending"))
        await harness.shows("! interrupted")


async def test_the_view_follows_the_end_until_scrolled_up() -> None:
    app = Page()
    async with app.run_test(size=(80, 12)) as pilot:
        app.feed(*long_history(20))
        transcript = app.transcript
        await settled(pilot, app.has("words number 19"))
        await settled(pilot, lambda: transcript.scroll_y == transcript.max_scroll_y > 0)
        transcript.scroll_up(animate=False)
        await settled(pilot, lambda: not transcript.following)
        at = transcript.scroll_y
        app.feed(*long_history(3, first=20))
        await settled(pilot, lambda: transcript.unread == 6)
        assert transcript.scroll_y == at
        transcript.follow()
        await settled(pilot, lambda: transcript.scroll_y == transcript.max_scroll_y)
        app.feed(*long_history(3, first=23))
        await settled(pilot, app.has("words number 25"))
        await settled(pilot, lambda: transcript.scroll_y == transcript.max_scroll_y)
        assert transcript.following


async def test_older_messages_above_are_not_counted_as_new_lines() -> None:
    app = Page()
    async with app.run_test(size=(80, 12)) as pilot:
        app.feed(*long_history(60, first=100))
        transcript = app.transcript
        transcript.draw()  # the newest are mounted, the others when the user scrolls there
        await settled(pilot, app.has("words number 159"))
        await settled(pilot, lambda: transcript.scroll_y == transcript.max_scroll_y > 0)
        before = transcript.virtual_size.height
        transcript.scroll_to(y=5, animate=False)
        await settled(pilot, lambda: not transcript.following)
        transcript.scroll_to(y=0, animate=False)
        await settled(pilot, lambda: transcript.virtual_size.height > before)
        assert transcript.unread == 0
        app.feed(*long_history(3, first=160))
        await settled(pilot, lambda: transcript.unread == 6)


async def test_scrolling_to_the_end_follows_again() -> None:
    app = Page()
    async with app.run_test(size=(80, 12)) as pilot:
        app.feed(*long_history(20))
        transcript = app.transcript
        await settled(pilot, lambda: transcript.max_scroll_y > 0)
        transcript.scroll_to(y=2, animate=False)
        await settled(pilot, lambda: not transcript.following)
        transcript.scroll_to(y=transcript.max_scroll_y, animate=False)
        await settled(pilot, lambda: transcript.following)
        app.feed(*long_history(5, first=20))
        await settled(pilot, app.has("words number 24"))
        await settled(pilot, lambda: transcript.scroll_y == transcript.max_scroll_y)


async def test_scrolling_up_mounts_older_messages() -> None:
    app = Page()
    async with app.run_test(size=(80, 20)) as pilot:
        for event in long_history(2 * MESSAGES_AT_FIRST + 5):
            app.store.apply(event)
        transcript = app.transcript
        transcript.draw()
        await settled(pilot, lambda: len(transcript.query(MessageView)) == MESSAGES_AT_FIRST)
        await settled(pilot, lambda: transcript.scroll_y > 0)
        transcript.scroll_to(y=0, animate=False)
        await settled(pilot, lambda: len(transcript.query(MessageView)) == MESSAGES_AT_FIRST + MESSAGES_MORE)
        await settled(pilot, lambda: transcript.scroll_y > 0)
        assert app.older_requested == 0
        transcript.scroll_to(y=0, animate=False)
        await settled(pilot, app.has("words number 0."))
        transcript.scroll_to(y=5, animate=False)
        transcript.scroll_to(y=0, animate=False)
        await settled(pilot, lambda: app.older_requested > 0)


async def test_a_long_session_does_not_accumulate_widgets() -> None:
    app = Page()
    async with app.run_test(size=(80, 20)) as pilot:
        app.feed(*long_history(MAX_MESSAGES + MESSAGES_MORE + 1))
        await settled(pilot, lambda: len(app.transcript.query(MessageView)) == MAX_MESSAGES)
        app.feed(*sample.prompt())  # created before all of them: it keeps its position, unmounted
        await pilot.pause()
        assert "Move the session store" not in app.transcript.text


@pytest.mark.parametrize(("keys", "focused"), [(["j"], -1), (["j", "k"], 1), (["j", "k", "k", "k", "k", "k"], 0)])
async def test_keys_move_between_collapsible_lines(keys: list[str], focused: int) -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.at_work())
        await settled(pilot, app.has("edit"))
        app.transcript.focus()
        await pilot.press(*keys)
        folds = list(app.transcript.query(Foldable))
        assert len(folds) == 4
        expected = {-1: folds[-1], 1: folds[-2], 0: folds[0]}[focused]
        assert app.focused is expected


@pytest.mark.parametrize("messages", [1, 4, 12])
@pytest.mark.parametrize("small", [(44, 12), (80, 8)])
async def test_enlarging_the_screen_keeps_the_end_visible(messages: int, small: tuple[int, int]) -> None:
    app = Page()
    async with app.run_test(size=(80, 16)) as pilot:
        transcript = app.transcript
        app.feed(*long_history(messages))
        await settled(pilot, app.has(f"words number {messages - 1}."))
        for size in (small, (110, 34)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await settled(pilot, lambda: transcript.scroll_y == transcript.max_scroll_y)
        assert transcript.scroll_y == 0
        assert transcript.region.contains_region(transcript.query(MessageView).last().region)
        app.feed(*long_history(30, first=messages))
        await settled(pilot, app.has(f"words number {messages + 29}."))
        await settled(pilot, lambda: transcript.scroll_y == transcript.max_scroll_y > 0)
        assert transcript.region.contains_region(transcript.query(MessageView).last().region)
        assert transcript.following


async def test_an_answer_has_one_end_after_redrawing() -> None:
    app = Page()
    async with app.run_test(size=(80, 30)) as pilot:
        app.feed(*sample.prompt(), sample.answer_begins(), sample.text("half an answer"))
        await settled(pilot, app.has("half an answer"))
        app.transcript.note_end(sample.PROMPT, Content("! interrupted: the agent died"), ends=True)
        answer = Message(sample.ANSWER, sample.SESSION, "assistant", created=2.0, parent_id=sample.PROMPT)
        for failure, shown in (
            (Failure("it does not say why"), "! interrupted: the agent died"),
            (Failure("the agent died", "interrupted"), "! interrupted: the agent died"),
            (Failure("no key", "provider", 401), "✗ failed (401): no key"),
        ):
            app.feed(e.MessageUpserted(replace(answer, failure=failure)))
            for _ in range(2):
                await settled(pilot, app.has("half an answer", shown))
                assert [line.text for line in app.transcript.query(NoteLine) if line.display] == [shown]
                app.transcript.draw()


async def test_messages_undone_by_another_client_are_marked() -> None:
    async with app_harness() as harness:
        harness.client.feed(*long_history(4))
        await harness.shows("words number 3.")
        undone = replace(sample.session(), undone_from="msg_00002")
        harness.client.feed(e.SessionUpserted(undone))
        await harness.hides("words number 2.")
        await harness.shows("words number 1.", "↩ 2 prompts and what followed are undone", "Redo (^P)")
        assert "words number 3." not in harness.text
        harness.client.feed(e.SessionUpserted(sample.session()))
        await harness.shows("words number 2.", "words number 3.")
        await harness.hides("undone")


async def test_staying_at_the_top_loads_page_after_page() -> None:
    app = Page()
    async with app.run_test(size=(80, 20)) as pilot:
        everything = list(long_history(200))
        for event in everything:
            app.store.apply(event)
        transcript = app.transcript
        transcript.draw()
        await settled(pilot, lambda: transcript.scroll_y > 0)

        def is_mounted(count: int) -> bool:
            return len(transcript.query(MessageView)) == count

        for mounted in range(MESSAGES_AT_FIRST + MESSAGES_MORE, 201, MESSAGES_MORE):
            transcript.scroll_to(y=0, animate=False, immediate=True)
            await settled(pilot, partial(is_mounted, mounted))
            await settled(pilot, lambda: transcript.scroll_y > 0)
        transcript.scroll_to(y=0, animate=False, immediate=True)
        await settled(pilot, lambda: app.older_requested > 0)


async def test_the_top_line_shows_whether_and_how_more_can_be_loaded() -> None:
    app = Page()
    async with app.run_test(size=(80, 20)) as pilot:
        for event in long_history(60):
            app.store.apply(event)
        conversation = app.store.transcript(sample.SESSION)
        assert conversation is not None
        conversation.cursor, conversation.loaded = "before", True
        transcript = app.transcript
        transcript.draw()
        await settled(pilot, lambda: "↑ older messages" in transcript.text)
        transcript.show_loading("older", 4_200_000, "", "")
        await settled(pilot, lambda: "loading older messages… 4.2 MB" in transcript.text)
        transcript.show_loading("", 0, "", "no data for 15 s")
        await settled(pilot, lambda: "older messages could not be loaded: no data for 15 s" in transcript.text)
        transcript.scroll_to(y=0, animate=False, immediate=True)
        await settled(pilot, lambda: len(transcript.query(MessageView)) == 60)
        wanted = app.older_requested
        transcript.scroll_to(y=0, animate=False, immediate=True)
        transcript.action_page_up()
        await settled(pilot, lambda: app.older_requested > wanted)
        conversation.cursor = None
        transcript.show_loading("", 0, "", "")
        await settled(pilot, lambda: "beginning of the session" in transcript.text)


async def test_the_start_is_marked_only_above_the_first_message() -> None:
    app = Page()
    async with app.run_test(size=(80, 10)) as pilot:
        app.feed(e.MessagesLoaded(sample.SESSION, (), None))
        for event in long_history(MESSAGES_AT_FIRST + 20):
            app.store.apply(event)
        transcript = app.transcript
        transcript.draw()
        await settled(pilot, lambda: len(transcript.query(MessageView)) == MESSAGES_AT_FIRST)
        assert transcript._mount_older()
        assert "beginning of the session" not in transcript.text
        await settled(pilot, lambda: "beginning of the session" in transcript.text)
        assert all(view.region.height for view in transcript.query(MessageView))
