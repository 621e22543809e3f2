"""Settings from file, environment and flags: precedence, and refusals."""

import re
from pathlib import Path

import pytest

from tui.config.display import DisplaySettings, NotifySettings
from tui.config.settings import (
    DEFAULT_URL,
    FileSettings,
    Settings,
    SettingsError,
    load_settings,
    read_file,
    resolve_settings,
    settings_file,
)
from tui.core.diagnosis import StallTimeouts


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_the_default_is_the_default_server(file: Path) -> None:
    assert load_settings({}, environment={}, path=file) == Settings(url=DEFAULT_URL)


def test_the_file_can_set_all_its_settings(file: Path) -> None:
    file.write_text(
        'url = "https://there:1/"\nuser = "me"\npassword = "s3cret"\ndirectory = "/srv"\nca_file = "/etc/ca.pem"\n'
    )
    file.chmod(0o600)
    assert load_settings({}, environment={}, path=file) == Settings(
        url="https://there:1", user="me", password="s3cret", directory="/srv", ca_file=Path("/etc/ca.pem")
    )


def test_the_environment_overrides_the_file_and_flags_override_both(file: Path) -> None:
    file.write_text('url = "http://file.example"\nuser = "file"\npassword = "file"\ndirectory = "/file"\n')
    environment = {
        "HOLDFAST_URL": "http://environment.example",
        "HOLDFAST_USER": "environment",
        "HOLDFAST_PASSWORD": "environment",
    }
    settings = load_settings({}, environment=environment, path=file)
    assert (settings.url, settings.user, settings.password) == (
        "http://environment.example",
        "environment",
        "environment",
    )
    flags = {"url": "http://flag.example", "directory": "/flag", "session": "ses_1", "demo": None, "resume": None}
    settings = load_settings(flags, environment=environment, path=file)
    assert (settings.url, settings.directory, settings.session) == ("http://flag.example", "/flag", "ses_1")
    assert (settings.demo, settings.resume) == (False, False)


@pytest.mark.parametrize(
    ("environment", "password"),
    [
        ({"OPENCODE_SERVER_PASSWORD": "theirs"}, "theirs"),
        ({"MIMOCODE_SERVER_PASSWORD": "theirs"}, "theirs"),
        ({"OPENCODE_SERVER_PASSWORD": "theirs", "HOLDFAST_PASSWORD": "ours"}, "ours"),
        ({"OPENCODE_SERVER_PASSWORD": "theirs", "HOLDFAST_PASSWORD": ""}, "theirs"),
        ({"HOLDFAST_PASSWORD": ""}, None),
    ],
)
def test_password_variables_and_their_precedence(environment: dict[str, str], password: str | None, file: Path) -> None:
    assert load_settings({}, environment=environment, path=file).password == password


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("HOLDFAST_URL", "127.0.0.1:9")
    assert load_settings({}, path=file).url == "http://127.0.0.1:9"


def test_repr_and_str_do_not_contain_the_password(file: Path) -> None:
    settings = load_settings({}, environment={"HOLDFAST_PASSWORD": "s3cret"}, path=file)
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings)


