"""A server whose numbers are all damaged: the client shows the rest, and continues."""

import re
from collections.abc import Callable
from itertools import cycle

import pytest

from tests.backends.damage import LITERALS, with_numbers
from tests.end_to_end.hostile_server import hostile_relay
from tests.end_to_end.steps import answer_both_questions, connect, send
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]

COUNTERS = frozenset({"id", "lastEventId", "v"})
"""A client of qwen serve follows the events by these: without them no turn is visible."""


@pytest.mark.parametrize(
    ("profile", "prompt", "literal"),
    [
        ("opencode", "RETRY 3", "1e400"),
        *((one, "RETRY 3", "") for one in ("opencode", "mimo")),
        ("qwen", "TOOLS", ""),
    ],
)
def test_damaged_numbers_affect_only_their_fields(
    holdfast: Holdfast, stub: StartStub, profile: str, prompt: str, literal: str
) -> None:
    """`literal` replaces each number; "" stands for all damaged ones in turn."""
    literals = cycle([literal] if literal else LITERALS.values())
    server = stub(profile=profile)
    with hostile_relay(server.address, lambda value: with_numbers(value, literals, COUNTERS)) as address:
        terminal = holdfast(address)
        connect(terminal)
        send(terminal, prompt)
        terminal.wait_for("✓ finished")
        send(terminal, "ASK")
        answer_both_questions(terminal)
        terminal.wait_for(re.compile("✓ finished.*✓ finished", re.DOTALL))
        terminal.press("f2")
        terminal.wait_for("Sessions")
        assert re.search(rb"\binf\b|\bnan\b|\$-|itself failed", terminal.raw) is None
