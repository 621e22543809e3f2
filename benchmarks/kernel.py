"""What the kernel has counted for a program and all that it started: CPU time and memory. Linux only: /proc.

It only reads; a process that ends between two looks is left out of the second.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
"""Units of /proc/PID/stat in a second."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes. `peak` is the largest resident set so far, `pss` the proportional set now."""

    peak: float
    pss: float


def cpu_seconds(pid: int) -> float:
    """CPU time that the process has used so far in the threads that it has now, to the microsecond."""
    threads = (PROC / str(pid) / "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def tree(root: int) -> list[int]:
    """The process and all that descends from it, `root` first."""
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
    """CPU seconds of the process, of all that runs under it and of what has ended there, to 10 ms."""
    total = 0
    for pid in tree(root):
        try:
            total += sum(map(int, _fields(PROC / str(pid) / "stat")[11:15]))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / TICKS


def memory_of_tree(root: int) -> Memory:
    """Of the process and of all that runs under it, summed."""
    peak = pss = 0
    for pid in tree(root):
        try:
            peak += _kilobytes(PROC / str(pid) / "status", "VmHWM:")
            pss += _kilobytes(PROC / str(pid) / "smaps_rollup", "Pss:")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Memory(peak / 1024, pss / 1024)


def _fields(status: Path) -> list[str]:
    """What follows the program's name, which may hold spaces and brackets: state, parent, …"""
    return status.read_text().rpartition(")")[2].split()


def _kilobytes(file: Path, name: str) -> int:
    return next((int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith(name)), 0)
