"""The client without a screen against the stub server: real sockets, and a clock that jumps over all waiting."""

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from server_stub.faults import parse
from server_stub.profiles import PROFILES
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.waiting import wait_until
from tui.backends import opencode_wire as wire
from tui.client import Client, Clocks, NotConnected
from tui.core import changes as c
from tui.core.health import LineState
from tui.core.model import Idle, PermissionRequest, Prompt, QuestionRequest, Request, TextPart, ToolPart
from tui.core.transcript import Transcript
from tui.core.turn import SWALLOWED, Turn, TurnState
from tui.net.credentials import BasicAuth
from tui.net.errors import Cut
from tui.net.http import Http
from tui.pulse import BEAT_EVERY, BEATS_MISSED, CHECK_EVERY, PING_EVERY
from tui.resync import HalfDead

ANSWERS = (("Postgres",), ("auth", "my own words"))


class Meeting:
    """A client and a server, and what was asked and told between them."""

    def __init__(self, server: StubServer) -> None:
        self.server = server
        self.told: list[c.Change] = []
        self.asked: list[tuple[str, str]] = []
        self.session_id = ""
        loop = asyncio.get_running_loop()
        address = f"http://127.0.0.1:{server.port}"
        self.http = httpx.AsyncClient(base_url=address, trust_env=False, timeout=10)

        def open_http(user: str) -> Http:
            self.asked.append(("OPEN", user))
            return Watched(self.asked, address, credentials=BasicAuth(user, "secret"))

        epoch = time.time()
        clocks = Clocks(loop.time, lambda: epoch + loop.time(), asyncio.sleep, lambda: 0.5)
        self.client = Client(address, open_http, clocks=clocks)
        self.client.subscribe(self._hear)
        self._news = asyncio.Event()

    def _hear(self, change: c.Change) -> None:
        self.told.append(change)
        self._news.set()

    async def until(self, condition: Callable[[], object], within: float = 5, what: str = "") -> None:
        """Look at each change; `tests.waiting` would look a hundred times a second, and an hour has many."""
        deadline = self.client.now() + within
        while not condition():
            assert self.client.now() < deadline, f"still waiting after {within:g} s: {what or condition}"
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), 0.5)
            except TimeoutError:
                continue

    @property
    def synced(self) -> bool:
        return self.client._link.synced

    async def connect(self) -> None:
        self.client.start()
        await self.until(lambda: self.synced, what="the line")
        session = await self.client.new_session("a talk")
        self.session_id = session.id
        await self.client.open_session(session.id)

    def arm(self, fault: str) -> None:
        self.server.arm(parse(fault))

    def send(self, text: str) -> Turn:
        return self.client.prompts.send_now(self.session_id, text)

    async def over(self, turn: Turn, within: float = 120) -> Turn:
        await self.until(lambda: turn.over, within=within, what=f"the end of {turn}")
        return turn

    async def request(self) -> Request:
        """The one that is open."""
        await self.until(lambda: self.client.store.requests, within=30, what="a request")
        (request,) = self.client.store.requests.values()
        return request

    async def outcome(self, request_id: str) -> c.AnswerChanged:
        """How an answer ended."""
        ends = ("acknowledged", "elsewhere", "expired", "refused", "stopped")

        def ended() -> list[c.AnswerChanged]:
            changes = [one for one in self.told if isinstance(one, c.AnswerChanged)]
            return [one for one in changes if one.request.id == request_id and one.state in ends]

        await self.until(ended, within=60, what="an outcome")
        return ended()[-1]

    def replies(self) -> int:
        """How often an answer was posted."""
        return sum(path.endswith("/reply") for _, path in self.asked)

    def transcript(self) -> Transcript:
        transcript = self.client.store.transcript(self.session_id)
        assert transcript is not None
        return transcript

    def words(self) -> list[str]:
        """All texts of the session, as the client has them."""
        parts = [
            part for message in self.transcript().ordered() for part in self.transcript().parts_of(message.id)
        ]
        return [part.text for part in parts if isinstance(part, TextPart)]

    def tool(self) -> ToolPart:
        parts = [
            part for message in self.transcript().ordered() for part in self.transcript().parts_of(message.id)
        ]
        return next(part for part in parts if isinstance(part, ToolPart))

    async def stored(self) -> list[Any]:
        found = (await self.http.get(f"/session/{self.session_id}/message")).json()
        assert isinstance(found, list)
        return found

    async def prompts_stored(self) -> list[str]:
        return [one["info"]["id"] for one in await self.stored() if one["info"]["role"] == "user"]

    async def agrees(self) -> bool:
        """Whether the client's transcript is the server's."""
        theirs = Transcript()
        for full in map(wire.full_message, await self.stored()):
            theirs.messages[full.message.id] = full.message
            for part in full.parts:
                theirs.put_part(part)
        return self.transcript().same_as(theirs)

    async def lists(self, kind: str) -> list[Any]:
        found = (await self.http.get(f"/{kind}")).json()
        assert isinstance(found, list)
        return found


