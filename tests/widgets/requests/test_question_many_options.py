"""A request with very many options or questions: the number of its widgets, and that each can be selected."""

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tui.core import events as e
from tui.core.model import Busy, Option, Question, QuestionRequest
from tui.widgets.requests.option_row import OptionRow
from tui.widgets.requests.question import ROWS_SHOWN, TABS_SHOWN, TabLabel

MANY = 3_000


async def ask(stage: Stage, *questions: Question) -> QuestionRequest:
    request = QuestionRequest("que_many", talk.SESSION, questions)
    stage.client.feed(e.StatusChanged(talk.SESSION, Busy()), e.RequestOpened(request))
    await stage.until(lambda: stage.main.panel.active == request, "the question")
    stage.after_grace()
    await stage.press("tab")
    return request


async def test_very_many_options_have_rows_only_around_the_cursor() -> None:
    options = tuple(Option(f"option {at}", f"number {at}") for at in range(MANY))
    async with on_stage() as stage:
        request = await ask(stage, Question("Which?", "one", options))
        assert len(stage.main.panel.query(OptionRow)) == ROWS_SHOWN
        await stage.shows("option 0", "0 more above")
        await stage.press("end", "up")
        assert len(stage.main.panel.query(OptionRow)) == ROWS_SHOWN
        await stage.shows(f"option {MANY - 1}")
        await stage.press("pageup", "enter")
        assert stage.client.calls("answer") == [(request.id, ((f"option {MANY - 11}",),))]


async def test_a_custom_answer_works_with_very_many_options() -> None:
    options = tuple(Option(f"option {at}") for at in range(MANY))
    async with on_stage() as stage:
        request = await ask(stage, Question("Which?", "one", options))
        await stage.press("end", "enter", *"mine", "enter")
        assert stage.client.calls("answer") == [(request.id, (("mine",),))]


async def test_very_many_questions_have_tabs_only_around_the_shown_one() -> None:
    async with on_stage() as stage:
        questions = [Question(f"Question {at}?", f"head {at}", (Option("yes"),)) for at in range(MANY)]
        await ask(stage, *questions)
        assert len(stage.main.panel.query(TabLabel)) == TABS_SHOWN
        await stage.press(*["right"] * (TABS_SHOWN + 5))
        await stage.shows(f"Question {TABS_SHOWN + 5}?")
        labels = [label.text.strip() for label in stage.main.panel.query(TabLabel)]
        assert labels == [f"head {at}" for at in range(6, TABS_SHOWN + 6)]
