"""The client with a real `qwen serve`, from the user's side. `test_backend_contract` tests the contract."""

import re
from collections.abc import Callable

import pytest

from tests.end_to_end.steps import answer_both_questions, connect, send
from tests.end_to_end.terminal import Terminal
from tests.real.server import RealServer

pytestmark = pytest.mark.real

MAX_WAIT = 45.0
"""Time limit in seconds for any action of the daemon; most take one."""


def test_the_screen_is_the_same_as_for_every_family(holdfast: Callable[..., Terminal], qwen: RealServer) -> None:
    terminal = holdfast(qwen.address)
    connect(terminal)
    send(terminal, "ASK")
    answer_both_questions(terminal)
    terminal.wait_for(re.compile(r"Done\..*SQLite.*auth, search", re.DOTALL), within=MAX_WAIT)
    terminal.wait_for(re.compile(r"✓ finished in 0:\d\d"), within=MAX_WAIT)
