"""`holdfast answer`: replies to one request, until the server acknowledges or refuses the reply."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tui.api.alerts import Alert
from tui.api.choices import reply_for
from tui.api.connection import Connection, connection_for
from tui.api.errors import CannotConnect, InvalidChoice, RunError
from tui.api.pending import pending_request
from tui.api.values import AnswerOutcome, Event, NoticeEvent, PendingRequest, Reply, RequestEvent, RequestRecord
from tui.cli.completion_values import request_ids
from tui.cli.exit_codes import ANSWER_CODES, ExitCode
from tui.cli.options import HELP, exit_with, server_of, server_options
from tui.cli.printing import Printer, reply_line, with_reason
from tui.cli.request_dialog import LineInput, ask_until_closed
from tui.config.settings import Settings
from tui.core import stored_json
from tui.net.errors import byte_count

if TYPE_CHECKING:
    from tui.net.http_client import Http

FROM_INPUT = "-"
"""In place of an id: the request of the event on standard input."""
EVENT_AT_MOST = 64 * 1024 * 1024
"""Bytes of an event on standard input. A server's longest answer, which holds the request, is shorter."""

Choose = Callable[[PendingRequest], Reply]
"""The reply that the command line names. Raises `InvalidChoice`."""

out = Printer(lambda text: click.echo(text, nl=False))
errors = Printer(lambda text: click.echo(text, err=True, nl=False))


@click.command(context_settings=HELP)
@click.argument("request", metavar="ID", shell_complete=request_ids)
@click.argument("choices", nargs=-1, metavar="[CHOICE]...")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="Custom answer text instead of CHOICE.")
@click.option("--once", is_flag=True, help="Allow this call only.")
@click.option("--always", is_flag=True, help="Allow similar calls from now on.")
@click.option(
    "--deny",
    is_flag=False,
    flag_value="",
    metavar="[REASON]",
    help="Reject the permission or question; with a REASON, if the server supports one, the agent continues.",
)
@click.option("--url", metavar="URL", help="The server's address; default: as for `holdfast`.")
@server_options
def command(
    request: str,
    choices: tuple[str, ...],
    texts: tuple[str, ...],
    once: bool,
    always: bool,
    deny: str | None,
    url: str | None,
    directory: str | None,
    family: str | None,
    ca_file: Path | None,
) -> None:
    """Answer a question or permission.

    ID is a request id or a unique prefix of one; `holdfast pending` lists them. CHOICE is the number or label of an
    option, one per question; for a single question several are allowed, separated by spaces or commas. Without
    CHOICE you are prompted. With ID - the request is read from a watch event on standard input.

    Exits with 0 if the answer is accepted; with 9 if another client was first; with 10 if the request is not open any
    more, or unknown; with 11 if the server refuses the answer.
    """
    ways = [bool(choices or texts), once, always, deny is not None]
    if sum(ways) > 1:
        raise click.UsageError("CHOICE and --text, --once, --always and --deny exclude each other")
    if not any(ways) and not sys.stdin.isatty():
        raise click.UsageError("no choice given, and standard input is no terminal to ask at")

    def choose(asked: PendingRequest) -> Reply:
        if deny is not None:
            return Reply(permission="reject" if asked.kind == "permission" else None, message=deny)
        if (once or always) and asked.kind == "question":
            raise InvalidChoice(f"--once and --always are for a permission, and {asked.id} is a question")
        return reply_for(asked, ("once",) if once else ("always",) if always else choices, texts)

    event = None
    if request == FROM_INPUT:
        server, event = _read_event()
        url, request = url or server, event.id
    exit_with(_answer(request, event, choose if any(ways) else None, *server_of(url, directory, family, ca_file)))


