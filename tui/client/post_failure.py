"""Maps the error of a failed prompt POST to a turn input."""

from tui.backends.base import PromptRejected
from tui.core.turn_inputs import PostFailed, PostNotSent, PostRefused
from tui.net.errors import (
    CertificateError,
    ConnectFailed,
    ConnectionLost,
    Empty,
    HttpStatusError,
    NetError,
    ProtocolError,
    ReadTimeout,
    ResponseTooSlow,
    Unsendable,
)


def post_failure(error: NetError) -> PostNotSent | PostRefused | PostFailed:
    """`PostNotSent` if no byte can have arrived, `PostRefused` if the server rejected it, else `PostFailed`."""
    match error:
        case ConnectFailed() | CertificateError() | Unsendable():
            return PostNotSent(error.message)
        case PromptRejected():
            return PostRefused(error.message)
        case HttpStatusError() if error.status < 500:
            return PostRefused(error.message)
        case HttpStatusError():
            return PostFailed(error.message, cut=False, again=error.status != 500)
        case Empty():
            return PostFailed(error.message, cut=False, again=not error.declared, accepted=True)
        case _:
            cut = isinstance(error, ConnectionLost | ReadTimeout | ResponseTooSlow | ProtocolError)
            return PostFailed(error.message, cut=cut)
