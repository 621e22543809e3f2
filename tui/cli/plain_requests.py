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

NOT_MEANT = 0.5
"""Seconds after a request appears in which a line is not taken as its answer: it was typed before."""


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
        self._feed = EventFeed(client, self._on_event, decided=self._decisions.get)
        self.open: dict[str, tuple[RequestDialog, float]] = {}
        """The open requests by id, and when each appeared."""
        self._asked: str | None = None
        """A text of which the user is asked whether it is an answer or a prompt."""

    @property
    def wants_line(self) -> bool:
        """Whether the next line may be an answer, or says what the last one was."""
        return self._asked is not None or bool(self.open)

    def on_change(self, change: c.Change) -> None:
        """The listener for `Client.subscribe`."""
        self._feed.on_change(change)
        for request_id in [one for one in self.open if one not in self._client.store.requests]:
            del self.open[request_id]

    def show(self) -> None:
        """Print the open requests and what can be typed."""
        for dialog, _ in self.open.values():
            self._say(*request_lines(dialog.request), *dialog.lines())

    def take(self, line: str) -> None:
        """Take a line while a request is open, or a text waits for a decision."""
        if self._asked is not None:
            self._decide(self._asked, line)
            return
        dialog, since = next(iter(self.open.values()))
        early = self._typed and self._client.now() - since < NOT_MEANT
        taken = Step.NOT_AN_ANSWER if early else dialog.take(line)
        if taken is not Step.NOT_AN_ANSWER:
            self._take(dialog, taken)
            return
        self._asked = line
        self._client.journal.remember(line)
        self._ask(line, dialog)

    def reject(self, reason: str) -> None:
        """Reject the first open request."""
        if not self.open:
            self._say("no request is open")
            return
        pending = next(iter(self.open.values()))[0].request
        permission = pending.kind == "permission"
        self._reply(pending, Reply(permission="reject" if permission else None, message=reason))

    def _decide(self, text: str, line: str) -> None:
        """What to do with the text that was neither a number nor a label."""
        choice, dialog = line.strip().casefold(), next((dialog for dialog, _ in self.open.values()), None)
        self._asked = None
        if choice == "a" and dialog is not None and dialog.takes_text:
            self._take(dialog, dialog.take_text(text.strip()))
        elif choice == "p":
            self._send(text)
        elif choice == "n":
            self._say("discarded (still in the history)")
        elif dialog is not None and (taken := dialog.take(line)) is not Step.NOT_AN_ANSWER:
            self._take(dialog, taken)
        else:
            self._asked = text
            self._ask(text, dialog)

    def _ask(self, text: str, dialog: RequestDialog | None) -> None:
        answer = "a: answer the question with it, " if dialog is not None and dialog.takes_text else ""
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
            self._say(f"{pending.kind} {pending.id} is not open any more")
            return
        self._decisions[pending.id] = Decision(reply=reply)
        send_reply(self._client, request, reply)

    def _on_event(self, event: Event) -> None:
        match event:
            case RequestEvent(request=request):
                self._printer.event(event)
                self.open[request.id] = RequestDialog(request), self._client.now()
                if len(self.open) == 1:
                    self._say(*self.open[request.id][0].lines())
            case ReplyEvent(record=record):
                self._printer.event(event)
                was_first = next(iter(self.open), None) == record.request.id
                self.open.pop(record.request.id, None)
                self._decisions.pop(record.request.id, None)
                if was_first and self.open:
                    dialog = next(iter(self.open.values()))[0]
                    self._say(*request_lines(dialog.request), *dialog.lines())

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._printer.line(line)
