"""Opened sessions with parts missing on the server: the start of the running turn, or the history (qwen)."""

import asyncio
from dataclasses import replace

import pytest

from server_stub.domain.profiles import PROFILES
from tests.client_harness import ClientHarness, on_virtual_time
from tui.backends.qwen.running_turn import MISSING_START
from tui.core.model import NotePart
from tui.core.turn_state import TurnState


@pytest.fixture
def short_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = replace(PROFILES["qwen"], live_journal=1)
    monkeypatch.setattr("tests.client_harness.PROFILES", {**PROFILES, "qwen": profile})


def notes(harness: ClientHarness) -> list[str]:
    transcript = harness.transcript()
    parts = [part for message in transcript.ordered() for part in transcript.parts_of(message.id)]
    return [part.text for part in parts if isinstance(part, NotePart)]


async def ended(harness: ClientHarness, turn: str) -> None:
    for _ in range(200):
        if (await harness.http.get(turn)).json()["state"] == "completed":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the turn goes on")


@pytest.mark.usefixtures("short_journal")
@on_virtual_time("qwen")
async def test_a_missing_beginning_is_marked_and_loaded_at_the_turns_end(harness: ClientHarness) -> None:
    made = (await harness.http.post("/session", json={"sessionScope": "thread"})).json()
    harness.session_id = made["sessionId"]
    body = {"prompt": [{"type": "text", "text": "SLOW"}]}
    await harness.http.post(f"/session/{harness.session_id}/prompt", json=body)
    await harness.until(lambda: harness.client.now() > 4, what="some words")
    await harness.client.open_session(harness.session_id)
    await harness.until(lambda: notes(harness) == [MISSING_START], what="that something is missing is said")
    await harness.until(lambda: harness.words()[0] == "SLOW", within=60, what="the whole turn")
    assert notes(harness) == []
    assert harness.words()[1].startswith("word0 word1 ")
    assert harness.words()[1].rstrip().endswith("word39")


@pytest.mark.parametrize("page", [None, 2])
@on_virtual_time("qwen")
async def test_the_history_of_a_session_resumed_without_it_can_be_loaded(
    harness: ClientHarness, page: int | None
) -> None:
    made = (await harness.http.post("/session", json={"sessionScope": "thread"})).json()
    harness.session_id, path = made["sessionId"], f"/session/{made['sessionId']}"
    for text in ("PLAIN 1", "PLAIN 2"):
        taken = await harness.http.post(f"{path}/prompt", json={"prompt": [{"type": "text", "text": text}]})
        await ended(harness, f"{path}/turns/{taken.json()['promptId']}")
    await harness.http.delete(path)
    if page is None:
        await harness.http.post(f"{path}/resume", json={})
    else:
        await harness.http.post(f"{path}/load", json={"historyPageSize": page})
    await harness.client.open_session(harness.session_id)
    assert "PLAIN 1" not in harness.words()
    await harness.client.load_older(harness.session_id)
    assert [words for words in harness.words() if words.startswith("PLAIN")] == ["PLAIN 1", "PLAIN 2"]


@pytest.mark.usefixtures("short_journal")
@on_virtual_time("qwen")
async def test_a_prompt_with_a_lost_202_and_a_truncated_echo_stays_sent(harness: ClientHarness) -> None:
    harness.arm("cut=prompt,at=headers")
    harness.arm(f"502=/session/{harness.session_id}/load,times=5")
    turn = await harness.over(harness.send("SLOW"))
    assert turn.state is TurnState.FINISHED
    await harness.until(lambda: harness.words()[0] == "SLOW", what="the beginning, which the server has again")