class Watched(Http):
    """Remembers what it was asked to send."""

    def __init__(self, asked: list[tuple[str, str]], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._asked = asked

    async def call(self, method: str, path: str, **options: Any) -> Any:
        self._asked.append((method, path))
        return await super().call(method, path, **options)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **options: Any) -> AsyncIterator[Any]:
        self._asked.append((method, path))
        async with super().stream(method, path, **options) as stream:
            yield stream


Story = Callable[..., Coroutine[Any, Any, None]]


def virtually(usual: str = "opencode", *, connected: bool = True) -> Callable[[Story], Callable[..., None]]:
    """Play a test on virtual time: it gets a `Meeting`, with a line and an open session unless told otherwise.

    The server is of the `usual` profile, or of the one that the test takes as `profile`.
    """

    def decorate(test: Story) -> Callable[..., None]:
        @functools.wraps(test)
        def played(**given: Any) -> None:
            async def main(loop: VirtualTime) -> None:
                server = StubServer(PROFILES[given.get("profile", usual)], time.time())
                server.start()
                meeting = Meeting(server)
                try:
                    if connected:
                        await meeting.connect()
                    await test(meeting, **given)
                finally:
                    await meeting.client.close()
                    await meeting.http.aclose()
                    await server.close()
                assert loop.broken == []
                await wait_until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, what="every task to end")

            run(main)

        signature = inspect.signature(test)
        fixtures = [one for name, one in signature.parameters.items() if name != "meeting"]
        played.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined]
        return played

    return decorate


every_profile = pytest.mark.parametrize("profile", ["opencode", "opencode-padded", "mimo"])
opencode_profiles = pytest.mark.parametrize("profile", ["opencode", "opencode-padded"])


@every_profile
@virtually()
async def test_a_prompt_is_answered(meeting: Meeting, profile: str) -> None:
    turn = meeting.send("PLAIN")
    assert turn.state is TurnState.SENDING
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.FINISHED, "")
    assert meeting.words() == ["PLAIN", "Done. Nothing to call, **all** is well."]
    assert await meeting.agrees()
    assert c.TurnChanged(meeting.session_id) in meeting.told
    assert meeting.client.turn(meeting.session_id) is turn


@every_profile
@virtually()
async def test_a_question_is_answered(meeting: Meeting, profile: str) -> None:
    turn = meeting.send("ASK")
    request = await meeting.request()
    assert isinstance(request, QuestionRequest)
    assert [question.header for question in request.questions] == ["DB", "Feat"]
    await meeting.until(lambda: turn.state is TurnState.WAITING)
    meeting.client.answer(request, ANSWERS)
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    assert meeting.tool().answers == ANSWERS
    assert "my own words" in meeting.words()[-1]
    closed = [one for one in meeting.told if isinstance(one, c.RequestClosed)]
    assert closed == [c.RequestClosed(request, "answered", ANSWERS)]
    assert await meeting.agrees()


