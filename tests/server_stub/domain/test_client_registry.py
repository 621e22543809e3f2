import itertools

import pytest

from server_stub.domain.client_registry import ClientActivity, ClientRegistry, MalformedClientId, UnregisteredClient


@pytest.fixture
def clients() -> ClientRegistry:
    numbers = itertools.count(1)
    return ClientRegistry(lambda: f"client_{next(numbers)}")


def test_an_attached_client_is_issued_an_id(clients: ClientRegistry) -> None:
    assert clients.attach("ses_a") == "client_1"
    assert clients.attach("ses_a") == "client_2"
    assert clients.client_activity("ses_a").attachments == {"client_1": 1, "client_2": 1}


def test_a_registered_id_is_kept_when_attached_again(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    assert clients.attach("ses_a", client) == client
    assert clients.client_activity("ses_a").attachments == {client: 2}


def test_an_id_of_another_session_is_replaced(clients: ClientRegistry) -> None:
    stranger = clients.attach("ses_a")
    assert clients.attach("ses_b", stranger) != stranger


def test_a_heartbeat_updates_session_and_client(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    clients.record_heartbeat("ses_a", client, 1000)
    assert clients.client_activity("ses_a") == ClientActivity(1000, {client: 1000}, {client: 1})


def test_an_anonymous_heartbeat_updates_the_session_only(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    clients.record_heartbeat("ses_a", client, 1000)
    clients.record_heartbeat("ses_a", None, 2000)
    assert clients.client_activity("ses_a") == ClientActivity(2000, {client: 1000}, {client: 1})


def test_an_anonymous_heartbeat_needs_no_attached_client(clients: ClientRegistry) -> None:
    clients.record_heartbeat("ses_a", None, 1000)
    assert clients.client_activity("ses_a").last_seen_at == 1000


@pytest.mark.parametrize("malformed", ["", "a b", "é", "a" * 129, "client_1\n", "client/1"])
def test_a_malformed_id_updates_nothing(clients: ClientRegistry, malformed: str) -> None:
    client = clients.attach("ses_a")
    clients.record_heartbeat("ses_a", client, 1000)
    before = clients.client_activity("ses_a")
    with pytest.raises(MalformedClientId):
        clients.record_heartbeat("ses_a", malformed, 2000)
    assert clients.client_activity("ses_a") == before


@pytest.mark.parametrize("session", ["ses_a", "ses_never_seen"])
def test_an_unregistered_id_updates_nothing(clients: ClientRegistry, session: str) -> None:
    clients.attach("ses_a")
    before = clients.client_activity(session)
    with pytest.raises(UnregisteredClient) as refusal:
        clients.record_heartbeat(session, "client_nope", 2000)
    assert (refusal.value.session_id, refusal.value.client_id) == (session, "client_nope")
    assert clients.client_activity(session) == before


def test_the_longest_id_and_all_allowed_characters_are_well_formed(clients: ClientRegistry) -> None:
    for odd in ("a" * 128, "A-z.0_9:"):
        with pytest.raises(UnregisteredClient):
            clients.record_heartbeat("ses_a", odd, 1)


def test_a_client_attached_twice_needs_two_detaches(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    clients.attach("ses_a", client)
    clients.record_heartbeat("ses_a", client, 1000)

    clients.detach("ses_a", client)
    assert clients.client_activity("ses_a") == ClientActivity(1000, {client: 1000}, {client: 1})
    clients.record_heartbeat("ses_a", client, 2000)

    clients.detach("ses_a", client)
    assert clients.client_activity("ses_a") == ClientActivity(2000, {}, {})
    with pytest.raises(UnregisteredClient):
        clients.record_heartbeat("ses_a", client, 3000)


def test_a_client_attached_again_has_no_earlier_heartbeat(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    clients.record_heartbeat("ses_a", client, 1000)
    clients.detach("ses_a", client)
    assert clients.attach("ses_a", client) not in clients.client_activity("ses_a").client_last_seen_at


def test_detaching_unknown_or_anonymous_clients_changes_nothing(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    before = clients.client_activity("ses_a")
    clients.detach("ses_a", None)
    clients.detach("ses_a", "client_nope")
    clients.detach("ses_never_seen", client)
    assert clients.client_activity("ses_a") == before
    with pytest.raises(MalformedClientId):
        clients.detach("ses_a", "a b")


def test_activity_is_a_copy(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    clients.record_heartbeat("ses_a", client, 1000)
    read = clients.client_activity("ses_a")
    read.client_last_seen_at[client] = 5
    read.attachments.clear()
    assert clients.client_activity("ses_a") == ClientActivity(1000, {client: 1000}, {client: 1})


def test_a_copy_does_not_change_with_later_heartbeats(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    clients.record_heartbeat("ses_a", client, 1000)
    read = clients.client_activity("ses_a")
    clients.record_heartbeat("ses_a", client, 2000)
    assert read.client_last_seen_at == {client: 1000}


def test_sessions_are_independent(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    clients.record_heartbeat("ses_a", client, 1000)
    assert clients.client_activity("ses_b") == ClientActivity(None, {}, {})


def test_a_forgotten_session_has_no_clients(clients: ClientRegistry) -> None:
    client = clients.attach("ses_a")
    clients.record_heartbeat("ses_a", client, 1000)
    clients.forget("ses_a")
    assert clients.client_activity("ses_a") == ClientActivity(None, {}, {})
