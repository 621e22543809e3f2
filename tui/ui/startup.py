"""What the app shows first: the session to resume, what an earlier run left, or the tour of the demo."""

from typing import TYPE_CHECKING, Any

from tui.net.errors import NetError
from tui.ui.prompt_controller import PromptController
from tui.ui.prompt_sender import PromptSender
from tui.ui.session_controller import SessionController

if TYPE_CHECKING:
    from textual.app import App

    from tui.client.client import Client

TOUR = "Give me the tour."
TITLES_TIMEOUT = 3.0
"""Seconds to wait for session titles before notifying what an earlier run left."""


class Startup:
    """`session` is opened once connected; `resume`: the last used one; `demo`: a tour is started."""

    def __init__(
        self,
        app: "App[Any]",
        client: "Client",
        writing: PromptController,
        sessions: SessionController,
        sender: PromptSender,
        *,
        session: str | None,
        resume: bool,
        demo: bool,
    ) -> None:
        self._client = client
        self._writing = writing
        self._sessions = sessions
        self._sender = sender
        self._wanted, self._resume, self._demo = session, resume, demo
        self._app = app
        self._begun = False

    @property
    def opens_later(self) -> bool:
        """Whether the session of the draft in the prompt is opened once connected."""
        return not self._begun and bool(self._writing.session_id)

    def start(self) -> None:
        """Load the draft of the session to resume: the last one, if requested or if it has unfinished prompts."""
        place = None if self._demo else self._client.journal.last_session()
        if self._wanted is None and place is not None and (self._resume or self._writing.unfinished(place)):
            self._wanted = place
        self._writing.start(self._wanted or "")
        self._writing.notify_recovered(self._wanted or "")
        self._app.set_timer(TITLES_TIMEOUT, self._writing.notify_recovered_elsewhere)

    def on_connected(self) -> None:
        """On the first connection, open the session."""
        if not self._begun:
            self._begun = True
            self._app.run_worker(self._begin(), group="session", exclusive=True)
            if self._writing.recovered_elsewhere:
                self._app.run_worker(self._tell_left_elsewhere(), group="left")

    async def _begin(self) -> None:
        if self._demo:
            self._writing.hold_for_new_session(TOUR)
            await self._sender.send_in_new_session(TOUR)
            return
        wanted = self._wanted
        if wanted is None and self._resume:
            wanted = await self._sessions.newest()
        if wanted is not None:
            self._writing.open(wanted, carry=True)
            self._begun = await self._sessions.open(wanted)  # on failure, retried on the next connection
            if not self._begun:
                self._writing.open(wanted)

    async def _tell_left_elsewhere(self) -> None:
        try:
            await self._client.list_sessions()
        except NetError:
            return  # shown without titles, after a timeout
        self._writing.notify_recovered_elsewhere()
