"""opencode's sessions, statuses and errors, as sent by a real server."""

import msgspec
import pytest

from tests.backends.recording import recording
from tui.backends.decoding import MAX_TEXT_CHARACTERS
from tui.backends.opencode import messages
from tui.backends.opencode import schema as wire
from tui.backends.opencode.events import event_of
from tui.core import events as e
from tui.core.model import (
    Busy,
    Failure,
    Idle,
    Retrying,
)


def test_a_session() -> None:
    recorded = recording("ask")
    session = wire.session(recorded.answers["session"])
    assert (session.id, session.directory, session.parent_id) == (recorded.session_id, "/srv/project", None)
    assert session.created == recorded.answers["session"]["time"]["created"] / 1000
    assert session.updated > session.created
    upserted = next(event_of(f) for f in recorded.events if f["payload"]["type"] == "session.updated")
    assert isinstance(upserted, e.SessionUpserted)


def test_the_tokens_of_a_session_are_input_and_output() -> None:
    tokens = {"input": 7, "output": 5, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    session = wire.session({"id": "ses_1", "title": "a", "tokens": tokens, "cost": 0.5})
    assert (session.tokens, session.cost) == (12, 0.5)


def test_long_texts_of_a_session_are_truncated() -> None:
    found = wire.session({"id": "ses_1", "title": "t" * 3_000_000, "agent": "a" * 3_000_000, "directory": "/d" * 3_000})
    assert (found.title, found.agent, found.directory) == ("t" * MAX_TEXT_CHARACTERS, "a" * MAX_TEXT_CHARACTERS, "")
    retrying = wire.status({"type": "retry", "attempt": 1, "message": "m" * 3_000_000})
    assert retrying == Retrying(1, "m" * MAX_TEXT_CHARACTERS, None)


@pytest.mark.parametrize("name", ["id", "parentID"])
def test_a_session_with_an_endless_id_is_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        wire.session({"id": "ses_1", name: "s" * 70_000})


def test_a_provider_retry() -> None:
    recorded = recording("fail_503")
    statuses = [wire.status(properties["status"]) for properties in recorded.of_type("session.status")]
    retries = [status for status in statuses if isinstance(status, Retrying)]
    assert [(retry.attempt, retry.message) for retry in retries] == [(1, "scripted 503"), (2, "scripted 503")]
    second = retries[1].next_at
    assert second is not None
    assert second == recorded.answers["status"][recorded.session_id]["next"] / 1000
    assert wire.statuses(recorded.answers["status"]) == {recorded.session_id: retries[1]}


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"name": "UnknownError", "data": {"message": "no agent"}}, Failure("no agent")),
        ({"name": "ProviderInitError", "data": {"message": "", "statusCode": "x"}}, Failure("ProviderInitError")),
        ({"name": "APIError", "data": "odd"}, Failure("APIError", "provider")),
        ({}, Failure("unknown")),
    ],
)
def test_an_error_without_a_message_has_its_name(error: object, failure: Failure) -> None:
    message = messages.message({"id": "m", "sessionID": "s", "role": "assistant", "error": error})
    assert (message.failure, message.created, message.incomplete) == (failure, 0.0, False)


@pytest.mark.parametrize(
    ("status", "meant"), [({"type": "idle"}, Idle()), ({"type": "busy"}, Busy()), ({"type": "compacting"}, Busy())]
)
def test_only_an_idle_status_means_idle(status: object, meant: object) -> None:
    assert wire.status(status) == meant


def test_a_turn_abandoned_by_its_server_is_interrupted() -> None:
    """MiMo Code 0.1.15 reports it as aborted, when the next turn begins."""
    reported = "Abandoned: previous request interrupted before completion"
    error = wire.Error("MessageAbortedError", {"message": reported})
    assert wire.failure(error) == Failure(reported, "interrupted")
