"""The command line: flags, refusals, and no secret in any output."""

import logging
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from tests.waiting import MAX_WAIT
from tui.backends.families import USERS
from tui.cli import main as command
from tui.client.client import Client
from tui.config.display import DEFAULT_LOOK, DEFAULT_NOTIFY
from tui.config.http_factory import credentials
from tui.config.settings import DEFAULT_URL, Settings, load_settings, settings_file
from tui.net.credentials import BasicAuth, BearerAuth, Credentials
from tui.storage.chosen_theme import ChosenTheme

SECRET = "s3cret-of-the-test"


def invoke(*args: str, typed: str = "") -> Result:
    """Run the command; all output is searched for the secret."""
    result = CliRunner().invoke(command.main, args, input=typed)
    assert SECRET not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "has_terminal", lambda: True)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of each run that would have started; each exits with 7."""
    runs: list[Settings] = []

    def run(settings: Settings, *, plain: bool) -> int:
        runs.append(settings)
        return 7

    monkeypatch.setattr(command, "run", run)
    return runs


@dataclass
class Screen:
    """Replaces the app, and exits with status 3."""

    client: Client
    options: dict[str, Any]
    return_code: int | None = 3
    ran: bool = False
    open_session: str | None = None
    boundary = SimpleNamespace(errors=["ValueError at message.py:1"])

    def run(self) -> None:
        self.ran = True


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> list[Screen]:
    """The apps that were started."""
    screens: list[Screen] = []

    def start(client: Client, **options: Any) -> Screen:
        screens.append(Screen(client, options))
        return screens[-1]

    monkeypatch.setattr("tui.ui.app.HoldfastApp", start)
    monkeypatch.setattr(command, "drop_library_variables", lambda environ: None)  # the snapshot plug-in needs its own
    return screens


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_flag_and_the_password_variable(flag: str) -> None:
    result = invoke(flag)
    assert result.exit_code == 0
    for word in ("--demo", "--session", "--continue", "--directory", "--log", "--ca-file", "HOLDFAST_PASSWORD"):
        assert word in result.output
    assert "--password" not in result.output


def test_the_version_is_that_of_the_package() -> None:
    assert metadata.version("holdfast-tui") in invoke("--version").output


def test_without_flags_the_default_server_is_used(runs: list[Settings]) -> None:
    assert invoke().exit_code == 7
    assert runs == [Settings(url=DEFAULT_URL)]


def test_flags_become_settings(runs: list[Settings], tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.touch()
    invoke("localhost:9", "--session", "ses_1", "--directory", "/srv", "--ca-file", str(ca_file))
    invoke("--continue")
    invoke("--demo")
    assert runs == [
        Settings(url="http://localhost:9", session="ses_1", directory="/srv", ca_file=ca_file),
        Settings(resume=True),
        Settings(demo=True),
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--demo", "http://there"], "omit the URL"),
        (["--demo", "--continue"], "--demo starts its own server: omit --continue"),
        (["--demo", "--session", "ses_1"], "--demo starts its own server: omit --session"),
        (["--demo", "--directory", "/srv"], "--demo starts its own server: omit --directory"),
        (["--demo", "--family", "qwen"], "--demo starts its own server: omit --family"),
        (["--demo", "--ca-file", __file__], "--demo starts its own server: omit --ca-file"),
        (["--session", "ses_1", "--continue"], "use only one"),
        (["--password", SECRET], "No such option"),
        (["--ca-file", "nowhere.pem"], "does not exist"),
        (["--log", "."], "directory"),
        (["stauts"], "no command 'stauts' (commands: run,"),
        (["--session", "x/y"], "not a session id"),
        (["--session", ""], "not a session id"),
        (["--session", "ses_1?"], "not a session id"),
        (["one", "two"], "unexpected"),
    ],
)
def test_conflicting_flags_are_refused(args: list[str], message: str, runs: list[Settings]) -> None:
    result = invoke(*args)
    assert result.exit_code == 2
    assert message in result.output
    assert runs == []


def test_an_address_with_a_password_is_refused_without_printing_it(runs: list[Settings]) -> None:
    result = invoke(f"http://me:{SECRET}@there")
    assert result.exit_code == 1
    assert "HOLDFAST_PASSWORD" in result.output
    assert runs == []


def test_an_invalid_settings_file_is_reported(home: Path, runs: list[Settings]) -> None:
    file = settings_file()
    assert file.is_relative_to(home)
    file.parent.mkdir(parents=True)
    file.write_text(f'pasword = "{SECRET}"\n')
    result = invoke()
    assert result.exit_code == 1
    assert "'pasword' is not a setting" in result.output
    assert runs == []


def test_a_password_in_plain_text_needs_confirmation(monkeypatch: pytest.MonkeyPatch, screens: list[Screen]) -> None:
    monkeypatch.setenv("HOLDFAST_PASSWORD", SECRET)
    refused = invoke("http://there.example", typed="n\n")
    assert refused.exit_code == 1
    assert "read the password" in refused.output
    assert screens == []
    assert invoke("http://there.example", typed="\n").exit_code == 1  # the safe answer is the default
    assert screens == []
    assert invoke("http://there.example", typed="y\n").exit_code == 3
    assert [screen.ran for screen in screens] == [True]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://there.example"])
def test_a_password_on_a_safe_connection_needs_no_confirmation(
    url: str, monkeypatch: pytest.MonkeyPatch, screens: list[Screen]
) -> None:
    monkeypatch.setenv("OPENCODE_SERVER_PASSWORD", SECRET)
    assert "password" not in invoke(url).output
    assert [screen.ran for screen in screens] == [True]


@pytest.mark.parametrize(
    ("environment", "users"),
    [
        ({}, USERS[:1]),
        ({"HOLDFAST_PASSWORD": SECRET}, USERS),
        ({"HOLDFAST_PASSWORD": SECRET, "HOLDFAST_USER": "me"}, ("me",)),
        ({"HOLDFAST_PASSWORD": SECRET, "OPENCODE_SERVER_USERNAME": "them"}, ("them", *USERS)),
    ],
)
def test_credentials_are_built_from_the_settings(
    environment: dict[str, str],
    users: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    screens: list[Screen],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    invoke("--session", "ses_1", "--directory", "/srv")
    (screen,) = screens
    client = screen.client
    assert client.address == DEFAULT_URL
    assert tuple(client._users) == users
    assert client._directory == "/srv"
    options = {name: value for name, value in screen.options.items() if name != "keep_theme"}
    assert options.pop("warnings") == ()
    assert options == {
        "session": "ses_1", "resume": False, "demo": False, "look": DEFAULT_LOOK, "notify": DEFAULT_NOTIFY
    }  # fmt: skip
    headers = client._open_http(users[-1])._headers
    expected = who(users[-1]).header() if environment else None
    assert headers.get("authorization") == expected


def who(user: str) -> Credentials:
    return BasicAuth(user, SECRET) if user else BearerAuth(SECRET)


@pytest.mark.parametrize("password", ["two words", "pässword"])
def test_a_password_that_is_no_valid_token_is_not_sent_as_one(password: str) -> None:
    assert credentials("", password) == BasicAuth("", password)


@pytest.mark.parametrize("flag", ["--demo", "http://127.0.0.1:9"])
def test_without_a_terminal_it_exits_with_a_message(flag: str, home: Path) -> None:
    """Textual would read the end of such an input forever, using a whole CPU core."""
    started = subprocess.run(
        [sys.executable, "-m", "tui", flag], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100
    )
    assert started.returncode == 1
    assert started.stdout == ""
    assert "needs a terminal" in started.stderr
    assert "holdfast status" in started.stderr


def test_an_app_without_a_return_code_succeeded(monkeypatch: pytest.MonkeyPatch, screens: list[Screen]) -> None:
    monkeypatch.setattr(Screen, "return_code", None)
    monkeypatch.setattr("tui.ui.app.HoldfastApp", lambda client, **options: Screen(client, options, return_code=None))
    assert invoke().exit_code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "To resume: holdfast --session ses_1\n"),
        ((DEFAULT_URL,), "To resume: holdfast --session ses_1\n"),
        (
            ("https://there.example:1", "--directory", "/a b", "--family", "qwen"),
            "To resume: holdfast --session ses_1 --directory '/a b' --family qwen https://there.example:1\n",
        ),
        (("--demo",), ""),
    ],
)
def test_quitting_prints_the_command_to_resume(
    args: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, screens: list[Screen]
) -> None:
    monkeypatch.setattr(
        "tui.ui.app.HoldfastApp", lambda client, **options: Screen(client, options, open_session="ses_1")
    )
    assert invoke(*args).stdout == message


def test_quitting_without_a_session_prints_nothing(screens: list[Screen]) -> None:
    assert "To resume" not in invoke().output


def test_screen_errors_are_printed_at_exit(screens: list[Screen]) -> None:
    assert "A part of the screen failed: ValueError at message.py:1. --log FILE records the details." in invoke().output


def test_a_chosen_theme_is_used_until_another_is_configured(screens: list[Screen], home: Path) -> None:
    def theme_of_next_run() -> str:
        invoke()
        return str(screens[-1].options["look"].theme)

    assert theme_of_next_run() == "holdfast"
    screens[-1].options["keep_theme"]("nord")
    assert theme_of_next_run() == "nord"
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('theme = "gruvbox"')
    assert theme_of_next_run() == "gruvbox"
    screens[-1].options["keep_theme"]("dracula")
    assert theme_of_next_run() == "dracula"


@pytest.mark.parametrize("kept", ["", "[]", "{}", '{"chosen": 1, "set": "holdfast"}', "\xff"])
def test_an_unreadable_stored_theme_falls_back_to_the_configured_one(kept: str, tmp_path: Path) -> None:
    (tmp_path / "theme.json").write_text(kept)
    assert ChosenTheme(tmp_path, "holdfast").name == "holdfast"


def test_a_password_in_a_file_readable_by_others_causes_a_warning(screens: list[Screen], home: Path) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(f'password = "{SECRET}"')
    warning = f"Others on this machine can read the password in {settings_file()}.\nchmod 600 {settings_file()}"
    for mode, warned in ((0o644, (warning,)), (0o640, (warning,)), (0o600, ())):
        settings_file().chmod(mode)
        invoke()
        assert screens[-1].options["warnings"] == warned
    settings_file().chmod(0o644)
    assert warning in invoke("status", "http://127.0.0.1:1").output
    settings_file().write_text('theme = "nord"')
    invoke()
    assert screens[-1].options["warnings"] == ()


def test_the_demo_starts_its_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('directory = "/srv"')
    monkeypatch.setenv("HOLDFAST_PASSWORD", SECRET)
    monkeypatch.setenv("HOLDFAST_URL", "http://there.example")
    seen: list[Settings] = []

    def run_app(settings: Settings) -> int:
        seen.append(settings)
        assert httpx.get(f"{settings.url}/global/health", trust_env=False, timeout=MAX_WAIT).is_success
        return 0

    monkeypatch.setattr(command, "run_screen", run_app)
    assert load_settings({}).directory == "/srv"
    assert invoke("--demo").exit_code == 0
    (settings,) = seen
    assert settings.url.startswith("http://127.0.0.1:")
    assert (settings.password, settings.directory, settings.demo) == (None, None, True)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{settings.url}/global/health", trust_env=False, timeout=MAX_WAIT)


def test_the_demo_writes_nothing_to_the_journal(screens: list[Screen], home: Path) -> None:
    invoke("--demo")
    assert screens[0].client.journal._file._folder is None
    invoke()
    assert screens[1].client.journal._file._folder is not None


def test_an_invalid_ca_file_is_reported_before_the_screen_starts(screens: list[Screen], tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("no certificate")
    for command_name in ([], ["status"], ["doctor"]):
        result = invoke(*command_name, "https://there.example", "--ca-file", str(ca_file))
        assert result.exit_code == 1
        assert "holds no certificate" in result.output
    assert screens == []


def test_an_invalid_proxy_is_reported_before_the_screen_starts(
    screens: list[Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy, message in ((f"quantum://me:{SECRET}@proxy", "quantum://proxy"), ("socks5://proxy:1", "socksio")):
        monkeypatch.setenv("https_proxy", proxy)
        for command_name in ([], ["status"], ["doctor"]):
            result = invoke(*command_name, "https://there.example")
            assert result.exit_code == 1
            assert result.output.startswith("Error: The proxy ")
            assert message in result.output
            assert result.output.count("\n") == 1
    assert screens == []


@contextmanager
def fresh_logging() -> Iterator[None]:
    """Logging as in a new process; pytest adds its own handlers at the start of each test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], root.level = handlers, level


