import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.kernel import cpu_of_tree, cpu_seconds, memory_of_tree, tree

CHILD = "x = bytearray(40 << 20); x[::4096] = bytes(len(x[::4096]))\nfor _ in range(3_000_000): pass\n"
PARENT = f"""
import subprocess, sys
program = {CHILD + "print('done', flush=True); input()"!r}
child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print("ready", flush=True)
input()
child.kill()
child.wait()
print("gone", flush=True)
input()
"""


@pytest.fixture
def parent() -> Iterator["subprocess.Popen[bytes]"]:
    """An idle process whose child uses 40 MB and some CPU time."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def test_a_process_tree_includes_its_children(parent: "subprocess.Popen[bytes]") -> None:
    root, child = tree(parent.pid)
    assert root == parent.pid
    assert child != root


def test_cpu_and_memory_of_a_child_are_counted(parent: "subprocess.Popen[bytes]") -> None:
    spent = cpu_of_tree(parent.pid)
    assert spent > cpu_seconds(parent.pid)
    memory = memory_of_tree(parent.pid)
    assert memory.peak > 40
    assert memory.pss > 40


def test_cpu_of_an_exited_child_is_counted(parent: "subprocess.Popen[bytes]") -> None:
    before = cpu_of_tree(parent.pid)
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(b"\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == b"gone\n"
    assert tree(parent.pid) == [parent.pid]
    assert cpu_of_tree(parent.pid) >= before
