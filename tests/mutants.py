"""Mutation testing: `make mutants` runs the tests of a package on code with one small fault each.

mutmut makes the faults (mutants); what it may not change is in `[tool.mutmut]` of pyproject.toml. A sample is drawn by
a seed, at most one mutant per line and as many of each package. A mutant that no test notices is checked with mypy.

Each package's tests run once on unchanged code, to record which of them execute which line. A mutant runs against those
that execute its statement, the test files named like its module first; where module or class level is changed, against
all of the package. The working tree is not changed: each job has a copy in a temporary folder, where each run is a fork
of a process that has imported the libraries.
"""

import ast
import difflib
import importlib
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import coverage
import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper
from mutmut.configuration import config
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")
RESULTS = Path("build/mutants")
TESTS = {"client": ("tests/client", "tests/api")}
"""Where the tests of a package are, if not only in the folder of its name."""
COPIED = ("tui", "server_stub", "tests", "docs", "pyproject.toml", ".mypy_cache")
VERDICTS = ("killed", "timeout", "mypy", "survived", "equivalent")
CODE = ("tests", "tui", "server_stub")
LIBRARIES = (
    "anyio.pytest_plugin",
    "asyncio",
    "hypothesis",
    "httpx",
    "httpx_sse",
    "msgspec",
    "pexpect",
    "pyte",
    "pytest_asyncio.plugin",
    "pytest_textual_snapshot",
    "sqlite3",
    "starlette.routing",
    "textual.app",
    "textual.pilot",
    "textual.widgets",
    "uvicorn.protocols.http.h11_impl",
    "xdist.plugin",
)
TIMEOUT = 60
"""Seconds for one test."""
TIMED_OUT = re.compile(r"Failed: Timeout \(>", re.MULTILINE)
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """`diff` is its changed lines, without indentation; `code` is the whole mutated file.

    `statement`: the lines of the statement that is changed, in the original file.
    """

    path: Path
    line: int
    diff: str
    code: str
    statement: range = range(0)

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
    return module, visitor.mutations


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
    return Mutant(path, old + 1, "\n".join(removed + added), code, _statement(module.code, old + 1))


def _statement(code: str, line: int) -> range:
    spans = [
        range(one.lineno, (one.end_lineno or 0) + 1) for one in ast.walk(ast.parse(code)) if isinstance(one, ast.stmt)
    ]
    return min((span for span in spans if line in span), key=len)


def equivalents() -> dict[str, str]:
    """Reasons why a mutant cannot be noticed, by its key."""
    entries = [entry.strip().rpartition("\n") for entry in EQUIVALENT.read_text(encoding="utf-8").split("\n\n")]
    return {key: reason for key, _, reason in entries if key}


@dataclass(frozen=True)
class Run:
    """The tests of `files` except `skipped` (ids), with at most `seconds` of processor time."""

    mutant: Mutant
    files: list[str]
    skipped: set[str]
    seconds: float


@dataclass(frozen=True)
class Baseline:
    """What the tests of a package do on unchanged code.

    `seconds`: of processor time, by test. `executed`: the tests that execute a line, by path and line; "" stands for an
    import. `failed`: tests that prove nothing about a mutant.
    """

    seconds: dict[str, float]
    executed: dict[str, dict[int, set[str]]]
    failed: set[str] = field(default_factory=set)

    def run_of(self, mutant: Mutant) -> Run:
        lines = self.executed.get(str(mutant.path), {})
        found = {test for line in mutant.statement for test in lines.get(line, ())}
        tests = (set(self.seconds) if "" in found else found) - self.failed
        costs: defaultdict[str, float] = defaultdict(float)
        for test in tests:
            costs[test.partition("::")[0]] += self.seconds[test]
        same_name = f"test_{mutant.path.stem}"
        files = sorted(costs, key=lambda file: (not Path(file).name.startswith(same_name), costs[file]))
        return Run(mutant, files, set(self.seconds) - tests, 20 + 5 * sum(costs.values()))


