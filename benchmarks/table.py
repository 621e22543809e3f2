"""The rows of measurements, and their Markdown table, padded for terminals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEAD = ("what", "measured", "beside it", "ratio", "target", "met")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `met` is None if there is no target."""

    what: str
    measured: str
    beside: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return (self.what, self.measured, self.beside, self.ratio, self.target, met)


def at_most(what: str, value: float, limit: float, unit: str, *, digits: int = 2, beside: str = "") -> Row:
    """A row with an absolute limit."""
    return Row(
        what,
        f"{value:.{digits}f} {unit}",
        beside,
        target=f"≤ {limit:g} {unit}",
        met=round(value, digits) <= limit,
    )


def at_most_times(
    what: str, value: float, other: float, limit: float, unit: str, *, beside: str, digits: int = 2
) -> Row:
    """A row that compares `value` with `other`, measured in the same run; `limit` applies to their ratio."""
    ratio = value / other if other else float("inf")
    return Row(
        what,
        f"{value:.{digits}f} {unit}",
        f"{beside} {other:.{digits}f} {unit}",
        f"{ratio:.2f} ×",
        f"≤ {limit:g} ×",
        round(ratio, 2) <= limit,
    )


def table(rows: Iterable[Row]) -> str:
    """The header and the rows as a Markdown table."""
    cells: list[Sequence[str]] = [HEAD, *(row.cells for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