def _read_event() -> tuple[str, PendingRequest]:
    """The server and request of the event on standard input. Raises `UsageError`; exits with 10 if it is another."""
    body = sys.stdin.buffer.read(EVENT_AT_MOST + 1)
    if len(body) > EVENT_AT_MOST:
        raise click.UsageError(f"standard input is not an event of watch: more than {byte_count(EVENT_AT_MOST)}")
    try:
        alert = stored_json.decode(body, Alert)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"standard input is not an event of watch: {error}") from None
    if not isinstance(alert.event, RequestEvent):
        errors.line(f"not an open request: {alert.summary}")
        sys.exit(ExitCode.EXPIRED)
    return alert.server, alert.event.request


async def _answer(
    prefix: str,
    event: PendingRequest | None,
    choose: Choose | None,
    settings: Settings,
    open_http: "Callable[[str], Http]",
    users: Sequence[str],
) -> ExitCode:
    def show(event: Event) -> None:
        if isinstance(event, NoticeEvent):
            errors.event(event)

    try:
        async with connection_for(settings, open_http, users, on_event=show) as connection:
            return await _reply(connection, prefix, event, choose)
    except CannotConnect as error:
        _print_error(error)
        return ExitCode.CANNOT_CONNECT
    except RunError as error:
        _print_error(error)
        return ExitCode.USAGE


async def _reply(connection: Connection, prefix: str, event: PendingRequest | None, choose: Choose | None) -> ExitCode:
    """Find the request, which is as it was in the `event` if there is one, and reply to it. Raises `RunError`."""
    found = connection.find_request(prefix, exact=event is not None)
    if found is None:
        errors.line(f"request {prefix} is not open any more, or unknown")
        return ExitCode.EXPIRED
    request = pending_request(found, connection.client.store)
    if event is not None and _content(event) != _content(request):
        errors.line(f"request {prefix} has changed since the event")
        return ExitCode.EXPIRED
    traits = connection.client.traits
    takes_reason = request.kind == "permission" and traits is not None and traits.reject_with_reason
    if choose is None:
        with LineInput() as lines:
            answer = await ask_until_closed(connection, request, out, lines, takes_reason=takes_reason)
        if answer is None:
            errors.line("nothing was sent; the request stays open")
            return ExitCode.WAITING
        if isinstance(answer, RequestRecord):
            errors.line(reply_line(answer))
            return ExitCode.EXPIRED if answer.state == "gone" else ExitCode.ELSEWHERE
        reply = answer
    else:
        reply = choose(request)
    if reply.message and not takes_reason:
        raise InvalidChoice("this request takes no reason", "Use --deny alone.")
    outcome = await connection.answer_to(found, reply)
    return print_outcome(request, reply, outcome, saved=not connection.client.journal.in_memory_only)


def _content(request: PendingRequest) -> tuple[object, ...]:
    """What the user decides about."""
    return request.kind, request.session, request.questions, request.action, request.patterns, request.always


def print_outcome(request: PendingRequest, reply: Reply, outcome: AnswerOutcome, *, saved: bool) -> ExitCode:
    """Print the outcome of the reply; returns the exit code. `saved`: it is stored until its outcome is final."""
    name = f"{request.kind} {request.id}"
    match outcome.state:
        case "taken":
            denied = reply.denies
            record = RequestRecord(request=request, state="denied" if denied else "answered", reply=reply, by="caller")
            out.line(reply_line(record))
        case "elsewhere":
            errors.line(with_reason(f"{name} was answered elsewhere", outcome.reason))
        case "expired":
            errors.line(with_reason(f"{name} is not open any more", outcome.reason))
        case "refused":
            errors.line(with_reason(f"{name} is still open: the server refuses the answer", outcome.reason))
        case "stopped":
            errors.line(with_reason(f"{name}: the answer could not be delivered", outcome.reason))
            if saved:
                errors.line("it is saved; holdfast sends it when it connects to this server next")
    return ANSWER_CODES[outcome.state]


def _print_error(error: RunError) -> None:
    errors.line(f"Error: {error.message}")
    if error.hint:
        errors.line(error.hint)