@virtually()
async def test_a_question_is_dismissed(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    request = await meeting.request()
    meeting.client.reject(request)
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    assert meeting.tool().state == "error"
    assert await meeting.lists("question") == []


@pytest.mark.parametrize(
    ("reply", "message"), [("once", ""), ("always", ""), ("reject", "not now"), ("reject", "")]
)
@virtually()
async def test_a_permission_is_given_or_not(meeting: Meeting, reply: Any, message: str) -> None:
    turn = meeting.send("SHELL made.txt")
    request = await meeting.request()
    meeting.client.reply(request, reply, message)
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    assert meeting.tool().state == ("error" if reply == "reject" else "completed")
    assert ("not now" in meeting.tool().error) is (message != "")
    assert await meeting.lists("permission") == []
    assert await meeting.agrees()


@virtually()
async def test_nothing_is_answered_that_is_not_open_and_that_is_said(meeting: Meeting) -> None:
    calls = len(meeting.asked)
    meeting.client.answer(QuestionRequest("que_1", "ses_1", ()), ANSWERS)
    meeting.client.reject(QuestionRequest("que_2", "ses_1", ()))
    meeting.client.reply(PermissionRequest("per_3", "ses_1", "bash"), "once")
    await asyncio.sleep(1)
    assert len(meeting.asked) == calls
    told = [(one.request.id, one.state) for one in meeting.told if isinstance(one, c.AnswerChanged)]
    assert told == [("que_1", "expired"), ("que_2", "expired"), ("per_3", "expired")]


@opencode_profiles
@virtually()
async def test_an_abort_leaves_no_ghosts(meeting: Meeting, profile: str) -> None:
    turn = meeting.send("BOTH")
    await meeting.until(lambda: len(meeting.client.store.requests) == 2, within=30)
    await meeting.client.abort(meeting.session_id)
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "")
    assert not meeting.client.store.requests
    await asyncio.sleep(2)
    assert await meeting.lists("question") == []
    assert await meeting.lists("permission") == []
    assert await meeting.agrees()


@virtually()
async def test_an_abort_of_ours_may_be_seen_before_it_is_acknowledged(meeting: Meeting) -> None:
    turn = meeting.send("SLOW")
    await meeting.until(lambda: turn.state is TurnState.RUNNING)
    meeting.arm(f"cut=/session/{meeting.session_id}/abort,at=headers")
    with pytest.raises(Cut):
        await meeting.client.abort(meeting.session_id)
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "")


