"""CPU time and memory of a process and its descendants, from /proc (Linux only).

A process that ends between two reads is skipped.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
"""Clock ticks per second, the time unit of /proc/PID/stat."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in megabytes: `peak` is the maximum resident set size, `pss` the current proportional set size."""

    peak: float
    pss: float


def cpu_seconds(pid: int) -> float:
    """CPU seconds of the process's current threads, precise to the microsecond."""
    threads = (PROC / str(pid) / "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def tree(root: int) -> list[int]:
    """The ids of the process and its descendants, `root` first."""
    children: dict[int, list[int]] = {}
    for status in PROC.glob("[0-9]*/stat"):
        try:
            fields = _fields(status)
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, ())
    return found


def cpu_of_tree(root: int) -> float:
    """CPU seconds of the process and its descendants, including ended ones, precise to 10 ms."""
    total = 0
    for pid in tree(root):
        try:
            total += sum(map(int, _fields(PROC / str(pid) / "stat")[11:15]))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / TICKS


def memory_of_tree(root: int) -> Memory:
    """The summed memory of the process and its descendants."""
    peak = pss = 0
    for pid in tree(root):
        try:
            peak += _kilobytes(PROC / str(pid) / "status", "VmHWM:")
            pss += _kilobytes(PROC / str(pid) / "smaps_rollup", "Pss:")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Memory(peak / 1024, pss / 1024)


def _fields(status: Path) -> list[str]:
    """The fields after the program's name, which may contain spaces and parentheses: state, parent, …"""
    return status.read_text().rpartition(")")[2].split()


def _kilobytes(file: Path, name: str) -> int:
    return next((int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith(name)), 0)
