"""Requests found by session, ancestor and call, and requests above the limit."""

import pytest
from msgspec.structs import replace

from tui.core import events as e
from tui.core.changes import RequestsChanged
from tui.core.known_sessions import MAX_SESSIONS
from tui.core.memory_size import weight
from tui.core.model import Busy, PermissionRequest, Session, ToolPart
from tui.core.open_requests import MAX_IDS, MAX_REQUEST_BYTES, MAX_REQUESTS, OpenRequests
from tui.core.session_tree import DEEPEST, SessionTree
from tui.core.store import Store


def permission(at: int, session_id: str = "ses_1") -> PermissionRequest:
    return PermissionRequest(f"per_{at}", session_id, "bash", message_id="msg_1", call_id=f"call_{at}")


def ids(requests: list[PermissionRequest]) -> list[str]:
    return [request.id for request in requests]


@pytest.fixture
def store() -> Store:
    store = Store()
    store.apply(e.SessionUpserted(Session("ses_1", "one", "/a")))
    return store


def test_a_request_is_listed_in_its_session_and_all_ancestors(store: Store) -> None:
    store.apply(
        e.SessionsListed((Session("ses_2", "", "/a", parent_id="ses_1"), Session("ses_3", "", "/a", parent_id="ses_2")))
    )
    for at, session_id in enumerate(("ses_3", "ses_1", "ses_2")):
        store.apply(e.RequestOpened(permission(at, session_id)))
    assert [[one.id for one in store.requests_of(f"ses_{at}")] for at in (1, 2, 3)] == [
        ["per_0", "per_1", "per_2"],
        ["per_0", "per_2"],
        ["per_0"],
    ]


def test_requests_of_one_call_are_found_until_each_is_closed() -> None:
    requests = OpenRequests(lambda session_id: [session_id])
    for at in range(2):
        requests.put(replace(permission(at), call_id="call"))
    assert [one.id for one in requests.of_call("ses_1", "call")] == ["per_0", "per_1"]
    requests.pop("per_0")
    assert [one.id for one in requests.of_call("ses_1", "call")] == ["per_1"]
    requests.pop("per_1")
    assert requests.of_call("ses_1", "call") == []
    assert requests._of_call == {}


def test_a_late_parent_gets_the_requests_of_its_child(store: Store) -> None:
    store.apply(e.RequestOpened(permission(0, "ses_2")))
    before = store.session_version("ses_1")
    store.apply(e.RequestOpened(permission(1)))
    assert [one.id for one in store.requests_of("ses_1")] == ["per_1"]
    store.apply(e.SessionUpserted(Session("ses_2", "", "/a", parent_id="ses_1")))
    assert [one.id for one in store.requests_of("ses_1")] == ["per_0", "per_1"], "oldest first"
    store.apply(e.SessionDeleted("ses_2"))
    assert [one.id for one in store.requests_of("ses_1")] == ["per_1"]
    assert before <= store.session_version("ses_1")


def test_requests_of_a_late_child_keep_their_order(store: Store) -> None:
    for at in range(6):
        store.apply(e.RequestOpened(permission(at, f"ses_{at % 2 + 1}")))
    store.apply(e.SessionUpserted(Session("ses_2", "", "/a", parent_id="ses_1")))
    assert [one.id for one in store.requests_of("ses_1")] == [f"per_{at}" for at in range(6)]


def test_a_change_in_a_child_session_changes_its_ancestors_version(store: Store) -> None:
    store.apply(e.SessionUpserted(Session("ses_2", "", "/a", parent_id="ses_1")))
    before = store.session_version("ses_1")
    store.apply(e.StatusChanged("ses_2", Busy()))
    assert store.session_version("ses_1") > before


def test_cycles_and_endless_chains_of_parents_end() -> None:
    tree = SessionTree()
    for at in range(10 * DEEPEST):
        tree.put(Session(f"ses_{at}", "", parent_id=f"ses_{at + 1}"))
    assert len(tree.lineage("ses_0")) == DEEPEST
    requests = OpenRequests(tree.lineage)
    requests.put(permission(0, "ses_0"))
    before = tree.lineage("ses_20")
    tree.put(Session("ses_20", "", parent_id="ses_0"))
    requests.moved("ses_20", before)
    assert tree.lineage("ses_0").count("ses_0") == 1
    assert requests.pop("per_0") is not None
    assert all(not requests.within(f"ses_{at}") for at in range(10 * DEEPEST))


def test_a_repeated_request_is_stored_once(store: Store) -> None:
    store.apply(e.RequestOpened(permission(0)))
    assert store.apply(e.RequestOpened(permission(0))) == ()
    assert store.apply(e.RequestOpened(replace(permission(0), action="edit"))) == (RequestsChanged(),)
    assert [one.action for one in store.requests_of("ses_1") if isinstance(one, PermissionRequest)] == ["edit"]


