"""The command `holdfast-stub`: a scripted agent server for trying the client and for its tests.

It listens on loopback only. The first line of its output is its address.
"""

import asyncio
import logging
import math
import os
import socket
import sys

import click
import uvicorn

from server_stub.app import PASSWORD_VARIABLE, create_app
from server_stub.domain.clock import PacedClock
from server_stub.domain.profiles import DEFAULT_PROFILE, PROFILES
from server_stub.faults.kinds import KINDS, Fault, FaultRefused, Faults, options_of, parse
from server_stub.scenarios.catalog import DEFAULTS, WORDS


def _parsed(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> list[Fault]:
    try:
        return [parse(text) for text in texts]
    except FaultRefused as refused:
        raise click.BadParameter(str(refused)) from refused


def _paced(ctx: click.Context, param: click.Parameter, speed: float) -> float:
    if not math.isfinite(speed):
        raise click.BadParameter(f"{speed} is not a speed")
    return speed


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """False for uvicorn's reports of the streams that it cancels on shutdown."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and "graceful shutdown" not in record.getMessage()


def _epilog() -> str:
    by_options: dict[tuple[str, ...], list[str]] = {}
    for name, kind in KINDS.items():
        by_options.setdefault(options_of(kind.act), []).append(name)
    faults = " ".join(
        f"{', '.join(names)} take {', '.join(options) or 'no option'}." for options, names in by_options.items()
    )
    paragraphs = (
        f"Words in a prompt, in capitals, that choose what the agent does: {', '.join(WORDS)}.",
        f"Faults: {faults} A crash without a target happens at once.",
        f"With {PASSWORD_VARIABLE} set, every request must carry its value, as password or bearer token.",
    )
    return "\n\n".join(paragraphs)


def _short_help(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        formatter = ctx.make_formatter()
        ctx.command.format_usage(ctx, formatter)
        ctx.command.format_options(ctx, formatter)
        click.echo(f"{formatter.getvalue()}\n--help also lists the faults, and the words in a prompt.")
        ctx.exit()


@click.command(epilog=_epilog())
@click.version_option(package_name="holdfast-tui", prog_name="holdfast-stub")
@click.option(
    "-h", is_flag=True, is_eager=True, expose_value=False, callback=_short_help, help="Show the options only."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 picks a free port.")
@click.option("--profile", type=click.Choice(sorted(PROFILES)), default=DEFAULT_PROFILE.name, show_default=True)
@click.option(
    "--scenario",
    type=click.Choice(DEFAULTS),
    default="tour",
    show_default=True,
    help="Scenario for a prompt that contains none of the words below.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    callback=_paced,
    envvar="HOLDFAST_STUB_SPEED",
    show_envvar=True,
    help="2 halves every pause of the agent.",
)
@click.option("--admin", is_flag=True, help="Serve the route that injects faults.")
@click.option("--while-stdin", is_flag=True, help="Exit when standard input closes, with the parent process.")
@click.option(
    "--fault",
    "armed",
    multiple=True,
    callback=_parsed,
    metavar="NAME[=TARGET][,OPTION=VALUE]…",
    help="Arm a fault from the start; repeatable.",
)
def main(
    port: int, profile: str, scenario: str, speed: float, admin: bool, while_stdin: bool, armed: list[Fault]
) -> None:
    """Serve a scripted agent on 127.0.0.1 until interrupted."""
    app = create_app(PROFILES[profile], scenario=scenario, admin=admin, clock=PacedClock(speed))
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise click.ClickException(f"cannot listen on 127.0.0.1:{port}: {os.strerror(error.errno or 0)}") from error
    # asyncio sets this only on sockets that declare TCP; without it each response of two writes takes 40 ms
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=0, lifespan="off", ws="none", server_header=False
        )
    )
    faults: Faults = app.state.faults
    faults.connections = server.server_state.connections
    faults.exit = os._exit
    for fault in armed:
        faults.arm(fault)
    if while_stdin and sys.stdin is None:
        raise click.UsageError("--while-stdin needs an open standard input")
    try:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # flushing the buffer at exit must not fail again
        raise click.ClickException(f"the address cannot be printed: {error.strerror}") from error
    asyncio.run(_serve(server, listener, while_stdin=while_stdin))


async def _serve(server: uvicorn.Server, listener: socket.socket, *, while_stdin: bool) -> None:
    loop, stdin = asyncio.get_running_loop(), 0

    def read() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            server.should_exit = True

    if while_stdin:
        loop.add_reader(stdin, read)
    await server.serve(sockets=[listener])


if __name__ == "__main__":
    main()
