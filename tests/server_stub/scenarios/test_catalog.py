import asyncio
from itertools import pairwise
from typing import Any

import pytest
from click.testing import CliRunner

from server_stub import __main__ as command
from server_stub.domain.agent import Agent, Prompt
from server_stub.domain.scripted_turn import ScriptedTurn
from server_stub.domain.state import Message, ServerState, Session
from server_stub.scenarios.catalog import DEFAULTS, SCENARIOS, choose
from tests.server_stub.conftest import HERE, START, InstantClock
from tests.server_stub.event_listener import EventRecorder, recording

Json = dict[str, Any]


async def run_catalog(
    agent: Agent, server: ServerState, text: str, *, option: int = 0, refusal: str | None = None
) -> tuple[Session, Message]:
    """Play a scenario, choosing one option of each question, and allowing or rejecting with a reason."""
    session = server.create_session(HERE)
    agent.accept(session, Prompt([{"type": "text", "text": text}]))
    task = asyncio.ensure_future(agent.answer(session))
    while not task.done():
        await asyncio.sleep(0)
        for question in server.requests.questions(HERE):
            labels = [
                [one["options"][min(option, len(one["options"]) - 1)]["label"]] if one["options"] else ["typed"]
                for one in question["questions"]
            ]
            server.requests.reply_question(question["id"], labels)
        for permission in server.requests.permissions(HERE):
            server.requests.reply_permission(permission["id"], "once" if refusal is None else "reject", refusal)
    return session, task.result()


def answer_text(message: Message) -> str:
    return "".join(part["text"] for part in message.parts.values() if part["type"] == "text")


def parts(session: Session, kind: str) -> list[Json]:
    return [part for message in session.messages.values() for part in message.parts.values() if part["type"] == kind]


def questions(recorder: EventRecorder) -> list[Json]:
    return [question for reported in recorder.of("question.asked") for question in reported["questions"]]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ASK", "ask"),
        ("please ASK1 me", "ask1"),
        ("ASKALL", "askall"),
        ("SHELL x", "shell"),
        ("RETRY", "retry"),
        ("RETRY 30", "retry"),
        ("TODO then ASK", "todo"),
        ("ask", "plain"),
        ("TASK", "plain"),
        ("SHELL", "plain"),
        ("FAIL", "plain"),
        ("", "plain"),
    ],
)
async def test_the_first_whole_word_in_capitals_chooses(monkeypatch: pytest.MonkeyPatch, text: str, name: str) -> None:
    chosen = []

    async def run_scenario(turn: ScriptedTurn, *arguments: object) -> None:
        chosen.append(name)

    monkeypatch.setitem(SCENARIOS, name, type(SCENARIOS[name])(SCENARIOS[name].words, run_scenario))
    await choose(text, "plain")(None)  # type: ignore[arg-type]
    assert chosen == [name]


def test_an_unknown_default_is_named() -> None:
    with pytest.raises(LookupError, match="'nothing'"):
        choose("hello", "nothing")


def test_scenarios_with_required_arguments_are_no_defaults() -> None:
    assert "tour" in DEFAULTS
    assert "long" in DEFAULTS
    assert not {"shell", "flood", "fence", "fail"} & set(DEFAULTS)


@pytest.mark.parametrize("name", DEFAULTS)
async def test_every_scenario_completes(agent: Agent, server: ServerState, name: str) -> None:
    _, answer = await run_catalog(agent, server, name.upper())
    assert answer.info["finish"] == "stop"
    assert answer_text(answer)
    assert server.statuses(HERE) == {}
    assert server.requests.questions(HERE) == server.requests.permissions(HERE) == []


async def test_the_answer_quotes_the_tool_result(agent: Agent, server: ServerState) -> None:
    _, answer = await run_catalog(agent, server, "ASK")
    assert answer_text(answer) == (
        'Done. The tool said: User has answered your questions: "Which database?"="Postgres", '
        '"Which features?"="auth". You can now continue with the user\'s answers in mind.'
    )
    _, answer = await run_catalog(agent, server, "SHELL x")
    assert answer_text(answer) == "Done. The tool said: (no output)"


async def test_askall_has_every_kind_of_question(agent: Agent, server: ServerState) -> None:
    with recording(server) as recorder:
        await run_catalog(agent, server, "ASKALL")
    kinds = [(one.get("multiple", False), one.get("custom", True), bool(one["options"])) for one in questions(recorder)]
    assert kinds == [(False, True, True), (True, True, True), (False, True, False), (False, False, True)]


