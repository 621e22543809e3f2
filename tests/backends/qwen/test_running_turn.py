"""A turn whose beginning the server dropped: marked while it runs, complete once it has ended."""

import pytest

from tests.backends.daemon import LOAD, answer_chunk, daemon, echo, ended, loaded, update
from tests.backends.feeding import after_handshake, feeding
from tests.waiting import wait_until
from tui.backends.base import PromptLookup
from tui.backends.qwen import running_turn as module
from tui.core import events as e
from tui.core.model import NotePart, TextPart

DROPPED = {
    "v": 1,
    "type": "history_truncated",
    "promptId": "p2",
    "data": {"scope": "live_journal", "truncatedEvents": 7},
}

MISSING_START = "the server dropped the beginning of this answer; it is complete once the turn has ended"


async def test_a_truncated_answer_is_marked_and_loaded_again_at_its_end() -> None:
    torn = loaded(echo(1, "hi"), answer_chunk(2, "one. "), ended(3), busy=True, last=12)
    torn["liveJournal"] = [DROPPED, answer_chunk(11, "the end of ", "p2")]
    async with daemon(**{LOAD: torn}) as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            page = await backend.messages("s1")
            assert [part.text for part in page.messages[-1].parts if isinstance(part, NotePart)] == [MISSING_START]
            assert page.messages[-1].message.id == "p2:answer"
            feed.store.apply(page)
            await wait_until(lambda: server.streams)
            server.streams[0].send(answer_chunk(13, "it", "p2"))
            await wait_until(lambda: feed.words().endswith("the end of it"))
            assert server.calls.count(LOAD) == 1
            whole = [echo(4, "more", "p2"), answer_chunk(10, "the beginning and the end of it", "p2"), ended(14, "p2")]
            server.answers[LOAD] = loaded(echo(1, "hi"), answer_chunk(2, "one. "), ended(3), *whole, last=14)
            server.streams[0].send(ended(14, "p2"))
            await wait_until(lambda: feed.words() == "hione. morethe beginning and the end of it")
            await wait_until(lambda: len(server.streams) == 2)
            assert server.streams[1].headers["last-event-id"] == "14"


async def test_a_truncated_history_does_not_mark_the_turn() -> None:
    past = {**DROPPED, "data": {"truncatedEvents": 7}}
    async with daemon(**{LOAD: loaded(past, echo(1, "hi"), answer_chunk(2, "one."), ended(3), last=3)}) as (_, http):
        page = await (await after_handshake(http)).messages("s1")
    assert not any(isinstance(part, NotePart) for full in page.messages for part in full.parts)


async def test_a_truncated_answer_with_only_a_plan_is_marked_too() -> None:
    torn = loaded(busy=True, last=12)
    torn["liveJournal"] = [DROPPED, update(12, "plan", "p2", entries=[{"content": "one"}])]
    async with daemon(**{LOAD: torn}) as (_, http):
        [full] = (await (await after_handshake(http)).messages("s1")).messages
    assert [part.text for part in full.parts if isinstance(part, NotePart)] == [MISSING_START]


async def test_a_turn_with_only_its_end_is_loaded_again() -> None:
    torn = loaded(busy=True, last=12)
    torn["liveJournal"] = [DROPPED]
    async with daemon(**{LOAD: torn}) as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            feed.store.apply(await backend.messages("s1"))
            await wait_until(lambda: server.streams)
            whole = [echo(4, "more", "p2"), answer_chunk(10, "and its answer", "p2"), ended(13, "p2")]
            server.answers[LOAD] = loaded(*whole, last=13)
            server.streams[0].send(ended(13, "p2"))
            await wait_until(lambda: feed.words() == "moreand its answer")


async def test_a_truncated_ended_turn_is_loaded_only_once() -> None:
    torn = loaded(last=12)
    torn["liveJournal"] = [{**DROPPED, "promptId": None}, answer_chunk(12, "of a timer's turn", "p2")]
    async with daemon(**{LOAD: torn}) as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            feed.store.apply(await backend.messages("s1"))
            await wait_until(lambda: server.streams)
            server.streams[0].send({"type": "replay_complete", "data": {}}, echo(13, "next", "p3"))
            await wait_until(lambda: feed.words().endswith("next"))
            assert server.calls.count(LOAD) == 1


async def test_a_truncated_answer_is_loaded_once_while_it_runs() -> None:
    for marker in (DROPPED, {**DROPPED, "promptId": None}):
        torn = loaded(echo(1, "hi"), answer_chunk(2, "one. "), busy=True, last=12)
        torn["liveJournal"] = [marker, answer_chunk(11, "the end of ", "p2")]
        async with daemon(**{LOAD: torn}) as (server, http):
            backend = await after_handshake(http)
            async with feeding(backend) as feed:
                feed.store.apply(await backend.messages("s1"))
                await wait_until(lambda: server.streams)
                server.streams[0].send(answer_chunk(13, "it", "p2"))
                await wait_until(lambda: feed.words().endswith("the end of it"))
                server.streams[0].send(answer_chunk(14, " all", "p2"))
                await wait_until(lambda: feed.words().endswith("the end of it all"))
                assert server.calls.count(LOAD) == 1


async def test_a_prompt_is_unknown_while_the_server_drops_earlier_events() -> None:
    async with daemon(**{LOAD: loaded(last=2)}) as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        prompt = backend.new_prompt("s1", "do it")
        torn = loaded(busy=True, last=12)
        torn["liveJournal"] = [DROPPED, answer_chunk(12, "the end of it", "p2")]
        server.answers[LOAD] = torn
        assert await backend.look_up("s1", prompt.message_id, prompt) == PromptLookup(stored=None)
        server.answers[LOAD] = loaded(
            echo(3, "do it", "p2"), answer_chunk(12, "the end of it", "p2"), ended(13, "p2"), last=13
        )
        assert await backend.look_up("s1", prompt.message_id, prompt) == PromptLookup(stored=True, server_id="p2")


def test_a_text_without_end_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXT_KEPT", 100_000)
    turn = module.RunningTurn("ses_1", "prompt", 1.0)
    for _ in range(500):
        turn.append_text("text", "w" * 1_000, alone=False)
    [event] = turn.end_text()
    assert isinstance(event, e.PartUpserted)
    assert isinstance(event.part, TextPart)
    assert event.part.text == "w" * 100_000 + f"\n\n{module.TEXT_NOT_KEPT}"
