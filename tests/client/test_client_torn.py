"""Opened sessions with parts missing on the server: the start of the running turn, or the history (qwen)."""

import asyncio
from dataclasses import replace

import pytest

from server_stub.domain.profiles import PROFILES
from tests.client_harness import Meeting, virtually
from tui.backends.qwen.running_turn import TORN
from tui.core.model import NotePart
from tui.core.turn_state import TurnState


@pytest.fixture
def short_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = replace(PROFILES["qwen"], live_journal=1)
    monkeypatch.setattr("tests.client_harness.PROFILES", {**PROFILES, "qwen": profile})


def notes(meeting: Meeting) -> list[str]:
    transcript = meeting.transcript()
    parts = [part for message in transcript.ordered() for part in transcript.parts_of(message.id)]
    return [part.text for part in parts if isinstance(part, NotePart)]


async def ended(meeting: Meeting, turn: str) -> None:
    for _ in range(200):
        if (await meeting.http.get(turn)).json()["state"] == "completed":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the turn goes on")


@pytest.mark.usefixtures("short_journal")
@virtually("qwen")
async def test_a_missing_beginning_is_marked_and_loaded_at_the_turns_end(meeting: Meeting) -> None:
    made = (await meeting.http.post("/session", json={"sessionScope": "thread"})).json()
    meeting.session_id = made["sessionId"]
    body = {"prompt": [{"type": "text", "text": "SLOW"}]}
    await meeting.http.post(f"/session/{meeting.session_id}/prompt", json=body)
    await meeting.until(lambda: meeting.client.now() > 4, what="some words")
    await meeting.client.open_session(meeting.session_id)
    await meeting.until(lambda: notes(meeting) == [TORN], what="that something is missing is said")
    await meeting.until(lambda: meeting.words()[0] == "SLOW", within=60, what="the whole turn")
    assert notes(meeting) == []
    assert meeting.words()[1].startswith("word0 word1 ")
    assert meeting.words()[1].rstrip().endswith("word39")


@pytest.mark.parametrize("page", [None, 2])
@virtually("qwen")
async def test_the_history_of_a_session_resumed_without_it_can_be_loaded(meeting: Meeting, page: int | None) -> None:
    made = (await meeting.http.post("/session", json={"sessionScope": "thread"})).json()
    meeting.session_id, path = made["sessionId"], f"/session/{made['sessionId']}"
    for text in ("PLAIN 1", "PLAIN 2"):
        taken = await meeting.http.post(f"{path}/prompt", json={"prompt": [{"type": "text", "text": text}]})
        await ended(meeting, f"{path}/turns/{taken.json()['promptId']}")
    await meeting.http.delete(path)
    if page is None:
        await meeting.http.post(f"{path}/resume", json={})
    else:
        await meeting.http.post(f"{path}/load", json={"historyPageSize": page})
    await meeting.client.open_session(meeting.session_id)
    assert "PLAIN 1" not in meeting.words()
    await meeting.client.load_older(meeting.session_id)
    assert [words for words in meeting.words() if words.startswith("PLAIN")] == ["PLAIN 1", "PLAIN 2"]


@pytest.mark.usefixtures("short_journal")
@virtually("qwen")
async def test_a_prompt_with_a_lost_202_and_a_truncated_echo_stays_sent(meeting: Meeting) -> None:
    meeting.arm("cut=prompt,at=headers")
    meeting.arm(f"502=/session/{meeting.session_id}/load,times=5")
    turn = await meeting.over(meeting.send("SLOW"))
    assert turn.state is TurnState.FINISHED
    await meeting.until(lambda: meeting.words()[0] == "SLOW", what="the beginning, which the server has again")
