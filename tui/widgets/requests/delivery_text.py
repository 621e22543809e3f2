"""Status of sending an answer, as text for the line below its form."""

from typing import assert_never

from textual.content import Content

from tui.config.keymap import key
from tui.core.changes import ReplyStatusChanged
from tui.core.sanitize import single_line
from tui.widgets.base.static_text import ERROR, MUTED, SUCCESS, WARNING


def progress_text(fare: ReplyStatusChanged) -> Content:
    """Return one line: the status, and what the user can do."""
    because = f" ({single_line(fare.reason)})" if fare.reason else ""
    match fare.state:
        case "sending":
            return Content.styled(" sending…", MUTED)
        case "retrying":
            return Content.styled(f" no answer from the server{because} · trying again", WARNING)
        case "acknowledged":
            return Content.styled(" ✓ the server has your answer", SUCCESS)
        case "allowed":
            return Content.styled(" allowed · whether by your answer is not recorded", SUCCESS)
        case "elsewhere":
            return Content.styled(" answered elsewhere · your answer was not accepted", WARNING)
        case "expired":
            return Content.styled(f" expired: the server does not have this request any more{because}", WARNING)
        case "refused":
            return Content.styled(f" the server refused it{because} · change it and send it again", ERROR)
        case "stopped":
            return Content.styled(f" not sent{because} · {key('retry')} after fixing it sends it", ERROR)
        case _:
            assert_never(fare.state)
