"""The open requests of a session of qwen serve, and how they end. Without I/O and clock.

The event that resolves a question does not contain its answers: the next update of its tool call does.
"""

from collections.abc import Iterable

from tui.backends.qwen import requests as requests
from tui.core import events as e
from tui.core.model import PermissionReply, PermissionRequest, QuestionRequest, ToolPart
from tui.core.record import ended
from tui.net.json_input import JSON


class OpenRequests:
    """The open requests of one session; each method returns the resulting events."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self.open: dict[str, requests.Asked] = {}

    def opened(self, asked: requests.Asked) -> list[e.Event]:
        self.open[asked.request.id] = asked
        return [e.RequestOpened(asked.request)]

    def resolved(self, data: JSON) -> list[e.Event]:
        """Handle a `permission_resolved`."""
        end = requests.resolution(data)
        asked = self.open.get(end.request_id)
        if asked is None:
            return [e.RequestGone(self._session_id, end.request_id)]
        chosen = end.option not in (None, requests.option(asked, "reject"))
        told_by_call = isinstance(asked.request, QuestionRequest) if chosen else not end.voter
        if told_by_call and asked.request.call_id:
            return []  # its tool call follows with the answers or the rejection
        return self._closed(asked, end)

    def answered(self, part: ToolPart) -> list[e.Event]:
        """Close the requests of this call if it has ended."""
        waiting = [one for one in self.open.values() if one.request.call_id == part.call_id]
        if not waiting or part.state not in ("completed", "error"):
            return []
        for one in waiting:
            del self.open[one.request.id]
        return [ended(one.request, part) for one in waiting]

    def all_gone(self) -> list[e.Event]:
        """Close all requests: their turn has ended."""
        return self._gone(self.open)

    def _closed(self, asked: requests.Asked, end: requests.Resolution) -> list[e.Event]:
        request = asked.request
        del self.open[request.id]
        if not end.voter:
            return [e.RequestGone(request.session_id, request.id)]
        if isinstance(request, PermissionRequest):
            return [e.PermissionReplied(request.session_id, request.id, _reply(asked, end.option))]
        return [e.QuestionRejected(request.session_id, request.id)]

    def _gone(self, request_ids: Iterable[str]) -> list[e.Event]:
        found: list[e.Event] = []
        for request_id in list(request_ids):
            del self.open[request_id]
            found.append(e.RequestGone(self._session_id, request_id))
        return found


def _reply(asked: requests.Asked, option: str | None) -> PermissionReply:
    if option is None or option == requests.option(asked, "reject"):
        return "reject"
    return "once" if option == requests.option(asked, "once") else "always"
