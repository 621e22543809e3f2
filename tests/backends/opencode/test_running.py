"""What cannot be read of the lists of what runs and waits is named."""

from tui.backends.opencode.running import running
from tui.net.errors import TooLarge
from tui.net.response import Response


async def test_a_list_that_is_too_large_is_named_and_the_others_are_read() -> None:
    async def get(path: str) -> Response:
        if path == "/permission":
            raise TooLarge(40 << 20, parsed=True)
        return Response(200, {}, {} if "status" in path else [], 0.0, None)

    found = await running(get, ["/src"])
    assert found.problem == "open permissions (the answer would take more than 40 MiB of memory)"
    assert found.directories == frozenset()
