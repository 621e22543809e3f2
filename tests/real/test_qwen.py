"""The client without a screen on a real `qwen serve`: what it holds in the end is what the daemon has."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.chaos.relay import Relay
from tests.end_to_end.steps import answer_both_questions, connect, send
from tests.end_to_end.terminal import Terminal
from tests.real.qwen_server import RealQwen
from tests.waiting import wait_until
from tui.backends.qwen import QwenServe
from tui.client import Client
from tui.core.health import LineState
from tui.core.model import Answers, FullMessage, PermissionRequest, QuestionRequest, Request, TextPart, ToolPart
from tui.core.turn import Turn, TurnState
from tui.journal import Journal
from tui.net.http import Http

pytestmark = pytest.mark.real

WITHIN = 45.0
"""Seconds for whatever the daemon does; most of it takes one."""


class Attached:
    """A client on one session of the daemon, behind a relay."""

    def __init__(self, client: Client, relay: Relay, session_id: str) -> None:
        self.client = client
        self.relay = relay
        self.session_id = session_id

    def held(self) -> tuple[FullMessage, ...]:
        """What the client's store holds of the session."""
        transcript = self.client.store.transcript(self.session_id)
        assert transcript is not None
        return tuple(FullMessage(m, tuple(transcript.parts_of(m.id))) for m in transcript.ordered())

    def words(self) -> str:
        return "".join(p.text for full in self.held() for p in full.parts if isinstance(p, TextPart))

    def prompt(self, text: str) -> None:
        self.client.prompts.submit(self.session_id, text)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        await wait_until(condition, within=WITHIN, what=what)

    async def over(self, text: str) -> Turn:
        """The turn of this prompt, once it has ended."""

        def ended() -> list[Turn]:
            turns = self.client.turns.of(self.session_id)
            return [turn for turn in turns if turn.over and turn.prompt is not None and turn.prompt.text == text]

        await self.until(ended, f"the end of {text}")
        return ended()[-1]

    async def said(self, word: str) -> None:
        await self.until(lambda: f"{word} " in self.words(), word)

    async def asked(self) -> Request:
        await self.until(lambda: self.client.store.requests, "a request")
        [request] = self.client.store.requests.values()
        return request

    async def live(self) -> None:
        await self.until(lambda: self.client.line().state is LineState.LIVE, "the line")


@asynccontextmanager
async def attached(qwen: RealQwen, journal: Journal | None = None, session: str = "") -> AsyncIterator[Attached]:
    relay = Relay(qwen.port)
    relay.accept()
    address = f"http://127.0.0.1:{relay.port}"
    host = {"host": f"127.0.0.1:{qwen.port}"}  # the daemon refuses every other
    client = Client(address, lambda user: Http(address, headers=host), journal=journal)
    client.start()
    try:
        await wait_until(lambda: client.line().state is LineState.LIVE, within=WITHIN)
        session = session or (await client.new_session()).id
        await client.open_session(session)
        yield Attached(client, relay, session)
    finally:
        await client.close()
        relay.close()


async def kept(qwen: RealQwen, session_id: str) -> tuple[FullMessage, ...]:
    """What the daemon gives to somebody who comes anew."""
    http = Http(qwen.address)
    backend = QwenServe(http)
    try:
        await backend.hello()
        return (await backend.messages(session_id)).messages
    finally:
        await backend.close()


async def test_a_question_and_a_permission_are_answered_and_the_store_is_what_load_gives(qwen: RealQwen) -> None:
    async with attached(qwen) as here:
        here.prompt("ASK")
        question = await here.asked()
        assert isinstance(question, QuestionRequest)
        assert [(q.header, q.multiple) for q in question.questions] == [("DB", False), ("Feat", True)]
        given: Answers = (("SQLite",), ("auth", "search"))
        here.client.answer(question.id, given)
        turn = await here.over("ASK")
        assert (turn.state, turn.reason) == (TurnState.FINISHED, "")
        [tool] = [p for full in here.held() for p in full.parts if isinstance(p, ToolPart)]
        assert (tool.tool, tool.state, tool.answers) == ("ask_user_question", "completed", given)
        assert "auth, search" in here.words()

        here.prompt("SHELL made.txt")
        permission = await here.asked()
        assert isinstance(permission, PermissionRequest)
        assert (permission.action, permission.detail) == ("run_shell_command", "touch made.txt")
        assert not (qwen.project / "made.txt").exists()
        here.client.reply(permission.id, "once")
        assert (await here.over("SHELL made.txt")).state is TurnState.FINISHED
        assert (qwen.project / "made.txt").exists()

        here.prompt("THINK")
        await here.over("THINK")
        assert here.client.store.requests == {}
        assert here.held() == await kept(qwen, here.session_id)