@virtually()
async def test_an_abort_from_elsewhere_is_called_that(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    await meeting.request()
    await meeting.http.post(f"/session/{meeting.session_id}/abort")
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted from elsewhere")
    assert not meeting.client.store.requests


@virtually()
async def test_an_abort_between_two_tries_of_the_provider(meeting: Meeting) -> None:
    turn = meeting.send("FAIL 503")
    await meeting.until(lambda: turn.retry is not None and turn.retry.attempt == 2, within=30)
    await meeting.http.post(f"/session/{meeting.session_id}/abort")
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted from elsewhere")


@virtually()
async def test_a_model_error_is_the_reason(meeting: Meeting) -> None:
    turn = await meeting.over(meeting.send("FAIL 400"))
    assert turn.state is TurnState.FAILED
    assert "400" in turn.reason
    assert [one.failure.status for one in meeting.told if isinstance(one, c.FailureSeen)] == [400]


@opencode_profiles
@virtually()
async def test_a_second_prompt_while_busy_ends_with_the_first(meeting: Meeting, profile: str) -> None:
    first = meeting.send("SLOW")
    await meeting.until(lambda: first.state is TurnState.RUNNING)
    second = meeting.send("PLAIN")
    assert meeting.client.turn(meeting.session_id) is first
    await meeting.over(first)
    await meeting.over(second)
    assert (first.state, second.state) == (TurnState.FINISHED, TurnState.FINISHED)
    assert meeting.client.turn(meeting.session_id) is second
    assert await meeting.prompts_stored() == [first.prompt_id, second.prompt_id]
    assert await meeting.agrees()


BREAKS = [
    ("opencode", "reset=prompt,at=headers"),
    ("opencode", "cut=prompt,at=headers"),
    ("opencode-padded", "cut=prompt,at=body"),
    ("opencode-padded", "reset=prompt,at=padding"),
    ("opencode-padded", "cut=prompt,at=json"),
    ("opencode-padded", "cut=prompt,at=json,after_bytes=100"),
    ("opencode", "reset=prompt,at=json,after_bytes=100"),
]


@pytest.mark.parametrize(("profile", "fault"), BREAKS)
@virtually()
async def test_a_post_that_breaks_on_its_way_back_loses_nothing(
    meeting: Meeting, profile: str, fault: str
) -> None:
    meeting.arm(fault)
    turn = await meeting.over(meeting.send("LONG 1 #1;"))
    assert turn.state is TurnState.FINISHED
    assert await meeting.prompts_stored() == [turn.prompt_id]
    assert meeting.server.runs == {"#1;": 1}
    assert await meeting.agrees()


@pytest.mark.parametrize(
    "fault", ["cut=prompt,at=request", "reset=prompt,at=request", "502=prompt", "502=prompt,times=2"]
)
@virtually()
async def test_a_post_that_never_arrived_is_sent_again(meeting: Meeting, fault: str) -> None:
    meeting.arm(fault)
    turn = await meeting.over(meeting.send("PLAIN #1;"))
    assert (turn.state, turn.posts) == (TurnState.FINISHED, 3 if "times" in fault else 2)
    assert await meeting.prompts_stored() == [turn.prompt_id]
    assert meeting.server.runs == {"#1;": 1}


@virtually()
async def test_a_post_that_a_starting_server_swallows_is_sent_again(meeting: Meeting) -> None:
    meeting.arm("hang=prompt")
    began = meeting.client.now()
    turn = await meeting.over(meeting.send("PLAIN #1;"))
    assert (turn.state, turn.posts) == (TurnState.FINISHED, 2)
    assert SWALLOWED < meeting.client.now() - began < SWALLOWED + 15
    assert meeting.server.runs == {"#1;": 1}


@pytest.mark.parametrize("fault", ["whitespace", "truncated", "trailing", "doubled", "garbled"])
@virtually("opencode-padded")
async def test_a_body_that_is_useless_is_replaced_by_what_the_server_has(meeting: Meeting, fault: str) -> None:
    meeting.arm(fault)
    turn = await meeting.over(meeting.send("PLAIN #1;"))
    assert (turn.state, turn.posts) == (TurnState.FINISHED, 1)
    assert meeting.server.runs == {"#1;": 1}
    assert await meeting.agrees()


@virtually()
async def test_a_prompt_that_the_server_fails_at_says_why(meeting: Meeting) -> None:
    prompt = Prompt(meeting.session_id, "PLAIN", "msg_1", "prt_1", agent="nobody")
    turn = await meeting.over(meeting.client.turns.send(prompt))
    assert (turn.state, turn.posts) == (TurnState.NOT_SENT, 4)
    assert "nobody" in turn.reason
    assert meeting.asked.count(("POST", f"/session/{meeting.session_id}/message")) == 1


@virtually("mimo")
async def test_mimo_refuses_a_second_prompt_with_its_reason(meeting: Meeting) -> None:
    first = meeting.send("SLOW")
    await meeting.until(lambda: first.state is TurnState.RUNNING)
    second = await meeting.over(meeting.send("PLAIN"), within=2)
    assert second.state is TurnState.NOT_SENT
    assert "409" in second.reason
    assert meeting.session_id in second.reason
    await meeting.over(first)
    assert first.state is TurnState.FINISHED
    assert len(await meeting.prompts_stored()) == 1


@pytest.mark.parametrize("fault", ["reset=prompt,at=padding", "cut=prompt,at=body"])
@virtually("mimo")
async def test_mimo_cancels_a_turn_whose_post_breaks(meeting: Meeting, fault: str) -> None:
    meeting.arm(fault)
    turn = await meeting.over(meeting.send("LONG 5"))
    assert turn.state is TurnState.CANCELLED
    assert turn.reason
    assert await meeting.agrees()


@virtually("mimo")
async def test_mimo_says_a_failure_with_nothing(meeting: Meeting) -> None:
    turn = await meeting.over(meeting.send("FAIL 400"))
    assert turn.state is TurnState.FAILED
    assert "400" in turn.reason


@virtually("mimo")
async def test_the_family_is_known_by_what_the_server_says(meeting: Meeting) -> None:
    traits, server = meeting.client.traits, meeting.client.server
    assert traits is not None
    assert server is not None
    assert (traits.family, traits.cancels_on_disconnect, server.version) == ("mimo", True, "0.1.0")


@virtually(connected=False)
async def test_before_the_server_was_reached_nothing_can_be_asked_of_it(meeting: Meeting) -> None:
    assert (meeting.client.traits, meeting.client.server) == (None, None)
    assert meeting.client.turn("ses_1") is None
    with pytest.raises(NotConnected):
        meeting.client.prompts.send_now("ses_1", "x")
    with pytest.raises(NotConnected):
        await meeting.client.new_session()
    assert meeting.client.line().state is LineState.CONNECTING
    assert not await meeting.client.load_older("ses_1")


@virtually()
async def test_a_refused_password_stops_until_a_person_acts(meeting: Meeting) -> None:
    meeting.arm("401")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: meeting.client.line().state is LineState.STOPPED, within=30)
    line = meeting.client.line()
    assert "401" in line.reason
    assert "HOLDFAST_PASSWORD" in line.remedy
    asked = len(meeting.asked)
    await asyncio.sleep(3600)
    assert len(meeting.asked) == asked
    meeting.server.disarm_all()
    meeting.client.retry_now()
    await meeting.until(lambda: meeting.client.line().state is LineState.LIVE)


