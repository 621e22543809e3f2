"""Behaviour of MiMo Code that differs from opencode's."""

import json
import re
import time
from contextlib import aclosing
from typing import Any

import pytest
from starlette.responses import JSONResponse

from tests.backends.opencode_server import GREETED, PATHS, PROMPT, Watcher, streamed
from tests.backends.scripted import RecordedRequest, scripted
from tui.backends.base import PromptRejected
from tui.backends.opencode.backend import OpenCode
from tui.backends.opencode.mimo import MimoCode
from tui.backends.opencode.mimo_terminal import LOOKS, reply_body
from tui.core.events import StatusChanged
from tui.core.model import Prompt, Retrying
from tui.net.errors import HttpStatusError, NetError

HEADER = "x-mimocode-directory"
OUTSIDE = "/elsewhere"
BELOW = "/srv/project/sub"


def path(asked: RecordedRequest) -> JSONResponse:
    """Without a password 0.1.15 serves only its own directory and those below it."""
    if asked.headers.get(HEADER) == OUTSIDE:
        error = "Access denied: directory must be within the server's working directory"
        return JSONResponse({"code": "directory_not_allowed", "error": error, "directory": OUTSIDE}, 403)
    return JSONResponse(PATHS)


CONFINED = {
    **GREETED,
    "GET /path": path,
    "GET /session/ses_1": {"id": "ses_1", "directory": BELOW},
    "GET /session/ses_2": {"id": "ses_2", "directory": OUTSIDE},
    "GET /question": [],
    "GET /permission": [],
    "GET /session/status": {},
    "GET /bash-interactive": [],
}


async def test_the_directory_has_its_own_header() -> None:
    async with scripted({**GREETED, "GET /session": []}) as (script, http):
        await MimoCode(http, directory="/mine").sessions()
        assert script.asked[0].headers["x-mimocode-directory"] == "/mine"
        assert "x-opencode-directory" not in script.asked[0].headers


@pytest.mark.parametrize(("version", "cancels"), [("0.1.15", False), ("0.1.0", None)])
async def test_cancels_on_disconnect_is_known_for_measured_versions_only(version: str, cancels: bool | None) -> None:
    health = {"healthy": True, "version": version}
    offered = {"features": ["client_heartbeat"]}
    async with scripted({**GREETED, "GET /global/health": health, "GET /capabilities": offered}) as (_, http):
        backend = MimoCode(http)
        await backend.handshake()
        traits = backend.traits
        assert (traits.family, traits.cancels_on_disconnect, traits.queues_prompts) == ("mimo", cancels, False)
        assert traits.client_heartbeat
        theirs = OpenCode(http).traits
        assert (theirs.family, theirs.cancels_on_disconnect, theirs.queues_prompts) == ("opencode", False, True)


async def test_ids_have_the_servers_form_and_are_above_its_newest() -> None:
    """A prompt below the newest answer is stored by 0.1.15 and never answered."""
    answer = {
        "id": "msg_g001a2211c839a001dbtdp4j4y",
        "sessionID": "ses_1",
        "role": "assistant",
        "time": {"created": 1795851846554},
    }
    async with scripted({**GREETED, "GET /session/ses_1/message": [{"info": answer, "parts": []}]}) as (_, http):
        backend = MimoCode(http)
        await backend.messages("ses_1")
        prompts = [backend.new_prompt("ses_1", "x") for _ in range(5)]
    ids = [one.message_id for one in prompts]
    assert all(re.fullmatch(r"msg_g[0-9a-f]{16}[0-9A-Za-z]{9}", one) for one in ids)
    assert all(re.fullmatch(r"prt_g[0-9a-f]{16}[0-9A-Za-z]{9}", one.part_id) for one in prompts)
    assert [answer["id"], *ids] == sorted([str(answer["id"]), *ids])
    assert backend.traits.answers_in_id_order


