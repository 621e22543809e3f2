"""Actions on requests: answer a question, allow or reject a permission, confirm a rejection."""

from typing import TYPE_CHECKING, Any, assert_never

from tui.core.model import Answers, PermissionReply, PermissionRequest, QuestionRequest, Request
from tui.ui.presenter import Presenter

if TYPE_CHECKING:
    from textual.app import App

    from tui.client.client import Client


class RequestActions:
    """Sends replies through the client and reports them to the presenter."""

    def __init__(self, app: "App[Any]", client: "Client", presenter: Presenter) -> None:
        self._app = app
        self._client = client
        self._presenter = presenter

    def answer(self, request: QuestionRequest, answers: Answers) -> None:
        self._presenter.outcomes.sent(request, answers)
        self._client.answer(request, answers)

    def reply(self, request: PermissionRequest, reply: PermissionReply, words: str) -> None:
        self._presenter.outcomes.sent(request, reply, words)
        self._client.reply(request, reply, words)

    def reject(self, request: Request, letter: str) -> None:
        """Reject a request after confirmation. `letter`: the key that asked for it, which may begin a word."""
        from tui.widgets.dialogs.confirm import Confirm

        what = "this permission" if isinstance(request, PermissionRequest) else "the question"
        self._app.push_screen(
            Confirm(f"Reject {what}?", self._what_rejecting_does(), "reject", letter=letter),
            lambda yes: self._reject(request) if yes else None,
        )

    def _what_rejecting_does(self) -> str:
        traits = self._client.traits
        if traits is not None and traits.reject_ends_turn:
            return "On this server that ends the turn."
        return "The agent is notified, and its turn may end."

    def _reject(self, request: Request) -> None:
        self._presenter.outcomes.sent(request, None)
        match request:
            case QuestionRequest():
                self._client.reject(request)
            case PermissionRequest():
                self._client.reply(request, "reject")
            case _:
                assert_never(request)
