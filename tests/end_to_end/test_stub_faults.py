"""Every fault with the stub as a separate process, armed as by a user and observed as by a client."""

import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from server_stub.faults.kinds import CRASHED, KINDS
from tests.end_to_end.stub import Stub
from tests.processes import clean_environment, read_line, running
from tests.waiting import MAX_WAIT, wait_until

Json = dict[str, Any]
StartStub = Callable[..., Stub]

FAST_HEARTBEAT = {"HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS": "50"}
SILENCE = 0.5  # seconds without a byte, though ten bytes of padding were due
HELD = "ASK1"  # a prompt whose turn waits for a question
SHORT = "PLAIN"


def silent(response: httpx.Response) -> bool:
    """Whether no byte of it arrives for SILENCE seconds."""
    connection = response.extensions["network_stream"].get_extra_info("socket")
    return select.select([connection], [], [], SILENCE)[0] == []


class Client:
    """Requests to one stub, and the one session that it prompts."""

    def __init__(self, stub: Stub) -> None:
        self.http = stub.http
        self.session = self.http.post("/session", json={}).json()["id"]

    def held(self, text: str) -> AbstractContextManager[httpx.Response]:
        """`POST …/message` as a stream."""
        body = {"parts": [{"type": "text", "text": text}]}
        return self.http.stream("POST", f"/session/{self.session}/message", json=body)

    def prompt(self, text: str, received: bytearray | None = None) -> bytes:
        """The complete body of the answer; received bytes are also added to `received`."""
        whole = bytearray() if received is None else received
        with self.held(text) as response:
            for piece in response.iter_raw():
                whole += piece
        return bytes(whole)

    def messages(self) -> list[Json]:
        found: list[Json] = self.http.get(f"/session/{self.session}/message").json()
        return found

    def questions(self) -> list[Json]:
        found: list[Json] = self.http.get("/question").json()
        return found

    def is_idle(self) -> bool:
        return bool(self.http.get("/session/status").json() == {})

    def has_finished(self) -> bool:
        """The turn is over and its answer is stored completely."""
        return self.messages()[-1]["info"].get("finish") == "stop" and self.is_idle()

    def times_applied(self) -> int:
        """How often the only armed fault was applied."""
        [fault] = self.http.get("/_stub/faults").json()["faults"]
        times_applied: int = fault["struck"]
        return times_applied

    async def answer(self) -> None:
        await wait_until(self.questions, what="the question")
        [question] = self.questions()
        replied = self.http.post(f"/question/{question['id']}/reply", json={"answers": [["SQLite"]]})
        assert replied.json() is True


@pytest.fixture
def padded(stub: StartStub) -> Stub:
    return stub(env=FAST_HEARTBEAT)


@pytest.fixture
def client(padded: Stub) -> Client:
    return Client(padded)


# the prompt


async def test_a_cut_in_the_padding_leaves_the_turn_running(padded: Stub, client: Client) -> None:
    padded.arm("cut", target="prompt", at="padding", after_bytes=3)
    received = bytearray()
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        client.prompt(HELD, received)
    assert received == b"\n\n\n"
    assert not client.is_idle()
    await client.answer()
    await wait_until(client.has_finished, what="the turn to go on to its end")


def test_a_cut_in_the_json(padded: Stub, client: Client) -> None:
    padded.arm("cut", target="prompt", at="json", after_bytes=10)
    received = bytearray()
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        client.prompt(SHORT, received)
    assert received.strip() == b'{"info":{"'
    assert client.has_finished()


def test_a_cut_at_the_request_stores_nothing(padded: Stub, client: Client) -> None:
    padded.arm("cut", target="prompt", at="request")
    # a connection closed before its request was read may reach the client as a reset
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.prompt(SHORT)
    assert client.messages() == []


@pytest.mark.parametrize("options", [{"at": "headers"}, {"at": "request", "after_seconds": 0.1}])
async def test_a_cut_before_the_headers_of_a_silent_server(stub: StartStub, options: Json) -> None:
    silent = stub(profile="opencode")
    client = Client(silent)
    silent.arm("cut", target="prompt", **options)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.prompt(SHORT)
    await wait_until(client.has_finished, what="the turn to go on to its end")