async def test_a_second_prompt_is_refused_with_its_reason() -> None:
    busy = JSONResponse({"name": "UnknownError", "data": {"message": "Session ses_1 is busy"}}, 409)
    session = {"id": "ses_1", "directory": ""}
    async with scripted({"GET /session/ses_1": session, "POST /session/ses_1/message": busy}) as (_, http):
        with pytest.raises(HttpStatusError) as refused:
            await MimoCode(http).post_prompt(PROMPT, Watcher())
    assert refused.value.status == 409
    assert "Session ses_1 is busy" in refused.value.message


@pytest.mark.parametrize("revision", [{}, {"titleRevision": 3}])
async def test_a_rename_names_the_current_revision(revision: dict[str, int]) -> None:
    session = {"id": "ses_1", "title": "old"} | revision
    async with scripted({"GET /session/ses_1": session, "PATCH /session/ses_1": session}) as (script, http):
        await MimoCode(http).rename("ses_1", "new")
    expected = {"expectedRevision": 3} if revision else {}
    assert script.last("PATCH /session/ses_1").body == {"title": "new"} | expected


async def test_a_rename_is_retried_after_a_new_revision() -> None:
    conflict = JSONResponse({"name": "TitleConflictError", "data": {}}, 409)
    session = {"id": "ses_1", "title": "old", "titleRevision": 3}
    async with scripted({"GET /session/ses_1": session, "PATCH /session/ses_1": conflict}) as (script, http):
        with pytest.raises(HttpStatusError):
            await MimoCode(http).rename("ses_1", "new")
    assert script.calls == ["GET /session/ses_1", "PATCH /session/ses_1"] * 2


@pytest.mark.parametrize(("listed", "taken"), [([{"id": "que_1"}], True), ([{"id": "que_2"}], False)])
async def test_a_reply_to_a_closed_request_returns_false(listed: list[dict[str, str]], taken: bool) -> None:
    """The server returns `true` to any reply."""
    async with scripted({"GET /question": listed, "POST /question/que_1/reply": True}) as (script, http):
        assert await MimoCode(http).answer("que_1", (("yes",),), directory="") is taken
    assert ("POST /question/que_1/reply" in script.calls) is taken


async def test_a_refused_directory_is_read_without_the_header() -> None:
    async with scripted(CONFINED) as (script, http):
        backend = MimoCode(http)
        await backend.handshake()
        script.asked.clear()
        found = await backend.resync([OUTSIDE, BELOW])
    assert found.directories == frozenset({PATHS["directory"], OUTSIDE, BELOW})
    named = [one.headers.get(HEADER) for one in script.asked if one.call != "GET /path"]
    assert named == [None] * 3 + [BELOW] * 3 + [None, BELOW]


async def test_a_refused_named_directory_is_an_error_with_a_hint() -> None:
    async with scripted(CONFINED) as (_, http):
        with pytest.raises(NetError) as refused:
            await MimoCode(http, directory=OUTSIDE).handshake()
    assert refused.value.permanent
    assert OUTSIDE in refused.value.message
    assert OUTSIDE in refused.value.hint
    assert "MIMOCODE_SERVER_PASSWORD" in refused.value.hint


async def test_no_prompt_is_sent_in_a_refused_directory() -> None:
    prompt = Prompt("ses_2", "do it", "msg_1", "prt_1")
    async with scripted(CONFINED) as (script, http):
        with pytest.raises(PromptRejected) as refused:
            await MimoCode(http).post_prompt(prompt, Watcher())
    assert OUTSIDE in refused.value.message
    assert "MIMOCODE_SERVER_PASSWORD" in refused.value.message
    assert not [call for call in script.calls if call.startswith("POST")]


async def test_a_prompt_is_sent_in_the_directory_of_its_session() -> None:
    """With 0.1.15 the agent works in the header's directory, or in the server's own."""
    answer = {"info": {"id": "msg_2", "sessionID": "ses_1", "role": "assistant"}, "parts": []}
    async with scripted({**CONFINED, "POST /session/ses_1/message": answer}) as (script, http):
        backend = MimoCode(http)
        await backend.session("ses_1")
        for _ in range(2):
            await backend.post_prompt(PROMPT, Watcher())
    assert script.calls.count("GET /session/ses_1") == 1  # not one more round trip for each prompt
    assert script.last("POST /session/ses_1/message").headers[HEADER] == BELOW


