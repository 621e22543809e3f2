"""A key sends its prompt once, whichever clients run with it, one after the other or at the same time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server_stub.domain.profiles import PROFILES
from tests.client_harness import ClientHarness, on_virtual_time
from tui.api import Connection, KeyInUse, KeyNotKept, PromptNotSent, Result
from tui.client.client import Client
from tui.core.model import Session
from tui.net.clocks import Clocks
from tui.net.credentials import BasicAuth
from tui.net.errors import SchemaMismatch
from tui.net.http_client import Http
from tui.storage.journal import Journal

all_profiles = pytest.mark.parametrize("profile", list(PROFILES))


class Jobs:
    """Clients with a journal each, in one folder, as processes have."""

    def __init__(self, harness: ClientHarness, folder: Path) -> None:
        self.address = f"http://127.0.0.1:{harness.server.port}"
        self._folder = folder

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        loop, epoch = asyncio.get_running_loop(), time.time()
        client = Client(
            self.address,
            lambda user: Http(self.address, credentials=BasicAuth(user, "secret")),
            clocks=Clocks(loop.time, lambda: epoch + loop.time(), asyncio.sleep, lambda: 0.5),
            journal=Journal(self._folder, self.address, wall=lambda: epoch + loop.time()),
        )
        connection = Connection(client)
        try:
            await connection.open()
            yield connection
        finally:
            await connection.close()

    async def run(self, prompt: str = "TOOLS", key: str = "job") -> Result:
        async with self.connected() as connection:
            return await connection.run(prompt, key=key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


async def user_messages(jobs: Jobs, session: str) -> int:
    async with jobs.connected() as connection:
        await connection.client.open_session(session)
        transcript = connection.client.store.transcript(session)
        assert transcript is not None
        return sum(message.role == "user" for message in transcript.ordered())


@all_profiles
@on_virtual_time(connected=False)
async def test_second_run_returns_the_finished_result(harness: ClientHarness, profile: str, folder: Path) -> None:
    jobs = Jobs(harness, folder)
    first, second = await jobs.run(), await jobs.run()
    assert (first.outcome, second.outcome) == ("finished", "finished")
    assert (second.session, second.text) == (first.session, first.text)
    assert await user_messages(jobs, first.session) == 1


@all_profiles
@on_virtual_time(connected=False)
async def test_second_run_joins_the_running_turn(harness: ClientHarness, profile: str, folder: Path) -> None:
    jobs = Jobs(harness, folder)
    first, second = await asyncio.gather(jobs.run(), jobs.run())
    assert (first.session, first.text, first.outcome) == (second.session, second.text, "finished")
    assert await user_messages(jobs, first.session) == 1


@pytest.mark.parametrize("profile", ["opencode", "opencode-padded", "mimo", "qwen"])
@pytest.mark.parametrize("after", [0.0, 0.001, 0.02, 0.3, 2.0])
@on_virtual_time(connected=False)
async def test_run_after_a_crash_sends_nothing_twice(
    harness: ClientHarness, profile: str, folder: Path, after: float
) -> None:
    jobs = Jobs(harness, folder)
    async with jobs.connected() as connection:
        turn = await connection.start("TOOLS", key="job")
        await asyncio.sleep(after)
    result = await jobs.run()
    assert result.session == turn.session
    if profile == "qwen" and after == 0:  # the POST had not begun, which nothing proves to a later run
        assert result.outcome == "unknown"
        return
    assert result.outcome == "finished"
    assert result.text == "I look, change one line, and run the tests. \nDone. The tests pass.\n"
    assert await user_messages(jobs, result.session) == 1


@on_virtual_time(connected=False)
async def test_another_prompt_is_refused(harness: ClientHarness, folder: Path) -> None:
    jobs = Jobs(harness, folder)
    await jobs.run("PLAIN")
    with pytest.raises(KeyInUse, match="another prompt"):
        await jobs.run("TOOLS")
    async with jobs.connected() as connection:
        with pytest.raises(KeyInUse):
            await connection.run("PLAIN", key="job", agent="plan")
        with pytest.raises(KeyInUse):
            await connection.run("PLAIN", key="job", session="ses_other")
    assert (await jobs.run("TOOLS", key="other")).outcome == "finished"


@on_virtual_time(connected=False)
async def test_refused_prompt_is_no_draft_and_its_key_sends_it_later(harness: ClientHarness, folder: Path) -> None:
    jobs = Jobs(harness, folder)
    harness.arm("401=prompt")
    refused = await jobs.run()
    assert refused.outcome == "not sent"
    journal = Journal(folder, jobs.address, wall=time.time)
    assert (journal.draft(refused.session), journal.history()) == ("", [])
    journal.close()
    harness.server.disarm_all()
    sent = await jobs.run()
    assert (sent.outcome, sent.session) == ("finished", refused.session)


@pytest.mark.parametrize("profile", ["qwen"])
@pytest.mark.parametrize("then", ["", "the session is deleted"])
@on_virtual_time(connected=False)
async def test_prompt_without_client_ids_that_may_have_arrived_is_not_sent_again(
    harness: ClientHarness, profile: str, folder: Path, then: str
) -> None:
    jobs = Jobs(harness, folder)
    harness.arm("hang=prompt")
    first = await jobs.run()
    harness.server.disarm_all()
    if then:
        await harness.http.delete(f"/session/{first.session}", auth=("qwen", "secret"))
    second = await jobs.run()
    assert (first.outcome, second.outcome, second.session) == ("unknown", "unknown", first.session)
    assert "to send it again on purpose, use another key" in second.reason
    async with jobs.connected() as connection:
        assert not [one for one in connection.client.store.sessions if one != first.session]
    assert (await jobs.run(key="other")).outcome == "finished"


@pytest.mark.parametrize("profile", ["qwen"])
@on_virtual_time(connected=False)
async def test_key_is_free_once_the_server_refused_its_prompt(
    harness: ClientHarness, profile: str, folder: Path
) -> None:
    jobs = Jobs(harness, folder)
    harness.arm("401=prompt")
    assert (await jobs.run()).outcome == "not sent"
    harness.server.disarm_all()
    sent = await jobs.run()
    assert sent.outcome == "finished"
    assert await user_messages(jobs, sent.session) == 1


@on_virtual_time(connected=False)
async def test_key_that_cannot_be_saved_sends_nothing_and_makes_no_session(
    harness: ClientHarness, folder: Path
) -> None:
    async with Jobs(harness, folder).connected() as connection:
        file = connection.client.journal._file
        file.connection.execute("PRAGMA query_only = ON")  # as a full disk: reads work
        with pytest.raises(KeyNotKept, match="nothing was sent now with key job"):
            await connection.run("PLAIN", key="job")
    async with Jobs(harness, folder).connected() as connection:
        assert not connection.client.store.sessions


@all_profiles
@on_virtual_time(connected=False)
async def test_disk_that_is_full_after_the_session_was_made_leaves_no_session(
    harness: ClientHarness, profile: str, folder: Path
) -> None:
    async with Jobs(harness, folder).connected() as connection:
        client = connection.client
        create = client.new_session

        async def create_on_a_full_disk(title: str = "") -> Session:
            session = await create(title)
            client.journal._file.connection.execute("PRAGMA query_only = ON")
            return session

        client.new_session = create_on_a_full_disk  # type: ignore[method-assign]
        with pytest.raises(KeyNotKept):
            await connection.run("PLAIN", key="job")
    async with Jobs(harness, folder).connected() as connection:
        assert not connection.client.store.sessions


@on_virtual_time(connected=False)
async def test_session_whose_creation_cannot_be_read_is_not_created_again(harness: ClientHarness, folder: Path) -> None:
    created = 0

    async def create(title: str = "") -> Session:
        nonlocal created
        created += 1
        raise SchemaMismatch("/session", "no id")

    async with Jobs(harness, folder).connected() as connection:
        connection.client.new_session = create  # type: ignore[method-assign]
        with pytest.raises(PromptNotSent, match="no id"):
            await connection.run("PLAIN")
    assert created == 1
