"""The shapes are those of `load` on `qwen serve` 0.24.4."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from server_stub.qwen.compaction import CHUNKS_AN_ENTRY, MAX_BYTES, MAX_JOURNAL_BYTES, Replay

Json = dict[str, Any]


class Session:
    """Numbered events, as in a ring."""

    def __init__(self, most_bytes: int = MAX_BYTES, most_entries: int = 100) -> None:
        self.replay = Replay(most_entries, most_bytes)
        self._ids: Iterator[int] = count(1)

    def update(self, kind: str, **update: Any) -> None:
        self.event("session_update", {"update": {"sessionUpdate": kind, **update}})

    def add_chunk(self, text: str, kind: str = "agent_message_chunk", **meta: Any) -> None:
        self.update(kind, content={"type": "text", "text": text}, **({"_meta": meta} if meta else {}))

    def event(self, kind: str, data: Json) -> None:
        self.replay.ingest({"id": next(self._ids), "type": kind, "data": data})


@pytest.fixture
def session() -> Session:
    return Session()


def texts(events: list[Json]) -> list[str]:
    return [event["data"]["update"]["content"]["text"] for event in events if event["type"] == "session_update"]


def test_a_running_turn_keeps_every_event_but_merges_text(session: Session) -> None:
    session.add_chunk("Read", "agent_thought_chunk")
    session.add_chunk("ing", "agent_thought_chunk")
    session.add_chunk("Wor")
    session.add_chunk("king")
    session.add_chunk("", usage={"inputTokens": 1})
    session.add_chunk("On")
    assert session.replay.compacted_replay() == []
    journal = session.replay.live_journal()
    assert texts(journal) == ["Reading", "Working", "", "On"]
    assert [event["id"] for event in journal] == [2, 4, 5, 6]


@pytest.mark.parametrize("end", ["turn_complete", "turn_error"])
def test_an_ended_turn_is_compacted(session: Session, end: str) -> None:
    session.add_chunk("Wor")
    session.add_chunk("king")
    session.add_chunk("", usage={"inputTokens": 1})
    session.event(end, {})
    words, ended = session.replay.compacted_replay()
    assert (words["id"], texts([words])) == (3, ["Working"])
    assert words["data"]["update"]["_meta"] == {"usage": {"inputTokens": 1}}
    assert (ended["id"], ended["type"]) == (4, end)
    assert session.replay.live_journal() == []


def test_a_tool_call_and_its_updates_become_one_at_the_first_position(session: Session) -> None:
    session.update("tool_call", toolCallId="a", status="pending", rawInput={}, _meta={"phase": "preparing"})
    session.add_chunk("beside it")
    session.update("tool_call", toolCallId="b", status="pending")
    session.update("tool_call_update", toolCallId="a", status="completed", content=["x"], title=None, _meta={"t": 1})
    session.event("turn_complete", {})
    first, words, other, _ = session.replay.compacted_replay()
    assert first["id"] == 4
    assert first["data"]["update"] == {
        "sessionUpdate": "tool_call",
        "toolCallId": "a",
        "status": "completed",
        "rawInput": {},
        "content": ["x"],
        "_meta": {"phase": "preparing", "t": 1},
    }
    assert (words["id"], other["id"]) == (2, 3)


def test_only_the_latest_commands_are_kept(session: Session) -> None:
    session.update("available_commands_update", availableCommands=["old"])
    session.add_chunk("between")
    session.update("available_commands_update", availableCommands=["new"])
    session.event("turn_complete", {})
    commands, *_ = session.replay.compacted_replay()
    assert (commands["id"], commands["data"]["update"]["availableCommands"]) == (3, ["new"])


def test_text_around_another_event_is_not_merged(session: Session) -> None:
    session.add_chunk("one")
    session.event("pending_prompt_added", {})
    session.add_chunk("two")
    session.event("turn_complete", {})
    assert texts(session.replay.compacted_replay()) == ["one", "two"]


def test_text_of_a_subagent_is_not_merged(session: Session) -> None:
    session.add_chunk("mine ")
    session.add_chunk("its ", parentToolCallId="call")
    session.add_chunk("own", parentToolCallId="call")
    session.add_chunk("mine")
    session.event("turn_complete", {})
    assert texts(session.replay.compacted_replay()) == ["mine ", "its own", "mine"]


def test_a_seeded_transcript_is_not_compacted(session: Session) -> None:
    seeded = [{"id": 1, "type": "session_update", "data": {"update": {"sessionUpdate": "plan"}}}] * 2
    session.replay.seed(seeded)
    session.event("turn_complete", {})
    assert session.replay.compacted_replay()[:2] == seeded


def test_the_oldest_turns_are_dropped_with_a_notice() -> None:
    session = Session(most_bytes=600)
    for number in range(5):
        session.add_chunk(f"answer {number}")
        session.event("turn_complete", {})
    marker, *kept = session.replay.compacted_replay()
    data = marker["data"]
    assert (marker["type"], "id" in marker) == ("history_truncated", False)
    assert data["truncatedEvents"] == 2 * data["truncatedTurns"] == 10 - len(kept)
    assert (data["retainedEvents"], data["maxBytes"]) == (len(kept), 600)
    assert 0 < len(kept) < 10
    assert texts(kept)[-1] == "answer 4"


def test_one_turn_is_always_kept() -> None:
    session = Session(most_bytes=1)
    session.add_chunk("answer")
    session.event("turn_complete", {})
    assert texts(session.replay.compacted_replay()) == ["answer"]


def turn_of_calls(session: Session, count: int) -> None:
    for number in range(count):
        session.update("tool_call", toolCallId=str(number))


def test_a_running_turn_drops_its_first_events_until_it_ends() -> None:
    session = Session(most_entries=3)
    session.add_chunk("Wor")
    session.add_chunk("king")
    turn_of_calls(session, 4)
    marker, *kept = session.replay.live_journal("p1")
    assert marker == {
        "v": 1,
        "type": "history_truncated",
        "data": {
            "reason": "replay_window_exceeded",
            "scope": "live_journal",
            "truncatedEvents": 3,
            "retainedEvents": 3,
            "maxBytes": MAX_JOURNAL_BYTES,
            "maxEvents": 3,
            "fullTranscriptAvailable": True,
        },
        "promptId": "p1",
    }
    assert [event["id"] for event in kept] == [4, 5, 6]
    session.event("turn_complete", {})
    assert session.replay.live_journal() == []
    assert [event["id"] for event in session.replay.compacted_replay()] == [2, 3, 4, 5, 6, 7]
    turn_of_calls(session, 1)
    assert [event["id"] for event in session.replay.live_journal()] == [8]


def test_an_oversized_journal_keeps_its_last_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server_stub.qwen.compaction.MAX_JOURNAL_BYTES", 1)
    session = Session()
    turn_of_calls(session, 2)
    marker, *kept = session.replay.live_journal()
    assert (marker["data"]["truncatedEvents"], [event["id"] for event in kept]) == (1, [2])


def test_an_entry_holds_a_limited_number_of_chunks(session: Session) -> None:
    for _ in range(CHUNKS_AN_ENTRY + 1):
        session.add_chunk("x")
    assert [len(text) for text in texts(session.replay.live_journal())] == [CHUNKS_AN_ENTRY, 1]


def test_the_named_record_is_the_first_kept_at_the_first_drop() -> None:
    session = Session(most_bytes=400, most_entries=1)
    session.replay.seed(
        {
            "id": number,
            "type": "session_update",
            "data": {"update": {"_meta": {"qwen.session.recordId": f"r{number}"}}},
        }
        for number in range(10)
    )
    marker, first, *_ = session.replay.compacted_replay()
    assert (marker["data"]["recordId"], first["id"]) == ("r1", 6)
    turn_of_calls(session, 2)
    assert session.replay.live_journal()[0]["data"]["recordId"] == "r9"