@virtually(connected=False)
async def test_a_password_is_tried_once_for_each_family(meeting: Meeting) -> None:
    meeting.arm("401")
    meeting.client.start()
    await meeting.until(lambda: meeting.client.line().state is LineState.STOPPED)
    await asyncio.sleep(3600)
    assert meeting.asked == [
        step for user in ("opencode", "mimocode", "") for step in (("OPEN", user), ("GET", "/global/health"))
    ]


@virtually()
async def test_a_line_that_is_lost_and_back_leaves_no_gap(meeting: Meeting) -> None:
    turn = meeting.send("SLOW")
    await meeting.until(lambda: len(meeting.words()) == 2 and "word5" in meeting.words()[1], within=20)
    meeting.arm("502=/global/health,times=4")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: meeting.client.line().state is LineState.RECONNECTING, within=20)
    states = [
        part.state
        for message in meeting.transcript().ordered()
        for part in meeting.transcript().parts_of(message.id)
        if isinstance(part, TextPart)
    ]
    assert states == ["done", "partial"]
    assert not turn.over
    await meeting.until(lambda: meeting.synced, within=60)
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    assert await meeting.agrees()
    assert meeting.words()[1].count("word") == 40


@virtually()
async def test_an_event_stream_that_a_starting_server_swallows_is_opened_again_soon(meeting: Meeting) -> None:
    meeting.arm("hang=events")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    lost = meeting.client.now()
    await meeting.until(lambda: meeting.synced, within=20)
    assert 3 < meeting.client.now() - lost < 6


