"""Opens sessions for programs, whose wait for a server that cannot be read has an end."""

import logging
from collections.abc import Awaitable, Callable

from tui.api.errors import CannotConnect
from tui.api.values import Event, NoticeEvent
from tui.client.client import Client
from tui.net.errors import NetError

log = logging.getLogger(__name__)

TRY_AGAIN = 2.0
"""Seconds between two tries of what must be done before the prompt is sent."""
READ_WITHIN = 60.0
"""Seconds for which a session that cannot be read is retried."""

Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""


async def open_session(client: Client, session_id: str, pause: Pause, *, is_new: bool = False) -> None:
    """Open the session, retried while that may help. Raises `CannotConnect`."""
    deadline = client.now() + READ_WITHIN
    while True:
        try:
            await client.open_session(session_id, is_new=is_new)
            return
        except NetError as error:
            log.info("session %s cannot be opened: %s", session_id, error.message)
            if error.permanent or client.now() > deadline:
                raise CannotConnect(error.message, error.hint) from error
        await pause(TRY_AGAIN)


async def until_read(
    client: Client,
    session_id: str,
    is_read: Callable[[], bool],
    *,
    until: Callable[[Callable[[], object]], Awaitable[None]],
    pause: Pause,
    on_event: Callable[[Event], None],
) -> None:
    """Wait until `is_read`; reports why a fetch of the session failed. Raises `CannotConnect`."""
    deadline: float | None = None
    while not is_read():
        await until(lambda: is_read() or client.loadings.of(session_id).failed)
        failed = client.loadings.of(session_id).failed
        if is_read() or not failed:
            continue
        if deadline is None:
            deadline = client.now() + READ_WITHIN
            text = f"The session cannot be read: {failed}; retried for {READ_WITHIN:.0f} s"
            on_event(NoticeEvent(time=client.server_now(), text=text, severity="warning"))
        elif client.now() > deadline:
            raise CannotConnect(f"The session cannot be read: {failed}")
        await pause(TRY_AGAIN)