def test_above_the_limit_the_oldest_requests_are_kept_and_others_counted(store: Store) -> None:
    for at in range(MAX_REQUESTS + 100):
        store.apply(e.RequestOpened(permission(at)))
    assert (len(store.requests), store.requests_not_loaded) == (MAX_REQUESTS, 100)
    assert next(iter(store.requests)) == "per_0"
    store.apply(e.PermissionReplied("ses_1", f"per_{MAX_REQUESTS + 5}", "once"))
    assert store.requests_not_loaded == 99, "one was answered elsewhere"
    assert not store.has_room_for_requests
    for at in range(MAX_REQUESTS // 2):
        store.apply(e.PermissionReplied("ses_1", f"per_{at}", "once"))
    assert store.has_room_for_requests


def test_requests_above_the_limit_come_with_the_next_list(store: Store) -> None:
    waiting = [permission(at) for at in range(MAX_REQUESTS + 100)]
    beyond = frozenset(one.id for one in waiting[MAX_REQUESTS:])
    store.apply(e.Resynced({"ses_1": Busy()}, tuple(waiting[:MAX_REQUESTS]), None, not_read=beyond))
    assert (len(store.requests), store.requests_not_loaded) == (MAX_REQUESTS, 100)
    store.apply(e.Resynced({"ses_1": Busy()}, tuple(waiting[200:]), None))
    assert list(store.requests) == [one.id for one in waiting[200:]]
    assert store.requests_not_loaded == 0


def test_a_known_request_stays_open_if_the_list_is_too_long(store: Store) -> None:
    store.apply(e.RequestOpened(permission(7)))
    store.apply(e.Resynced({"ses_1": Busy()}, (permission(1),), None, not_read=frozenset({"per_7", "per_8"})))
    assert set(store.requests) == {"per_7", "per_1"}
    assert store.requests_not_loaded == 1


def test_an_ended_call_closes_its_request_among_many(store: Store) -> None:
    store.open_transcript("ses_1")
    for at in range(3):
        store.apply(e.RequestOpened(permission(at)))
    store.apply(e.PartUpserted(ToolPart("prt_1", "ses_1", "msg_1", "call_1", "bash", "error", rejected=True)))
    assert list(store.requests) == ["per_0", "per_2"]


def test_above_the_limit_the_oldest_unused_sessions_are_dropped(store: Store) -> None:
    store.apply(e.SessionUpserted(Session("ses_parent", "", updated=0.0)))
    store.apply(e.SessionUpserted(Session("ses_child", "", updated=0.0, parent_id="ses_parent")))
    store.apply(e.RequestOpened(permission(0, "ses_child")))
    store.open_transcript("ses_1")
    for at in range(2 * MAX_SESSIONS):
        store.apply(e.SessionUpserted(Session(f"ses_x{at}", "", updated=float(at))))
    assert len(store.sessions) <= MAX_SESSIONS
    assert {"ses_1", "ses_child", "ses_parent", f"ses_x{2 * MAX_SESSIONS - 1}"} <= store.sessions.keys()
    assert "ses_x0" not in store.sessions


def test_statuses_of_unknown_sessions_report_no_change(store: Store) -> None:
    changes = store.apply(e.Resynced({f"ses_{at}": Busy() for at in range(1000)}, ()))
    assert len(changes) == 1
    assert store.status("ses_999") == Busy()
    assert len(store.apply(e.Resynced({}, ()))) == 1


def large(at: int) -> PermissionRequest:
    return replace(permission(at), detail="x" * 4_000_000)


def test_further_large_requests_are_counted(store: Store) -> None:
    for at in range(20):
        store.apply(e.RequestOpened(large(at)))
    assert sum(map(weight, store.requests.values())) <= MAX_REQUEST_BYTES + 5_000_000
    assert (len(store.requests) + store.requests_not_loaded, store.has_room_for_requests) == (20, False)
    for request_id in list(store.requests)[:3]:
        store.apply(e.PermissionReplied("ses_1", request_id, "once"))
    assert store.has_room_for_requests
    store.apply(e.Resynced({"ses_1": Busy()}, tuple(large(at) for at in range(3, 20)), None))
    assert len(store.requests) + store.requests_not_loaded == 17


def test_requests_that_grow_are_bounded(store: Store) -> None:
    for at in range(20):
        store.apply(e.RequestOpened(permission(at)))
    for at in range(20):
        store.apply(e.RequestOpened(large(at)))
    assert sum(map(weight, store.requests.values())) <= MAX_REQUEST_BYTES + 5_000_000
    assert len(store.requests) + store.requests_not_loaded == 20


def test_ids_of_further_requests_are_bounded_and_counted(store: Store) -> None:
    for at in range(MAX_REQUESTS + MAX_IDS + 100):
        store.apply(e.RequestOpened(permission(at)))
    assert len(store._requests.not_stored) == MAX_IDS
    assert store.requests_not_loaded == MAX_IDS + 100
    beyond = frozenset(f"per_{at}" for at in range(MAX_REQUESTS, MAX_REQUESTS + MAX_IDS + 50))
    store.apply(e.Resynced({"ses_1": Busy()}, tuple(store.requests.values()), None, not_read=beyond))
    assert len(store._requests.not_stored) == MAX_IDS
    assert store.requests_not_loaded == MAX_IDS + 50