class Recording:
    """A plugin of pytest that records a baseline."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        began = time.process_time()
        self._measured.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._measured.switch_context("")
            self.seconds[item.nodeid] = time.process_time() - began


class Selection:
    """A plugin of pytest that leaves out `skipped` tests."""

    def __init__(self, skipped: set[str]) -> None:
        self._skipped = skipped

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid not in self._skipped]


class Job:
    """A copy of the code, in which one mutant at a time is tested. Its process runs on one processor.

    (Tests on virtual time stay on one anyway, each process on the first that it may use.)
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        if hasattr(os, "sched_setaffinity"):  # Linux
            processors = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {processors[number % len(processors)]})
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] in CODE]:
            del sys.modules[name]  # of the working tree
        for name in LIBRARIES:
            importlib.import_module(name)

    def baseline(self, package: str) -> Baseline:
        """Raises RuntimeError if the tests cannot run."""
        written = self._folder / f"{package}.json"

        def record() -> int:
            sys.dont_write_bytecode = False
            measured = coverage.Coverage(data_file=None, include=[f"tui/{package}/*"], config_file=False)
            recording = Recording(measured)
            measured.start()
            code = pytest.main([*_options(300), *TESTS.get(package, [f"tests/{package}"])], [recording])
            measured.stop()
            data = measured.get_data()
            executed = {
                str(Path(path).relative_to(self._folder)): data.contexts_by_lineno(path)
                for path in data.measured_files()
            }
            written.write_text(json.dumps([recording.seconds, executed, recording.failed]), encoding="utf-8")
            return code

        code, output = self._fork(record, 3600)
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise RuntimeError(f"tests of {package} do not run:\n{output[-3000:]}")
        seconds, executed, failed = json.loads(written.read_text(encoding="utf-8"))
        return Baseline(
            seconds,
            {path: {int(line): set(tests) for line, tests in lines.items()} for path, lines in executed.items()},
            set(failed),
        )

    def test(self, run: Run) -> Result:
        mutant = run.mutant

        def pytest_main() -> int:
            sys.dont_write_bytecode = True
            return pytest.main(["-x", *_options(TIMEOUT), *run.files], [Selection(run.skipped)]) if run.files else 0

        target = self._folder / mutant.path
        source, times = target.read_bytes(), target.stat()
        target.write_text(mutant.code, encoding="utf-8")
        try:
            code, output = self._fork(pytest_main, run.seconds)
            if code < 0 or TIMED_OUT.search(output):
                return Result(mutant, "timeout")
            if code:
                failed = FAILED.search(output)
                return Result(mutant, "killed", failed[1] if failed else output.strip().rpartition("\n")[2])
            done = subprocess.run([sys.executable, "-m", "mypy", str(mutant.path)], capture_output=True, text=True)
            if done.returncode:
                return Result(mutant, "mypy", done.stdout.partition("\n")[0])
            return Result(mutant, "survived", "" if run.files else "no test executes it")
        finally:
            target.write_bytes(source)
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that its compiled form is valid again

    def _fork(self, run: Callable[[], int], seconds: float) -> tuple[int, str]:
        """Call `run` in a new process, with a limit of processor time; return its exit code and output."""
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = os.fork()
            if not process:
                code = 1
                try:
                    os.setpgid(0, 0)
                    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
                    for descriptor in (1, 2):
                        os.dup2(output.fileno(), descriptor)
                    code = run()
                finally:
                    sys.stdout.flush()
                    os._exit(code)
            _, status = os.waitpid(process, 0)
            try:
                os.killpg(process, signal.SIGKILL)
            except ProcessLookupError:
                pass  # no process of its own is left
            output.seek(0)
            return os.waitstatus_to_exitcode(status), output.read()


def _options(seconds: float) -> list[str]:
    warnings = "ignore::pytest.PytestAssertRewriteWarning"  # of libraries that are imported already
    return [
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not real and not chaos",
        "-W",
        warnings,
        "--hypothesis-seed=1",
        f"--timeout={seconds:.0f}",
    ]


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


_job: Job
"""That of this process, a worker."""


def _begin(scratch: str, numbers: "multiprocessing.SimpleQueue[int]") -> None:
    global _job
    number = numbers.get()
    folder = Path(scratch, str(number))
    for name in filter(os.path.exists, COPIED):
        copy = shutil.copytree if Path(name).is_dir() else shutil.copy2
        copy(name, folder / name)
    _job = Job(folder, number)


def _baseline(package: str) -> Baseline:
    return _job.baseline(package)


def _test(run: Run) -> Result:
    return _job.test(run)


@click.command()
@click.option("--seed", default="1", show_default=True, help="Draws the sample.")
@click.option("--count", default=160, show_default=True, help="Mutants, as many of each package.")
@click.option("--jobs", default=2, show_default=True, help="Mutants tested at the same time.")
@click.option("--package", "packages", multiple=True, help="Only this one, such as core; may be repeated.")
def main(seed: str, count: int, jobs: int, packages: tuple[str, ...]) -> None:
    """Run the tests on a sample of mutants, and write the result to build/mutants."""
    began = time.monotonic()
    sources = [path for path in config().source_paths if path.name in packages or not packages]
    drawn = [mutant for source in sources for mutant in sample(source.rglob("*.py"), count // len(sources), seed)]
    known = equivalents()
    results = [Result(mutant, "equivalent", known[mutant.key]) for mutant in drawn if mutant.key in known]
    forking = multiprocessing.get_context("fork")
    numbers = forking.SimpleQueue()
    for number in range(jobs):
        numbers.put(number)
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as scratch,
        forking.Pool(jobs, _begin, (scratch, numbers)) as pool,
    ):
        names = [source.name for source in sources]
        baselines = dict(zip(names, pool.map(_baseline, names, chunksize=1), strict=True))
        for baseline in baselines.values():
            for test in baseline.failed:
                click.echo(f"left out, because it fails without a mutant: {test}")
        waiting = [baselines[mutant.package].run_of(mutant) for mutant in drawn if mutant.key not in known]
        for result in pool.imap_unordered(_test, waiting):
            results.append(result)
            click.echo(f"{result.verdict:10} {result.mutant.path}:{result.mutant.line} {result.by}")
            if result.verdict == "survived":
                click.echo(result.mutant.diff)
    RESULTS.mkdir(parents=True, exist_ok=True)
    report = f"seed {seed}, {time.monotonic() - began:.0f} s\n\n{table(results)}"
    (RESULTS / f"{seed}.txt").write_text(f"{report}\n\n{listed(results)}\n", encoding="utf-8")
    click.echo(f"\n{report}\n\nEach mutant is in {RESULTS / f'{seed}.txt'}.")


if __name__ == "__main__":
    main()
