"""For any JSON of a server, a backend returns values that can be stored and drawn, or raises `NetError`.

Responses and events of real servers are damaged at random. `make chaos` plays 10,000 examples per family.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.backends import recording as of_opencode
from tests.backends import recording_qwen as of_qwen
from tests.backends.daemon import CAPABILITIES, PERMISSION, listed
from tests.backends.damage import Damage, damaged, damages, written
from tests.backends.opencode_server import HEALTH, PATHS, Watcher
from tests.backends.played import EVENTS, ScriptedHttp
from tui.backends.base import Backend, ServerInfo, SessionEditing, Undo
from tui.backends.detect import detect_backend
from tui.backends.qwen import streams, transcript_pages
from tui.cli import status
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.events import MessagesLoaded, SessionsListed
from tui.core.model import Retrying, ToolPart
from tui.core.store import Store
from tui.core.turn import Turn
from tui.net.errors import NetError
from tui.widgets.base.format import clock, span, step_duration
from tui.widgets.status.header import Heading, spent
from tui.widgets.status.turn_status import turn_text
from tui.widgets.transcript.tool_call import detail_of, headline_of

SESSION = "s1"
NOW = 1_795_171_568.0


def opencode_answers(name: str, directory: str = PATHS["directory"]) -> dict[str, Any]:
    """The responses of an opencode server in a recorded turn."""
    recorded = of_opencode.recording(name)
    given = of_opencode.recording("ask").answers
    given |= of_opencode.recording("shell").answers | recorded.answers
    session = given["session"] | {
        "directory": directory,
        "cost": 0.25,
        "parentID": None,
        "revert": {"messageID": "m"},
    }
    one, session_id = f"/session/{SESSION}", session["id"]
    retry = {"type": "retry", "attempt": 2, "message": "slow down", "next": 1_795_171_570_000}
    failed = {"name": "APIError", "data": {"message": "no", "statusCode": 503}}
    more = {
        "session.status": {"sessionID": session_id, "status": retry},
        "session.retry.attempt": {"sessionID": session_id, "attempt": 3, "reason": "busy", "nextDelayMs": 2000},
        "session.error": {"sessionID": session_id, "error": failed},
        "todo.updated": {"sessionID": session_id, "todos": [{"content": "one", "status": "pending"}]},
        "bash.interactive.asked": {"id": "b1", "command": "ls", "cwd": "/p"},
        "bash.interactive.replied": {"id": "b1", "output": "x", "exitCode": 0},
    }
    return {
        "GET /global/health": HEALTH,
        "GET /path": PATHS,
        "GET /capabilities": {"features": ["client_heartbeat"]},
        "GET /experimental/session": [session],
        "GET /session": [session],
        f"GET {one}": session,
        f"GET {one}/children": [session],
        "POST /session": session,
        f"PATCH {one}": session | {"titleRevision": 1},
        f"DELETE {one}": True,
        **{f"POST {one}/{what}": session for what in ("fork", "revert", "unrevert")},
        f"GET {one}/message": given["messages"],
        f"GET {one}/message/m1": given["messages"][0],
        **{f"POST {one}/{kind}": given["prompt"] for kind in ("message", "command")},
        **{f"POST {one}/{what}": True for what in ("abort", "heartbeat")},
        f"GET {one}/todo": [{"content": "one", "status": "pending", "priority": "high"}],
        "GET /question": of_opencode.recording("ask").answers["questions"],
        "GET /permission": of_opencode.recording("shell").answers["permissions"],
        "GET /session/status": {session_id: retry, "s2": {"type": "busy"}},
        "GET /bash-interactive": [{"id": "b1", "command": "ls", "cwd": "/p"}],
        **{f"POST /{kind}/r1/{how}": True for kind in ("question", "permission") for how in ("reply", "reject")},
        "GET /agent": [{"name": "build", "mode": "primary"}],
        "GET /command": [{"name": "init", "description": "begin"}],
        "GET /find/file": ["a.py", "b/"],
        "GET /config/providers": {"providers": [{"id": "p", "name": "P", "models": {"m": {"name": "M"}}}]},
        EVENTS: [
            *recorded.events,
            *({"payload": {"type": kind, "properties": reported}} for kind, reported in more.items()),
        ],
    }


def mimo_answers(name: str) -> dict[str, Any]:
    answers = opencode_answers(name)
    return answers | {"GET /path": PATHS | {"state": "/home/me/.local/state/mimocode"}}


def qwen_answers(name: str) -> dict[str, Any]:
    """The responses of a qwen serve in a recorded session."""
    recorded = of_qwen.recording(name)
    load = next(iter(recorded.loads.values()))
    load |= {"promptTerminals": [{"promptId": "p0", "terminal": "error", "code": "x", "at": 1_795_171_567_000}]}
    kept = "session_update"
    pages = [{**event, "data": event["data"]["update"]} for event in recorded.events if event["type"] == kept]
    one = f"/session/{SESSION}"
    asks = listed(SESSION, busy=True, waiting=[PERMISSION])
    background = {
        "id": max(event.get("id", 0) for event in recorded.events) + 1, "type": "session_update", "promptId": "bg",
        "data": {"update": {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "x"}},
                 "backgroundTurn": {"startedAt": 1_795_171_567_000}},
    }  # fmt: skip
    state = {
        "modes": {"availableModes": [{"id": "plan"}]},
        "models": {"availableModels": [{"modelId": "m", "name": "M"}]},
    }
    return {
        "GET /capabilities": CAPABILITIES,
        "GET /health": {"status": "ok"},
        "GET /workspaces/%2Fsrv/sessions": {"sessions": [asks, listed("s2")], "nextCursor": "c"},
        f"GET {one}/status": recorded.status or asks,
        f"POST {one}/load": load,
        f"POST {one}/resume": load,
        "POST /session": recorded.session | {"sessionId": SESSION},
        f"POST {one}/branch": recorded.session | {"sessionId": SESSION},
        f"PATCH {one}/metadata": {"displayName": "named"},
        "POST /sessions/delete": {"removed": [SESSION], "notFound": []},
        f"GET {one}/transcript": {"events": pages, "nextCursor": "c2", "hasMore": True},
        f"POST {one}/prompt": {"promptId": "p1", "lastEventId": 0, "eventEpoch": "e1"},
        f"GET {one}/turns/p1": {"state": "completed"},
        **{f"POST {one}/{what}": {} for what in ("cancel", "heartbeat", "detach", "permission/r1")},
        "POST /permission/r1": {},
        f"GET {one}/context": {"state": state},
        f"GET {one}/supported-commands": {"availableCommands": [{"name": "init"}]},
        "GET /workspaces/%2Fsrv/glob": {"matches": ["a.py"]},
        EVENTS: [*recorded.events, background],
    }


FAMILIES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "opencode": opencode_answers,
    "mimo": mimo_answers,
    "qwen": qwen_answers,
}
RECORDED = {"opencode": of_opencode.NAMES, "mimo": of_opencode.NAMES, "qwen": of_qwen.NAMES}
WHOLE = {family: {name: answers(name) for name in RECORDED[family]} for family, answers in FAMILIES.items()}


@pytest.fixture(autouse=True, scope="module")
def _without_waiting() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "POLL_INTERVAL", 0.0)
        patch.setattr(transcript_pages, "READ_AT_ONCE", 3)
        yield


class Seen:
    """The results of the calls; all of them must be finite, storable and drawable."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.open_transcript(SESSION)
        self.errors: list[NetError] = []
        self.values = 0

    async def ask(self, asked: Awaitable[Any]) -> Any:
        try:
            value = await asked
        except NetError as error:
            self.errors.append(error)
            return None
        self.take(value)
        return value

    def take(self, value: Any) -> None:
        self.values += 1
        check(value)

    def apply(self, event: Any) -> None:
        for owner in (event, getattr(event, "message", None), getattr(event, "part", None)):
            if isinstance(session_id := getattr(owner, "session_id", None), str):
                self.store.open_transcript(session_id)
        self.store.apply(event)


