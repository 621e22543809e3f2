import pytest

from server_stub.domain.api_errors import ApiError
from server_stub.domain.state import BUSY, IDLE, Message, ServerState, Session
from tests.server_stub.conftest import HERE, InstantClock
from tests.server_stub.event_listener import recording


@pytest.fixture
def session(server: ServerState) -> Session:
    return server.create_session(HERE)


def put(server: ServerState, session: Session, message_id: str, **more: object) -> Message:
    info = {"id": message_id, "sessionID": session.id, "role": "user", "time": {"created": 1}, **more}
    return server.put_message(info)


def part(session: Session, part_id: str = "prt_1", text: str = "") -> dict[str, object]:
    return {"id": part_id, "messageID": "msg_1", "sessionID": session.id, "type": "text", "text": text}


def test_a_new_session_has_the_fields_of_opencodes(server: ServerState) -> None:
    info = server.create_session(HERE).info
    assert info["title"] == "New session - 2026-11-18T11:06:40.000Z"
    assert set(info) == {
        *("id", "slug", "projectID", "directory", "path", "cost", "tokens", "title", "version", "time")
    }


def test_a_change_updates_the_time_but_a_new_title_does_not(
    server: ServerState, session: Session, clock: InstantClock
) -> None:
    created = session.info["time"]["updated"]
    clock.moment += 5
    server.update_session(session, title="renamed")
    assert session.info["time"]["updated"] == created
    server.update_session(session, agent="plan")
    assert session.info["time"]["updated"] == created + 5


def test_none_removes_a_field(server: ServerState, session: Session) -> None:
    server.update_session(session, revert={"messageID": "msg_1"})
    server.update_session(session, revert=None)
    assert "revert" not in session.info


def test_deleting_a_session_deletes_its_descendants(server: ServerState, session: Session) -> None:
    child = server.create_session(HERE, parent_id=session.id)
    grandchild = server.create_session(HERE, parent_id=child.id)
    other = server.create_session(HERE)
    assert server.descendants(session) == [child, grandchild]
    server.delete_session(session)
    assert list(server.sessions) == [other.id]


def test_idle_sessions_are_absent_from_the_statuses(server: ServerState, session: Session) -> None:
    elsewhere = server.create_session("/elsewhere")
    server.set_status(session, BUSY)
    server.set_status(elsewhere, BUSY)
    assert server.statuses(HERE) == {session.id: {"type": "busy"}}
    server.set_status(session, IDLE)
    assert server.statuses(HERE) == {}


def test_idle_is_published_as_status_and_as_session_idle(server: ServerState, session: Session) -> None:
    with recording(server) as recorder:
        server.set_status(session, IDLE)
    assert recorder.kinds == ["session.status", "session.idle"]


def test_streamed_text_is_published_and_not_stored(server: ServerState, session: Session) -> None:
    put(server, session, "msg_1")
    server.put_part(part(session))
    with recording(server) as recorder:
        server.stream_text(part(session), "hello")
    assert session.messages["msg_1"].parts["prt_1"]["text"] == ""
    [event] = recorder.of("message.part.delta")
    assert event == {
        "sessionID": session.id,
        "messageID": "msg_1",
        "partID": "prt_1",
        "field": "text",
        "delta": "hello",
    }


def test_a_queued_event_keeps_its_document(server: ServerState, session: Session) -> None:
    put(server, session, "msg_1")
    with recording(server) as recorder:
        server.put_part(part(session, text="before"))
        server.put_part(part(session, text="after"))
    assert [event["part"]["text"] for event in recorder.of("message.part.updated")] == ["before", "after"]


def test_a_replaced_part_keeps_its_position(server: ServerState, session: Session) -> None:
    put(server, session, "msg_1")
    for part_id, text in (("prt_1", "a"), ("prt_2", "b"), ("prt_1", "c")):
        server.put_part(part(session, part_id, text))
    assert [one["text"] for one in session.messages["msg_1"].document()["parts"]] == ["c", "b"]


def test_a_fork_copies_earlier_messages_with_new_ids(server: ServerState, session: Session) -> None:
    put(server, session, "msg_1")
    server.put_part(part(session, text="kept"))
    put(server, session, "msg_2", role="assistant", parentID="msg_1")
    put(server, session, "msg_3")
    fork = server.fork_session(session, "msg_3")
    prompt, answer = fork.messages.values()
    assert answer.info["parentID"] == prompt.info["id"] != "msg_1"
    assert [one["text"] for one in prompt.parts.values()] == ["kept"]
    assert all(one["sessionID"] == fork.id for one in prompt.parts.values())
    assert fork.info["title"].endswith("(fork #1)")
    assert server.fork_session(session, None).info["title"].endswith("(fork #2)")
    assert list(session.messages) == ["msg_1", "msg_2", "msg_3"]


@pytest.mark.parametrize(("session_id", "status"), [("ses_none", 404), ("none", 500)])
def test_an_unknown_session_is_refused(server: ServerState, session_id: str, status: int) -> None:
    with pytest.raises(ApiError) as refusal:
        server.session(session_id)
    assert refusal.value.status == status


def test_removing_messages_and_parts_publishes_events(server: ServerState, session: Session) -> None:
    put(server, session, "msg_1")
    server.put_part(part(session))
    with recording(server) as recorder:
        server.remove_part(session, "msg_1", "prt_1")
        server.remove_message(session, "msg_1")
        server.remove_message(session, "msg_1")
    assert recorder.kinds == ["message.part.removed", "message.removed"]


def test_streams_are_woken_when_the_heartbeat_changes(server: ServerState) -> None:
    assert server.heartbeat_ms == 10_000
    with server.bus.subscribe() as subscription:
        server.configure({"server": {"event_stream": {"heartbeat_ms": 1_000}}})
        assert subscription.changed.is_set()
    assert server.heartbeat_ms == 1_000


def test_durable_events_of_a_deleted_session_are_not_published(server: ServerState, session: Session) -> None:
    server.set_status(session, BUSY)
    put(server, session, "msg_1")
    server.delete_session(session)
    with recording(server) as recorder:
        server.put_part(part(session))
        server.stream_text(part(session), "word")
        server.set_status(session, IDLE)
    assert recorder.kinds == ["message.part.delta", "session.status", "session.idle"]


def test_the_status_of_a_deleted_session_is_published(server: ServerState, session: Session) -> None:
    server.set_status(session, BUSY)
    server.delete_session(session)
    assert server.statuses(HERE) == {session.id: BUSY}
