"""The open requests of the plain client: shown one after the other, and answered by typed lines."""

from collections.abc import Callable

from tui.api.event_feed import EventFeed
from tui.api.request_policy import send_reply
from tui.api.values import Decision, Event, PendingRequest, Reply, ReplyEvent, RequestEvent
from tui.cli.printing import Printer, request_lines
from tui.cli.typed_answer import Invalid, RequestDialog, Step, Taken
from tui.client.client import Client
from tui.core import changes as c
from tui.core.sanitize import single_line

ANSWER_GUARD_SECONDS = 0.5
"""Seconds after a request became the current one in which a line is not its answer: it was typed before."""


class PlainRequests:
    """The requests of all sessions. A line that is no answer never becomes one unasked.

    `send` takes a text as a prompt. `typed`: lines come from a terminal, where a line may have been begun before the
    request appeared.
    """

    def __init__(self, client: Client, printer: Printer, send: Callable[[str], None], *, typed: bool) -> None:
        self._client = client
        self._printer = printer
        self._send = send
        self._typed = typed
        self._decisions: dict[str, Decision] = {}
        """The replies that are being delivered, by request id."""
        self._feed = EventFeed(client, self._on_event, decided=self._decisions.get)
        self.open: dict[str, RequestDialog] = {}
        """The open requests by id."""
        self._current = ""
        """The id of the request that lines answer: the first that has no reply yet; "" if there is none."""
        self._since = float("-inf")
        """When it became the current one."""
        self._asked: tuple[str, str] | None = None
        """A text of which the user is asked whether it is an answer or a prompt, and the request it is for."""

    @property
    def wants_line(self) -> bool:
        """Whether the next line may be an answer, or says what the last one was."""
        return self._asked is not None or bool(self.open)

    def on_change(self, change: c.Change) -> None:
        """The listener for `Client.subscribe`."""
        self._feed.on_change(change)
        for request_id in [one for one in self.open if one not in self._client.store.requests]:
            del self.open[request_id]
        if isinstance(change, c.ReplyStatusChanged) and change.state == "refused":
            self._decisions.pop(change.request.id, None)
        self._move_on()

    def show(self) -> None:
        """Print the open requests and what can be typed."""
        for dialog in self.open.values():
            self._say(*request_lines(dialog.request), *dialog.lines())

    def take(self, line: str) -> None:
        """Take a line while a request is open, or a text waits for a decision."""
        if self._asked is not None:
            self._decide(*self._asked, line)
            return
        taken = self._taken(line)
        if taken is not Step.NOT_AN_ANSWER:
            self._take(self.open[self._current], taken)
            return
        self._asked = line, self._current
        self._client.journal.remember(line)
        self._ask()

    def reject(self, reason: str) -> None:
        """Reject the current request."""
        if not self._current:
            self._say("no request needs an answer")
        elif self._is_early:
            self._say("not rejected: the request appeared only just now")
        else:
            pending = self.open[self._current].request
            permission = pending.kind == "permission"
            self._reply(pending, Reply(permission="reject" if permission else None, message=reason))

    @property
    def _is_early(self) -> bool:
        """Whether what is typed now may have been meant for what was shown before the current request."""
        return self._typed and self._client.now() - self._since < ANSWER_GUARD_SECONDS

    def _taken(self, line: str) -> Taken:
        """What the line is to the current request."""
        return Step.NOT_AN_ANSWER if not self._current or self._is_early else self.open[self._current].take(line)

    def _move_on(self) -> None:
        """Choose the current request, and show it if it is another one than before."""
        current = next((one for one in self.open if one not in self._decisions), "")
        if current == self._current:
            return
        self._current, self._since = current, self._client.now()
        if current:
            dialog = self.open[current] = RequestDialog(self.open[current].request)
            self._say(*request_lines(dialog.request), *dialog.lines())

    def _decide(self, text: str, asked_for: str, line: str) -> None:
        """What to do with the text that was neither a number nor a label."""
        choice = line.strip().casefold()
        self._asked = None
        if choice == "a" and self._may_answer(asked_for):
            dialog = self.open[self._current]
            self._take(dialog, dialog.take_text(text.strip()))
        elif choice == "p":
            self._send(text)
        elif choice == "n":
            self._say("discarded (still in the history)")
        elif (taken := self._taken(line)) is not Step.NOT_AN_ANSWER:
            self._take(self.open[self._current], taken)
        else:
            self._asked = text, asked_for
            self._ask()

    def _may_answer(self, request_id: str) -> bool:
        """Whether text that was typed for this request can answer it now."""
        return request_id != "" and request_id == self._current and self.open[request_id].takes_text

    def _ask(self) -> None:
        text, asked_for = self._asked or ("", "")
        answer = "a: answer the question with it, " if self._may_answer(asked_for) else ""
        self._say(f"{single_line(text, 60)!r}: type {answer}p: send it as a prompt, n: neither")

    def _take(self, dialog: RequestDialog, taken: Taken) -> None:
        match taken:
            case Reply():
                self._reply(dialog.request, taken)
            case Invalid(reason):
                self._say(f"not an answer: {reason}")
            case Step.NEXT_QUESTION:
                self._say(*dialog.lines())

    def _reply(self, pending: PendingRequest, reply: Reply) -> None:
        request = self._client.store.requests.get(pending.id)
        if request is None:
            self._say(f"{pending.kind} {single_line(pending.id)} is not open any more")
            return
        self._decisions[pending.id] = Decision(reply=reply)
        send_reply(self._client, request, reply)
        self._move_on()

    def _on_event(self, event: Event) -> None:
        match event:
            case RequestEvent(request=request):
                first = not self._current
                self.open[request.id] = RequestDialog(request)
                if not first:
                    self._printer.event(event)
            case ReplyEvent(record=record):
                self._printer.event(event)
                self.open.pop(record.request.id, None)
                if self._asked is not None and self._asked[1] == record.request.id:
                    self._asked = self._asked[0], ""  # the id may come again for other questions
                self._decisions.pop(record.request.id, None)
        self._move_on()

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._printer.line(line)
