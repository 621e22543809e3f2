"""A question with only a text field: any typed letter is part of the answer."""

import pytest
from textual import events

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tui.core import events as e
from tui.core.model import Question, QuestionRequest
from tui.widgets.dialogs.confirm import Confirm

NAME = QuestionRequest("que_9", talk.SESSION, (Question("What shall it be called?", "Name", ()),))


async def ask(stage: Stage, request: QuestionRequest = NAME, *, focus: bool = True) -> None:
    """The question arrives; with `focus` it is focused and accepts keys."""
    stage.client.advance(5.0)
    stage.client.feed(e.RequestOpened(request))
    await stage.shows(request.questions[0].text)
    if focus:
        stage.app.presenter.tick()
        await stage.settled()
        stage.client.advance(1.0)
        await stage.until(lambda: stage.main.panel.has_focus_within)


@pytest.mark.parametrize("words", ["hello", "n2", "xterm", "jk", "2", "p 1", "\u3000日本"])
async def test_letters_are_typed_into_the_answer_at_once(words: str) -> None:
    async with on_stage() as stage:
        await ask(stage)
        await stage.press(*words, "enter")
        await stage.until(lambda: stage.client.calls("answer") == [("que_9", ((words.strip(),),))])
        assert stage.client.calls("send") == []
        assert stage.main.prompt.text == ""


@pytest.mark.parametrize("words", ["hello", "n2", "xterm"])
async def test_keys_after_tab_are_typed_into_the_answer(words: str) -> None:
    async with on_stage() as stage:
        await stage.press("d")
        await ask(stage, focus=False)
        await stage.shows("Tab answer")
        await stage.press("tab")
        stage.burst(*words, "enter")
        await stage.until(lambda: stage.client.calls("answer") == [("que_9", ((words,),))])
        assert stage.main.prompt.text == "d"
        assert stage.client.calls("send") == []


async def test_a_selection_after_tab_is_an_answer_at_once() -> None:
    async with on_stage() as stage:
        await stage.press("d")
        await ask(stage, talk.ONE_CHOICE, focus=False)
        await stage.press("tab", "2", "enter")
        await stage.until(lambda: stage.client.calls("answer") == [("que_2", (("Leave them",),))])


async def test_text_typed_right_after_its_arrival_goes_to_the_prompt() -> None:
    async with on_stage() as stage:
        stage.client.advance(5.0)
        stage.client.feed(e.RequestOpened(NAME))
        await stage.shows("What shall it be called?")
        stage.app.presenter.tick()
        await stage.press(*"hello")
        assert stage.main.prompt.text == "hello"
        assert stage.client.calls("answer") == []


async def test_a_paste_is_inserted_into_the_answer() -> None:
    async with on_stage() as stage:
        await ask(stage)
        stage.app.post_message(events.Paste("two\nlines"))
        await stage.settled()
        stage.burst("!", "enter")
        await stage.until(lambda: stage.client.calls("answer") == [("que_9", (("two\nlines!",),))])


async def test_keys_other_than_letters_reject_and_leave_it() -> None:
    async with on_stage() as stage:
        other = QuestionRequest("que_8", talk.SESSION, (Question("And where?", "StreamPosition", ()),))
        await ask(stage)
        stage.client.feed(e.RequestOpened(other))
        await stage.shows("any letter begins your answer", "^X reject", "^N next")
        await stage.press("ctrl+n")
        await stage.shows("And where?")
        stage.after_grace()
        await stage.press("ctrl+x")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press("enter")
        await stage.until(lambda: stage.client.calls("reject") == [("que_8",)])
