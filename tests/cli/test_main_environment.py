"""In any environment and with any files and pipes, each command exits in time with a message and a status."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import COMMAND
from tests.processes import clean_environment

UNREACHABLE_URL = "http://127.0.0.1:9"
ENDS_WITHIN = 100.0
STATUS, DOCTOR = ("status", UNREACHABLE_URL), ("doctor", UNREACHABLE_URL)


def run_shell(home: Path, command: str, *args: str | bytes, **environment: str | bytes) -> tuple[int, str]:
    """Run `command`, a shell line in which "$@" is the client with `args`; returns its status and output."""
    env = {os.fsencode(name): os.fsencode(value) for name, value in (clean_environment(home) | environment).items()}
    done = subprocess.run(
        ["bash", "-c", command, "bash", COMMAND, *args],
        env=env,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=ENDS_WITHIN,
        check=False,
    )
    words = (done.stdout + done.stderr).decode(errors="replace")
    assert "Traceback" not in words, words
    assert "Exception ignored" not in words, words
    return done.returncode, words


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("status", "--help"),
        ("doctor", "--help"),
        STATUS,
        DOCTOR,
        (UNREACHABLE_URL,),
        ("run", "--connect-timeout", "0.1", "hi", UNREACHABLE_URL),
        ("wait", "--connect-timeout", "0.1", "ses_1", UNREACHABLE_URL),
        ("--plain", UNREACHABLE_URL),
    ],
)
@pytest.mark.parametrize("command", ['"$@"', '"$@" | true', '"$@" >&-', '"$@" >&- 2>&-', '"$@" <&-', '"$@" >/dev/full'])
def test_any_combination_of_pipes_exits_without_a_traceback(home: Path, args: Sequence[str], command: str) -> None:
    status, words = run_shell(home, command, *args)
    assert status in (0, 1, 4)
    if "full" in command and args != (UNREACHABLE_URL,) and args[0] not in ("run", "wait"):
        assert (status, words) == (1, "Error: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize(
    ("args", "environment"),
    [
        (STATUS, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
        (DOCTOR, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
        (STATUS, {"PYTHONIOENCODING": "latin-1"}),
        (DOCTOR, {"PYTHONIOENCODING": "latin-1"}),
        *((("answer", "id", option, b"a\xff", "--url", UNREACHABLE_URL), {}) for option in ("--text", "--deny")),
        *(
            ((command, "--directory", b"a\xff", UNREACHABLE_URL), {})
            for command in ("status", "doctor", "pending", "config")
        ),
        (("run", b"a\xff", UNREACHABLE_URL), {}),
        (("config", "--json", "--family", "none"), {"XDG_STATE_HOME": b"/tmp/\xff", "HOME": b"/tmp/\xff"}),
        (("config", "--json", "--ca-file", b"/\xff"), {}),
        (("status", b"http://127.0.0.1:9/\xff"), {}),
        (("status", "--directory", b"/\xff", UNREACHABLE_URL), {}),
        (("status", "--family", b"\xff", UNREACHABLE_URL), {}),
        (("status", "--ca-file", b"/\xff", UNREACHABLE_URL), {}),
        (("--log", b"/nowhere/\xff", UNREACHABLE_URL), {}),
        (("status",), {"HOLDFAST_URL": b"http://\xff"}),
        (STATUS, {"HOLDFAST_PASSWORD": b"\xff", "HOLDFAST_USER": b"\xff"}),
        (STATUS, {"HOLDFAST_FAMILY": b"\xff"}),
        (STATUS, {"HOME": ""}),
        (STATUS, {"TERM": "dumb"}),
        (("status", "https://127.0.0.1:9"), {"SSL_CERT_FILE": "/nowhere"}),
        (("status", "https://127.0.0.1:9"), {"SSL_CERT_FILE": "/tmp"}),
        (("doctor", "https://127.0.0.1:9"), {"SSL_CERT_FILE": "/etc/passwd"}),
        (("status", "http://example.invalid"), {"HTTP_PROXY": "what://ever", "ALL_PROXY": "socks5://x"}),
        (("doctor", "--seconds", "nan", UNREACHABLE_URL), {}),
        (("doctor", "--seconds", "1e400", UNREACHABLE_URL), {}),
        (("doctor", "--seconds", "-1", UNREACHABLE_URL), {}),
    ],
)
def test_any_argument_and_variable_exits_without_a_traceback(
    home: Path, args: Sequence[str | bytes], environment: dict[str, str | bytes]
) -> None:
    status, words = run_shell(home, '"$@"', *args, **environment)
    assert status in (1, 2, 4)
    assert words


def holding(content: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode())


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8 * 1024**3)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (holding(b"\xff\xfe"), "it is not UTF-8"),
        (huge, "larger than 64 KiB"),
        (holding("x = " + "[" * 50_000), "is not TOML"),
        (holding("x = 1" + "0" * 10_000), "is not TOML"),
        (holding("x = " + "\x1b]52;c;aGk=\x07" * 9), "is not TOML"),
        (holding('ca_file = "~nobody-of-that-name/ca.pem"'), "no such file or directory"),
        (os.mkfifo, "not a regular file"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
)
def test_any_settings_file_exits_without_a_traceback(home: Path, make: Callable[[Path], object], why: str) -> None:
    folder = home / ".config" / "holdfast"
    folder.mkdir(parents=True)
    make(folder / "settings.toml")
    status, words = run_shell(home, '"$@"', "status", "https://127.0.0.1:9")
    assert status == 1
    assert why in words
    assert "\x1b" not in words


@pytest.mark.parametrize(
    "command",
    ["--speed nan", "--speed inf", "--speed 1e400", "--while-stdin <&-", ">/dev/full", "--fault $'cut=\\xff'"],
)
def test_the_stub_exits_with_a_message_too(home: Path, command: str) -> None:
    status, words = run_shell(home, f'"$(dirname "$1")/holdfast-stub" {command}')
    assert status in (1, 2)
    assert "Error: " in words
