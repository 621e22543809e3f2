"""The page size adapts to the connection, down to a single message."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send

from tests.listening import listening
from tui.backends.opencode.backend import OpenCode
from tui.backends.paging import Paging
from tui.core.model import NotePart, TextPart
from tui.net.http_client import Http
from tui.net.response import Progress, Response

REPLY = Response(200, {}, [], 0.0, None)


def message(number: int, size: int = 10) -> dict[str, Any]:
    role = "assistant" if number % 2 else "user"
    info = {"id": f"msg_{number}", "sessionID": "ses_1", "role": role, "time": {"created": 1000.0 * number}}
    part = {"id": f"prt_{number}", "sessionID": "ses_1", "messageID": f"msg_{number}", "type": "text"}
    return {"info": info, "parts": [{**part, "text": "x" * size}]}


class Pages:
    """Returns messages by `limit` and `before`, as opencode does."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.messages = messages
        self.limits: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = Request(scope, receive).query_params
        end = int(query.get("before", len(self.messages)))
        self.limits.append(limit := int(query["limit"]))
        begin = max(0, end - limit)
        headers = {"x-next-cursor": str(begin)} if begin else {}
        answer: HttpResponse = JSONResponse(self.messages[begin:end], headers=headers)
        await answer(scope, receive, send)


class OneByOne(Pages):
    """Returns one message per page, whatever its limit."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        end = int(Request(scope, receive).query_params.get("before", len(self.messages)))
        answer = JSONResponse(self.messages[end - 1 : end], headers={"x-next-cursor": str(end - 1)})
        await answer(scope, receive, send)


class Limited(Http):
    """Limits responses to `most` bytes."""

    most = 0

    async def call(self, method: str, path: str, **options: Any) -> Response:
        return await super().call(method, path, limit=self.most, **options)


async def all_of(pages: Pages, limit: int) -> list[Any]:
    """The parts of all messages, oldest first, with responses limited to `limit` bytes."""
    async with listening(pages) as served:
        http = Limited(served.url)
        http.most = limit
        backend = OpenCode(http)
        page = await backend.messages("ses_1")
        found = list(page.messages)
        while page.cursor is not None:
            page = await backend.messages("ses_1", before=page.cursor)
            found[:0] = page.messages
        await http.close()
    assert [full.message.id for full in found] == [one["info"]["id"] for one in pages.messages]
    return [part for full in found for part in full.parts]


async def test_a_page_over_the_limit_is_fetched_in_smaller_ones() -> None:
    parts = await all_of(Pages([message(number, 3000) for number in range(50)]), 20_000)
    assert all(isinstance(part, TextPart) for part in parts)


@pytest.mark.parametrize("at", [0, 1, 5, 9])
async def test_a_message_over_the_limit_has_a_placeholder(at: int) -> None:
    pages = Pages([message(number, 150_000 if number == at else 100) for number in range(10)])
    parts = await all_of(pages, 90_000)
    assert [isinstance(part, NotePart) for part in parts] == [number == at for number in range(10)]
    assert parts[at].text == "This message is too large to show (0.2 MB)"


async def test_the_newest_page_has_a_prompt() -> None:
    pages = Pages([message(number * 2, 10) if number < 2 else message(2 * number + 1) for number in range(12)])
    async with listening(pages) as served:
        http = Http(served.url)
        page = await OpenCode(http).messages("ses_1", limit=50)
        assert any(full.message.role == "user" for full in page.messages)
        await http.close()


class Slow:
    """A fetch that receives `rate` bytes per second, with `each` bytes per item."""

    def __init__(self, rate: float, each: int, *, tells_size: bool = True) -> None:
        self.rate, self.each, self.tells_size = rate, each, tells_size
        self.now = 0.0
        self.limits: list[int] = []
        self.begun: list[float] = []

    def time(self) -> float:
        return self.now

    async def __call__(self, limit: int, progress: Progress) -> Response:
        self.limits.append(limit)
        self.begun.append(self.now)
        size, received = limit * self.each, 0
        while received < size:
            received = min(size, received + self.each // 4)
            progress(received, size if self.tells_size else None)
            self.now += self.each / 4 / self.rate
        return REPLY


async def took(pager: Paging, slow: Slow) -> float:
    """Seconds until a page is received."""
    began = slow.now
    await pager.ask(slow, 50)
    return slow.now - began


@pytest.mark.parametrize("tells_size", [True, False])
async def test_pages_get_smaller_on_a_slow_connection_and_larger_again(tells_size: bool) -> None:
    slow = Slow(625_000, 220_000, tells_size=tells_size)  # 11 MB in 50 messages
    pager = Paging(50, slow.time)
    assert await took(pager, slow) < 17
    assert await took(pager, slow) < 9
    assert slow.limits[0] == 50
    assert 1 < slow.limits[-1] < 25
    slow.rate = 100e6
    for _ in range(4):
        await took(pager, slow)
    assert slow.limits[-1] == 50


async def test_a_single_item_is_read_at_any_speed() -> None:
    slow = Slow(1000, 200_000)
    pager = Paging(50, slow.time)
    assert await took(pager, slow) >= 200
    assert slow.limits[-1] == 1


async def test_the_newest_page_without_a_prompt_is_bounded_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small message per page: the page's own limit is never reached, and no page has a prompt."""
    monkeypatch.setattr("tui.backends.paging.MAX_PAGES", 35_000)
    pages = OneByOne([message(2 * number + 1, 10_000) for number in range(20)])
    async with listening(pages) as served:
        http = Http(served.url)
        page = await OpenCode(http).messages("ses_1", limit=20)
        await http.close()
    assert (len(page.messages), page.cursor) == (4, "16")


async def test_a_page_whose_size_shows_that_it_is_too_slow_is_aborted_within_three_seconds() -> None:
    fetch = Slow(rate=1_000, each=4_000)
    await Paging(50, fetch.time).ask(fetch, 50)
    assert fetch.limits == [50, 1]
    assert fetch.begun[1] <= 3