def test_a_tilde_is_expanded_to_the_home_directory(file: Path, home: Path) -> None:
    file.write_text('ca_file = "~nobody\\u0000x"\n')
    with pytest.raises(SettingsError, match="control characters"):
        load_settings({}, environment={}, path=file)
    file.write_text('ca_file = "~/ca.pem"\n')
    assert load_settings({}, environment={}, path=file).ca_file == home / "ca.pem"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('password = "s3cret', "not TOML"),
        (
            'pasword = "s3cret"',
            "'pasword' is not a setting; known: url, user, password, directory, family, ca_file, "
            "theme, ascii, links, [keys], [patience], [notify]",
        ),
        ("password = 12345", "password must be text in quotes, not a number"),
        ('url = ["s3cret"]', "url must be text in quotes, not a list"),
    ],
)
def test_an_invalid_file_is_reported_with_a_reason_and_without_secrets(text: str, named: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as bad:
        load_settings({}, environment={}, path=file)
    assert str(file) in str(bad.value)
    assert named in str(bad.value)
    assert "s3cret" not in str(bad.value)
    assert "12345" not in str(bad.value)


def test_control_characters_of_a_key_are_not_printed(file: Path) -> None:
    file.write_text('"\\u001b[2Jkey" = "x"\n')
    [error] = read_file(file).errors
    assert "\x1b" not in error


def test_a_file_that_is_not_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({}, environment={}, path=file)


DEEP = ".a" * 5_000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"\na{DEEP} = 1", "line 2 has more than 32 dots"),
        (f"[a{DEEP}]", "line 1 has more than 32 dots"),
        ("#\n" * 40_000, "larger than 64 KiB"),
    ],
    ids=["deep key", "deep table", "large file"],
)
def test_a_file_that_is_expensive_to_parse_is_refused(text: str, named: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_settings({}, environment={}, path=file)


def test_dots_in_a_comment_do_not_count(file: Path) -> None:
    file.write_text(f'  # {"." * 70}\nuser = "me"')
    assert read_file(file).values == {"user": "me"}


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({}, environment={}, path=tmp_path)


def test_a_missing_file_is_not_an_error(file: Path) -> None:
    assert read_file(file) == FileSettings(file)


@pytest.mark.parametrize("url", ["http://me:s3cret@there", "ftp://there", "there:4096", ""])
def test_an_invalid_address_is_refused_without_printing_its_secret(url: str, file: Path) -> None:
    with pytest.raises(SettingsError) as bad:
        load_settings({"url": url}, environment={}, path=file)
    assert "s3cret" not in str(bad.value)


def test_the_file_is_in_the_platforms_config_folder(home: Path) -> None:
    path = settings_file()
    assert path.name == "settings.toml"
    assert path.parent.name == "holdfast"
    assert path.is_relative_to(home)
    path.parent.mkdir(parents=True)
    path.write_text('url = "http://from.the.file"\n')
    assert load_settings({}, environment={}).url == "http://from.the.file"


def test_an_unknown_family_is_refused(file: Path) -> None:
    assert load_settings({}, environment={"HOLDFAST_FAMILY": "qwen"}, path=file).family == "qwen"
    file.write_text('family = "mimo"')
    assert load_settings({}, environment={}, path=file).family == "mimo"
    with pytest.raises(SettingsError, match="'clippy' is not a server family; known: opencode, mimo, qwen"):
        load_settings({"family": "clippy"}, environment={}, path=file)
    file.write_text('family = "clippy"')
    with pytest.raises(SettingsError, match=f"^{re.escape(str(file))}: 'clippy' is not a server family"):
        load_settings({}, environment={}, path=file)
    with pytest.raises(SettingsError, match=r"^'clip' is not a server family"):
        load_settings({"family": "clip"}, environment={}, path=file)


def test_display_and_notification_settings_are_read(file: Path) -> None:
    file.write_text(
        'theme = "nord"\nascii = true\n[keys]\ninbox = "f9"\n[notify]\nwhen = "always"\nbell = false\nosc777 = true\n'
        'exec = ["a", "b"]\n'
    )
    settings = load_settings({}, environment={}, path=file)
    assert settings.look == DisplaySettings(theme="nord", ascii=True, keys={"inbox": "f9"})
    assert settings.notify == NotifySettings(when="always", bell=False, osc777=True, exec=("a", "b"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ascii = 3", "ascii must be true or false, not a number$"),
        ('[keys]\nfly = "f9"', "unknown action 'fly'; known actions: help, sessions, inbox"),
        (
            '[keys]\ninbox = "f2"',
            r"\[keys\] 'f2' is the key of both inbox and sessions; choose another for inbox$",
        ),
        ('[keys]\ninbox = "f9"\nhelp = "f9"', "'f9' is the key of both inbox and help"),
        ('[keys]\ninbox = "f9, f6"', "'f6' is the key of both inbox and plan"),
        ('[keys]\ninbox = "ctrl+s"', r"'ctrl\+s' is the key of both inbox and send now"),
        ('[keys]\ninbox = ""', "'' cannot be the key of inbox; valid: f1 to f24"),
        ('[keys]\ninbox = "a"', "'a' cannot be the key of inbox"),
        ('[keys]\ninbox = "F9"', "'F9' cannot be the key of inbox"),
        ('[keys]\ninbox = "f9,home"', "'home' cannot be the key of inbox"),
        ('[keys]\ninbox = "shift+a"', r"'shift\+a' cannot be the key of inbox"),
        ('[keys]\ninbox = "f25"', "'f25' cannot be the key of inbox"),
        ('[keys]\ninbox = "ctrl+"', r"'ctrl\+' cannot be the key of inbox"),
        ('[keys]\ninbox = "ctrl+i"', r"'ctrl\+i' is the key of both inbox and next part"),
        ('[keys]\ninbox = "ctrl+m"', r"'ctrl\+m' is the key of both inbox and send"),
        ('[keys]\ninbox = "ctrl+h"', r"'ctrl\+h' is the key of both inbox and delete left"),
        ('[keys]\ninbox = "alt+enter"', r"'alt\+enter' is the key of both inbox and newline"),
        ('[keys]\ninbox = "ctrl+c"', r"'ctrl\+c' is the key of both inbox and copy or leave"),
        ('[keys]\ninbox = "f9, ctrl+z"', r"'ctrl\+z' is the key of both inbox and suspend process"),
        ("[keys]\ninbox = 3", "keys must be text in quotes, not a number$"),
        ('[notify]\nwhen = "later"', "notify.when must be one of 'unfocused', 'always', 'never', not 'later'$"),
        ('[notify]\nosc9 = "yes"', "notify.osc9 must be true or false, not text$"),
        ("[notify]\nhorn = true", "notify.horn is not a setting; known: when, bell"),
        ('[notify]\nexec = "sh"', "notify.exec must be a list, not text$"),
        ("[notify]\nexec = [1]", r"notify.exec\[0\] must be text in quotes, not a number$"),
        ('[notify]\nexec = [""]', "notify.exec must begin with a program$"),
        ("notify = 1", "notify must be a table, not a number$"),
    ],
)
def test_invalid_display_settings_are_refused(text: str, named: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_settings({}, environment={}, path=file)


@pytest.mark.parametrize("name", ["f24", "shift+f1", "ctrl+o", "alt+x", "ctrl+shift+left", "ctrl+backslash", "f9, f10"])
def test_a_key_that_types_no_character_is_allowed(file: Path, name: str) -> None:
    file.write_text(f'[keys]\ninbox = "{name}"\n')
    assert load_settings({}, environment={}, path=file).look.keys == {"inbox": name}


def test_two_actions_may_swap_their_keys(file: Path) -> None:
    file.write_text('[keys]\ninbox = "f2"\nsessions = "f3"\n')
    assert load_settings({}, environment={}, path=file).look.keys == {"inbox": "f2", "sessions": "f3"}


def test_stall_timeouts_are_read(file: Path) -> None:
    assert load_settings({}, environment={}, path=file).patience == StallTimeouts(60.0, 300.0)
    file.write_text("[patience]\nstill_after = 900\n")
    assert load_settings({}, environment={}, path=file).patience == StallTimeouts(60.0, 900.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[patience]\nstill_after = "long"', "patience.still_after must be a number, not text$"),
        ("[patience]\nstill_after = true", "patience.still_after must be a number, not true or false$"),
        ("[patience]\nstill_after = nan", "patience.still_after must be greater than 0"),
        ("[patience]\nstill_after = 0", "patience.still_after must be greater than 0"),
        (
            "[patience]\nangry_after = 1",
            "patience.angry_after is not a setting; known: not_begun_after, still_after$",
        ),
    ],
)
def test_invalid_stall_timeouts_are_refused(text: str, named: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_settings({}, environment={}, path=file)


def test_each_value_has_its_source_and_a_default_has_none(file: Path) -> None:
    file.write_text(
        'url = "http://file.example"\npassword = "s3cret"\ntheme = "nord"\n'
        '[keys]\ninbox = "f9"\n[patience]\nstill_after = 9\n'
    )
    file.chmod(0o600)
    environment = {"HOLDFAST_URL": "http://environment.example", "MIMOCODE_SERVER_PASSWORD": "theirs"}
    found = resolve_settings({"family": "qwen", "directory": None}, environment=environment, path=file)
    assert found.errors == ()
    assert found.settings == load_settings({"family": "qwen"}, environment=environment, path=file)
    assert found.sources == {
        "url": "HOLDFAST_URL",
        "password": "MIMOCODE_SERVER_PASSWORD",
        "family": "--family",
        "theme": "settings.toml",
        "keys.inbox": "settings.toml",
        "patience.still_after": "settings.toml",
    }


def test_each_error_is_reported_and_the_valid_settings_are_kept(file: Path) -> None:
    file.write_text(
        'url = "ftp://there"\nuser = "me"\nfamily = "clippy"\npasword = "s3cret"\n'
        'directory = 3\nascii = 3\ntheme = "nord"\n'
        '[keys]\nfly = "f9"\ninbox = "a"\nhelp = "f9"\n[patience]\nstill_after = 0\nnot_begun_after = 9\n'
        '[notify]\nhorn = true\nwhen = "later"\nbell = false\n'
    )
    found = resolve_settings({}, environment={}, path=file)
    settings = found.settings
    assert [error.removeprefix(f"{file}: ").partition(";")[0] for error in found.errors] == [
        "ascii must be true or false, not a number",
        "[keys] unknown action 'fly'",
        "[keys] 'a' cannot be the key of inbox",
        "patience.still_after must be greater than 0 (seconds)",
        "notify.horn is not a setting",
        "notify.when must be one of 'unfocused', 'always', 'never', not 'later'",
        "'pasword' is not a setting",
        "directory must be text in quotes, not a number",
        "'clippy' is not a server family",
        "ftp:// is an unsupported scheme: use http:// or https://.",
    ]
    assert (settings.url, settings.user, settings.family, settings.directory) == (DEFAULT_URL, "me", None, None)
    assert settings.look == DisplaySettings(theme="nord", keys={"help": "f9"})
    assert settings.patience == StallTimeouts(9.0, 300.0)
    assert settings.notify == NotifySettings(bell=False)
    assert set(found.sources) == {"user", "theme", "keys.help", "patience.not_begun_after", "notify.bell"}
