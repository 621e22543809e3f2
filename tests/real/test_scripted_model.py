"""The keywords of the scripted model, without a server."""

import json
import urllib.request
from typing import Any

import pytest

from tests.real.scripted_model import QUESTIONS, Call, Fail, Json, ModelRequest, ScriptedModel, Text, choose

TOOLS = ("bash", "question", "read")


def reply_to(prompt: str, *results: str, tools: tuple[str, ...] = TOOLS) -> Text | Call | Fail:
    return choose(ModelRequest(prompt, results, tools))


@pytest.mark.parametrize(
    ("prompt", "does"),
    [
        ("ASK", Call("question", {"questions": QUESTIONS})),
        ("please ASK1 now", Call("question", {"questions": QUESTIONS[:1]})),
        ("SHELL made.txt", Call("bash", {"command": "touch made.txt", "description": "make a file"})),
        (
            "TTY name",
            Call("bash", {"command": "read name", "description": "ask for it", "interactive": True}),
        ),
        ("FAIL 429", Fail(429)),
    ],
)
def test_a_keyword_selects_the_scenario(prompt: str, does: Call | Fail) -> None:
    assert reply_to(prompt) == does


@pytest.mark.parametrize(
    ("prompt", "deltas", "pause"),
    [("SLOW", 40, 0.3), ("FLOOD 90 200", 90, 1 / 200), ("FENCE 50 100", 52, 1 / 100)],
)
def test_a_keyword_selects_the_speed(prompt: str, deltas: int, pause: float) -> None:
    reply = reply_to(prompt)
    assert isinstance(reply, Text)
    assert (len(list(reply.words)), reply.pause) == (deltas, pause)


def test_reasoning_precedes_the_answer() -> None:
    reply = reply_to("THINK")
    assert isinstance(reply, Text)
    assert len(list(reply.thoughts)) == 20
    assert "".join(reply.words) == "Done. Nothing to call, **all** is well."


def test_the_answer_quotes_the_tool_result() -> None:
    reply = reply_to("ASK", "Postgres")
    assert isinstance(reply, Text)
    assert "".join(reply.words) == "Done. The tool said: Postgres"


def test_an_agent_reports_its_own_prompt() -> None:
    started = reply_to("AGENT (ASK1)", tools=("agent", "question"))
    assert started == Call("agent", {"description": "look around", "prompt": "REPORT (ASK1)"})
    report = reply_to("REPORT (ASK1)", tools=("question",))
    assert isinstance(report, Text)
    assert "".join(report.words).endswith(" ASK1")
    assert reply_to("the agent says: step9 ASK1", tools=("agent", "question")) == Call(
        "question", {"questions": QUESTIONS[:1]}
    )


def test_a_request_without_tools_gets_a_title() -> None:
    assert reply_to("FAIL 500 ASK", tools=()) == Text(["A short title"])


def post(model: ScriptedModel, messages: list[Json], *, stream: bool) -> bytes:
    body = {"messages": messages, "stream": stream, "tools": [{"function": {"name": tool}} for tool in TOOLS]}
    request = urllib.request.Request(f"{model.base_url}/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=5) as response:
        data: bytes = response.read()
    return data


def deltas(stream: bytes) -> list[dict[str, Any]]:
    events = [line.removeprefix("data: ") for line in stream.decode().splitlines() if line]
    assert events.pop() == "[DONE]"
    return [json.loads(event)["choices"][0]["delta"] for event in events]


def test_requests_are_streamed_and_logged() -> None:
    messages: list[Json] = [
        {"role": "user", "content": "earlier"},
        {"role": "user", "content": [{"type": "text", "text": "SHELL x"}]},
        {"role": "tool", "content": "made"},
    ]
    with ScriptedModel() as model:
        reply = deltas(post(model, messages, stream=True))
    assert "".join(delta.get("content", "") for delta in reply) == "Done. The tool said: made"
    assert model.asked == [ModelRequest("SHELL x", ("made",), TOOLS)]
