"""Typed lines as answers to the open requests of the plain client: which request a line is for, if any."""

import asyncio
from functools import partial

from msgspec.structs import replace

from tests.client_harness import ClientHarness, on_virtual_time
from tui.cli.plain_requests import ANSWER_GUARD_SECONDS, PlainRequests
from tui.cli.printing import Printer
from tui.core import events as e
from tui.core.model import Option, QuestionRequest


class Typing:
    """The requests of one client, the lines that it prints, and the prompts that it would send."""

    def __init__(self, harness: ClientHarness) -> None:
        self.harness = harness
        self.printed: list[str] = []
        self.prompts: list[str] = []
        self.requests = PlainRequests(harness.client, Printer(self.printed.append), self.prompts.append, typed=True)
        harness.client.subscribe(self.requests.on_change)

    async def ask(self, count: int = 1) -> list[str]:
        """Let the agent ask questions, each in a session of its own; returns the ids in order of appearance."""
        for _ in range(count):
            before = len(self.requests.open)
            session = (await self.harness.http.post("/session", json={})).json()["id"]
            body = {"parts": [{"type": "text", "text": "ASK1"}]}
            (await self.harness.http.post(f"/session/{session}/prompt_async", json=body)).raise_for_status()
            await self.harness.until(partial(self._more_than, before), within=60)
        return list(self.requests.open)

    def _more_than(self, count: int) -> bool:
        return len(self.requests.open) > count

    async def answered_elsewhere(self, request_id: str) -> None:
        url = f"/question/{request_id}/reply"
        (await self.harness.http.post(url, json={"answers": [["Postgres"]]})).raise_for_status()
        await self.harness.until(lambda: request_id not in self.requests.open, within=60)


@on_virtual_time()
async def test_a_text_typed_for_one_question_never_answers_the_next(harness: ClientHarness) -> None:
    typing = Typing(harness)
    first, second = await typing.ask(2)
    await asyncio.sleep(1)
    typing.requests.take("red please")
    assert typing.printed[-1].endswith("type a: answer the question with it, p: send it as a prompt, n: neither\n")
    await typing.answered_elsewhere(first)
    await asyncio.sleep(1)
    typing.requests.take("a")
    assert typing.printed[-1].endswith("'red please': type p: send it as a prompt, n: neither\n")
    assert list(typing.requests.open) == [second]
    assert harness.replies() == 0
    typing.requests.take("p")
    assert typing.prompts == ["red please"]


@on_virtual_time()
async def test_a_line_typed_as_the_next_question_comes_first_is_not_its_answer(harness: ClientHarness) -> None:
    typing = Typing(harness)
    first, second = await typing.ask(2)
    await asyncio.sleep(1)
    await typing.answered_elsewhere(first)
    typing.requests.take("1")
    typing.requests.take("1")
    typing.requests.reject("")
    assert harness.replies() == 0
    await asyncio.sleep(ANSWER_GUARD_SECONDS)
    typing.requests.take("1")
    await harness.until(lambda: second not in typing.requests.open, within=60)
    assert harness.replies() == 1


@on_virtual_time()
async def test_a_line_after_a_reply_that_is_being_delivered_is_asked_about(harness: ClientHarness) -> None:
    typing = Typing(harness)
    (question,) = await typing.ask()
    await asyncio.sleep(1)
    harness.arm("502=answer,times=1")
    typing.requests.take("1")
    typing.requests.take("2")
    assert typing.printed[-1].endswith("'2': type p: send it as a prompt, n: neither\n")
    typing.requests.take("n")
    await harness.until(lambda: question not in typing.requests.open, within=60)
    assert typing.printed[-1].endswith("answered: Postgres\n")


@on_virtual_time()
async def test_a_question_that_changes_under_its_id_is_shown_again_and_not_answered_at_once(
    harness: ClientHarness,
) -> None:
    typing = Typing(harness)
    (question,) = await typing.ask()
    await asyncio.sleep(1)
    typing.requests.take("red please")
    asked = harness.client.store.requests[question]
    assert isinstance(asked, QuestionRequest)
    options = (Option("No"), Option("Yes"))
    other = replace(asked, questions=(replace(asked.questions[0], text="Delete everything?", options=options),))
    for change in harness.client.store.apply(e.RequestOpened(other)):
        typing.requests.on_change(change)
    assert any("Delete everything?" in line for line in typing.printed)
    typing.requests.take("a")
    assert typing.printed[-1].endswith("'red please': type p: send it as a prompt, n: neither\n")
    typing.requests.take("n")
    typing.requests.take("1")
    assert typing.printed[-1].endswith("'1': type a: answer the question with it, p: send it as a prompt, n: neither\n")
    assert harness.replies() == 0
