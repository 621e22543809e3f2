"""Prompts to a qwen serve that accepts them, whose 202 is lost, or that does not know the client id."""

import pytest
from starlette.responses import JSONResponse

from tests.backends.daemon import (
    FORGOTTEN,
    LOAD,
    NOT_FOUND,
    daemon,
    echo,
    ended,
    loaded,
)
from tests.backends.feeding import Watcher, after_handshake
from tui.backends.base import PromptAccepted, PromptLookup, PromptRejected
from tui.core.model import Prompt
from tui.net.errors import HttpStatusError

PROMPT, RESUME = "POST /session/s1/prompt", "POST /session/s1/resume"


async def test_a_prompt_gets_the_servers_id() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        prompt = backend.new_prompt("s1", "do it")
        assert await backend.post_prompt(prompt, Watcher()) == PromptAccepted("p1")
        assert server.sent(PROMPT) == [{"prompt": [{"type": "text", "text": "do it"}]}]
        assert server.identities(PROMPT) == ["client_1"]


async def test_an_unknown_client_requests_a_new_id_and_posts_again() -> None:
    async with daemon(**{PROMPT: FORGOTTEN}) as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        server.answers[RESUME] = loaded(clientId="client_2")
        with pytest.raises(HttpStatusError):
            await backend.post_prompt(backend.new_prompt("s1", "do it"), Watcher())
        assert server.identities(PROMPT) == ["client_1", "client_2"]
        assert server.identities(RESUME) == [None]


async def test_a_closed_session_is_loaded_for_a_prompt() -> None:
    async with daemon(**{PROMPT: NOT_FOUND}) as (server, http):
        backend = await after_handshake(http)
        with pytest.raises(HttpStatusError):
            await backend.post_prompt(Prompt("s1", "do it", "ours", ""), Watcher())
        assert [call for call in server.calls if call in (PROMPT, LOAD)] == [PROMPT, LOAD, PROMPT]


async def test_a_full_queue_rejects_the_prompt() -> None:
    full = JSONResponse({"error": "full", "code": "prompt_queue_full"}, 503, {"retry-after": "5"})
    async with daemon(**{PROMPT: full}) as (server, http):
        backend = await after_handshake(http)
        with pytest.raises(PromptRejected, match="the server's own queue is full") as rejected:
            await backend.post_prompt(backend.new_prompt("s1", "do it"), Watcher())
        assert rejected.value.hint == "Send it again when a turn has ended."
        assert server.calls.count(PROMPT) == 1


async def test_a_lost_202_is_found_by_its_echo_after_our_position() -> None:
    async with daemon(**{LOAD: loaded(echo(1, "do it", "p0"), ended(2, "p0"), last=2)}) as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        prompt = backend.new_prompt("s1", "do it")
        assert await backend.look_up("s1", prompt.message_id, prompt) == PromptLookup(stored=False)
        server.answers[LOAD] = loaded(
            echo(1, "do it", "p0"),
            ended(2, "p0"),
            echo(3, "do it", "px", author="another"),
            echo(4, "do it"),
            last=4,
        )
        assert await backend.look_up("s1", prompt.message_id, prompt) == PromptLookup(stored=True, server_id="p1")
        twin = backend.new_prompt("s1", "do it")
        assert await backend.look_up("s1", twin.message_id, twin) == PromptLookup(stored=False)


async def test_a_prompt_queued_at_the_server_is_found_too() -> None:
    added = {
        "id": 3,
        "type": "pending_prompt_added",
        "promptId": "p7",
        "originatorClientId": "client_1",
        "data": {"text": "do it"},
    }
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        prompt = backend.new_prompt("s1", "do it")
        server.answers[LOAD] = loaded(added, last=3, busy=True)
        assert await backend.look_up("s1", prompt.message_id, prompt) == PromptLookup(stored=True, server_id="p7")


async def test_a_known_prompt_is_looked_up_by_id_and_then_in_the_transcript() -> None:
    async with daemon(**{"GET /session/s1/turns/p1": {"state": "running"}}) as (server, http):
        backend = await after_handshake(http)
        assert await backend.look_up("s1", "p1") == PromptLookup(stored=True)
        server.answers["GET /session/s1/turns/p1"] = {"state": "cancelled"}  # before it began, unless it is echoed
        assert await backend.look_up("s1", "p1") == PromptLookup(stored=False)
        server.answers["GET /session/s1/turns/p1"] = NOT_FOUND
        server.answers[LOAD] = loaded(echo(1, "do it"), last=1)
        assert await backend.look_up("s1", "p1") == PromptLookup(stored=True)
        server.answers[LOAD] = loaded()
        assert await backend.look_up("s1", "p1") == PromptLookup(stored=False)
        server.answers[LOAD] = NOT_FOUND
        assert await backend.look_up("s1", "p1") == PromptLookup(stored=False, session_gone=True)
