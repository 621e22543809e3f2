"""A first prompt is visible from the key press on, while its session is created and opened."""

import asyncio

import pytest

from tests.app_harness import AppHarness, app_harness
from tests.fake_client import FakeClient
from tui.core.model import Session
from tui.net.errors import ConnectFailed


class SlowClient(FakeClient):
    """A server that creates, and loads, a session only once the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.may_create, self.may_load = asyncio.Event(), asyncio.Event()

    async def new_session(self, title: str = "") -> Session:
        await self.may_create.wait()
        return await super().new_session(title)

    async def open_session(self, session_id: str) -> None:
        await self.may_load.wait()
        await super().open_session(session_id)


def times_shown(harness: AppHarness) -> int:
    return harness.text.count("do the thing")


async def test_a_first_prompt_stays_visible_until_the_server_has_it() -> None:
    client = SlowClient()
    async with app_harness(client=client, session=None) as harness:
        await harness.press(*"do the thing", "enter")
        await harness.shows("sending…", "do the thing")
        harness.second()
        await harness.settled()
        assert times_shown(harness) == 1
        client.may_create.set()
        await harness.until(lambda: harness.app.presenter.session_id is not None)
        await harness.settled()
        assert times_shown(harness) == 1
        client.may_load.set()
        await harness.until(lambda: client.calls("send"))
        await harness.settled()
        assert times_shown(harness) == 1
        assert "sending… the server creates" not in harness.text


@pytest.mark.parametrize("created", [False, True])
async def test_a_first_prompt_that_is_not_sent_goes_back_to_the_prompt(created: bool) -> None:
    client = SlowClient()
    async with app_harness(client=client, session=None) as harness:
        await harness.press(*"do the thing", "enter")
        await harness.shows("do the thing")
        if created:
            client.may_create.set()
            await harness.until(lambda: harness.app.presenter.session_id is not None)
        client.fails = ConnectFailed("connection refused")
        client.may_create.set()
        client.may_load.set()
        await harness.until(lambda: harness.main.prompt.text == "do the thing")
        assert times_shown(harness) == 1