async def test_a_cut_cancels_the_turn_on_a_server_that_cancels_on_disconnect(stub: StartStub) -> None:
    mimo = stub(profile="mimo-cancel", env=FAST_HEARTBEAT)
    client = Client(mimo)
    mimo.arm("cut", target="prompt", at="padding")
    with pytest.raises(httpx.RemoteProtocolError):
        client.prompt(HELD)
    await wait_until(client.is_idle, what="the turn to be cancelled")
    assert client.messages()[-1]["info"]["error"]["name"] == "MessageAbortedError"


async def test_a_reset_in_the_padding(padded: Stub, client: Client) -> None:
    padded.arm("reset", target="prompt", at="padding")
    with pytest.raises(httpx.ReadError):
        client.prompt(HELD)
    await client.answer()
    await wait_until(client.has_finished, what="the turn to go on to its end")


async def test_a_stall_stops_the_padding(padded: Stub, client: Client) -> None:
    padded.arm("stall", target="prompt", at="padding")
    with client.held(HELD) as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"\n"
        assert silent(response)
    await client.answer()
    await wait_until(client.has_finished, what="the turn to go on to its end")


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.target == "prompt"])
def test_a_body_that_is_not_the_message(padded: Stub, client: Client, name: str) -> None:
    padded.arm(name)
    body = client.prompt(SHORT)
    with pytest.raises(ValueError, match=r"(Extra data|Expecting|Unterminated)"):
        json.loads(body)
    assert client.has_finished()
    assert json.loads(client.prompt(SHORT))["info"]["finish"] == "stop", "it strikes once"


# any route


def test_hang(padded: Stub, client: Client) -> None:
    padded.arm("hang", target="/global/health")
    with pytest.raises(httpx.ReadTimeout):
        client.http.get("/global/health", timeout=httpx.Timeout(MAX_WAIT, read=SILENCE))
    assert client.http.get("/session/status").status_code == 200


def test_401_until_it_is_disarmed(padded: Stub, client: Client) -> None:
    number = padded.arm("401")
    for path in ("/session/status", "/event", "/question"):
        refused = client.http.get(path)
        assert (refused.status_code, refused.content) == (401, b"")
        assert refused.headers["www-authenticate"] == 'Basic realm="Secure Area"'
    padded.disarm(number)
    assert client.http.get("/session/status").status_code == 200


def test_429_has_a_retry_after_header(padded: Stub, client: Client) -> None:
    padded.arm("429", target="prompt", retry_after=3)
    with client.held(SHORT) as refused:
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert client.messages() == []


