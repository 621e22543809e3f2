"""Names in README and docs are looked up where they are defined."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

import server_stub.__main__
import tui.cli.main
from server_stub.faults.kinds import KINDS, fault, parse
from server_stub.scenarios.catalog import SCENARIOS
from tests.documented_json import CODES, exit_codes, schema_text
from tests.documented_keys import FIVE_KEYS, five_keys, keys_page
from tui.cli.answer_rules import read_rules
from tui.config.key_lookup import KEYS
from tui.config.settings import FILE_KEYS, read_file

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
ALL = "\n".join(PAGES.values())


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


def test_the_readme_has_at_most_150_lines() -> None:
    assert README.count("\n") <= 150


@pytest.mark.parametrize("page", PAGES)
def test_each_link_target_exists(page: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", PAGES[page]) if "://" not in link]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_each_path_in_the_contributor_docs_exists() -> None:
    named = re.findall(
        r"`((?:tui|server_stub|tests|docs)/[\w/.-]+)`", PAGES["CONTRIBUTING.md"] + PAGES["docs/architecture.md"]
    )
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", ALL, re.MULTILINE))
    assert named >= {"run", "test", "check", "real", "bench"}
    assert named - targets == set()


def test_each_flag_exists() -> None:
    others = [import_module(module).command for module, _ in tui.cli.main.SubcommandGroup.others.values()]
    commands = (tui.cli.main.main, server_stub.__main__.main, *others)
    flags = {flag for command in commands for option in command.params for flag in option.opts}
    of_pytest = {"--snapshot-update", "--attack", "--attack-seed"}
    of_recipes = {"--data-raw", "--data-urlencode", "--user", "--now"}
    assert set(re.findall(r"(?<![-\w])--[a-z]+(?:-[a-z]+)*", ALL)) - flags == {"--help", *of_pytest, *of_recipes}


def test_json_schema_and_exit_codes_are_those_of_the_code() -> None:
    assert (ROOT / "docs/json.schema.json").read_text() == schema_text(), "make docs writes it"
    [table] = CODES.findall(PAGES["docs/commands.md"])
    assert table == exit_codes(), "make docs writes it"


def test_example_of_the_library_runs() -> None:
    [example] = blocks("docs/library.md", "python")
    defined: dict[str, object] = {}
    exec(compile(example, "docs/library.md", "exec"), defined)
    assert {"decide", "fix_the_tests"} <= set(defined)


def test_rules_of_the_example_are_valid(tmp_path: Path) -> None:
    [example] = blocks("docs/commands.md", "toml")
    path = tmp_path / "rules.toml"
    path.write_text(example)
    read_rules(path)


SOURCES_OF_VARIABLES = ("config/settings.py", "backends/families.py", "api/hook_runner.py")


def test_each_variable_is_read_or_set() -> None:
    source = "".join((ROOT / "tui" / name).read_text() for name in SOURCES_OF_VARIABLES)
    variables = set(re.findall(r"\b(?:HOLDFAST|OPENCODE)_[A-Z_]+", ALL))
    assert variables
    assert [variable for variable in variables if f'"{variable}"' not in source] == []


def test_the_example_settings_file_is_valid(tmp_path: Path) -> None:
    [example] = blocks("docs/settings.md", "toml")
    path = tmp_path / "settings.toml"
    path.write_text(example)
    assert read_file(path).errors == []
    assert set(read_file(path).values) == {*FILE_KEYS, "look", "notify", "patience"}


def test_each_package_of_the_architecture_exists() -> None:
    packages = re.findall(r"^(\S+/) ", blocks("docs/architecture.md", "text")[0], re.MULTILINE)
    assert {"tui/core/", "server_stub/", "tests/"} <= set(packages)
    assert [name for name in packages if not (ROOT / name).is_dir()] == []


def test_the_documented_keys_match_the_table() -> None:
    assert PAGES["docs/keys.md"] == keys_page(), "make docs writes it"
    [five] = FIVE_KEYS.findall(README)
    assert five == five_keys(), "make docs writes it"


def test_each_configurable_action_is_documented() -> None:
    named = re.search(r"an action and its key: (.+?),\ninbox = .+?# (.+?)\n", PAGES["docs/settings.md"])
    assert named is not None
    assert set(f"{named[1]}, {named[2]}".split(", ")) == set(KEYS)


@pytest.mark.parametrize("word", ["ASK", "SHELL name", "TOOLS", "FAIL 429"])
def test_each_documented_keyword_has_a_scenario(word: str) -> None:
    assert f"`{word}`" in PAGES["docs/stub.md"].replace("\n", " ")
    assert any(re.fullmatch(scenario.words, word) for scenario in SCENARIOS.values())


def test_each_named_test_exists() -> None:
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", ALL)
    assert named
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file} has no {test}"


def test_all_stub_faults_are_documented_with_valid_examples() -> None:
    rows = re.findall(r"^\| ((?:`[a-z0-9-]+` ?)+) \|", PAGES["docs/stub.md"].split("| `name` |")[1], re.MULTILINE)
    assert re.findall(r"`([a-z0-9-]+)`", " ".join(rows)) == list(KINDS)
    [body] = re.findall(r"_stub/faults .* -d '(.+)'", PAGES["docs/stub.md"])
    options = json.loads(body)
    assert fault(options.pop("name"), options) == parse("cut=prompt,at=json")
    assert "`--fault cut=prompt,at=json`" in PAGES["docs/stub.md"]
