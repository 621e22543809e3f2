"""The sample of mutants: drawn by its seed, and only of what a test can notice."""

from pathlib import Path

import libcst as cst
import pytest

from tests.mutants import Baseline, Mutant, Result, equivalents, mutations, sample, table

CODE = """
import logging

log = logging.getLogger(__name__)


class Limit:
    @property
    def reached(self) -> bool | None:
        log.info("reached %s", 1 + 1)
        return self.count >= 3

    def word(self) -> str:
        return "a sentence" if self.reached else "word"
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "limit.py"
    path.write_text(CODE)
    return path


def diffs(path: Path, count: int, seed: str = "1") -> list[str]:
    return [mutant.diff for mutant in sample([path], count, seed)]


def test_the_seed_decides_which_mutants_are_drawn(source: Path) -> None:
    drawn = {seed: diffs(source, 1, seed) for seed in map(str, range(10))}
    assert all(len(one) == 1 for one in drawn.values())
    assert len({one for [one] in drawn.values()}) > 1
    assert drawn == {seed: diffs(source, 1, seed) for seed in drawn}


def test_bodies_of_properties_are_mutated_but_no_logs(source: Path) -> None:
    module, found = mutations(source)
    assert module.code == CODE
    mutated = [module.deep_replace(one.original_node, one.mutated_node) for one in found]
    codes = {cst.ensure_type(one, cst.Module).code for one in mutated}
    assert any("self.count > 3" in code for code in codes)
    assert any("XXwordXX" in code for code in codes)
    assert any("XXa sentenceXX" in code for code in codes)
    assert all("log.info" in code and "bool | None" in code for code in codes)


def test_there_is_at_most_one_mutant_per_line(source: Path) -> None:
    lines = [mutant.line for mutant in sample([source], 100, "1")]
    assert sorted(lines) == [11, 14]


def test_a_mutant_runs_against_the_tests_that_execute_its_statement(source: Path) -> None:
    word = "tests/core/test_limit.py::test_word"
    costs = {"tests/core/test_a.py::test_a": 1.0, word: 9.0, "tests/core/test_b.py::test_b": 0.5}
    lines = {7: {""}, 11: {"tests/core/test_a.py::test_a", word}, 14: set[str]()}
    baseline = Baseline(costs, {str(source): lines})
    runs = {mutant.line: baseline.run_of(mutant) for mutant in sample([source], 100, "1")}
    assert runs[11].files == ["tests/core/test_limit.py", "tests/core/test_a.py"]
    assert runs[11].skipped == {"tests/core/test_b.py::test_b"}
    assert runs[11].seconds == 20 + 5 * 10
    assert runs[14].files == []


def test_a_mutant_of_a_class_body_runs_against_all_tests(tmp_path: Path) -> None:
    source = tmp_path / "limit.py"
    source.write_text("class Limit:\n    count: int = 3\n")
    [mutant] = sample([source], 1, "1")
    costs = {"tests/core/test_a.py::test_a": 1.0, "tests/core/test_b.py::test_b": 0.5}
    run = Baseline(costs, {str(source): {2: {""}}}).run_of(mutant)
    assert run.files == ["tests/core/test_b.py", "tests/core/test_a.py"]
    assert run.skipped == set()


def test_the_share_leaves_equivalent_mutants_out() -> None:
    mutant = Mutant(Path("tui/core/x.py"), 1, "- 1\n+ 2", "2")
    results = [Result(mutant, verdict) for verdict in ("killed", "mypy", "timeout", "survived", "equivalent")]
    assert table(results).splitlines()[1].split() == ["core", "1", "1", "1", "1", "1", "75%"]


def test_every_equivalent_mutant_is_still_one() -> None:
    for key, reason in equivalents().items():
        path, *diff = key.splitlines()
        code = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
        assert {line[2:] for line in diff if line.startswith("- ")} <= set(code), key
        assert reason