@virtually()
async def test_what_happened_while_the_line_was_down_is_fetched(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("502=/global/health,times=3")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    await meeting.http.post(f"/question/{request.id}/reply", json={"answers": [["SQLite"]]})
    meeting.client.answer(request, (("Postgres",),))
    outcome = await meeting.outcome(request.id)
    assert (outcome.state, outcome.reason) == ("elsewhere", "SQLite")
    await meeting.over(turn)
    await meeting.until(lambda: meeting.synced, within=60)
    assert await meeting.agrees()


@virtually()
async def test_a_request_of_another_directory_does_not_stay_when_it_was_answered_in_a_gap(
    meeting: Meeting,
) -> None:
    headers = {"x-opencode-directory": "/elsewhere"}
    other = (await meeting.http.post("/session", json={}, headers=headers)).json()["id"]
    await meeting.http.post(f"/session/{other}/prompt_async", json={"parts": [{"type": "text", "text": "ASK1"}]})
    request = await meeting.request()
    assert request.session_id == other
    meeting.arm("502=/global/health,times=3")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    await meeting.http.post(f"/question/{request.id}/reply", headers=headers, json={"answers": [["SQLite"]]})
    await meeting.until(lambda: meeting.synced, within=60)
    assert not meeting.client.store.requests
    assert isinstance(meeting.client.store.status(other), Idle)


@virtually()
async def test_an_acknowledgement_that_was_lost_is_found_though_the_session_is_not_open(meeting: Meeting) -> None:
    """The subagent's transcript is not on the screen; what it was answered is asked of the server."""
    meeting.send("CHILD")
    request = await meeting.request()
    assert request.session_id != meeting.session_id
    meeting.arm("silent")
    meeting.arm("cut=/question/que,at=headers")
    meeting.client.answer(request, (("SQLite",),))
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    states = [one.state for one in meeting.told if isinstance(one, c.AnswerChanged)]
    assert states == ["sending", "retrying", "acknowledged"]


@virtually()
async def test_a_server_killed_in_mid_turn_is_shown_and_the_turn_is_interrupted(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    await meeting.request()
    meeting.server.crash()
    await meeting.until(lambda: meeting.client.line().state is LineState.RECONNECTING, within=3)
    await meeting.until(lambda: turn.state is TurnState.UNKNOWN, within=3)
    meeting.server.start()
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server stopped in the middle of it")
    assert not meeting.client.store.requests
    assert meeting.client.line().up
    assert await meeting.agrees()


@virtually()
async def test_a_turn_that_runs_already_is_followed(meeting: Meeting) -> None:
    session = (await meeting.http.post("/session", json={})).json()["id"]
    await meeting.http.post(f"/session/{session}/prompt_async", json={"parts": [{"type": "text", "text": "SLOW"}]})
    await asyncio.sleep(1)
    await meeting.client.open_session(session)
    turn = meeting.client.turn(session)
    assert turn is not None
    assert (turn.state, turn.prompt) == (TurnState.RUNNING, None)
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED


@virtually()
async def test_a_session_that_is_opened_while_the_line_comes_back_is_fetched_too(meeting: Meeting) -> None:
    session = (await meeting.http.post("/session", json={})).json()["id"]
    await meeting.http.post(f"/session/{session}/message", json={"parts": [{"type": "text", "text": "PLAIN"}]})
    stall = parse(f"stall=/session/{meeting.session_id}/todo,at=request")
    meeting.server.arm(stall)
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: ("GET", f"/session/{meeting.session_id}/todo") in meeting.asked[-1:], within=30)
    await meeting.client.open_session(session)
    meeting.server.disarm(stall)
    await meeting.until(lambda: meeting.synced, within=30)
    transcript = meeting.client.store.transcript(session)
    assert transcript is not None
    assert len(transcript.messages) == 2


@virtually()
async def test_a_session_that_is_gone_is_dropped(meeting: Meeting) -> None:
    assert meeting.session_id in meeting.client.store.sessions
    meeting.arm("502=/global/health,times=2")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    await meeting.http.delete(f"/session/{meeting.session_id}")
    await meeting.until(lambda: meeting.synced, within=30)
    assert meeting.session_id not in meeting.client.store.sessions


@virtually()
async def test_older_messages_come_page_by_page(meeting: Meeting) -> None:
    for _ in range(30):
        await meeting.over(meeting.send("PLAIN"))
    meeting.client.close_session(meeting.session_id)
    assert meeting.client.store.transcript(meeting.session_id) is None
    await meeting.client.open_session(meeting.session_id)
    assert len(meeting.transcript().messages) == 50
    assert await meeting.client.load_older(meeting.session_id)
    assert len(meeting.transcript().messages) == 60
    assert not await meeting.client.load_older(meeting.session_id)
    assert await meeting.agrees()


@virtually()
async def test_a_session_whose_turn_runs_stays_open_until_it_ended(meeting: Meeting) -> None:
    turn = meeting.send("SLOW")
    meeting.client.close_session(meeting.session_id)
    assert meeting.client.store.transcript(meeting.session_id) is not None
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED


@virtually()
async def test_sessions_are_listed_and_searched(meeting: Meeting) -> None:
    other = await meeting.client.new_session("another thing")
    assert [session.title for session in await meeting.client.list_sessions("another")] == ["another thing"]
    assert {session.id for session in await meeting.client.list_sessions()} == {meeting.session_id, other.id}
    assert c.SessionsChanged(other.id) in meeting.told


@virtually()
async def test_the_round_trip_is_measured_while_the_line_is_up_and_only_then(meeting: Meeting) -> None:
    meeting.told.clear()
    await asyncio.sleep(PING_EVERY + 1)
    assert c.LineChanged() in meeting.told
    meeting.arm("401")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: meeting.client.line().state is LineState.STOPPED, within=30)
    asked = meeting.asked.count(("GET", "/global/health"))
    await asyncio.sleep(3 * PING_EVERY)
    assert meeting.asked.count(("GET", "/global/health")) == asked


