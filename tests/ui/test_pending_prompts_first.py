"""A first prompt is visible from the key press on, while its session is created and opened."""

import asyncio

import pytest

from tests.app_harness import Stage, on_stage
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


def times_shown(stage: Stage) -> int:
    return stage.text.count("do the thing")


async def test_a_first_prompt_stays_visible_until_the_server_has_it() -> None:
    client = SlowClient()
    async with on_stage(client=client, session=None) as stage:
        await stage.press(*"do the thing", "enter")
        await stage.shows("sending…", "do the thing")
        stage.second()
        await stage.settled()
        assert times_shown(stage) == 1
        client.may_create.set()
        await stage.until(lambda: stage.app.presenter.session_id is not None)
        await stage.settled()
        assert times_shown(stage) == 1
        client.may_load.set()
        await stage.until(lambda: client.calls("send"))
        await stage.settled()
        assert times_shown(stage) == 1
        assert "sending… the server creates" not in stage.text


@pytest.mark.parametrize("created", [False, True])
async def test_a_first_prompt_that_is_not_sent_goes_back_to_the_prompt(created: bool) -> None:
    client = SlowClient()
    async with on_stage(client=client, session=None) as stage:
        await stage.press(*"do the thing", "enter")
        await stage.shows("do the thing")
        if created:
            client.may_create.set()
            await stage.until(lambda: stage.app.presenter.session_id is not None)
        client.fails = ConnectFailed("connection refused")
        client.may_create.set()
        client.may_load.set()
        await stage.until(lambda: stage.main.prompt.text == "do the thing")
        assert times_shown(stage) == 1
