"""A request with very many options or questions: the number of its widgets, and that each can be selected."""

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tui.core import events as e
from tui.core.model import Busy, Option, Question, QuestionRequest
from tui.widgets.requests.option_row import OptionRow
from tui.widgets.requests.question import ROWS_SHOWN, TABS_SHOWN, TabLabel

MANY = 3_000


async def ask(harness: AppHarness, *questions: Question) -> QuestionRequest:
    request = QuestionRequest("que_many", sample.SESSION, questions)
    harness.client.feed(e.StatusChanged(sample.SESSION, Busy()), e.RequestOpened(request))
    await harness.until(lambda: harness.main.panel.active == request, "the question")
    harness.pass_input_guard()
    await harness.press("tab")
    return request


async def test_very_many_options_have_rows_only_around_the_cursor() -> None:
    options = tuple(Option(f"option {at}", f"number {at}") for at in range(MANY))
    async with app_harness() as harness:
        request = await ask(harness, Question("Which?", "one", options))
        assert len(harness.main.panel.query(OptionRow)) == ROWS_SHOWN
        await harness.shows("option 0", "0 more above")
        await harness.press("end", "up")
        assert len(harness.main.panel.query(OptionRow)) == ROWS_SHOWN
        await harness.shows(f"option {MANY - 1}")
        await harness.press("pageup", "enter")
        assert harness.client.calls("answer") == [(request.id, ((f"option {MANY - 11}",),))]


async def test_a_custom_answer_works_with_very_many_options() -> None:
    options = tuple(Option(f"option {at}") for at in range(MANY))
    async with app_harness() as harness:
        request = await ask(harness, Question("Which?", "one", options))
        await harness.press("end", "enter", *"mine", "enter")
        assert harness.client.calls("answer") == [(request.id, (("mine",),))]


async def test_very_many_questions_have_tabs_only_around_the_shown_one() -> None:
    async with app_harness() as harness:
        questions = [Question(f"Question {at}?", f"head {at}", (Option("yes"),)) for at in range(MANY)]
        await ask(harness, *questions)
        assert len(harness.main.panel.query(TabLabel)) == TABS_SHOWN
        await harness.press(*["right"] * (TABS_SHOWN + 5))
        await harness.shows(f"Question {TABS_SHOWN + 5}?")
        labels = [label.text.strip() for label in harness.main.panel.query(TabLabel)]
        assert labels == [f"head {at}" for at in range(6, TABS_SHOWN + 6)]
