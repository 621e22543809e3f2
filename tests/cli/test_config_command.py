"""`holdfast config`: the paths, each value with its source, and the errors of the settings file."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from platformdirs import user_state_path

from tui.cli.main import main
from tui.config.settings import settings_file
from tui.storage.chosen_theme import ChosenTheme

SECRET = "s3cret"


@pytest.fixture
def file(home: Path) -> Path:
    path = settings_file()
    assert path.is_relative_to(home)
    path.parent.mkdir(parents=True)
    return path


def config(*args: str, **environment: str) -> Result:
    result = CliRunner(env=environment).invoke(main, ["config", *args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def rows(result: Result) -> dict[str, str]:
    """By name: the rest of the line, its columns separated by one space."""
    lines = [line.split() for line in result.stdout.splitlines() if line]
    return {name: " ".join(rest) for name, *rest in lines}


def test_paths_are_printed_and_whether_they_exist(file: Path) -> None:
    state = user_state_path("holdfast")
    shown = rows(config())
    assert shown["settings"] == f"{file} (does not exist)"
    assert shown["state"] == f"{state} (does not exist)"
    assert shown["journal"] == f"{state / 'journal.sqlite'} (does not exist)"
    assert shown["log"] == "none; --log FILE writes one"
    assert not state.exists()
    file.touch()
    assert rows(config())["settings"] == str(file)


def test_each_value_is_printed_with_its_source(file: Path) -> None:
    file.write_text('url = "http://file.example"\nuser = "me"\nascii = true\n[keys]\ninbox = "f9"\n')
    shown = rows(config("--directory", "/srv", HOLDFAST_URL="https://environment.example", HOLDFAST_FAMILY="qwen"))
    assert shown["url"] == "https://environment.example HOLDFAST_URL"
    assert shown["user"] == "me settings.toml"
    assert shown["directory"] == "/srv --directory"
    assert shown["family"] == "qwen HOLDFAST_FAMILY"
    assert shown["ca_file"] == "- default"
    assert (shown["ascii"], shown["links"]) == ("true settings.toml", "true default")
    assert (shown["keys.inbox"], shown["keys.help"]) == ("f9 settings.toml", "f1 default")
    assert (shown["patience.still_after"], shown["notify.when"]) == ("300 default", "unfocused default")
    assert rows(config("https://there"))["url"] == "https://there URL"


def test_user_of_the_servers_own_variable_is_the_effective_one(file: Path) -> None:
    variables = {"OPENCODE_SERVER_USERNAME": "theirs"}
    assert rows(config(**variables))["user"] == "theirs OPENCODE_SERVER_USERNAME"
    assert rows(config(**variables, HOLDFAST_USER="ours"))["user"] == "ours HOLDFAST_USER"


def test_theme_that_was_chosen_on_the_screen_is_the_effective_one(file: Path) -> None:
    ChosenTheme(user_state_path("holdfast"), "holdfast").keep("nord")
    assert rows(config())["theme"] == "nord chosen in the app"
    file.write_text('theme = "gruvbox"')
    assert rows(config())["theme"] == "gruvbox settings.toml"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_password_is_shown_as_dots(file: Path, form: tuple[str, ...]) -> None:
    file.write_text(f'password = "{SECRET}"')
    file.chmod(0o644)
    from_file, from_variable = config(*form), config(*form, QWEN_SERVER_TOKEN=f"{SECRET}-of-another-length")
    assert all("••••••••" in one.stdout for one in (from_file, from_variable))
    assert SECRET not in from_file.output + from_variable.output
    assert "Others on this machine can read the password" in from_file.output
    assert from_file.exit_code == from_variable.exit_code == 0


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (f'pasword = "{SECRET}"\nnotify = 1', ["notify must be a table, not a number", "'pasword' is not a setting"]),
        ('url = "http://me:s3cret@there"', ["Leave user and password out of the address"]),
        ("x =", ["is not TOML"]),
        ('"\\u001b[2J\\n" = 1\n[keys]\n"\\u001b[2J" = "f9"', ["[keys] unknown action ''", "'' is not a setting"]),
    ],
)
def test_each_error_is_one_line_and_the_other_settings_are_printed(file: Path, text: str, errors: list[str]) -> None:
    file.write_text(f'theme = "nord"\n{text}\n')
    result = config()
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == len(errors)
    for line, error in zip(lines, errors, strict=True):
        assert line.startswith("Error: ")
        assert error in line
    assert SECRET not in result.output
    assert "\x1b" not in result.output
    assert rows(result)["url"] == "http://127.0.0.1:4096 default"
    assert rows(result)["theme"] == ("holdfast default" if text == "x =" else "nord settings.toml")


def test_control_characters_of_a_value_are_not_printed(file: Path) -> None:
    result = config("--directory", "/srv\x1b[2J\nurl")
    assert "\x1b" not in result.output
    assert rows(result)["directory"] == "/srv url --directory"


def test_json_names_paths_values_sources_and_errors(file: Path) -> None:
    file.write_text("links = 3\n[patience]\nstill_after = 9\n")
    result = config("--json", "--family", "mimo")
    assert (result.exit_code, result.stderr) == (2, "")
    found = json.loads(result.stdout)
    assert found["v"] == 1
    assert found["paths"][0] == {"name": "settings", "path": str(file), "exists": True}
    settings = {one["name"]: (one["value"], one["source"]) for one in found["settings"]}
    assert settings["family"] == ("mimo", "--family")
    assert settings["directory"] == (None, "default")
    assert settings["links"] == (True, "default")
    assert settings["patience.still_after"] == (9.0, "settings.toml")
    assert found["errors"] == [f"{file}: links must be true or false, not a number"]
    assert found["warnings"] == []


def test_state_folder_that_cannot_be_read_is_no_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", f"/{'x' * os.pathconf('/', 'PC_NAME_MAX')}x")
    result = config()
    assert result.exit_code == 0
    assert rows(result)["state"].endswith("(does not exist)")