@virtually()
async def test_a_ping_that_fails_changes_nothing(meeting: Meeting) -> None:
    meeting.arm("502=/global/health,times=1")
    await asyncio.sleep(PING_EVERY + 1)
    assert meeting.client.line().state is LineState.LIVE


@virtually()
async def test_the_client_beats_while_it_watches_and_says_goodbye(meeting: Meeting) -> None:
    beat, leave = (("POST", f"/session/{meeting.session_id}/{what}") for what in ("heartbeat", "detach"))
    await asyncio.sleep(2 * BEAT_EVERY + 5)
    assert meeting.asked.count(beat) == 2
    meeting.arm("502=/session,times=1")
    turn = meeting.send("PLAIN")
    await meeting.over(turn)
    await asyncio.sleep(BEAT_EVERY)
    assert turn.state is TurnState.FINISHED
    assert leave not in meeting.asked
    await meeting.client.close()
    assert leave in meeting.asked


@virtually()
async def test_heartbeats_that_fail_are_told_at_the_third_and_not_again(meeting: Meeting) -> None:
    def told() -> list[c.Change]:
        return [one for one in meeting.told if isinstance(one, c.Notice) and "heartbeats" in one.text]

    meeting.arm("502=/session,times=always")
    await asyncio.sleep(2 * BEAT_EVERY + 5)
    assert told() == []
    await asyncio.sleep(4 * BEAT_EVERY)
    assert len(told()) == 1
    meeting.server.disarm_all()
    await asyncio.sleep(BEAT_EVERY)
    meeting.arm("502=/session,times=always")
    await asyncio.sleep(BEATS_MISSED * BEAT_EVERY)
    assert len(told()) == 2


