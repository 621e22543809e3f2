"""Sends replies to requests; each is retried until the server acknowledges it or no longer has the request open.

A reply whose acknowledgement was lost may have arrived. The server then no longer has the request, and only the
recorded answer shows whether this client's reply or another client's was accepted.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import msgspec

from tui.client.pending_reply import PendingReply, decode_row, encode
from tui.client.ports import Ports
from tui.client.resync import Resync
from tui.client.retry_until_settled import until_settled
from tui.core import events as e
from tui.core.changes import ReplyStatusChanged, RequestClosed
from tui.core.model import Answers, Idle, PermissionReply, PermissionRequest, Request, ToolPart
from tui.core.open_requests import asks_the_same
from tui.core.store import ENDED, Store
from tui.net.errors import CertificateError, ConnectFailed, HttpStatusError, NetError, NotSent, Unsendable
from tui.storage.journal import Journal

log = logging.getLogger(__name__)

MAX_CLOSED = 500
"""Number of closed requests whose outcome is kept, to explain a late rejection."""

NOT_OPEN = (404, 409, 410)
"""HTTP statuses for a request, or its session, that does not exist any more."""

CONFIRM_DELAYS = (0.05, 0.2, 0.5, 1.0)
"""Seconds between the checks for the event that reports how a request ended."""

SAVE_CHECKS, SAVE_CHECK_INTERVAL = 10, 0.5
"""Number of checks whether a reply can be saved, and seconds between them; then it is sent unsaved."""

Ending: TypeAlias = tuple[Literal["acknowledged", "allowed", "elsewhere", "expired"], str]
"""The outcome of a reply whose request is over, and its reason."""
DeliveryState: TypeAlias = Ending | tuple[Literal["refused", "stopped"], str]
"""The delivery state of a reply, and its reason."""


REPLACED: Ending = "expired", "the server asks something else now"


class ReplySender:
    """The pending replies."""

    def __init__(self, store: Store, journal: Journal, resync: Resync, ports: Ports) -> None:
        self._store = store
        self._journal = journal
        self._resync = resync
        self._ports = ports
        self._closed: OrderedDict[str, RequestClosed] = OrderedDict()
        self._under_way: dict[str, PendingReply] = {}
        self._stopped: dict[str, PendingReply] = {}
        self._may_have_arrived: set[str] = set()
        """Requests with a reply that was sent but not acknowledged."""

    def load_pending(self) -> list[PendingReply]:
        """The unsettled replies of earlier runs, from the journal; `send` finds out whether they arrived."""
        replies = []
        for body in self._journal.adopt_answers():
            try:
                reply = decode_row(body)
            except msgspec.DecodeError as error:
                log.warning("an answer of an earlier run cannot be read: %s", error)
                continue
            self._may_have_arrived.add(reply.request.id)
            replies.append(reply)
        return replies

    def pop_blocked(self) -> list[PendingReply]:
        """Remove and return the replies stopped by a permanent error, to be sent again after a user action."""
        stopped, self._stopped = list(self._stopped.values()), {}
        return stopped

    def closed(self, change: RequestClosed) -> None:
        """Record how a request ended, and resolve a stopped reply to it."""
        named = PermissionRequest(change.request.id, change.request.session_id, action="")  # its content may be large
        self._closed[change.request.id] = msgspec.structs.replace(change, request=named)
        while len(self._closed) > MAX_CLOSED:
            self._closed.popitem(last=False)
        reply = self._stopped.pop(change.request.id, None)
        if reply is not None:
            self._ports.spawn(self._run_until_settled(reply, self._explain_or_post))

    def rejects(self, request_id: str) -> bool:
        """Whether a rejection of this request is being sent."""
        reply = self._under_way.get(request_id)
        return reply is not None and reply.rejects

    def submit(self, reply: PendingReply) -> None:
        """Send the reply, unless the request was closed while the user decided."""
        if reply.request.id not in self._store.requests:
            self._ports.emit(ReplyStatusChanged(reply.request, "expired"))
        elif self._is_replaced(reply.request):
            self._ports.emit(ReplyStatusChanged(reply.request, *REPLACED))
        else:
            self._ports.spawn(self.send(reply))

    async def send(self, reply: PendingReply) -> None:
        """Send the reply until it is settled; does nothing if one to the same request is being sent."""
        under_way = self._under_way.get(reply.request.id)
        if under_way is not None and asks_the_same(under_way.request, reply.request):
            return
        self._journal.post_answer(reply.request.id, encode(reply))
        self._ports.emit(ReplyStatusChanged(reply.request, "sending", given=reply.given))
        await self._run_until_settled(reply, self._post_once_saved)

    async def _post_once_saved(self, reply: PendingReply) -> DeliveryState:
        """Wait a limited time for a journal that another program has locked, then post the reply anyway."""
        for _ in range(SAVE_CHECKS):
            if not self._journal.behind:
                break
            await self._ports.server.pause(SAVE_CHECK_INTERVAL)
        return await self._post_or_explain(reply)

    async def _run_until_settled(
        self, reply: PendingReply, step: Callable[[PendingReply], Awaitable[DeliveryState]]
    ) -> None:
        """Repeat `step` until it returns the reply's state, then journal and report that state."""
        request = reply.request
        self._under_way[request.id] = reply
        self._stopped.pop(request.id, None)
        try:
            state, reason = await self._settle(reply, step)
        finally:
            is_newest = self._under_way.get(request.id) is reply
            if is_newest:
                del self._under_way[request.id]
        if state == "stopped" and is_newest:
            self._stopped[request.id] = reply
        elif is_newest:
            self._may_have_arrived.discard(request.id)
            self._journal.settle_answer(request.id, keep_draft=state == "refused")
        self._ports.emit(ReplyStatusChanged(request, state, reason))

    async def _settle(
        self, reply: PendingReply, step: Callable[[PendingReply], Awaitable[DeliveryState]]
    ) -> DeliveryState:
        def failed(error: NetError) -> None:
            log.info("answer to %s: %s; trying again", reply.request.id, error.message)
            self._ports.emit(ReplyStatusChanged(reply.request, "retrying", error.message))

        try:
            return await until_settled(
                lambda: step(reply), backoff=self._ports.backoff(), pause=self._ports.server.pause, failed=failed
            )
        except NetError as error:
            return "stopped", error.message

    def _is_replaced(self, request: Request) -> bool:
        """Whether the server asks something else under the request's id now."""
        now = self._store.requests.get(request.id)
        return now is not None and not asks_the_same(request, now)

    async def _post_or_explain(self, reply: PendingReply) -> DeliveryState:
        if self._is_replaced(reply.request) or self._under_way.get(reply.request.id) is not reply:
            return REPLACED
        try:
            taken = await self._post(reply)
        except NetError as error:
            status = error.status if isinstance(error, HttpStatusError) else None
            if status in NOT_OPEN or (error.permanent and self._is_over(reply.request.id)):
                return await self._resolve_outcome(reply)
            if isinstance(error, NotSent) or (error.permanent and status not in (None, 401)):
                return "refused", error.message
            if not isinstance(error, ConnectFailed | CertificateError | Unsendable):
                self._may_have_arrived.add(reply.request.id)
            raise
        if not taken:
            return await self._resolve_outcome(reply)
        if not self._ports.server.backend().traits.acceptance_is_proof:
            return await self._confirm(reply)
        self._ports.apply(reply.as_event())
        return "acknowledged", ""

    async def _post(self, reply: PendingReply) -> bool:
        """Send the reply; True: the server accepted it, which is conclusive only if `Traits.acceptance_is_proof`."""
        backend, request = self._ports.server.backend(), reply.request
        directory = self._store.directory_of(request.session_id)
        if reply.permission is not None:
            return await backend.reply(request.id, reply.permission, reply.message, directory=directory)
        if reply.answers is None:
            return await backend.reject(request.id, directory=directory)
        return await backend.answer(request.id, reply.answers, directory=directory)

    async def reject_stale(self, request: Request) -> None:
        """Reject a request of an aborted turn, which the server keeps in its list; once, and without the journal."""
        permission: PermissionReply | None = "reject" if isinstance(request, PermissionRequest) else None
        try:
            await self._post(PendingReply(request, permission=permission))
        except NetError as error:
            log.info("a stale request stays open on the server: %s", error.message)

    async def _confirm(self, reply: PendingReply) -> Ending:
        """Find out from the request's end whether this reply or an earlier one was accepted. Raises `NetError`."""
        self._may_have_arrived.add(reply.request.id)
        for seconds in CONFIRM_DELAYS:
            if self._is_over(reply.request.id):
                break
            await self._ports.server.pause(seconds)
        ending = await self._resolve_outcome(reply)
        return ("acknowledged", "") if ending[0] == "expired" else ending

    async def _explain_or_post(self, reply: PendingReply) -> DeliveryState:
        """Classify a reply whose request ended before it was sent; post it if the request is still open."""
        call = await self._recorded(reply.request)
        return self._classify(reply, call) if self._is_over(reply.request.id) else await self._post_or_explain(reply)

    async def _resolve_outcome(self, reply: PendingReply) -> Ending:
        """Find out how a request that is not open any more ended. Raises `NetError`."""
        return self._classify(reply, await self._recorded(reply.request))

    def _is_over(self, request_id: str) -> bool:
        return request_id in self._closed and request_id not in self._store.requests

    async def _recorded(self, request: Request) -> ToolPart | None:
        """The request's tool call if no event reported how the request ended, else None. Raises `NetError`."""
        if request.id in self._closed and self._closed[request.id].how != "gone":
            return None
        return await self._call_of(request)

    def _classify(self, reply: PendingReply, call: ToolPart | None) -> Ending:
        request = reply.request
        closed = self._closed.get(request.id)
        arrived = request.id in self._may_have_arrived
        self._ports.apply(e.RequestRemoved(request.session_id, request.id))
        if reply.message and not arrived and ((call is not None and call.rejected) or _is_rejected(closed)):
            return "elsewhere", "rejected"  # that rejection did not carry this reply's reason
        if closed is not None and closed.how != "gone":
            return _explain_by_end(reply, closed)
        if call is not None and call.answers is not None and reply.permission is None:
            return _explain_by_answers(reply, call.answers)
        if call is not None and call.rejected:
            return ("acknowledged", "") if reply.rejects else ("elsewhere", "rejected")
        if reply.permission is not None and call is not None:
            return _explain_by_call(reply.permission, call, may_have_arrived=arrived)
        return "expired", ""

    async def _call_of(self, request: Request) -> ToolPart | None:
        """Fetch the request's tool call; the session need not be open in this client. Raises `NetError`.

        Also None for an unfinished call without a running turn: a restarted server keeps interrupted calls as they
        were, and opencode marks calls as running before they are allowed.
        """
        try:
            messages = await self._resync.fetch_messages(request.session_id)
        except HttpStatusError as refusal:
            if refusal.status not in NOT_OPEN:
                raise
            return None
        parts = [part for full in messages if full.message.id == request.message_id for part in full.parts]
        calls = [part for part in parts if isinstance(part, ToolPart) and part.call_id == request.call_id]
        if not calls or calls[0].state in ENDED:
            return calls[0] if calls else None
        works_on = [full.message.id for full in messages if full.message.role == "assistant"][-1:]
        runs = not isinstance(self._store.status(request.session_id), Idle)
        alive = runs and works_on == [request.message_id]
        return calls[0] if alive else None


