"""`holdfast pending` on a stub server: what is listed, the exit codes, and what it survives."""

import json
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from msgspec.structs import replace

from server_stub.domain.profiles import PROFILES
from tests.cli.shell import Shell
from tests.end_to_end.stub import Stub, running_stub
from tui.backends.opencode.backend import OpenCode
from tui.net.response import Response

CLOSED = "http://127.0.0.1:1"
"""An address where nothing listens."""


@pytest.fixture
def profile() -> str:
    return "opencode"


@pytest.fixture
def shell(tmp_path: Path, profile: str) -> Iterator[Shell]:
    home = tmp_path / "home"
    with running_stub(home, profile=profile, args=("--speed", "10")) as stub:
        yield Shell(stub, home)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_each_request_is_listed_with_its_options(shell: Shell) -> None:
    nothing = shell.here("pending", shell.stub.address)
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "")
    question, permission = shell.raised("ASK"), shell.raised("SHELL made.txt")
    listed = shell.here("pending", shell.stub.address)
    assert (listed.code, listed.err) == (3, "")
    first, second = listed.out.find(question), listed.out.find(permission)
    assert 0 <= first < second
    assert "  1. Which database?\n    1  Postgres  relational\n    2  SQLite  embedded\n" in listed.out
    assert "    1  once  this call only\n    2  always  " in listed.out
    assert f"holdfast answer --url {shell.stub.address} {question} CHOICE CHOICE" in listed.out
    assert "s ago\n" in listed.out
    found = json.loads(shell.here("pending", shell.stub.address, "--json").out)
    assert [(one["server"], one["request"]["id"], one["request"]["kind"]) for one in found["requests"]] == [
        (shell.stub.address, question, "question"),
        (shell.stub.address, permission, "permission"),
    ]
    assert found["requests"][0]["age"] >= found["requests"][1]["age"] >= 0
    assert found["servers"] == [{"url": shell.stub.address, "error": "", "hint": "", "not_listed": 0, "unreadable": 0}]


def test_requests_of_several_servers_are_one_list(shell: Shell, tmp_path: Path) -> None:
    with running_stub(tmp_path / "other", profile="qwen") as other:
        there = Shell(other, shell.home).raised("ASK1")
        only_there = shell.here("pending", shell.stub.address, other.address)
        assert (only_there.code, there in only_there.out) == (3, True)
        here = shell.raised("ASK1")
        both = json.loads(shell.here("pending", shell.stub.address, other.address, "--json").out)
    assert [(one["server"], one["request"]["id"]) for one in both["requests"]] == [
        (shell.stub.address, here),
        (other.address, there),
    ]


def test_server_that_cannot_be_reached_is_named_beside_the_others(shell: Shell) -> None:
    none = shell.here("pending", CLOSED, shell.stub.address)
    assert (none.code, none.out) == (4, "")
    assert f"{CLOSED}: cannot connect: connection refused" in none.err
    request = shell.raised("ASK1")
    some = shell.here("pending", CLOSED, shell.stub.address, "--json")
    found = json.loads(some.out)
    assert (some.code, [one["request"]["id"] for one in found["requests"]]) == (3, [request])
    assert [bool(one["error"]) for one in found["servers"]] == [True, False]


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://[::1"])
def test_invalid_address_ends_with_2(tmp_path: Path, url: str) -> None:
    done = Shell(Stub("", 0, None), tmp_path).here("pending", url)  # type: ignore[arg-type]
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: ")


def test_url_that_is_no_agent_server_ends_with_4(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        done = Shell(Stub("", 0, None), tmp_path).here("pending", address)  # type: ignore[arg-type]
        server.shutdown()
    assert (done.code, done.out) == (4, "")
    assert f"{address}: " in done.err


def test_damaged_journal_is_reported_and_the_list_is_complete(shell: Shell) -> None:
    request = shell.raised("ASK1")
    (shell.home / ".local/state/holdfast/journal.sqlite").write_bytes(b"no database" * 1000)
    done = shell.here("pending", shell.stub.address)
    assert (done.code, request in done.out) == (3, True)
    assert "journal" in done.err.lower()


@pytest.mark.parametrize(
    ("path", "value", "code", "in_pending", "in_status"),
    [
        ("/question", None, 4, "cannot read its list of open questions", "cannot read its list of open questions"),
        ("/permission", {}, 4, "cannot read its list of open permissions", "cannot read its list of open permissions"),
        ("/session/status", None, 4, "cannot read its list of running sessions", "list of running sessions"),
        ("/permission", [{"id": 5}, 7], 3, "2 requests that wait for an answer cannot be read", "2 requests that wait"),
    ],
    ids=["null", "object", "null statuses", "damaged rows"],
)
def test_what_cannot_be_read_is_not_reported_as_no_request(
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    value: Any,
    code: int,
    in_pending: str,
    in_status: str,
) -> None:
    shell.stub.http.post("/session", json={"title": "quiet"}).raise_for_status()
    get = OpenCode._get

    async def damaged(backend: OpenCode, asked: str, **options: Any) -> Response:
        found = await get(backend, asked, **options)
        return replace(found, value=value) if asked == path else found

    monkeypatch.setattr(OpenCode, "_get", damaged)
    listed, status = shell.here("pending", shell.stub.address), shell.here("status", shell.stub.address)
    assert (listed.code, status.code) == (code, code)
    assert in_pending in (listed.err if code == 4 else listed.out)
    assert in_status in status.out
    assert ("1 idle" in status.out) == (code == 3)
    (server,) = json.loads(shell.here("pending", shell.stub.address, "--json").out)["servers"]
    report = json.loads(shell.here("status", shell.stub.address, "--json").out)
    assert (bool(server["error"]), server["unreadable"]) == (bool(report["error"]), report["unreadable"])
    assert (bool(server["error"]), server["unreadable"]) == ((True, 0) if code == 4 else (False, 2))