def test_a_log_file_is_private_and_appended_to(runs: list[Settings], tmp_path: Path) -> None:
    log = tmp_path / "holdfast.log"
    for words in ("a turn began", "a turn ended"):
        with fresh_logging():
            invoke("--log", str(log))
            logging.getLogger("tui.client.turns").info(words)
            logging.getLogger("tui.client.turns").debug("a detail")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    written = log.read_text()
    assert "INFO tui.client.turns: a turn began" in written
    assert "INFO tui.client.turns: a turn ended" in written
    assert "a detail" not in written
    assert [settings.log for settings in runs] == [log, log]


def test_without_a_log_file_nothing_is_printed(runs: list[Settings], capfd: pytest.CaptureFixture[str]) -> None:
    with fresh_logging():
        invoke()
        logging.getLogger("tui.client.turns").warning("a line that would tear the screen")
    assert capfd.readouterr() == ("", "")


def test_an_unwritable_log_file_is_reported(runs: list[Settings], tmp_path: Path) -> None:
    result = invoke("--log", str(tmp_path / "nowhere" / "holdfast.log"))
    assert result.exit_code == 1
    assert "No such file or directory" in result.output
    assert runs == []


def test_debug_variables_of_textual_are_removed() -> None:
    kept = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_COLOR_SYSTEM": "256", "TERM": "xterm"}
    environ = {**kept, "TEXTUAL_LOG": "/nonexistent/x", "TEXTUAL_PRESS": "q", "TEXTUAL_FILTERS": "foo"}
    command.drop_library_variables(environ)
    assert environ == kept
    environ = {"TEXTUAL_COLOR_SYSTEM": "foo"}
    command.drop_library_variables(environ)
    assert environ == {}
