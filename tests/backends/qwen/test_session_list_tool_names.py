"""The name of the tool of a permission, if the list has only its kind."""

from typing import Any

import pytest

from tests.backends.daemon import LIST, LOAD, NOT_FOUND, PERMISSION, daemon, listed
from tests.backends.feeding import after_handshake
from tui.core.model import PermissionRequest

STORED = "GET /session/s1/transcript"


def called(command: str, tool: str = "run_shell_command", kind: str = "tool_call") -> dict[str, Any]:
    """A call in the stored transcript."""
    given = {"sessionUpdate": kind, "kind": "execute", "rawInput": {"command": command}}
    return {"v": 1, "type": "session_update", "data": {**given, "_meta": {"toolName": tool}}}


async def test_the_tool_name_is_read_once_from_the_stored_call() -> None:
    stored = {"events": [called("touch x", "another"), called("touch x"), called("touch y", "a_later_one")]}
    answers = {LIST: {"sessions": [listed(busy=True, waiting=[PERMISSION])]}, STORED: stored}
    async with daemon(**answers) as (server, http):
        backend = await after_handshake(http)
        for _ in range(2):
            [request] = (await backend.resync([])).requests
            assert isinstance(request, PermissionRequest)
            assert (request.action, request.patterns) == ("run_shell_command", ("touch x",))
        assert server.calls.count(STORED) == 1
        assert server.last(STORED).query["direction"] == "backward"
        assert LOAD not in server.calls  # reading the transcript neither loads nor joins a session


@pytest.mark.parametrize(
    "stored",
    [
        NOT_FOUND,
        {"events": [called("touch y"), called("touch x", kind="tool_call_update")]},
        {"events": [{"data": {"_meta": "?"}}]},
    ],
    ids=["gone", "not among them", "unreadable"],
)
async def test_without_a_stored_call_only_the_kind_is_known(stored: Any) -> None:
    answers = {LIST: {"sessions": [listed(busy=True, waiting=[PERMISSION])]}, STORED: stored}
    async with daemon(**answers) as (server, http):
        backend = await after_handshake(http)
        for _ in range(2):
            [request] = (await backend.resync([])).requests
            assert isinstance(request, PermissionRequest)
            assert request.action == "execute"
        assert server.calls.count(STORED) == 1
