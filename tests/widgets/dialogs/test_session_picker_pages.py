"""The session list with more than one page of sessions on the server."""

import time

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.fake_client import FakeClient
from tests.widgets.dialogs.test_session_picker import open_list
from tui.backends.decoding import Rows
from tui.core import events as e
from tui.core.model import Session
from tui.net.errors import NetError, SchemaMismatch
from tui.widgets.dialogs.session_picker import SessionPicker

PAGE = 100


class Server(FakeClient):
    """A client of a server with many sessions, returned page by page."""

    def __init__(self, count: int) -> None:
        super().__init__()
        now = time.time()
        self.all = [sample.session(f"ses_{at + 2}", f"number {at}", updated=now - 60 * at) for at in range(count)]
        self.failing: NetError | None = None
        self.questions: list[tuple[str, str | None]] = []

    async def list_sessions(self, search: str = "", cursor: str | None = None) -> Rows[Session]:
        self.questions.append((search, cursor))
        if self.failing is not None:
            raise self.failing
        fitting = [one for one in self.all if search in one.title]
        begin = int(cursor or 0)
        page: Rows[Session] = Rows(fitting[begin : begin + PAGE])
        page.cursor = str(begin + PAGE) if len(fitting) > begin + PAGE else None
        self.feed(e.SessionsListed(page))
        return page


def picker(harness: AppHarness) -> SessionPicker:
    assert isinstance(harness.app.screen, SessionPicker)
    return harness.app.screen


def titles(harness: AppHarness) -> list[str]:
    """Of the listed sessions."""
    return [session.title for session in picker(harness)._listed]


async def test_the_last_of_many_sessions_is_reached_and_opened() -> None:
    server = Server(350)
    async with app_harness(client=server, session=None, size=(80, 24)) as harness:
        server.feed(e.SessionDeleted(sample.SESSION))
        await open_list(harness)
        await harness.until(lambda: len(server.questions) == 1)
        for _ in range(20):
            if len(titles(harness)) == 350:
                break
            harness.burst(*["down"] * 50)
            await harness.settled()
        assert len(titles(harness)) == 350
        harness.burst(*["down"] * (349 - (picker(harness)._options.highlighted or 0)))
        await harness.shows("number 349")
        await harness.press(*"349")
        await harness.until(lambda: titles(harness) == ["number 349"])
        await harness.press("enter")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_351")
        assert server.questions[:4] == [("", None), ("", "100"), ("", "200"), ("", "300")]


async def test_keys_of_a_burst_move_and_open_in_order() -> None:
    server = Server(100)
    async with app_harness(client=server, session=None) as harness:
        server.feed(e.SessionDeleted(sample.SESSION))
        await open_list(harness)
        await harness.shows("number 3")
        harness.burst(*["down"] * 30, *["up"] * 10, *"number", *["down"] * 2, *["backspace"] * 3, "enter", *"and on")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_24", "the session of row 22")
        await harness.until(lambda: harness.main.prompt.text == "and on")


async def test_a_page_of_sessions_is_not_drawn_once_per_session() -> None:
    server = Server(100)
    async with app_harness(client=server, session=None) as harness:
        drawn = 0

        def counted() -> None:
            nonlocal drawn
            drawn += 1
            draw()

        await open_list(harness)
        await harness.shows("number 3")
        draw = harness.app.presenter.refresh_dialog or counted
        harness.app.presenter.refresh_dialog = counted
        server.feed(e.SessionsListed(Rows(sample.session(f"ses_x{at}", f"more {at}") for at in range(100))))
        await harness.settled()
        assert 1 <= drawn < 20  # the dialog is also drawn once a second


async def test_the_oldest_session_is_found_by_its_title() -> None:
    server = Server(350)
    async with app_harness(client=server, session=None) as harness:
        await open_list(harness)
        await harness.press(*"number 349")
        await harness.until(lambda: titles(harness) == ["number 349"])
        assert "none" not in harness.text
        assert ("number", None) in server.questions
        await harness.press("backspace", *"0 zebra")
        await harness.shows("Sessions · no title matches")


async def test_a_filter_without_a_match_asks_for_the_next_page() -> None:
    server = Server(350)
    async with app_harness(client=server, session=None) as harness:
        await open_list(harness)
        await harness.press(*"number")
        await harness.until(lambda: ("number", None) in server.questions and len(titles(harness)) == PAGE)
        await harness.press(*" 349")
        await harness.until(lambda: titles(harness) == ["number 349"])


async def test_a_page_without_a_match_is_followed_by_the_next() -> None:
    server = Server(350)
    server.all[349] = sample.session("ses_351", "number zeta", updated=1.0)
    async with app_harness(client=server, session=None) as harness:
        await open_list(harness)
        await harness.press(*"number zeta")
        await harness.until(lambda: titles(harness) == ["number zeta"])
        assert ("number", "300") in server.questions


async def test_a_failed_list_shows_the_error_in_place() -> None:
    server = Server(0)
    server.failing = SchemaMismatch("/session", "it is no list")
    async with app_harness(client=server, session=None) as harness:
        await open_list(harness)
        await harness.shows("the list could not be fetched")
        server.failing = None
        server.all = [sample.session("ses_2", "the one")]
        await harness.press("o")
        await harness.shows("the one")
        await harness.hides("could not be fetched")


async def test_no_match_is_not_reported_while_loading() -> None:
    server = Server(3)
    async with app_harness(client=server, session=None) as harness:
        await open_list(harness)
        await harness.shows("number 2")
        harness.burst(*"zebra")
        await harness.shows("Sessions · searching…")
        await harness.shows("Sessions · no matches")
