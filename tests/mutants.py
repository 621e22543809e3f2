"""Mutation testing: `make mutants` runs the tests of a package on code with one small fault each.

mutmut makes the faults (mutants); what it may not change is in `[tool.mutmut]` of pyproject.toml. Sentences (strings
with a space) are left out, too: they are no behaviour. A sample is drawn by a seed, at most one mutant per line and as
many of each package, and run only against the tests of that package, those named like the module first. A mutant that
no test notices is checked with mypy. The working tree is not changed: each job has a copy in a temporary folder.
"""

import difflib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import click
import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.configuration import config
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")
RESULTS = Path("build/mutants")
COPIED = ("tui", "server_stub", "tests", "docs", "pyproject.toml")
VERDICTS = ("killed", "timeout", "mypy", "survived", "equivalent")
COMPILE_NOTHING = {"PYTHONDONTWRITEBYTECODE": "1"}
TIMED_OUT = re.compile(r"Failed: Timeout \(>", re.MULTILINE)
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """`diff` is its changed lines, without indentation; `code` is the whole mutated file."""

    path: Path
    line: int
    diff: str
    code: str

    @property
    def key(self) -> str:
        return f"{self.path}\n{self.diff}"

    @property
    def package(self) -> str:
        return self.path.parts[1]


@dataclass(frozen=True)
class Result:
    """`by`: the test or the error that noticed the mutant, or why none can."""

    mutant: Mutant
    verdict: str
    by: str = ""


class Visitor(MutationVisitor):
    """Mutates decorated functions as well, which mutmut's own runner cannot do."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        return not isinstance(node, cst.FunctionDef) and super()._skip_node_and_children(node)


def mutations(path: Path) -> tuple[cst.Module, list[Mutation]]:
    source = path.read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = Visitor(mutation_operators, get_ignored_lines(str(path), source, wrapper))
    module = wrapper.visit(visitor)
    return module, [one for one in visitor.mutations if not _is_sentence(one.original_node)]


def _is_sentence(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.SimpleString) and " " in node.value


def sample(paths: Iterable[Path], count: int, seed: str) -> Iterator[Mutant]:
    """At most `count` mutants of these files, drawn by `seed`, at most one per line."""
    modules = [(path, *mutations(path)) for path in sorted(paths)]
    drawn = [(path, module, mutation) for path, module, found in modules for mutation in found]
    random.Random(seed).shuffle(drawn)
    taken: set[tuple[Path, int]] = set()
    for path, module, mutation in drawn:
        if len(taken) == count:
            return
        mutant = _mutant(path, module, mutation)
        if (path, mutant.line) not in taken:
            taken.add((path, mutant.line))
            yield mutant


def _mutant(path: Path, module: cst.Module, mutation: Mutation) -> Mutant:
    code = cst.ensure_type(module.deep_replace(mutation.original_node, mutation.mutated_node), cst.Module).code
    before, after = module.code.splitlines(), code.splitlines()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    blocks = [block for block in matcher.get_opcodes() if block[0] != "equal"]
    (_, old, _, new, _), (_, _, old_end, _, new_end) = blocks[0], blocks[-1]
    removed = [f"- {line.strip()}" for line in before[old:old_end]]
    added = [f"+ {line.strip()}" for line in after[new:new_end]]
    return Mutant(path, old + 1, "\n".join(removed + added), code)


def equivalents() -> dict[str, str]:
    """Reasons why a mutant cannot be noticed, by its key."""
    entries = [entry.strip().rpartition("\n") for entry in EQUIVALENT.read_text(encoding="utf-8").split("\n\n")]
    return {key: reason for key, _, reason in entries if key}


class Job:
    """A copy of the code, in which one mutant at a time is tested."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def baseline(self, package: str) -> float:
        """The seconds that the tests of a package take on unchanged code. Exits if one fails."""
        began = time.monotonic()
        code, output = self._run(["pytest", *_options(300), f"tests/{package}"], 3600)
        if code != 0:
            sys.exit(f"tests/{package} fails without a mutant:\n{output[-3000:]}")
        return time.monotonic() - began

    def test(self, mutant: Mutant, seconds: float) -> Result:
        target = self._folder / mutant.path
        source, times = target.read_bytes(), target.stat()
        target.write_text(mutant.code, encoding="utf-8")
        try:
            code, output = self._run(
                ["pytest", *_options(seconds), *_tests_of(mutant.path)], 2 * seconds, **COMPILE_NOTHING
            )
            if code is None or TIMED_OUT.search(output):
                return Result(mutant, "timeout")
            if code:
                failed = FAILED.search(output)
                return Result(mutant, "killed", failed[1] if failed else output.strip().rpartition("\n")[2])
            code, output = self._run(["mypy", str(mutant.path)], 600)
            return Result(mutant, "mypy", output.partition("\n")[0]) if code else Result(mutant, "survived")
        finally:
            target.write_bytes(source)
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that its compiled form is valid again

    def _run(self, arguments: list[str], seconds: float, **environment: str) -> tuple[int | None, str]:
        """Run a module of this Python; return its exit code, None if it took too long, and its output."""
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=self._folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            try:
                code: int | None = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            output.seek(0)
            return code, output.read()


