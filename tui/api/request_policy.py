"""What a run does with the requests of its turn: the policy, applied to each once."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from tui.api.values import Decision, PendingRequest, Reply, RequestRecord
from tui.client.client import Client
from tui.core.model import QuestionRequest, Request

Policy: TypeAlias = Literal["wait", "fail", "reject"]
OnRequest: TypeAlias = Policy | Callable[[PendingRequest], Decision | Policy]
"""What to do with a request: leave it open and wait, leave it open and end the run, reject it, or decide for each."""


class RequestPolicy:
    """Applies `on_request` to requests."""

    def __init__(self, client: Client, on_request: OnRequest) -> None:
        self._client = client
        self._on_request = on_request
        self.decisions: dict[str, Decision] = {}
        """The replies that were sent to open requests, by request."""
        self._asked: set[str] = set()
        """The open requests to which the policy was applied."""
        self._failing: set[str] = set()
        """The requests that end the run while they are open."""

    def unanswered(self, records: Mapping[str, RequestRecord]) -> PendingRequest | None:
        """The first open request that ends the run."""
        if not self._failing:
            return None
        waiting = (record.request for record in records.values() if record.state == "open")
        return next((one for one in waiting if one.id in self._failing), None)

    def closed(self, request_id: str) -> None:
        """Forget a request that is closed: another one under its id is a new one."""
        self._asked.discard(request_id)
        self._failing.discard(request_id)
        self.decisions.pop(request_id, None)

    def apply(self, records: Mapping[str, RequestRecord]) -> None:
        """Apply the policy to each request once."""
        for request in list(self._client.store.requests.values()):
            record = records.get(request.id)
            if record is None or request.id in self._asked:
                continue
            self._asked.add(request.id)
            policy = self._on_request
            decision = policy(record.request) if callable(policy) else policy
            if decision == "reject":
                rejection = Reply() if isinstance(request, QuestionRequest) else Reply(permission="reject")
                decision = Decision(reply=rejection, by="on-request")
            if isinstance(decision, Decision):
                self.decisions[request.id] = decision
                send_reply(self._client, request, decision.reply)
            elif decision == "fail":
                self._failing.add(request.id)


def send_reply(client: Client, request: Request, reply: Reply) -> None:
    """Send a reply, retried until the server acknowledges or refuses it."""
    if reply.permission is not None:
        client.reply(request, reply.permission, reply.message)
    elif reply.answers is not None:
        client.answer(request, reply.answers)
    else:
        client.reject(request)
