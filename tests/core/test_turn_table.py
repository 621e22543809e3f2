"""The table in the docstring of `tui.core.turn` has the transitions that the state machine makes, and no others."""

import random
import re
from collections.abc import Iterator

from msgspec.structs import replace

from tui.core import turn as module
from tui.core.model import Busy, Failure, Idle, Message, Prompt, Retrying, SessionStatus
from tui.core.turn import Turn
from tui.core.turn_inputs import (
    AbortFailed,
    AbortNearby,
    AbortRequested,
    Accepted,
    Activity,
    BodyReceived,
    Disconnected,
    HeadersReceived,
    Input,
    PaddingReceived,
    PostFailed,
    PostNotSent,
    PostRefused,
    Reconnected,
    Rejected,
    ServerError,
    Snapshot,
    Tick,
)
from tui.core.turn_state import TERMINAL_STATES, TurnState

PROMPT = Prompt("ses_1", "text", "msg_1", "prt_1")
ANSWER = Message("msg_2", "ses_1", "assistant", 1.0, parent_id="msg_1", completed=2.0, final=True)
ANSWERS = (
    ANSWER,
    replace(ANSWER, completed=None, final=False),
    replace(ANSWER, final=False),
    replace(ANSWER, failure=Failure("aborted", "aborted")),
    replace(ANSWER, failure=Failure("killed", "interrupted")),
    replace(ANSWER, failure=Failure("overloaded", "provider")),
)
OF_ANOTHER = replace(ANSWER, id="msg_4", parent_id="msg_3")
SEEDS = 6_000
STEPS = 25


def test_the_table_has_every_transition() -> None:
    made = {pair for seed in range(SEEDS) for pair in _random_transitions(random.Random(seed))}
    assert made == set(_table())


def _table() -> Iterator[tuple[TurnState, TurnState]]:
    lines = (module.__doc__ or "").splitlines()
    header = next(n for n, line in enumerate(lines) if line.strip().startswith("----"))
    first, _, last = (found.start() for found in re.finditer("-+", lines[header]))
    rows: list[list[str]] = []
    for line in lines[header + 1 : lines.index("", header)]:
        if line[first] != " ":
            rows.append(["", ""])
        rows[-1][0] += line[first : line.index("  ", first) if "  " in line[first:] else None]
        rows[-1][1] += line[last:]
    for before, after in rows:
        opened = set(TurnState) - TERMINAL_STATES
        for state in opened if before.startswith("open") else _states(before):
            yield from ((state, other) for other in _states(after) if other is not state)


def _states(text: str) -> set[TurnState]:
    return {state for state in TurnState if re.search(rf"\b{state.name}\b", text)}


def _random_transitions(rng: random.Random) -> Iterator[tuple[TurnState, TurnState]]:
    cancels = rng.choice((True, False, None))
    turn = rng.choice(
        (
            lambda: Turn.begin(PROMPT, 0.0, cancels_on_disconnect=cancels, once=rng.random() < 0.3),
            lambda: Turn.recover(PROMPT, 0.0, cancels_on_disconnect=cancels),
            lambda: Turn.follow("ses_1", "msg_1", 0.0),
        )
    )()
    now, stored = 0.0, turn.prompt is None
    for _ in range(STEPS):
        now += rng.choice((0.0, 0.5, 3.0, 7.0, 20.0))
        stored = stored or rng.random() < 0.1
        before = turn.state
        turn.receive(_input(rng, stored=stored), now)
        if turn.state is not before:
            yield before, turn.state
        if turn.over:
            return


def _input(rng: random.Random, *, stored: bool) -> Input:
    if rng.random() < 0.6:
        return _snapshot(rng, stored=stored)
    return rng.choice(
        (
            HeadersReceived(),
            PaddingReceived(1),
            BodyReceived(rng.choice((*ANSWERS, OF_ANOTHER)), rejected=rng.random() < 0.2),
            Accepted("msg_1"),
            PostNotSent("refused port"),
            PostRefused("409"),
            PostFailed("reset", cut=rng.random() < 0.7, again=rng.random() < 0.7),
            AbortRequested(),
            AbortFailed(),
            AbortNearby(),
            Rejected(here=rng.random() < 0.5),
            ServerError(Failure("overloaded", "provider")),
            Activity(),
            Disconnected(),
            Reconnected(),
            Tick(),
        )
    )


def _snapshot(rng: random.Random, *, stored: bool) -> Snapshot:
    status: SessionStatus = rng.choice((Idle(), Idle(), Busy(), Retrying(1, "overloaded", None)))
    answer = rng.choice((None, *ANSWERS)) if stored else None
    return Snapshot(
        status,
        stored=stored if rng.random() < 0.9 else None,
        answer=answer,
        waiting=rng.random() < 0.2,
        has_later_prompt=rng.random() < 0.2,
        later_answer=OF_ANOTHER if rng.random() < 0.1 else None,
        gone=rng.random() < 0.03,
        polled=rng.random() < 0.7,
        has_no_parts=stored and answer is None and rng.random() < 0.3,
        id_too_low=rng.random() < 0.1,
    )
