"""Header of the request panel: who asks, for how long, and where the request stands among several."""

from textual.content import Content

from tui.config.key_lookup import key
from tui.core.model import PermissionRequest, Request
from tui.core.sanitize import single_line
from tui.widgets.base.format import span
from tui.widgets.base.static_text import AS_LAST_KNOWN, MUTED, QUESTION, spread


def head_text(
    request: Request, agent: str, waited: float, place: str, width: int, *, up: bool, folded: bool, hint: str
) -> Content:
    """Return the header in `width` cells. `waited`: seconds; `up`: whether connected; `hint` replaces who asks."""
    what = "asks for permission" if isinstance(request, PermissionRequest) else "needs your answer"
    asks = f" ? {single_line(agent) or 'agent'} {what}"
    left = Content.styled(f" ? {hint}" if hint else asks, QUESTION)
    if not hint:
        left += Content.styled(f" · {span(waited)}{'' if up else AS_LAST_KNOWN}", MUTED)
    if folded:
        left += Content.styled(f" · {key('fold')} answers it", MUTED)
    return spread(left, Content.styled(place, MUTED), width)
