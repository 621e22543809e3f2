"""Scenarios of the scripted agent, and the words in a prompt that choose them.

Words shared with the scripted model of the real servers' tests mean the same here: ASK, ASK1, SHELL, SLOW, FLOOD,
FENCE, THINK, FAIL, AGENT. A prompt without any of the words plays the server's default.
"""

import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from typing import Any

from server_stub.domain.scripted_turn import Script, ScriptedTurn
from server_stub.domain.seeded_history import seed_history
from server_stub.scenarios.tour import question, tour

Play = Callable[..., Coroutine[Any, Any, None]]

DATABASE = question("Which database?", "DB", {"Postgres": "relational", "SQLite": "embedded"}, multiple=False)
FEATURES = question("Which features?", "Feat", {"auth": "logins", "search": "full text"}, multiple=True)
NAME = question("What shall the new package be called?", "Name", {})
DEPLOY = question(
    "Deploy when the tests pass?", "Deploy", {"Yes": "to staging", "No": "I do it myself"}, multiple=False, custom=False
)

SHAPES = {
    "prose": ("", "Sentence {} has **some** words and `code`.\n\n"),
    "paragraph": ("", "Sentence {} has **some** words and `code`. "),
    "list": ("", "- item {} has **some** words and `code`\n"),
    "code": ("```python\n", "value_{} = compute(whatever, there='is')\n"),
}
"""Shapes of an answer: its opening and one line."""

REFUSAL_SECONDS = 0.1
"""Delay of a provider's final error."""
RETRY_SECONDS = (2.0, 5.0, 9.0, 18.0, 30.0)
"""Delays of opencode between attempts, as measured; the last one repeats."""


async def plain(turn: ScriptedTurn) -> None:
    await turn.stream_words("Done. Nothing to call, **all** is well.")


async def ask(turn: ScriptedTurn) -> None:
    await turn.stream_words("Working. ")
    await turn.ask(DATABASE, FEATURES)
    await turn.stream_words(f"Done. The tool said: {turn.model_input}")


async def ask_one(turn: ScriptedTurn) -> None:
    await turn.stream_words("Working. ")
    await turn.ask(DATABASE)
    await turn.stream_words(f"Done. The tool said: {turn.model_input}")


async def ask_all(turn: ScriptedTurn) -> None:
    await turn.stream_words("Before I begin, four things that I cannot know. ")
    await turn.ask(DATABASE, FEATURES, NAME, DEPLOY)
    await turn.stream_words(f"Done. The tool said: {turn.model_input}")


async def ask_from_child(turn: ScriptedTurn) -> None:
    async def run_subagent_scenario(child: ScriptedTurn) -> None:
        await child.stream_words("Two layouts are in use here. ")
        await child.ask(DATABASE)
        await child.stream_words(f"Found it. {child.model_input}")

    await turn.stream_words("I hand this to a subagent. ")
    await turn.delegate("Look at the layout", "Find out which database this project uses.", run_subagent_scenario)
    await turn.stream_words("Done. The subagent has answered.")


async def ask_twice_at_once(turn: ScriptedTurn) -> None:
    await turn.stream_words("Two things side by side. ")
    await turn.together(turn.ask(DATABASE), turn.shell("make lint", ["All checks passed!"]))
    await turn.stream_words("Done. Both are settled.")


async def shell(turn: ScriptedTurn, name: str) -> None:
    await turn.stream_words("Working. ")
    await turn.shell(f"touch {name}", [])
    await turn.stream_words(f"Done. The tool said: {turn.model_input}")


async def interactive(turn: ScriptedTurn, name: str) -> None:
    """A command that the user must run at a terminal, if the profile has such."""
    await turn.stream_words("Working. ")
    await turn.interactive(f"read {name}")
    await turn.stream_words(f"Done. The tool said: {turn.model_input}")


async def agent(turn: ScriptedTurn, report: str) -> None:
    """Start a background agent. On qwen its report then starts a turn that plays the words in it."""
    await turn.stream_words("Working. ")
    given = {"description": "look around", "prompt": report, "subagent_type": "general", "run_in_background": True}
    await turn.use("task", given, "Background agent launched successfully.", "look around")
    await turn.stream_words("Launched.")


