"""What MiMo Code does otherwise, as its backend says it."""

import re

import pytest
from starlette.responses import JSONResponse

from tests.backends.opencode_server import GREETED, PROMPT, Watcher
from tests.backends.scripted import scripted
from tui.backends.mimo import MimoCode
from tui.backends.opencode import OpenCode
from tui.net.errors import Refused


async def test_a_directory_is_named_in_its_own_header() -> None:
    async with scripted({**GREETED, "GET /session": []}) as (script, http):
        await MimoCode(http, directory="/mine").sessions()
        assert script.asked[0].headers["x-mimocode-directory"] == "/mine"
        assert "x-opencode-directory" not in script.asked[0].headers


@pytest.mark.parametrize(("version", "cancels"), [("0.1.15", False), ("0.1.0", None)])
async def test_what_it_does_with_a_turn_whose_client_leaves_is_known_of_measured_versions_only(
    version: str, cancels: bool | None
) -> None:
    health = {"healthy": True, "version": version}
    offered = {"features": ["client_heartbeat"]}
    async with scripted({**GREETED, "GET /global/health": health, "GET /capabilities": offered}) as (_, http):
        backend = MimoCode(http)
        await backend.hello()
        traits = backend.traits
        assert (traits.family, traits.cancels_on_disconnect, traits.queues_prompts) == ("mimo", cancels, False)
        assert traits.client_heartbeat
        theirs = OpenCode(http).traits
        assert (theirs.family, theirs.cancels_on_disconnect, theirs.queues_prompts) == ("opencode", False, True)


async def test_a_prompt_s_ids_are_of_the_server_s_form_and_above_its_newest() -> None:
    """Below, 0.1.15 stores the prompt and never answers it."""
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
    async with scripted({"POST /session/ses_1/message": busy}) as (_, http):
        with pytest.raises(Refused) as refused:
            await MimoCode(http).post_prompt(PROMPT, Watcher())
    assert refused.value.status == 409
    assert "Session ses_1 is busy" in refused.value.what


@pytest.mark.parametrize("revision", [{}, {"titleRevision": 3}])
async def test_a_session_is_renamed_over_the_title_that_it_has(revision: dict[str, int]) -> None:
    session = {"id": "ses_1", "title": "old"} | revision
    async with scripted({"GET /session/ses_1": session, "PATCH /session/ses_1": session}) as (script, http):
        await MimoCode(http).rename("ses_1", "new")
    expected = {"expectedRevision": 3} if revision else {}
    assert script.last("PATCH /session/ses_1").body == {"title": "new"} | expected


async def test_a_title_that_the_server_gave_meanwhile_is_replaced_too() -> None:
    conflict = JSONResponse({"name": "TitleConflictError", "data": {}}, 409)
    session = {"id": "ses_1", "title": "old", "titleRevision": 3}
    async with scripted({"GET /session/ses_1": session, "PATCH /session/ses_1": conflict}) as (script, http):
        with pytest.raises(Refused):
            await MimoCode(http).rename("ses_1", "new")
    assert script.calls == ["GET /session/ses_1", "PATCH /session/ses_1"] * 2


@pytest.mark.parametrize(("listed", "taken"), [([{"id": "que_1"}], True), ([{"id": "que_2"}], False)])
async def test_an_answer_to_what_is_not_open_is_not_taken_for_one_that_arrived(
    listed: list[dict[str, str]], taken: bool
) -> None:
    """The server says `true` to that, as to any other."""
    async with scripted({"GET /question": listed, "POST /question/que_1/reply": True}) as (script, http):
        assert await MimoCode(http).answer("que_1", (("yes",),), directory="") is taken
    assert ("POST /question/que_1/reply" in script.calls) is taken