async def test_two_requests_are_open_at_once(agent: Agent, server: ServerState) -> None:
    with recording(server) as recorder:
        await run_catalog(agent, server, "BOTH")
    kinds = [kind for kind in recorder.kinds if kind.startswith(("question.", "permission."))]
    assert set(kinds[:2]) == {"question.asked", "permission.asked"}


async def test_flood_sends_a_number_of_deltas_at_a_rate(agent: Agent, server: ServerState, clock: InstantClock) -> None:
    with recording(server) as recorder:
        _, answer = await run_catalog(agent, server, "FLOOD 300 100")
    assert len(recorder.of("message.part.delta")) == 300
    assert clock.moment - START == pytest.approx(3000, abs=50)
    assert answer_text(answer).count("```") == 2


async def test_fence_is_one_open_code_block(agent: Agent, server: ServerState) -> None:
    _, answer = await run_catalog(agent, server, "FENCE 20 100")
    assert answer_text(answer).startswith("```python\nvalue_0 = compute(0)\n")
    assert answer_text(answer).endswith("value_19 = compute(19)\n```\n")


@pytest.mark.parametrize("code", [400, 401, 404])
async def test_final_errors_are_not_retried(agent: Agent, server: ServerState, code: int) -> None:
    with recording(server) as recorder:
        _, answer = await run_catalog(agent, server, f"FAIL {code}")
    assert answer.info["error"]["data"]["statusCode"] == code
    assert not [reported for reported in recorder.of("session.status") if reported["status"]["type"] == "retry"]


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_temporary_errors_are_retried_for_ever(agent: Agent, server: ServerState, code: int) -> None:
    session = server.create_session(HERE)
    agent.accept(session, Prompt([{"type": "text", "text": f"FAIL {code}"}]))
    with recording(server) as recorder:
        task = asyncio.ensure_future(agent.answer(session))
        retries: list[Json] = []
        while len(retries) < 7:
            await asyncio.sleep(0)
            retries = [
                reported["status"]
                for reported in recorder.of("session.status")
                if reported["status"]["type"] == "retry"
            ]
        agent.abort(session)
        await task
    assert [one["attempt"] for one in retries] == [1, 2, 3, 4, 5, 6, 7]
    times = [START, *(one["next"] for one in retries)]
    assert [(after - before) / 1000 for before, after in pairwise(times)] == [*(2, 5, 9, 18, 30, 30, 30)]


async def test_a_retry_in_mid_stream_appends_new_parts(agent: Agent, server: ServerState) -> None:
    _, answer = await run_catalog(agent, server, "RETRY 30")
    texts = [part["text"] for part in answer.parts.values() if part["type"] == "text"]
    assert texts[0] == ""
    assert len(texts) == 2


async def test_tools_hold_growing_output_and_a_diff(agent: Agent, server: ServerState) -> None:
    with recording(server) as recorder:
        session, _ = await run_catalog(agent, server, "TOOLS")
    outputs = [
        reported["part"]["state"]["metadata"]["output"]
        for reported in recorder.of("message.part.updated")
        if reported["part"].get("tool") == "bash" and "metadata" in reported["part"]["state"]
    ]
    assert outputs == sorted(outputs, key=len)
    assert len(set(outputs)) == 5
    assert [change["file"] for change in session.diff] == ["src/store.py"]


async def test_todos_are_ticked_off_one_by_one(agent: Agent, server: ServerState) -> None:
    with recording(server) as recorder:
        session, _ = await run_catalog(agent, server, "TODO")
    done = [
        sum(todo["status"] == "completed" for todo in reported["todos"]) for reported in recorder.of("todo.updated")
    ]
    assert done == [0, 1, 2, 3]
    assert [todo["status"] for todo in session.todos] == ["completed"] * 3


async def test_long_takes_its_duration(agent: Agent, server: ServerState, clock: InstantClock) -> None:
    await run_catalog(agent, server, "LONG 4")
    assert (clock.moment - START) / 60_000 == pytest.approx(4, abs=0.1)


async def test_huge_takes_its_size(agent: Agent, server: ServerState) -> None:
    _, answer = await run_catalog(agent, server, "HUGE 64")
    assert len(answer_text(answer)) == 64 * 1024