async def test_a_turn_is_aborted_in_any_directory() -> None:
    async with scripted({**CONFINED, "POST /session/ses_1/abort": True}) as (script, http):
        await MimoCode(http).abort("ses_1")
    aborts = [one.headers.get(HEADER) for one in script.asked if one.call.startswith("POST")]
    assert aborts == [BELOW, None]


async def test_a_request_is_answered_in_any_directory() -> None:
    def listed(asked: RecordedRequest) -> JSONResponse:
        return JSONResponse([] if HEADER in asked.headers else [{"id": "que_1"}])

    calls = {**CONFINED, "GET /question": listed, "POST /question/que_1/reply": True}
    async with scripted(calls) as (script, http):
        assert await MimoCode(http).answer("que_1", (("yes",),), directory=BELOW)
    assert HEADER not in script.last("POST /question/que_1/reply").headers


AT_TERMINAL = {
    **CONFINED,
    "GET /session/status": {"ses_1": {"type": "busy"}},
    "GET /bash-interactive": [{"id": "1834", "command": "read name", "cwd": BELOW}],
    "POST /bash-interactive/1834/reply": True,
}


def messages(command: str) -> list[dict[str, Any]]:
    """The newest message of a session, with a command that runs at a terminal."""
    state = {"status": "running", "input": {"command": command, "interactive": True}, "time": {"start": 1000}}
    part = {"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_2", "type": "tool", "tool": "bash"}
    info = {"id": "msg_2", "sessionID": "ses_1", "role": "assistant"}
    return [{"info": info, "parts": [{**part, "callID": "call_1", "state": state}]}]


async def test_a_command_at_a_terminal_is_a_question_with_a_route_of_its_own() -> None:
    async with scripted({**AT_TERMINAL, "GET /session/ses_1/message": messages("read name")}) as (script, http):
        backend = MimoCode(http)
        [request] = (await backend.resync([])).requests
        assert (request.session_id, request.call_id) == ("ses_1", "call_1")
        assert await backend.answer(request.id, (("Ada",),), directory=BELOW)
        assert script.last("POST /bash-interactive/1834/reply").body == {"output": "Ada", "exitCode": 0}
        assert await backend.reject(request.id, directory=BELOW)
        assert script.last("POST /bash-interactive/1834/reply").body == reply_body(None)


async def test_a_command_at_a_terminal_without_a_call_is_looked_for_twice() -> None:
    async with scripted({**AT_TERMINAL, "GET /session/ses_1/message": messages("another")}) as (script, http):
        backend = MimoCode(http)
        for _ in range(4):
            assert (await backend.resync([])).requests == ()
        assert script.calls.count("GET /session/ses_1/message") == LOOKS == 2


async def test_the_time_of_the_next_attempt_is_by_the_servers_clock() -> None:
    """The server sends a delay; the countdown uses the server's clock."""
    reported = {"sessionID": "ses_1", "attempt": 1, "reason": "Overloaded", "nextDelayMs": 5000}
    frame = {"type": "session.retry.attempt", "properties": reported}
    stream = streamed(f"data: {json.dumps(frame)}\n\n")
    ahead = time.time() + 3600
    async with scripted({**GREETED, "GET /global/event": stream}, date=ahead) as (_, http):
        backend = MimoCode(http)
        server = await backend.handshake()
        async with backend.subscribe(lambda count: None) as feed, aclosing(feed.events()) as events:
            event = await anext(events)
    assert isinstance(event, StatusChanged)
    assert isinstance(event.status, Retrying)
    assert server.clock_skew == pytest.approx(3600, abs=5)
    assert event.status.next_at == pytest.approx(ahead + 5, abs=5)