def check(value: Any) -> None:
    """Every number is finite and in a valid range."""
    if isinstance(value, float | int):
        assert isfinite(value)
        assert -(2**32) < value < 2**54
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            check(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            check(item)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name != "input":  # the input of a tool is shown unchanged
                check(getattr(value, name))


def draw_all(store: Store) -> None:
    """Format times, tokens, costs and tool calls as the screen does."""
    texts = []
    for session in store.sessions.values():
        texts += [span(NOW - session.updated), spent(Heading(tokens=session.tokens, cost=session.cost))]
    for session_id in [*store.open_sessions(), SESSION]:
        transcript = store.transcript(session_id)
        if transcript is None:
            continue
        texts.append(spent(Heading("", "", *transcript.usage_totals())))
        turn = Turn.follow(session_id, "p1", 1000.0)
        retry = store.status(session_id)
        if isinstance(retry, Retrying):
            turn.retry = retry
            texts.append(turn_text(turn, ConnectionStatus(ConnectionState.LIVE), 1010.0, NOW).plain)
        for message in transcript.ordered():
            texts.append(step_duration((message.completed or 0.0) - message.created))
            for part in transcript.parts_of(message.id):
                if isinstance(part, ToolPart):
                    outcome = headline_of(part).outcome.plain
                    assert "inf" not in outcome
                    detail_of(part)
    for request in store.requests.values():
        texts += [clock(NOW - (request.asked or NOW)), span(NOW - (request.asked or NOW))]
    assert not [text for text in texts if "inf" in text.split() or "nan" in text or len(text) > 100]


async def everything(backend: Backend, server: ServerInfo, seen: Seen) -> None:
    """Call each method of a backend once, and read its events."""
    offers = backend.offers  # type: ignore[attr-defined]  # of all three families
    place = (await seen.ask(backend.session(SESSION))) and PATHS["directory"]
    listed = await seen.ask(backend.sessions(search="t"))
    seen.store.apply(SessionsListed(tuple(listed or ())))
    for page in (None, "end"):
        loaded = await seen.ask(backend.messages(SESSION, before=page))
        if isinstance(loaded, MessagesLoaded):
            seen.store.apply(loaded)
    resynced = await seen.ask(backend.resync([place or ""]))
    if resynced is not None:
        seen.store.apply(resynced)
    for asked in (
        backend.children(SESSION), backend.create_session("new"), backend.todos(SESSION), backend.ping(),
        backend.look_up(SESSION, "m1"), backend.abort(SESSION), backend.answer("r1", (("a",),), directory="/p"),
        backend.reject("r1", directory="/p"), backend.reply("r1", "once", "", directory="/p"),
        backend.send_heartbeat(SESSION), offers.agents("/srv", SESSION), offers.models("/srv", SESSION),
        offers.commands("/srv", SESSION), offers.files("/srv", "a"), status.look("address", backend, server),
    ):  # fmt: skip
        await seen.ask(asked)
    prompt = backend.new_prompt(SESSION, "/init @a.py")
    await seen.ask(backend.post_prompt(prompt, Watcher()))
    await seen.ask(backend.look_up(SESSION, prompt.message_id, prompt))
    if isinstance(backend, Undo):
        await seen.ask(backend.undo(SESSION, "m1"))
        await seen.ask(backend.redo(SESSION))
    await seen.ask(events(backend, seen))
    if isinstance(backend, SessionEditing):
        await seen.ask(backend.rename(SESSION, "t"))
        await seen.ask(backend.fork(SESSION))
        await seen.ask(backend.delete(SESSION))
    await seen.ask(backend.close())


async def events(backend: Backend, seen: Seen) -> None:
    async with backend.subscribe(lambda count: None) as feed, aclosing(feed.events()) as reported:
        async for event in reported:
            seen.take(event)
            seen.apply(event)


async def run_scenario(family: str, tree: Mapping[str, Any]) -> Seen:
    seen = Seen()
    http = ScriptedHttp(tree, written)
    found = await seen.ask(detect_backend(lambda user: http, family=family))
    if found is not None:
        backend, server = found
        await everything(backend, server, seen)
        draw_all(seen.store)
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_every_call_returns_a_value_without_damage(family: str) -> None:
    for name, tree in WHOLE[family].items():
        seen = asyncio.run(run_scenario(family, tree))
        assert len(seen.errors) <= 2, name  # an unknown prompt, and the end of the events
        assert seen.values > 25, name


@pytest.mark.parametrize("family", FAMILIES)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.integers(0, 100), damages)
def test_damaged_json_gives_values_or_net_errors(family: str, recorded: int, damages: list[Damage]) -> None:
    names = RECORDED[family]
    asyncio.run(run_scenario(family, damaged(WHOLE[family][names[recorded % len(names)]], damages)))