async def slow(turn: ScriptedTurn) -> None:
    await turn.stream([f"word{i} " for i in range(40)], rate=1 / 0.3)


async def think(turn: ScriptedTurn) -> None:
    await turn.stream([f"thought{i} " for i in range(20)], rate=20, kind="reasoning")
    await plain(turn)


async def flood(turn: ScriptedTurn, count: str, rate: str) -> None:
    await turn.stream(list(_prose(int(count))), float(rate))


async def fence(turn: ScriptedTurn, count: str, rate: str) -> None:
    code = [f"value_{i} = compute({i})\n" for i in range(int(count))]
    await turn.stream(["```python\n", *code, "```\n"], float(rate))


async def fail(turn: ScriptedTurn, code: str) -> None:
    """Fail with an HTTP status. 429 and 5xx are retried as often as the profile does; others are final."""
    status = int(code)
    message = f"{status} {responses.get(status, 'scripted')}"
    may_pass = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    attempts = turn.server.profile.provider_attempts
    attempt = 0
    while may_pass and (attempts is None or attempt < attempts - 1):
        attempt += 1
        await turn.retry(message, attempt, RETRY_SECONDS[min(attempt, len(RETRY_SECONDS)) - 1])
    await turn.clock.sleep(REFUSAL_SECONDS)
    turn.fail(message, status)


async def retry(turn: ScriptedTurn, seconds: str | None) -> None:
    """The provider fails in mid-sentence, twice, and then works."""
    await turn.stream(["The ", "store ", "is ", "kept ", "in "], rate=10, interrupts=True)
    await turn.retry("Overloaded", 1, float(seconds or RETRY_SECONDS[0]))
    await turn.retry("Overloaded", 2, float(seconds or RETRY_SECONDS[1]))
    await turn.stream_words("The store is kept in memory, and written when the process ends.")


async def todos(turn: ScriptedTurn) -> None:
    steps = ("Read the store", "Write the migration", "Run the tests")
    for done in range(len(steps) + 1):
        states = ["completed"] * done + ["in_progress"] + ["pending"] * len(steps)
        await turn.plan(
            [
                {"content": content, "status": status, "priority": "medium"}
                for content, status in zip(steps, states, strict=False)
            ]
        )
        await turn.clock.sleep(0.5)
    await turn.stream_words("Done. All three are ticked off.")


async def tools(turn: ScriptedTurn) -> None:
    await turn.stream_words("I look, change one line, and run the tests. ")
    await turn.use("read", {"filePath": "src/store.py"}, "1: import json\n2: \n3: CACHE = {}", "src/store.py")
    await turn.edit("src/store.py", "--- src/store.py\n+++ src/store.py\n@@ -3 +3 @@\n-CACHE = {}\n+CACHE: dict = {}\n")
    lines = [f"tests/test_store.py::test_{name} PASSED" for name in ("opens", "writes", "reads", "closes")]
    await turn.shell("pytest -v tests/test_store.py", [*lines, "4 passed in 0.31s"], asks=False)
    await turn.stream_words("Done. The tests pass.")


async def long(turn: ScriptedTurn, minutes: str | None) -> None:
    """A long command: a line of output every 20 s, by default for 10 minutes."""
    await turn.stream_words("This will take a while. ")
    lines = [f"epoch {i + 1}: loss {2.4 / (i + 2):.3f}" for i in range(int(float(minutes or 10) * 3))]
    await turn.shell("python train.py", lines, pause=20, asks=False)
    await turn.stream_words("Done. It has converged.")


async def huge(turn: ScriptedTurn, kilobytes: str | None) -> None:
    """One answer of this many KB (default 512), in deltas of 1 KB, 200 per second."""
    line = "Each line of this answer is 64 bytes long, and there are many.\n\n"[-64:]
    await turn.stream([line * 16] * int(kilobytes or 512), rate=200)


