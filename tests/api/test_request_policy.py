"""The policy for a run's requests: applied to each once, and forgotten with the request."""

from types import SimpleNamespace
from typing import cast

from msgspec.structs import replace

from tests import sample_events as sample
from tui.api.pending import pending_request
from tui.api.request_policy import RequestPolicy
from tui.api.values import RequestRecord
from tui.client.client import Client
from tui.core import events as e
from tui.core.model import Request
from tui.core.store import Store


def test_a_request_under_the_id_of_a_closed_one_is_decided_anew() -> None:
    store, rejected = Store(), list[Request]()
    policy = RequestPolicy(cast(Client, SimpleNamespace(store=store, reject=rejected.append)), "reject")
    other = replace(sample.ONE_CHOICE, questions=(replace(sample.ONE_CHOICE.questions[0], text="Delete everything?"),))
    for request in (sample.ONE_CHOICE, other):
        store.apply(e.RequestOpened(request))
        records = {request.id: RequestRecord(request=pending_request(request, store), state="open")}
        for _ in range(2):
            policy.apply(records)
        assert rejected[-1] == request
        assert list(policy.decisions) == [request.id]
        policy.closed(request.id)
        assert policy.decisions == {}
    assert rejected == [sample.ONE_CHOICE, other]
