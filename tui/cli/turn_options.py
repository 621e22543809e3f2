"""The options that `run` and `wait` share."""

import math
from pathlib import Path

import click

from tui.api.request_policy import OnRequest, Policy
from tui.cli.options import F
from tui.cli.turn_command import TurnOptions
from tui.cli.turn_output import Format


def _seconds(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not (0 <= value < math.inf):
        raise click.BadParameter(f"{value} is not a number of seconds")
    return value


def turn_options(command: F) -> F:
    """Output, requests and time limits."""
    for option in reversed(
        (
            click.option("--final", is_flag=True, help="Print only the final text of the answer."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end."),
            click.option("--stream-json", is_flag=True, help="Print each event as one line of JSON."),
            click.option(
                "--on-request",
                type=click.Choice(["wait", "fail", "reject"]),
                default="wait",
                show_default=True,
                help="What to do at a question or permission: wait for an answer, exit with 3, or reject it.",
            ),
            click.option(
                "--answers",
                type=click.Path(dir_okay=False, path_type=Path),
                help="Rules that answer questions and permissions; other requests use --on-request.",
            ),
            click.option(
                "--timeout", type=float, callback=_seconds, metavar="SECONDS", help="Exit with 124 after this time."
            ),
            click.option("--abort-on-timeout", is_flag=True, help="Abort the turn when the timeout expires."),
            click.option(
                "--connect-timeout",
                type=float,
                callback=_seconds,
                default=10.0,
                show_default=True,
                metavar="SECONDS",
                help="Timeout of the initial connection.",
            ),
        )
    ):
        command = option(command)
    return command


def turn_options_of(
    *,
    final: bool,
    as_json: bool,
    stream_json: bool,
    on_request: Policy,
    answers: Path | None,
    timeout: float | None,
    abort_on_timeout: bool,
    connect_timeout: float,
    detach: bool = False,
) -> TurnOptions:
    """The options as one value. Raises `UsageError`."""
    chosen = [
        form
        for form, is_chosen in ((Format.FINAL, final), (Format.JSON, as_json), (Format.STREAM, stream_json))
        if is_chosen
    ]
    if len(chosen) > 1:
        raise click.UsageError("--final, --json and --stream-json exclude each other")
    if abort_on_timeout and timeout is None:
        raise click.UsageError("--abort-on-timeout needs --timeout")
    if abort_on_timeout and detach:
        raise click.UsageError("--detach leaves the turn: use it without --abort-on-timeout")
    return TurnOptions(
        form=chosen[0] if chosen else Format.TEXT,
        on_request=on_request if answers is None else _with_rules(answers, on_request),
        timeout=timeout,
        abort_on_timeout=abort_on_timeout,
        detach=detach,
        connect_within=connect_timeout,
    )


def _with_rules(path: Path, otherwise: Policy) -> OnRequest:
    from tui.cli.answer_rules import InvalidRules, read_rules  # most runs have no rules, and start sooner

    try:
        rules = read_rules(path)
    except InvalidRules as error:
        raise click.UsageError(f"--answers {error}") from None
    return lambda request: rules.decide(request) or otherwise