def _is_rejected(closed: RequestClosed | None) -> bool:
    return closed is not None and (closed.how == "rejected" or closed.reply == "reject")


def _explain_by_end(reply: PendingReply, closed: RequestClosed) -> Ending:
    """The outcome of `reply` according to the event that closed the request."""
    if closed.how == "replied":
        ours = reply.permission is not None and closed.reply == reply.permission
        return ("acknowledged", "") if ours else ("elsewhere", str(closed.reply))
    if closed.how == "rejected":
        return ("acknowledged", "") if reply.answers is None else ("elsewhere", "dismissed")
    return _explain_by_answers(reply, closed.answers)


def _explain_by_call(reply: PermissionReply, call: ToolPart, *, may_have_arrived: bool) -> Ending:
    """The outcome of a permission reply by its tool call (`_call_of`): that shows only whether it was allowed."""
    if call.state in ("running", "completed"):
        return ("allowed", "") if may_have_arrived and reply != "reject" else ("elsewhere", "allowed")
    rejected = may_have_arrived and reply == "reject" and call.state == "error"
    return ("acknowledged", "") if rejected else ("expired", "")


def _explain_by_answers(reply: PendingReply, given: Answers) -> Ending:
    if given == reply.answers:
        return "acknowledged", ""
    return "elsewhere", "; ".join(", ".join(row) for row in given)
