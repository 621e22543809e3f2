"""`holdfast run` with real servers: over a line that is cut, through a restart, and killed and run again."""

import asyncio
import random
import signal
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.chaos.relay import Relay
from tests.cli.shell import HOLDFAST
from tests.processes import clean_environment
from tests.real.server import RealServer
from tests.waiting import wait_until

pytestmark = pytest.mark.real

CUTS_AT = (2.0, 3.5, 5.0, 6.5, 8.0)
"""Seconds from the start of the turn, which takes twelve."""
SLOW = "".join(f"word{i} " for i in range(40)) + "\n"
KILLS = 10
PLAIN = b"Done. Nothing to call, **all** is well.\n"

families = pytest.mark.parametrize("family", ["opencode", "qwen"])


class HostRelay(Relay):
    """Names the server's own address in each request: qwen serve refuses every other."""

    def to_server(self, data: bytes) -> bytes:
        return data.replace(f"127.0.0.1:{self.port}".encode(), f"127.0.0.1:{self.upstream}".encode())


class Runs:
    """Runs the command with a home of its own."""

    def __init__(self, home: Path) -> None:
        self._env = clean_environment(home) | {"PYTHONPATH": str(Path(__file__).parents[2])}

    async def begin(self, *args: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *HOLDFAST,
            "run",
            *args,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def done(self, *args: str) -> tuple[int | None, bytes]:
        process = await self.begin(*args)
        out, _ = await process.communicate()
        return process.returncode, out


def prompts(server: RealServer, family: str) -> Sequence[str]:
    """The texts of all prompts at the server."""
    with httpx.Client(base_url=server.address, trust_env=False, timeout=30) as http:
        if family == "opencode":
            sessions = [one["id"] for one in http.get("/session").json()]
            messages = [one for session in sessions for one in http.get(f"/session/{session}/message").json()]
            return [one["parts"][0]["text"] for one in messages if one["info"]["role"] == "user"]
        listed = http.get(f"/workspaces/{quote(str(server.project), safe='')}/sessions?size=200").json()["sessions"]
        pages = [http.get(f"/session/{one['sessionId']}/transcript?direction=backward&limit=500") for one in listed]
        stored = [page.json() for page in pages if page.status_code != 404]  # a session without a prompt is not stored
        updates = [event["data"] for page in stored for event in page["events"]]
        chunks = [one for one in updates if one.get("sessionUpdate") == "user_message_chunk"]
        return [one["content"]["text"] for one in chunks]


def calls_of(server: RealServer, words: str) -> int:
    return sum(words in asked.prompt for asked in server.model_log())


@families
async def test_answer_is_printed_once_over_five_cuts_and_a_restart(
    family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: RealServer = request.getfixturevalue(f"{family}_alone")
    relay = HostRelay(server.port)
    relay.accept()
    request.addfinalizer(relay.close)
    process = await Runs(tmp_path / "run").begin("SLOW", f"http://127.0.0.1:{relay.port}")
    await wait_until(lambda: calls_of(server, "SLOW"), within=60, what="the turn")
    start = asyncio.get_running_loop().time()
    for at in CUTS_AT:
        await asyncio.sleep(start + at - asyncio.get_running_loop().time())  # the schedule's own times
        relay.sever("reset")
    relay.refuse()
    relay.sever("close")
    await wait_until(lambda: is_idle(server, family), within=60, what="the end of the turn at the server")
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.restart)
    relay.accept()
    out, err = await process.communicate()
    assert (process.returncode, out.decode()) == (0, SLOW), err.decode()
    assert "connection lost" in err.decode()
    assert list(prompts(server, family)) == ["SLOW"]


@families
async def test_restart_in_the_turn_ends_as_interrupted(
    family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: RealServer = request.getfixturevalue(f"{family}_alone")
    process = await Runs(tmp_path / "run").begin("SLOW", server.address)
    await wait_until(lambda: calls_of(server, "SLOW"), within=60, what="the turn")
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.restart)
    out, err = await process.communicate()
    assert process.returncode == 6, err.decode()
    assert SLOW.encode().startswith(out.rstrip(b"\n"))


@families
async def test_killed_runs_send_each_prompt_once(family: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    server: RealServer = request.getfixturevalue(f"{family}_alone")
    runs, rng = Runs(tmp_path / "run"), random.Random(7)
    for number in range(KILLS):
        words = [f"say {number}", server.address, "--key", f"job-{number}"]
        process = await runs.begin(*words)
        try:
            async with asyncio.timeout(number * 0.4 + rng.uniform(0, 0.4)):  # the schedule's own times
                await process.communicate()
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
            await process.communicate()
        assert await runs.done(*words) == (0, PLAIN)
    assert sorted(prompts(server, family)) == [f"say {number}" for number in range(KILLS)]


def is_idle(server: RealServer, family: str) -> bool:
    """Whether the server works on nothing."""
    if family == "opencode":
        return bool(httpx.get(f"{server.address}/session/status", trust_env=False).json() == {})
    listed = httpx.get(
        f"{server.address}/workspaces/{quote(str(server.project), safe='')}/sessions", trust_env=False
    ).json()["sessions"]
    return not any(bool(one["hasActivePrompt"]) for one in listed)