def test_502_is_a_web_page(padded: Stub, client: Client) -> None:
    padded.arm("502", times=2)
    answers = [client.http.get("/session/status") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert answers[0].headers["content-type"] == "text/html"
    assert b"<html>" in answers[0].content


# the event stream


class Events:
    """The events of one stream after `server.connected`."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._lines = response.iter_lines()
        assert next(self)["type"] == "server.connected"

    def __next__(self) -> Json:
        frame = json.loads(next(line for line in self._lines if line).removeprefix("data: "))
        event: Json = frame.get("payload", frame)
        return event

    def silent(self) -> bool:
        return silent(self._response)


@contextmanager
def events(client: Client, path: str = "/event") -> Iterator[Events]:
    with client.http.stream("GET", path) as response:
        yield Events(response)


@pytest.mark.parametrize("path", ["/event", "/global/event"])
@pytest.mark.parametrize(("name", "error"), [("cut", httpx.RemoteProtocolError), ("reset", httpx.ReadError)])
def test_an_open_event_stream_breaks(
    padded: Stub, client: Client, path: str, name: str, error: type[Exception]
) -> None:
    with events(client, path) as stream:
        padded.arm(name)
        with pytest.raises(error):
            next(stream)
    with events(client, path):
        assert client.times_applied() == 1, "the next one is spared"


def test_every_event_stream_ends_right_after_its_first_event(padded: Stub, client: Client) -> None:
    first = len(b'data: {"id":"')
    padded.arm("cut", target="events", at="json", after_bytes=first, times=None)
    for times_applied in (1, 2, 3):
        with pytest.raises(httpx.RemoteProtocolError):
            client.http.get("/event")
        assert client.times_applied() == times_applied


def test_a_stalled_event_stream_is_open_and_silent(padded: Stub, client: Client) -> None:
    with events(client) as stream:
        padded.arm("stall")
        client.http.post("/session", json={})
        assert stream.silent()


def test_events_delayed_by_a_stall_arrive_after_disarming(padded: Stub, client: Client) -> None:
    with events(client) as stream:
        number = padded.arm("stall")
        created = client.http.post("/session", json={}).json()
        padded.disarm(number)
        assert next(stream)["properties"]["sessionID"] == created["id"]


def test_a_muted_event_stream_sends_heartbeats_and_no_events(padded: Stub, client: Client) -> None:
    beats = {"server": {"event_stream": {"heartbeat_ms": 1000}}}
    assert client.http.patch("/global/config", json=beats).status_code == 200
    with events(client) as stream:
        number = padded.arm("mute-events")
        client.http.post("/session", json={})
        assert next(stream)["type"] == "server.heartbeat"
        padded.disarm(number)
        client.http.post("/session", json={})
        while (heard := next(stream)["type"]) == "server.heartbeat":
            pass
        assert heard == "session.created"


# the server as a whole


async def test_a_wedged_server_stores_prompts_and_never_starts(padded: Stub, client: Client) -> None:
    number = padded.arm("wedged")
    with client.held(SHORT) as response:
        padding = list(islice(response.iter_raw(), 3))
    assert b"".join(padding).strip() == b"", "padding flows all the same"
    assert [message["info"]["role"] for message in client.messages()] == ["user"]
    assert client.http.get("/global/health").json()["healthy"] is True
    padded.disarm(number)
    await wait_until(client.has_finished, what="the prompt to be answered after all")


def test_a_torn_write_stores_the_text_later(padded: Stub, client: Client) -> None:
    number = padded.arm("torn-write")
    with client.held(SHORT) as response:
        next(response.iter_raw())
    assert [(message["info"]["role"], message["parts"]) for message in client.messages()] == [("user", [])]
    padded.disarm(number)
    assert [part["type"] for part in client.messages()[0]["parts"]] == ["text"]


@contextmanager
def stub_process(home: Path, *args: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    command = [sys.executable, "-m", "server_stub", *args]
    env = clean_environment(home) | FAST_HEARTBEAT
    with running(command, env=env, cwd=home, log=home / "stub.stderr") as process:
        address = read_line(process)
        with httpx.Client(base_url=address, trust_env=False, timeout=MAX_WAIT) as http:
            yield process, http


def test_a_crash_is_immediate(tmp_path: Path) -> None:
    with stub_process(tmp_path, "--admin") as (process, http):
        with pytest.raises(httpx.TransportError):
            http.post("/_stub/faults", json={"name": "crash"})
        assert process.wait(timeout=MAX_WAIT) == CRASHED


def test_a_crash_in_the_padding(tmp_path: Path) -> None:
    with stub_process(tmp_path, "--admin") as (process, http):
        session = http.post("/session", json={}).json()["id"]
        http.post("/_stub/faults", json={"name": "crash", "target": "prompt", "at": "padding"})
        body = {"parts": [{"type": "text", "text": HELD}]}
        with pytest.raises(httpx.TransportError):
            http.post(f"/session/{session}/message", json=body)
        assert process.wait(timeout=MAX_WAIT) == CRASHED


# the command line


def test_faults_from_the_command_line(stub: StartStub) -> None:
    times_applied = stub(args=("--fault", "502=/session/status,times=2", "--fault", "401=/question"))
    statuses = [times_applied.http.get("/session/status").status_code for _ in range(3)]
    assert statuses == [502, 502, 200]
    assert times_applied.http.get("/question").status_code == 401
    assert [fault["name"] for fault in times_applied.http.get("/_stub/faults").json()["faults"]] == ["502", "401"]


def test_an_unknown_fault_is_refused_at_startup() -> None:
    command = [sys.executable, "-m", "server_stub", "--fault", "cutt"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=MAX_WAIT)
    assert ended.returncode == 2
    assert "unknown fault 'cutt'; known are cut, reset" in ended.stderr


def test_faults_cannot_be_armed_without_the_admin_flag(tmp_path: Path) -> None:
    with stub_process(tmp_path) as (_, http):
        for answer in (http.get("/_stub/faults"), http.post("/_stub/faults", json={"name": "401"})):
            assert not answer.headers.get("content-type", "").startswith("application/json")
        assert http.get("/session/status").status_code == 200
