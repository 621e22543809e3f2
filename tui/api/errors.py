"""The exceptions of `tui.api`, besides `tui.net.errors.NetError` for a request that failed.

RunError
├── CannotConnect    no connection to the server in time, or one that needs the user
├── SessionNotFound  the server has no such session, or there is none to continue
├── RequestNotFound  no open request has this id, or several do
├── InvalidChoice    the request has no such option, or takes another kind of reply
├── PromptNotSent    the prompt was not sent, and its key is free
├── KeyInUse         the key belongs to another prompt
└── KeyNotKept       the key cannot be saved, so that a second run could send the prompt again
"""

from tui.core.sanitize import single_line


class RunError(Exception):
    """`message` says what happened, `hint` what to do: one line each, safe for a terminal."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = single_line(message)
        self.hint = single_line(hint)
        super().__init__(self.message)


class CannotConnect(RunError):
    """The server cannot be reached, or refuses this client. A turn that was already sent continues."""


class SessionNotFound(RunError):
    """The server has no such session, or there is none to continue."""


class FileNotInProject(RunError):
    """The server's project has no file of this name."""


class RequestNotFound(RunError):
    """No open request has this id, or several begin with it."""


class InvalidChoice(RunError):
    """The request has no such option, or takes another kind of reply."""


class PromptNotSent(RunError):
    """The prompt was not sent."""


class KeyInUse(RunError):
    """The key is bound to another prompt."""


class KeyNotKept(RunError):
    """The key cannot be saved, because there is no usable state folder."""
