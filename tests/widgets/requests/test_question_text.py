"""A question with only a text field: any typed letter is part of the answer."""

import pytest
from textual import events

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tui.core import events as e
from tui.core.model import Question, QuestionRequest
from tui.widgets.dialogs.confirm import Confirm

NAME = QuestionRequest("que_9", sample.SESSION, (Question("What shall it be called?", "Name", ()),))


async def ask(harness: AppHarness, request: QuestionRequest = NAME, *, focus: bool = True) -> None:
    """The question arrives; with `focus` it is focused and accepts keys."""
    harness.client.advance(5.0)
    harness.client.feed(e.RequestOpened(request))
    await harness.shows(request.questions[0].text)
    if focus:
        harness.app.presenter.tick()
        await harness.settled()
        harness.client.advance(1.0)
        await harness.until(lambda: harness.main.panel.has_focus_within)


@pytest.mark.parametrize("words", ["hello", "n2", "xterm", "jk", "2", "p 1", "\u3000日本"])
async def test_letters_are_typed_into_the_answer_at_once(words: str) -> None:
    async with app_harness() as harness:
        await ask(harness)
        await harness.press(*words, "enter")
        await harness.until(lambda: harness.client.calls("answer") == [("que_9", ((words.strip(),),))])
        assert harness.client.calls("send") == []
        assert harness.main.prompt.text == ""


@pytest.mark.parametrize("words", ["hello", "n2", "xterm"])
async def test_keys_after_tab_are_typed_into_the_answer(words: str) -> None:
    async with app_harness() as harness:
        await harness.press("d")
        await ask(harness, focus=False)
        await harness.shows("Tab answer")
        await harness.press("tab")
        harness.burst(*words, "enter")
        await harness.until(lambda: harness.client.calls("answer") == [("que_9", ((words,),))])
        assert harness.main.prompt.text == "d"
        assert harness.client.calls("send") == []


async def test_a_selection_after_tab_is_an_answer_at_once() -> None:
    async with app_harness() as harness:
        await harness.press("d")
        await ask(harness, sample.ONE_CHOICE, focus=False)
        await harness.press("tab", "2", "enter")
        await harness.until(lambda: harness.client.calls("answer") == [("que_2", (("Leave them",),))])


async def test_text_typed_right_after_its_arrival_goes_to_the_prompt() -> None:
    async with app_harness() as harness:
        harness.client.advance(5.0)
        harness.client.feed(e.RequestOpened(NAME))
        await harness.shows("What shall it be called?")
        harness.app.presenter.tick()
        await harness.press(*"hello")
        assert harness.main.prompt.text == "hello"
        assert harness.client.calls("answer") == []


async def test_a_paste_is_inserted_into_the_answer() -> None:
    async with app_harness() as harness:
        await ask(harness)
        harness.app.post_message(events.Paste("two\nlines"))
        await harness.settled()
        harness.burst("!", "enter")
        await harness.until(lambda: harness.client.calls("answer") == [("que_9", (("two\nlines!",),))])


async def test_keys_other_than_letters_reject_and_leave_it() -> None:
    async with app_harness() as harness:
        other = QuestionRequest("que_8", sample.SESSION, (Question("And where?", "StreamPosition", ()),))
        await ask(harness)
        harness.client.feed(e.RequestOpened(other))
        await harness.shows("any letter begins your answer", "^X reject", "^N next")
        await harness.press("ctrl+n")
        await harness.shows("And where?")
        harness.pass_input_guard()
        await harness.press("ctrl+x")
        await harness.until(lambda: isinstance(harness.app.screen, Confirm))
        await harness.press("enter")
        await harness.until(lambda: harness.client.calls("reject") == [("que_8",)])