async def test_cancelled_rejected_and_failed_turns_are_told_apart(qwen: RealQwen) -> None:
    async with attached(qwen) as here:
        here.prompt("SLOW")
        await here.said("word2")
        await here.client.abort(here.session_id)
        assert (await here.over("SLOW")).state is TurnState.ABORTED

        here.prompt("ASK1")
        here.client.prompts.release(here.session_id)
        question = await here.asked()
        here.client.reject(question.id)
        assert (await here.over("ASK1")).state is TurnState.FINISHED
        assert here.client.traits is not None
        assert here.client.traits.reject_ends_turn

        here.prompt("FAIL 400")
        failed = await here.over("FAIL 400")
        assert (failed.state, failed.reason) == (TurnState.FAILED, "scripted 400")
        assert here.held() == await kept(qwen, here.session_id)


async def test_a_cut_in_the_middle_loses_nothing_and_doubles_nothing(qwen: RealQwen) -> None:
    async with attached(qwen) as here:
        here.prompt("SLOW")
        for word in ("word3", "word9", "word20"):
            await here.said(word)
            here.relay.sever("reset")
            await here.until(lambda: here.client.line().state is not LineState.LIVE, "the loss")
            await here.live()
        assert (await here.over("SLOW")).state is TurnState.FINISHED
        assert here.words() == "SLOW" + "".join(f"word{i} " for i in range(40))
        assert here.held() == await kept(qwen, here.session_id)


async def test_a_question_that_waited_through_a_cut_is_still_one_question(qwen: RealQwen) -> None:
    async with attached(qwen) as here:
        here.prompt("ASK1")
        question = await here.asked()
        here.relay.sever("reset")
        await here.until(lambda: here.client.line().state is not LineState.LIVE, "the loss")
        await here.live()
        assert await here.asked() == question
        here.client.answer(question.id, (("my own, words",),))
        assert (await here.over("ASK1")).state is TurnState.FINISHED
        [tool] = [p for full in here.held() for p in full.parts if isinstance(p, ToolPart)]
        assert tool.answers == (("my own, words",),)


async def test_a_lost_202_is_found_by_its_echo_and_never_posted_twice(qwen: RealQwen) -> None:
    async with attached(qwen) as here:
        here.prompt("hello")
        await here.over("hello")
        here.relay.cut_after(0, "prompt")
        states: list[TurnState] = []
        here.client.subscribe(lambda change: states.append(here.client.turns.of(here.session_id)[-1].state))
        here.prompt("hello")
        await here.until(lambda: len(here.client.turns.of(here.session_id)) == 2)
        second = here.client.turns.of(here.session_id)[-1]
        await here.until(lambda: second.over, "the second turn")
        assert second.state is TurnState.FINISHED
        assert TurnState.UNKNOWN in states
        prompts = [full.message.id for full in await kept(qwen, here.session_id) if full.message.role == "user"]
        assert len(prompts) == 2
        assert prompts.index(second.prompt_id) == 1


async def test_a_daemon_that_is_killed_and_restarted_interrupts_the_turn(qwen: RealQwen) -> None:
    async with attached(qwen) as here:
        here.prompt("ASK1")
        here.client.answer((await here.asked()).id, (("SQLite",),))
        await here.over("ASK1")
        here.prompt("SLOW")
        await here.said("word3")
        qwen.kill()
        await here.until(lambda: here.client.line().state is LineState.RECONNECTING, "the loss")
        qwen.restart()
        here.client.retry_now()
        await here.live()
        turn = await here.over("SLOW")
        assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server was restarted in the middle of it")
        assert "word3" not in here.words()
        await here.until(lambda: here.client.prompts.held(here.session_id) == "")
        here.prompt("and on we go")
        assert (await here.over("and on we go")).state is TurnState.FINISHED
        assert here.held() == await kept(qwen, here.session_id)


async def test_a_question_dies_with_the_daemon(qwen: RealQwen) -> None:
    async with attached(qwen) as here:
        here.prompt("ASK1")
        await here.asked()
        qwen.kill()
        await here.until(lambda: here.client.line().state is LineState.RECONNECTING, "the loss")
        qwen.restart()
        here.client.retry_now()
        await here.until(lambda: not here.client.store.requests, "the ghost to go")
        assert (await here.over("ASK1")).state is TurnState.INTERRUPTED


def test_the_screen_is_the_same_as_for_every_family(holdfast: Callable[..., Terminal], qwen: RealQwen) -> None:
    terminal = holdfast(qwen.address)
    connect(terminal)
    send(terminal, "ASK")
    answer_both_questions(terminal)
    terminal.wait_for(re.compile(r"Done\..*SQLite.*auth, search", re.DOTALL), within=WITHIN)
    terminal.wait_for(re.compile(r"✓ finished in 0:\d\d"), within=WITHIN)
