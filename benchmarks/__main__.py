"""`make bench`: runs all benchmarks with a target and prints one table. `make bench ONLY=streams` selects some."""

import time
from collections.abc import Callable

import click

from benchmarks import (
    deltas,
    first_paint,
    idle,
    opening,
    recovery,
    run_memory,
    run_start,
    streams,
    throughput,
    typing,
)
from benchmarks.recording import NeverShown
from benchmarks.table import Row, table

MEASUREMENTS: dict[str, Callable[[], list[Row]]] = {
    "first_paint": first_paint.rows,
    "run_start": run_start.rows,
    "run_memory": run_memory.rows,
    "idle": idle.rows,
    "typing": typing.rows,
    "streams": streams.rows,
    "opening": opening.rows,
    "deltas": deltas.rows,
    "recovery": recovery.rows,
    "throughput": throughput.rows,
}


@click.command()
@click.argument("only", nargs=-1, type=click.Choice(list(MEASUREMENTS)))
def main(only: tuple[str, ...]) -> None:
    """Measure the client against the stub on this machine; all there is unless ONLY names some."""
    found: list[Row] = []
    began = time.monotonic()
    for name in only or MEASUREMENTS:
        click.echo(f"{name} …", err=True)
        try:
            found += MEASUREMENTS[name]()
        except (NeverShown, TimeoutError) as failure:
            click.echo(str(failure), err=True)
            found.append(Row(name, "did not finish", met=False))
    click.echo(table(found))
    click.echo(f"{time.monotonic() - began:.0f} s", err=True)


if __name__ == "__main__":
    main()
