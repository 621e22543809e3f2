"""The table of attacks in docs/security.md: the cost of each attack on each route, as last measured."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.hostile.attacks import ATTACKS
from tests.hostile.documents import ROUTES
from tests.hostile.runs import Run

BEGIN: Final = "<!-- made by make hostile: begin -->"
END: Final = "<!-- made by make hostile: end -->"
FAMILIES: Final = {"opencode": "", "mimo": " · MiMo Code", "qwen": " · qwen"}


def write_table(runs: Sequence[Run], page: Path, of: int) -> None:
    """Write the table of these runs, out of so many, between the markers of the page."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n\n{table(runs, of)}\n{END}{after}")


def table(runs: Sequence[Run], of: int) -> str:
    """A row for each attack and family, a column for each route, and the exit statuses of the commands."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    order = {name: at for at, name in enumerate(ATTACKS)}
    for run in sorted(runs, key=lambda one: (order[one.attack], list(FAMILIES).index(one.family))):
        column = run.outcome.partition(" ")[0] if run.outcome.startswith(("status", "doctor")) else run.route
        row = cells.setdefault((run.attack, run.family), {})
        row[column] = (row[column] + ", " if column in row else "") + cell(run)
    head = ("attack", "sends", *ROUTES, "status", "doctor")
    lines = [_line(head), _line(["---"] * len(head))]
    for (attack, family), row in cells.items():
        columns = [row.get(column, "") for column in (*ROUTES, "status", "doctor")]
        lines.append(_line([attack + FAMILIES[family], ATTACKS[attack].sends, *columns]))
    failed = sum(bool(run.problems) for run in runs)
    count = f"{len(runs)} of {of} runs were played, {len(runs) - failed} of them held."
    return "\n".join([count, "", *lines, ""])


def cell(run: Run) -> str:
    """The cost of one run and the shown state; a failed check begins with NOT."""
    if run.outcome.startswith(("status", "doctor")):
        result = f"{run.memory >> 20} MiB, {run.outcome.partition(' ')[2]}"
    else:
        state = {"●": "live", "◐": "quiet", "↻": "lost", "■": "stopped", "◌": "connecting"}
        result = f"{run.memory >> 20} MiB, {run.echo * 1000:.0f} ms, {state.get(run.outcome[:1], 'no state')}"
    return f"NOT: {'; '.join(run.problems)[:120]}" if run.problems else result


def _line(columns: Iterable[str]) -> str:
    return "| " + " | ".join(column.replace("|", "¦").replace("\n", " ") for column in columns) + " |"
