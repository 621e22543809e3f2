"""The stub responds like the real servers: both get the same requests, and every difference is a failure."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.stub import running_stub
from tests.real.conftest import Serve
from tests.real.questions import ACTS, ACTS_OF_QWEN, QUESTIONS, Json, RequestCase, TurnCase, excess, refusal, shape
from tests.real.server import MIMO, OPENCODE, QWEN

pytestmark = pytest.mark.real

MAX_WAIT = 30.0
FAMILIES = {"opencode": OPENCODE, "mimo": MIMO, "qwen": QWEN}
TURNS = 3
STUB_ALONE = {
    "GET /capabilities",
    "GET /doc",
    "POST /session/{}/detach",
    "POST /session/{}/heartbeat",
    "POST /session/{}/resume",
}
"""Routes of the stub for clients that identify themselves, and the route of the document itself."""
MAIN = ("question.", "permission.", "session.error", "session.idle")
"""Prefixes of the events that are compared in order; repeated `session.idle` counts once."""


async def answer_to(http: httpx.AsyncClient, question: RequestCase, session: str, message: str) -> tuple[object, ...]:
    """Status, type and shape; of a refusal the body."""
    path = question.path.format(session=session, message=message)
    given: dict[str, Any] = {"headers": {"content-type": "application/json"}, "content": question.content}
    if question.content is None:
        given = {"json": question.body} if question.body is not None else {}
    response = await http.request(question.method, path, **given)
    kind = response.headers.get("content-type", "").partition(";")[0]
    if not response.content or not kind.endswith("json"):
        return response.status_code, kind, bool(response.content)
    reads = shape if response.is_success else refusal
    return response.status_code, kind, reads(response.json())


async def turn_of(http: httpx.AsyncClient, act: TurnCase) -> object:
    """The events in order, and the stored messages afterwards."""
    session = (await http.post("/session", json={})).json()["id"]
    observed: list[str] = []
    async with events_of(http, session) as events:
        body = {"parts": [{"type": "text", "text": act.prompt}]}
        post = asyncio.ensure_future(http.post(f"/session/{session}/message", json=body))
        async for event in events:
            kind, properties = event["type"], event["properties"]
            if kind.startswith(MAIN) and observed[-1:] != [kind]:
                observed.append(kind)
            if act.reply and kind.endswith(".asked"):
                route = "question" if kind.startswith("question") else "permission"
                where, answer = act.reply
                await http.post(f"/{route}/{properties['id']}/{where}", json=answer)
            if act.aborts and (kind.endswith(".asked") or kind == "message.part.delta") and "abort" not in observed:
                observed.append("abort")
                await http.post(f"/session/{session}/abort")
            if kind == "session.idle":
                break
        posted = (await post).json()["info"]
    stored = (await http.get(f"/session/{session}/message")).json()
    left = [one for path in ("/question", "/permission") for one in (await http.get(path)).json()]
    return {
        "events": observed,
        "posted": [posted.get("finish"), posted.get("error", {}).get("name"), "completed" in posted["time"]],
        "stored": [ended(one["info"]) | {"parts": [part_of(part) for part in one["parts"]]} for one in stored],
        "left": [shape(one) for one in left if one["sessionID"] == session],
    }


async def turn_of_qwen(http: httpx.AsyncClient, act: TurnCase) -> object:
    """The events in order, successive text as one; and the reported end of the turn."""
    made = (await http.post("/session", json={"sessionScope": "thread"})).json()
    path, headers = f"/session/{made['sessionId']}", {"x-qwen-client-id": made["clientId"]}
    await http.post(f"{path}/approval-mode", json={"mode": "default"}, headers=headers)
    observed: list[object] = []
    async with http.stream("GET", f"{path}/events") as response:
        body = {"prompt": [{"type": "text", "text": act.prompt}]}
        taken = (await http.post(f"{path}/prompt", json=body, headers=headers)).json()
        async for line in response.aiter_lines():
            if not line.startswith("data:"):
                continue
            event = json.loads(line.removeprefix("data:"))
            if event.get("promptId") != taken["promptId"]:
                continue
            kind, data = event["type"], event["data"]
            one = happened(event)
            if observed[-1:] != [one] and "available_commands_update" not in one:  # sent whenever they exist
                observed.append(one)
            if kind == "permission_request" and act.reply:
                vote: Json = {"outcome": act.reply[0], **({"answers": act.reply[1]} if act.reply[1:] else {})}
                await http.post(f"{path}/permission/{data['requestId']}", json=vote, headers=headers)
            speaks = act.prompt == "SLOW" and data.get("update", {}).get("sessionUpdate") == "agent_message_chunk"
            if act.aborts and "cancel" not in observed and (speaks or kind == "permission_request"):
                observed.append("cancel")
                await http.post(f"{path}/cancel", headers=headers)
            if kind in ("turn_complete", "turn_error"):
                break
    turn = (await http.get(f"{path}/turns/{taken['promptId']}")).json()
    await http.request("DELETE", path, headers=headers)
    loaded = (await http.post(f"{path}/load", json={})).json()
    again = (await http.get(f"{path}/turns/{taken['promptId']}")).json()
    return {
        "events": observed,
        "turn": [turn["state"], turn.get("stopReason"), sorted(turn.get("error", {})), sorted(turn)],
        "again": [again.get("state"), again.get("stopReason"), sorted(again.get("error", {})), sorted(again)],
        "terminals": [(one["terminal"], one.get("code")) for one in loaded.get("promptTerminals", [])],
    }


def happened(event: Json) -> list[object]:
    data = event["data"]
    update = data.get("update", {})
    what = (update.get("sessionUpdate"), update.get("status"), data.get("outcome"), data.get("stopReason"))
    return [event["type"], *[one for one in (*what, data.get("code")) if one is not None], sorted(data)]


def ended(info: Json) -> Json:
    return {
        "keys": sorted(set(info) - {"error", "summary"}),
        "role": info["role"],
        "finish": info.get("finish"),
        "completed": "completed" in info["time"],
        "error": info.get("error", {}).get("name"),
    }


def part_of(part: Json) -> Json:
    state = part.get("state", {})
    return {
        "keys": sorted(part),
        "type": part["type"],
        "state": [state.get("status"), state.get("error"), sorted(state)],
        "reason": part.get("reason"),
    }


@asynccontextmanager
async def events_of(http: httpx.AsyncClient, session: str) -> AsyncIterator[AsyncIterator[Json]]:
    async with http.stream("GET", "/event") as response:
        lines = response.aiter_lines()

        async def events() -> AsyncIterator[Json]:
            async for line in lines:
                if line.startswith("data:"):
                    event: Json = json.loads(line.removeprefix("data:"))
                    if event["properties"].get("sessionID") == session:
                        yield event

        async for line in lines:
            if "server.connected" in line:
                break
        yield events()


async def made(http: httpx.AsyncClient, family: str) -> tuple[str, str]:
    """A session, with an answered prompt if the family names messages."""
    if family == "qwen":
        identifier: str = (await http.post("/session", json={"sessionScope": "thread"})).json()["sessionId"]
        return identifier, ""
    identifier = (await http.post("/session", json={})).json()["id"]
    answer = await http.post(f"/session/{identifier}/message", json={"parts": [{"type": "text", "text": "hello"}]})
    return identifier, answer.json()["info"]["parentID"]


def routes_in(document: Json) -> set[str]:
    """The methods and paths of an OpenAPI document, independent of the names of path parameters."""
    paths = document["paths"].items()
    return {f"{method.upper()} {re.sub('{[^}]*}', '{}', path)}" for path, found in paths for method in found}


Both = Callable[[str], Any]


@pytest.fixture
def both(shared: Serve, tmp_path: Path) -> Both:
    """The shared real server, and a stub."""
    return _beside_a_stub(shared, tmp_path)


@pytest.fixture
def both_fresh(alone: Serve, tmp_path: Path) -> Both:
    """A real server and a stub, both without state of other tests, such as open questions."""
    return _beside_a_stub(alone, tmp_path)


def _beside_a_stub(serve: Serve, tmp_path: Path) -> Both:
    @asynccontextmanager
    async def opened(family: str) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
        real = serve(FAMILIES[family]).address
        with running_stub(tmp_path / "home", profile=family, args=("--scenario", "plain")) as stub:
            async with (
                httpx.AsyncClient(base_url=real, timeout=MAX_WAIT, trust_env=False) as expected,
                httpx.AsyncClient(base_url=stub.address, timeout=MAX_WAIT, trust_env=False) as actual,
            ):
                yield expected, actual

    return opened


@pytest.mark.parametrize("family", QUESTIONS)
async def test_the_stub_responds_like_the_real_server(both_fresh: Both, family: str) -> None:
    differences = []
    async with both_fresh(family) as clients:
        places = [await made(http, family) for http in clients]
        for question in QUESTIONS[family]:
            expected, actual = [
                await answer_to(http, question, *place) for http, place in zip(clients, places, strict=True)
            ]
            if question.in_part:
                if found := excess(actual, expected):
                    differences.append(f"{question}\n  the stub alone has {found}")
            elif expected != actual:
                differences.append(f"{question}\n  real {expected}\n  stub {actual}")
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize("family", ["opencode", "mimo"])
async def test_the_stub_documents_only_routes_of_the_real_server(both: Both, family: str) -> None:
    async with both(family) as clients:
        expected, actual = [routes_in((await http.get("/doc")).json()) for http in clients]
    assert actual - expected == (STUB_ALONE if family == "opencode" else set())
    assert family == "opencode" or expected == actual


@pytest.mark.parametrize("act", ACTS, ids=str)
@pytest.mark.parametrize("family", ["opencode", "mimo"])
async def test_a_turn_of_the_stub_equals_the_real_servers(both: Both, family: str, act: TurnCase) -> None:
    async with both(family) as clients, asyncio.timeout(MAX_WAIT):
        expected, actual = [await turn_of(http, act) for http in clients]
    assert actual == expected


async def ends_in_order(http: httpx.AsyncClient) -> object:
    """The order of the body of the POST, the end of the answer and the idle status of the session."""
    session = (await http.post("/session", json={})).json()["id"]
    seen: set[tuple[str, ...]] = set()
    async with events_of(http, session) as events:
        for _ in range(TURNS):
            observed: list[str] = []
            body = {"parts": [{"type": "text", "text": "hello"}]}
            post = asyncio.create_task(http.post(f"/session/{session}/message", json=body))
            async for event in events:
                if post.done() and "body" not in observed:
                    observed.append("body")
                info = event["properties"].get("info", {})
                if event["type"] == "message.updated" and "finish" in info and "completed" in info["time"]:
                    observed += ["answer"] if "answer" not in observed else []
                if event["type"] == "session.idle":
                    observed.append("idle")
                    break
            await post
            seen.add(tuple(observed))
    return seen


async def test_a_turn_ends_in_the_event_order_of_opencode(both: Both) -> None:
    """A real MiMo Code has each order, even in one run: there is none to compare."""
    async with both("opencode") as clients, asyncio.timeout(3 * MAX_WAIT):
        expected, actual = [await ends_in_order(http) for http in clients]
    assert actual == expected == {("body", "answer", "idle")}


@pytest.mark.parametrize("act", ACTS_OF_QWEN, ids=str)
async def test_a_turn_of_the_stub_equals_qwens(both: Both, act: TurnCase) -> None:
    async with both("qwen") as clients, asyncio.timeout(MAX_WAIT):
        expected, actual = [await turn_of_qwen(http, act) for http in clients]
    assert actual == expected


async def directory_of_turn(http: httpx.AsyncClient) -> list[object]:
    """A session as shown in each of two directories while turns run in both, and who can abort them from where."""
    home = (await http.get("/path")).json()["directory"]
    places: tuple[dict[str, str], ...] = ({}, {"x-mimocode-directory": f"{home}/below"})
    session = (await http.post("/session", json={})).json()["id"]
    observed: list[object] = []

    async def shown(place: int) -> tuple[int, str | None]:
        asked = [
            one for one in (await http.get("/question", headers=places[place])).json() if one["sessionID"] == session
        ]
        status = (await http.get("/session/status", headers=places[place])).json().get(session)
        return len(asked), status and status["type"]

    async def tell(what: str, *until: object) -> None:
        async with asyncio.timeout(MAX_WAIT):
            now = None
            while now != list(until):
                now = [await shown(place) for place in (0, 1)]
        observed.append((what, now))

    def prompt(text: str, place: int) -> "asyncio.Task[httpx.Response]":
        body = {"parts": [{"type": "text", "text": text}]}
        return asyncio.create_task(http.post(f"/session/{session}/message", json=body, headers=places[place]))

    first = prompt("ASK1", 1)
    await tell("asked below", (0, None), (1, "busy"))
    second = prompt("SLOW", 0)
    await tell("another turn beside it", (0, "busy"), (1, "busy"))
    observed.append((await prompt("hello", 1)).status_code)
    await http.post(f"/session/{session}/abort")
    await second
    await tell("aborted above", (0, None), (1, "busy"))
    (asked,) = (await http.get("/question", headers=places[1])).json()
    for place in (0, 1):
        answer = {"answers": [["Postgres"]]}
        replied = await http.post(f"/question/{asked['id']}/reply", json=answer, headers=places[place])
        observed.append(replied.json())
        await tell("answered", (0, None), (1, "busy") if place == 0 else (0, None))
    await first
    return observed


async def test_a_turn_runs_in_the_directory_of_the_header(both: Both) -> None:
    """On MiMo Code: in a session of the server's own directory, prompted in a subdirectory."""
    async with both("mimo") as clients:
        expected, actual = [await directory_of_turn(http) for http in clients]
    assert actual == expected