def _options(seconds: float) -> list[str]:
    return ["-q", "-x", "-p", "no:cacheprovider", "-m", "not real and not chaos", f"--timeout={seconds:.0f}"]


def _tests_of(path: Path) -> list[str]:
    """The test files named like the module, then all of its package."""
    package = Path("tests", path.parts[1])
    return [*map(str, sorted(package.rglob(f"test_{path.stem}*.py"))), str(package)]


def table(results: list[Result]) -> str:
    """The counts of each package. Noticed: by a test, a time-out or mypy, of those that can be noticed."""
    lines = [f"{'':10}{''.join(f'{verdict:>12}' for verdict in VERDICTS)}{'noticed':>12}"]
    packages = sorted({result.mutant.package for result in results})
    for name in [*packages, "all"]:
        counts = Counter(result.verdict for result in results if name in (result.mutant.package, "all"))
        noticed, missed = counts["killed"] + counts["timeout"] + counts["mypy"], counts["survived"]
        share = f"{noticed / (noticed + missed):.0%}" if noticed + missed else "-"
        lines.append(f"{name:10}{''.join(f'{counts[verdict]:12}' for verdict in VERDICTS)}{share:>12}")
    return "\n".join(lines)


def listed(results: list[Result]) -> str:
    """Every mutant of the run, the survivors first."""
    ordered = sorted(results, key=lambda result: (-VERDICTS.index(result.verdict), result.mutant.key))
    return "\n\n".join(
        f"{one.verdict} {one.by}\n{one.mutant.path}:{one.mutant.line}\n{one.mutant.diff}" for one in ordered
    )


@click.command()
@click.option("--seed", default="1", show_default=True, help="Draws the sample.")
@click.option("--count", default=160, show_default=True, help="Mutants, as many of each package.")
@click.option("--jobs", default=2, show_default=True, help="Mutants tested at the same time.")
@click.option("--package", "packages", multiple=True, help="Only this one, such as core; may be repeated.")
def main(seed: str, count: int, jobs: int, packages: tuple[str, ...]) -> None:
    """Run the tests on a sample of mutants, and write the result to build/mutants."""
    began = time.monotonic()
    sources = [path for path in config().source_paths if path.name in packages or not packages]
    known, results, free = equivalents(), list[Result](), SimpleQueue[Job]()

    def tested(mutant: Mutant, seconds: float) -> None:
        job = free.get()
        try:
            result = job.test(mutant, seconds)
        finally:
            free.put(job)
        results.append(result)
        click.echo(f"{result.verdict:10} {mutant.path}:{mutant.line} {result.by}")
        if result.verdict == "survived":
            click.echo(mutant.diff)

    drawn = [list(sample(source.rglob("*.py"), count // len(sources), seed)) for source in sources]
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch, ThreadPoolExecutor(jobs) as pool:
        folders = [Path(scratch, str(number)) for number in range(jobs)]
        for name in COPIED:
            copy = shutil.copytree if Path(name).is_dir() else shutil.copy2
            copy(name, folders[0] / name)
        baselines = list(pool.map(Job(folders[0]).baseline, [source.name for source in sources]))
        for folder in folders[1:]:
            shutil.copytree(folders[0], folder)  # with the compiled modules
        for folder in folders:
            free.put(Job(folder))
        waiting = []
        for mutants, baseline in zip(drawn, baselines, strict=True):
            for mutant in mutants:
                if mutant.key in known:
                    results.append(Result(mutant, "equivalent", known[mutant.key]))
                else:
                    waiting.append(pool.submit(tested, mutant, 30 + 3 * baseline))
        try:
            for one in waiting:
                one.result()
        finally:
            pool.shutdown(cancel_futures=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    report = f"seed {seed}, {time.monotonic() - began:.0f} s\n\n{table(results)}"
    (RESULTS / f"{seed}.txt").write_text(f"{report}\n\n{listed(results)}\n", encoding="utf-8")
    click.echo(f"\n{report}\n\nEach mutant is in {RESULTS / f'{seed}.txt'}.")


if __name__ == "__main__":
    main()
