"""Rules of the repository: dependencies, forbidden content, and the places of tests."""

import ast
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("tui", "server_stub")
LONGEST = 400
"""Maximum lines of a module: a longer one holds two concerns."""
OF_THE_WHOLE = (
    "tests/backends/test_any_json.py",
    "tests/cli/test_imports.py",
    "tests/ui/test_hostile_text.py",
    "tests/ui/test_long_texts.py",
    "tests/ui/test_mouse.py",
    "tests/test_evidence.py",
    "tests/test_families.py",
    "tests/test_mutants.py",
    "tests/test_project.py",
    "tests/test_docs.py",
    "tests/ui/test_screens.py",
)
"""Test files that belong to no single module."""

TRACKED = [
    ROOT / name
    # the checkout may belong to another user than the one who runs the test
    for name in subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    if name and (ROOT / name).is_file()
]
"""All files of the repository, including those not yet added."""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> list[tuple[str, str]]:
    return [(named(path), path.read_text()) for path in TRACKED if path.suffix not in {".png", ".raw"}]


def pins() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_constraints_are_exact_and_name_no_source() -> None:
    assert [pin for pin in pins() if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", pin)] == []


def test_constraints_cover_all_declared_dependencies() -> None:
    pinned = {re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pins()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.split(r"[<>=]", requirement)[0] for requirement in declared} - pinned == set()


def test_the_environment_matches_the_constraints() -> None:
    wrong = {}
    for pin in pins():
        name, _, version = pin.partition("==")
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # needed on another platform or Python only
        if installed != version:
            wrong[name] = installed
    assert wrong == {}


def test_no_npm_lock_file_is_committed() -> None:
    assert [named(path) for path in TRACKED if path.name in {"package-lock.json", "yarn.lock", "pnpm-lock.yaml"}] == []


NEVER = re.compile(
    r"(?<![\w.])/(?:root|work)/"  # paths of one machine
    r"|/tmp/\w+[.-]\w{6,}"
    r"|index-url|/simple/|\"resolved\":|https?://\S+\.(?:whl|tgz|deb)\b"  # where packages came from
)


def test_no_machine_specific_path_is_committed() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        if name != "tests/test_project.py"
        for number, line in enumerate(text.splitlines(), 1)
        if NEVER.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_a_docstring(package: str) -> None:
    silent = [
        named(path)
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py" and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


def test_no_module_is_longer_than_400_lines() -> None:
    lines = {
        named(path): path.read_text().count("\n")
        for path in TRACKED
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES
    }
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_mirror_the_package(package: str) -> None:
    """tests/core/test_turn.py tests tui/core/turn.py, and so does test_turn_whole.py beside it."""
    tests = ROOT / "tests" if package == "tui" else ROOT / "tests" / package
    strays = []
    for room in (ROOT / package, *(path for path in (ROOT / package).rglob("*") if path.is_dir())):
        modules = "|".join(re.escape(path.stem.strip("_")) for path in room.glob("*.py"))
        strays += [
            named(test)
            for test in (tests / room.relative_to(ROOT / package)).glob("test_*.py")
            if not re.fullmatch(rf"test_({modules})(_.*)?", test.stem) and named(test) not in OF_THE_WHOLE
        ]
    assert strays == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in TRACKED if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")}
    assert [named(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_no_test_is_skipped() -> None:
    """A test that cannot run here fails with a reason; tests that need npm have their own target."""
    skips = re.compile(r"pytest\.(?:skip|xfail|importorskip)\(|mark\.(?:skip|xfail)")
    found = [
        name
        for name, text in texts()
        if name.startswith("tests/") and name != "tests/test_project.py" and skips.search(text)
    ]
    assert found == []


def test_pictures_have_no_external_references() -> None:
    pictures = [path for path in TRACKED if path.suffix == ".svg" and path.is_relative_to(ROOT / "screenshots")]
    assert pictures
    outside = re.compile(r"url\((?!#)|<image|href=|@import|@font-face")
    assert [named(path) for path in pictures if outside.search(path.read_text())] == []


def test_make_lists_all_its_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    listed = set(re.findall(r"echo 'make ([\w-]+) ", makefile))
    assert listed == set(phony[1].split()) - {"help"}


FAMILY = re.compile(r"opencode|mimo|qwen", re.IGNORECASE)


def spoken(tree: ast.Module) -> list[tuple[int, str]]:
    """All names and texts in the code, without comments and docstrings."""
    reported = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in reported:
                found.append((node.lineno, text))
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text) | ast.keyword(arg=str(text)):
                found.append((node.lineno, text))
            case ast.FunctionDef(name=text) | ast.AsyncFunctionDef(name=text) | ast.ClassDef(name=text):
                found.append((node.lineno, text))
            case ast.alias(name=text):
                found.append((0, text))
            case ast.ImportFrom(module=str(text)):
                found.append((node.lineno, text))
    return found


def test_only_the_backends_name_families() -> None:
    """Differences between families are traits; the rest of the client must not test which family it is."""
    modules = [path for path in (ROOT / "tui").rglob("*.py") if "backends" not in path.parts]
    found = [
        f"{named(path)}:{line}: {text}"
        for path in modules
        for line, text in spoken(ast.parse(path.read_text()))
        if FAMILY.search(text)
    ]
    assert found == []


def test_only_common_backend_modules_are_imported() -> None:
    common = {f"tui.backends.{name}" for name in ("base", "decoding", "detect", "families", "paging")}
    found = [
        f"{named(path)}: {text}"
        for path in (ROOT / "tui").rglob("*.py")
        if "backends" not in path.parts
        for _, text in spoken(ast.parse(path.read_text()))
        if text.startswith("tui.backends") and text not in common
    ]
    assert found == []


STUBS_OWN = {"profiles.py", "qwen", "opencode"}
"""Where the stub may name a family: profiles, protocols, and the packages of the families."""


def test_only_profiles_and_routes_of_the_stub_name_families() -> None:
    """Differences between families are in profiles; state, agents and faults are the same for all."""
    stub = ROOT / "server_stub"
    found = [
        f"{named(path)}:{line}: {text}"
        for path in stub.rglob("*.py")
        if STUBS_OWN.isdisjoint(path.relative_to(stub).parts)
        for line, text in spoken(ast.parse(path.read_text()))
        if FAMILY.search(text)
    ]
    assert found == []


def test_the_contract_names_no_family() -> None:
    """The contract is the same for all families: differences are taken from traits, as in the client."""
    found = [
        f"{name}:{line}: {text}"
        for name in ("tests/contract.py", "tests/contract_harness.py")
        for line, text in spoken(ast.parse((ROOT / name).read_text()))
        if FAMILY.search(text)
    ]
    assert found == []


STYLE = re.compile(r"(on )?\$[a-z]|#[0-9a-f]{6}|(bold|dim|italic|reverse|strike|underline)( |\Z)|(red|green|blue)\Z")
STYLES = {"tui/widgets/base/static_text.py", "tui/ui/theme.py"}


def test_the_styles_of_texts_are_named_in_one_place() -> None:
    """Stylesheets have the theme's variables; every other style is a constant of `static_text`."""
    found = []
    for path in (*(ROOT / "tui/widgets").rglob("*.py"), *(ROOT / "tui/ui").rglob("*.py")):
        if named(path) in STYLES:
            continue
        tree = ast.parse(path.read_text())
        sheets = {
            id(node)
            for assigned in ast.walk(tree)
            if isinstance(assigned, ast.AnnAssign) and ast.unparse(assigned.target) == "DEFAULT_CSS"
            for node in ast.walk(assigned)
        }
        found += [
            f"{named(path)}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in sheets
            if STYLE.match(node.value)
        ]
    assert found == []