class TestTour:
    async def test_lasts_about_two_minutes(self, agent: Agent, server: ServerState, clock: InstantClock) -> None:
        await run_catalog(agent, server, "TOUR")
        assert 90 < (clock.moment - START) / 1000 < 150

    async def test_shows_most_features_of_a_turn(self, agent: Agent, server: ServerState) -> None:
        with recording(server) as recorder:
            session, answer = await run_catalog(agent, server, "TOUR")
        tools = {part["tool"] for part in parts(session, "tool")}
        assert tools == {"todowrite", "read", "grep", "question", "task", "edit", "write", "bash"}
        assert parts(session, "reasoning")
        assert [reported["sessionID"] == session.id for reported in recorder.of("question.asked")] == [
            True,
            False,
            True,
        ]
        assert len(recorder.of("permission.asked")) == 1
        assert [
            reported["status"]["attempt"]
            for reported in recorder.of("session.status")
            if reported["status"]["type"] == "retry"
        ] == [1, 2]
        assert [todo["status"] for todo in session.todos] == ["completed"] * 4
        assert session.diff
        assert "| before | after |" in answer_text(answer)

    async def test_continues_without_any_choice(self, agent: Agent, server: ServerState) -> None:
        session = server.create_session(HERE)
        agent.accept(session, Prompt([{"type": "text", "text": "TOUR"}]))
        task = asyncio.ensure_future(agent.answer(session))
        while not task.done():
            await asyncio.sleep(0)
            for question in server.requests.questions(HERE):
                server.requests.reply_question(question["id"], [])
            for permission in server.requests.permissions(HERE):
                server.requests.reply_permission(permission["id"], "always")
        assert task.result().info["finish"] == "stop"

    async def test_continues_after_a_rejection_with_a_reason(self, agent: Agent, server: ServerState) -> None:
        session = server.create_session(HERE)
        agent.accept(session, Prompt([{"type": "text", "text": "TOUR"}]))
        task = asyncio.ensure_future(agent.answer(session))
        together = 0
        while not task.done():
            await asyncio.sleep(0)
            permissions, questions = server.requests.permissions(HERE), server.requests.questions(HERE)
            assert len(permissions) <= 1
            together = max(together, len(permissions) + len(questions))
            for permission in permissions:
                if questions:
                    server.requests.reply_permission(permission["id"], "reject", "not with these options")
                    assert server.requests.questions(HERE) == questions
            for question in questions:
                server.requests.reply_question(question["id"], [["typed"]])
        assert together == 2
        assert task.result().info["finish"] == "stop"


@pytest.mark.parametrize(
    ("shape", "begins"),
    [("prose", "Sentence"), ("paragraph", "Sentence"), ("list", "- item"), ("code", "```python")],
)
async def test_grow_starts_large_and_continues_by_deltas(
    agent: Agent, server: ServerState, shape: str, begins: str
) -> None:
    with recording(server) as recorder:
        _, answer = await run_catalog(agent, server, f"GROW {shape} 3 5 1000")
    first, *more = [reported["delta"] for reported in recorder.of("message.part.delta")]
    assert first.startswith(begins)
    assert 2.8 < len(first) / 1024 <= 3.01
    assert len(more) == 5
    assert answer_text(answer) == first + "".join(more)


def test_the_help_lists_the_scenario_words() -> None:
    answer_text = " ".join(CliRunner().invoke(command.main, ["--help"]).output.replace("-\n", "-").split())
    assert [name for name in SCENARIOS if name.upper() not in answer_text] == []
    assert "SHELL NAME, INTERACTIVE NAME, AGENT (WORDS), SLOW" in answer_text


async def test_the_tour_follows_the_answers(server: ServerState, agent: Agent) -> None:
    session, closing = await run_catalog(agent, server, "TOUR")
    assert "The session store is in SQLite now, and the tests pass." in answer_text(closing)
    assert "EXISTS typed (key" in session.diff[0]["patch"]
    assert any("migration" in call["state"].get("title", "") for call in parts(session, "tool"))


async def test_the_tour_plays_another_choice_and_a_refusal(server: ServerState, agent: Agent) -> None:
    session, closing = await run_catalog(agent, server, "TOUR", option=1, refusal="not now")
    assert "The session store is in Postgres now, and the tests were not run, as you said." in answer_text(closing)
    assert "What becomes of the old file, as you said: Leave it." in answer_text(closing)
    assert "Shall I go on with the expiry?" in answer_text(closing)
    assert "sqlite" not in str(session.diff)
    assert not any("migration" in call["state"].get("title", "") for call in parts(session, "tool"))
    assert session.todos[-1]["status"] == "in_progress"
