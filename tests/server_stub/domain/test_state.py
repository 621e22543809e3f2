import pytest

from server_stub.domain.api_errors import ApiError
from server_stub.domain.state import BUSY, IDLE, Message, ServerState, Session
from tests.server_stub.conftest import HERE, InstantClock
from tests.server_stub.event_listener import watching


@pytest.fixture
def session(world: ServerState) -> Session:
    return world.create_session(HERE)


def put(world: ServerState, session: Session, message_id: str, **more: object) -> Message:
    info = {"id": message_id, "sessionID": session.id, "role": "user", "time": {"created": 1}, **more}
    return world.put_message(info)


def part(session: Session, part_id: str = "prt_1", text: str = "") -> dict[str, object]:
    return {"id": part_id, "messageID": "msg_1", "sessionID": session.id, "type": "text", "text": text}


def test_a_new_session_has_the_fields_of_opencodes(world: ServerState) -> None:
    info = world.create_session(HERE).info
    assert info["title"] == "New session - 2026-11-18T11:06:40.000Z"
    assert set(info) == {
        *("id", "slug", "projectID", "directory", "path", "cost", "tokens", "title", "version", "time")
    }


def test_a_change_moves_the_time_but_a_new_name_does_not(
    world: ServerState, session: Session, clock: InstantClock
) -> None:
    created = session.info["time"]["updated"]
    clock.moment += 5
    world.update_session(session, title="renamed")
    assert session.info["time"]["updated"] == created
    world.update_session(session, agent="plan")
    assert session.info["time"]["updated"] == created + 5


def test_none_removes_a_field(world: ServerState, session: Session) -> None:
    world.update_session(session, revert={"messageID": "msg_1"})
    world.update_session(session, revert=None)
    assert "revert" not in session.info


def test_a_deleted_session_takes_its_descendants_along(world: ServerState, session: Session) -> None:
    child = world.create_session(HERE, parent_id=session.id)
    grandchild = world.create_session(HERE, parent_id=child.id)
    other = world.create_session(HERE)
    assert world.descendants(session) == [child, grandchild]
    world.delete_session(session)
    assert list(world.sessions) == [other.id]


def test_idle_sessions_are_absent_from_the_statuses(world: ServerState, session: Session) -> None:
    elsewhere = world.create_session("/elsewhere")
    world.set_status(session, BUSY)
    world.set_status(elsewhere, BUSY)
    assert world.statuses(HERE) == {session.id: {"type": "busy"}}
    world.set_status(session, IDLE)
    assert world.statuses(HERE) == {}


def test_idle_is_said_twice_in_two_words(world: ServerState, session: Session) -> None:
    with watching(world) as witness:
        world.set_status(session, IDLE)
    assert witness.kinds == ["session.status", "session.idle"]


def test_streamed_text_is_told_and_not_stored(world: ServerState, session: Session) -> None:
    put(world, session, "msg_1")
    world.put_part(part(session))
    with watching(world) as witness:
        world.stream_text(part(session), "hello")
    assert session.messages["msg_1"].parts["prt_1"]["text"] == ""
    [told] = witness.of("message.part.delta")
    assert told == {
        "sessionID": session.id,
        "messageID": "msg_1",
        "partID": "prt_1",
        "field": "text",
        "delta": "hello",
    }


def test_an_event_that_waits_keeps_what_it_said(world: ServerState, session: Session) -> None:
    put(world, session, "msg_1")
    with watching(world) as witness:
        world.put_part(part(session, text="before"))
        world.put_part(part(session, text="after"))
    assert [told["part"]["text"] for told in witness.of("message.part.updated")] == ["before", "after"]


def test_a_part_keeps_its_place_when_it_is_replaced(world: ServerState, session: Session) -> None:
    put(world, session, "msg_1")
    for part_id, text in (("prt_1", "a"), ("prt_2", "b"), ("prt_1", "c")):
        world.put_part(part(session, part_id, text))
    assert [one["text"] for one in session.messages["msg_1"].document()["parts"]] == ["c", "b"]


def test_a_fork_copies_what_came_before_with_ids_of_its_own(world: ServerState, session: Session) -> None:
    put(world, session, "msg_1")
    world.put_part(part(session, text="kept"))
    put(world, session, "msg_2", role="assistant", parentID="msg_1")
    put(world, session, "msg_3")
    fork = world.fork_session(session, "msg_3")
    prompt, answer = fork.messages.values()
    assert answer.info["parentID"] == prompt.info["id"] != "msg_1"
    assert [one["text"] for one in prompt.parts.values()] == ["kept"]
    assert all(one["sessionID"] == fork.id for one in prompt.parts.values())
    assert fork.info["title"].endswith("(fork #1)")
    assert world.fork_session(session, None).info["title"].endswith("(fork #2)")
    assert list(session.messages) == ["msg_1", "msg_2", "msg_3"]


@pytest.mark.parametrize(("session_id", "status"), [("ses_none", 404), ("none", 500)])
def test_an_unknown_session_is_refused(world: ServerState, session_id: str, status: int) -> None:
    with pytest.raises(ApiError) as refusal:
        world.session(session_id)
    assert refusal.value.status == status


def test_messages_and_parts_are_removed_with_a_word(world: ServerState, session: Session) -> None:
    put(world, session, "msg_1")
    world.put_part(part(session))
    with watching(world) as witness:
        world.remove_part(session, "msg_1", "prt_1")
        world.remove_message(session, "msg_1")
        world.remove_message(session, "msg_1")
    assert witness.kinds == ["message.part.removed", "message.removed"]


def test_streams_are_woken_when_the_heartbeat_changes(world: ServerState) -> None:
    assert world.heartbeat_ms == 10_000
    with world.bus.subscribe() as subscription:
        world.configure({"server": {"event_stream": {"heartbeat_ms": 1_000}}})
        assert subscription.changed.is_set()
    assert world.heartbeat_ms == 1_000


def test_what_is_stored_in_a_deleted_session_is_told_to_nobody(world: ServerState, session: Session) -> None:
    world.set_status(session, BUSY)
    put(world, session, "msg_1")
    world.delete_session(session)
    with watching(world) as witness:
        world.put_part(part(session))
        world.stream_text(part(session), "word")
        world.set_status(session, IDLE)
    assert witness.kinds == ["message.part.delta", "session.status", "session.idle"]


def test_a_deleted_sessions_status_is_still_told(world: ServerState, session: Session) -> None:
    world.set_status(session, BUSY)
    world.delete_session(session)
    assert world.statuses(HERE) == {session.id: BUSY}
