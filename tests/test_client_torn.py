"""A session is opened in the middle of a turn of which the server has dropped the beginning (qwen)."""

from dataclasses import replace

import pytest

from server_stub.profiles import PROFILES
from tests.meeting import Meeting, virtually
from tui.backends.qwen_running import TORN
from tui.core.model import NotePart


@pytest.fixture
def short_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = replace(PROFILES["qwen"], live_journal=1)
    monkeypatch.setattr("tests.meeting.PROFILES", {**PROFILES, "qwen": profile})


def notes(meeting: Meeting) -> list[str]:
    transcript = meeting.transcript()
    parts = [part for message in transcript.ordered() for part in transcript.parts_of(message.id)]
    return [part.text for part in parts if isinstance(part, NotePart)]


@pytest.mark.usefixtures("short_journal")
@virtually("qwen")
async def test_what_is_missing_is_marked_and_comes_when_the_turn_has_ended(meeting: Meeting) -> None:
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