async def grow(turn: ScriptedTurn, shape: str, kilobytes: str, count: str, rate: str) -> None:
    """An answer with this many KB in its first delta, and `count` more lines.

    All of it has one shape: paragraphs of prose, one paragraph, one list, one open fence.
    """
    opening, line = SHAPES[shape]
    whole = opening + "".join(line.format(n) for n in range(int(kilobytes) * 1024 // len(line.format(1000))))
    await turn.stream([whole, *(line.format(n) for n in range(int(count)))], float(rate))


async def past(turn: ScriptedTurn, count: str) -> None:
    """Store this many earlier messages: prompts and answers alternately."""
    seed_history(turn, [f"Message {n} of the past, with **some** words." for n in range(int(count))])
    await plain(turn)


def _prose(count: int) -> Iterator[str]:
    """Markdown deltas: prose with emphasis, one fenced block in the middle third."""
    for i in range(count):
        if i == count // 3:
            yield "\n\n```python\n"
        elif i == 2 * count // 3:
            yield "\n```\n\n"
        elif count // 3 < i < 2 * count // 3:
            yield f"x{i} = {i}\n"
        else:
            yield f"w{i} " if i % 20 else f"**w{i}**.\n\n"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`words` is matched as whole words; its groups, named by `given`, are the arguments of `play`."""

    words: str
    play: Play
    given: str = ""


SCENARIOS = {
    "tour": Scenario("TOUR", tour),
    "plain": Scenario("PLAIN", plain),
    "ask": Scenario("ASK", ask),
    "ask1": Scenario("ASK1", ask_one),
    "askall": Scenario("ASKALL", ask_all),
    "child": Scenario("CHILD", ask_from_child),
    "both": Scenario("BOTH", ask_twice_at_once),
    "shell": Scenario(r"SHELL (\S+)", shell, "NAME"),
    "interactive": Scenario(r"INTERACTIVE (\S+)", interactive, "NAME"),
    "agent": Scenario(r"AGENT \(([^()]*)\)", agent, "(WORDS)"),
    "slow": Scenario("SLOW", slow),
    "think": Scenario("THINK", think),
    "flood": Scenario(r"FLOOD (\d+) (\d+)", flood, "COUNT PER-SECOND"),
    "fence": Scenario(r"FENCE (\d+) (\d+)", fence, "LINES PER-SECOND"),
    "fail": Scenario(r"FAIL (\d{3})", fail, "STATUS"),
    "retry": Scenario(r"RETRY(?: (\d+))?", retry, "[SECONDS]"),
    "todo": Scenario("TODO", todos),
    "tools": Scenario("TOOLS", tools),
    "long": Scenario(r"LONG(?: (\d+))?", long, "[MINUTES]"),
    "grow": Scenario(rf"GROW ({'|'.join(SHAPES)}) (\d+) (\d+) (\d+)", grow, f"{'|'.join(SHAPES)} KB COUNT PER-SECOND"),
    "past": Scenario(r"PAST (\d+)", past, "MESSAGES"),
    "huge": Scenario(r"HUGE(?: (\d+))?", huge, "[KB]"),
}

WORDS = tuple(f"{name.upper()} {scenario.given}".rstrip() for name, scenario in SCENARIOS.items())
"""The words, for display."""

DEFAULTS = tuple(name for name, scenario in SCENARIOS.items() if re.fullmatch(scenario.words, name.upper()))
"""The scenarios without required arguments."""


def choose(text: str, default: str) -> Script:
    """The script of the first known word, else of the scenario `default`, one of DEFAULTS.

    Raises LookupError for an unknown scenario.
    """
    script = _chosen(text) or _chosen(default.upper())
    if script is None:
        raise LookupError(f"unknown scenario {default!r}")
    return script


def _chosen(text: str) -> Script | None:
    found = [
        (match.start(), scenario.play, match.groups())
        for scenario in SCENARIOS.values()
        if (match := re.search(rf"\b{scenario.words}(?!\w)", text))
    ]
    if not found:
        return None
    _, play, arguments = min(found, key=lambda one: one[0])

    async def script(turn: ScriptedTurn) -> None:
        await play(turn, *arguments)

    return script