@virtually()
async def test_a_server_whose_health_answers_and_nothing_else(meeting: Meeting) -> None:
    meeting.arm("stall=/session,times=always,at=request")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: meeting.client.line().reason == HalfDead().what, within=60)
    meeting.server.disarm_all()
    await meeting.until(lambda: meeting.client.line().state is LineState.LIVE and meeting.synced, within=60)


@virtually()
async def test_quitting_leaves_the_turn_to_the_server(meeting: Meeting) -> None:
    turn = meeting.send("LONG 1")
    await meeting.until(lambda: turn.state is TurnState.RUNNING)
    await meeting.client.close()
    await asyncio.sleep(200)
    assert "converged" in (await meeting.stored())[-1]["parts"][-2]["text"]


@virtually()
async def test_a_part_of_the_client_that_breaks_is_told(meeting: Meeting) -> None:
    async def broken() -> None:
        raise LookupError("a mistake of ours")

    meeting.client._spawn(broken())
    await meeting.until(lambda: any(isinstance(one, c.Notice) for one in meeting.told))
    (notice,) = (one for one in meeting.told if isinstance(one, c.Notice))
    assert (notice.severity, "LookupError" in notice.text) == ("error", True)


@virtually()
async def test_an_answer_waits_for_the_line_and_goes_as_soon_as_it_is_back(meeting: Meeting) -> None:
    meeting.send("ASK1")
    request = await meeting.request()
    meeting.server.crash()
    await meeting.until(lambda: not meeting.synced)
    meeting.client.answer(request, (("Postgres",),))
    await asyncio.sleep(100)
    meeting.server.start()
    back = meeting.client.now()
    meeting.client.retry_now()
    outcome = await meeting.outcome(request.id)
    assert outcome.state == "expired"  # the server that asked is dead
    assert meeting.client.now() - back < 1


@virtually()
async def test_a_session_that_the_server_lost_is_told_once_and_asked_for_no_more(meeting: Meeting) -> None:
    meeting.server.forget(meeting.session_id)
    await meeting.until(lambda: meeting.session_id in meeting.client.store.gone, within=2 * CHECK_EVERY)
    assert meeting.told.count(c.SessionsChanged(meeting.session_id)) >= 1
    meeting.asked.clear()
    meeting.told.clear()
    await asyncio.sleep(10 * CHECK_EVERY)  # virtual
    assert [path for _, path in meeting.asked if meeting.session_id in path] == []
    assert c.SessionsChanged(meeting.session_id) not in meeting.told


@virtually()
async def test_what_waits_for_a_session_that_the_server_lost_is_found_out_at_the_next_line(
    meeting: Meeting,
) -> None:
    meeting.client.journal.save_draft("ses_lost", "half")
    meeting.client.prompts.submit(meeting.session_id, "hello")
    meeting.server.crash()
    await meeting.until(lambda: not meeting.client.line().up)
    meeting.server.start()
    await meeting.until(lambda: meeting.synced, within=60)
    assert "ses_lost" in meeting.client.store.gone


@virtually()
async def test_of_many_sessions_the_ones_opened_last_are_kept(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.client.OPEN_KEPT", 2)
    client = meeting.client
    running, waits = meeting.session_id, (await client.new_session("waits")).id
    turn = meeting.send("ASK1")
    await client.open_session(waits)
    client.prompts.submit(waits, "later")
    client.prompts.submit(waits, "last")
    client.prompts.hold(waits, "for the test")
    others = [(await client.new_session(f"number {number}")).id for number in range(4)]
    for session_id in (*others, others[0], others[3]):
        await client.open_session(session_id)
    assert set(client.store.open_sessions()) == {running, waits, others[0], others[3]}
    client.reject(await meeting.request())
    await meeting.over(turn)
    await client.open_session(others[1])
    assert set(client.store.open_sessions()) == {waits, others[3], others[1]}
