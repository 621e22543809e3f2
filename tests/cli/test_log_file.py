"""The log file has no control characters and a limited size."""

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tui.cli import log_file
from tui.cli.log_file import COUNTED_FOR, MAX_FILE_BYTES, MAX_LINE_CHARACTERS, LogFile

ATTACK = "\x1b[2J\x1b]0;pwned\x07\x9b2J\r\n2030-01-01 ERROR forged: line\u202e\u2028\t\ud800"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "holdfast.log"


@pytest.fixture
def log(path: Path, clock: Clock) -> Iterator[logging.Logger]:
    logger = logging.getLogger("httpx")
    handler = LogFile(path, clock)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a report with a lone surrogate ends a worker of pytest-xdist
    yield logger
    logger.removeHandler(handler)
    logger.propagate = propagates
    logger.setLevel(level)
    handler.close()


def lines(path: Path) -> list[str]:
    return path.read_bytes().decode("utf-8").split("\n")[:-1]


def control_characters_in(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8").replace("\n", "")
    return [one for one in text if ord(one) < 32 or 0x7F <= ord(one) < 0xA0 or one in "\u202e\u2028"]


def test_a_reason_phrase_is_logged_as_one_line_of_text(log: logging.Logger, path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        reason = ATTACK.encode("utf-8", "replace")
        return httpx.Response(503, extensions={"reason_phrase": reason})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        client.get("http://127.0.0.1:4096/event")
    assert len(lines(path)) == 1
    assert "HTTP Request: GET http://127.0.0.1:4096/event" in lines(path)[0]
    assert control_characters_in(path) == []


def test_a_traceback_is_indented_and_cannot_forge_a_line(log: logging.Logger, path: Path) -> None:
    try:
        raise ValueError(ATTACK)
    except ValueError:
        log.exception("the screen failed: %s", ATTACK)
    assert control_characters_in(path) == []
    assert [line for line in lines(path)[1:] if not line.startswith("    ")] == []


def test_a_long_message_is_truncated(log: logging.Logger, path: Path) -> None:
    log.error("x" * 10_000_000)
    assert len(path.read_bytes()) < MAX_LINE_CHARACTERS + 100


def test_a_repeated_line_is_counted(log: logging.Logger, path: Path, clock: Clock) -> None:
    for _ in range(1_000):
        log.info("the stream ended")
        log.info("reconnecting")
    assert len(lines(path)) == 2
    clock.now += COUNTED_FOR
    log.info("the stream ended")
    assert lines(path)[2].endswith("the stream ended (repeated 999 times before this)")
    log.info("the stream ended")
    for handler in log.handlers:
        if isinstance(handler, LogFile):
            handler.close()
    assert [line.partition(": ")[2] for line in lines(path)[3:]] == [
        "reconnecting (repeated 999 times before this)",
        "the stream ended (repeated 1 time before this)",
    ]


def test_the_file_size_is_bounded_and_rotated_files_are_private(
    log: logging.Logger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "MAX_FILE_BYTES", 100_000)
    for handler in log.handlers:
        if isinstance(handler, LogFile):
            assert handler.maxBytes == MAX_FILE_BYTES
            handler.maxBytes = log_file.MAX_FILE_BYTES
    for number in range(5_000):
        log.info("a line that is told once: %d", number)
    files = sorted(path.parent.glob("holdfast.log*"))
    assert [one.name for one in files] == ["holdfast.log", "holdfast.log.1"]
    assert [one.name for one in files if one.stat().st_size > 100_000] == []
    assert [stat.S_IMODE(one.stat().st_mode) for one in files] == [0o600, 0o600]
    assert lines(path)[-1].endswith("a line that is told once: 4999")


def test_the_number_of_counted_lines_is_bounded(log: logging.Logger, path: Path) -> None:
    log.info("first")
    log.info("first")
    for number in range(1_000):
        log.info("another %d", number)
    assert sum("first (repeated 1 time before this)" in line for line in lines(path)) == 1


def test_a_full_disk_prints_nothing_on_the_screen(
    log: logging.Logger, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str, flags: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log_file, "_for_its_owner", full)
    log.info("words")
    assert capfd.readouterr() == ("", "")


def test_a_secret_echoed_by_a_server_is_not_logged(path: Path) -> None:
    handler = LogFile(path, secrets=("hunter2",))
    handler.handle(logging.LogRecord("httpx", logging.INFO, "", 0, 'HTTP/1.1 "500 %s"', ("hunter2",), None))
    handler.close()
    assert lines(path)[0].endswith('HTTP/1.1 "500 [password]"')
