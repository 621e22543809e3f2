"""What a failed POST of a prompt means for its turn."""

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
    Trickled,
    Unsendable,
)


def post_failure(error: NetError) -> PostNotSent | PostRefused | PostFailed:
    """Not sent where no byte can have arrived, refused where the server says so, else unknown."""
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
            return PostFailed(error.message, cut=False, again=not error.declared)
        case _:
            cut = isinstance(error, ConnectionLost | ReadTimeout | Trickled | ProtocolError)
            return PostFailed(error.message, cut=cut)
