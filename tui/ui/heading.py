"""What the header and the request panel name: the session, its agent and model, who asks, and the server.

Read from the store; the session's own data have precedence over those of its loaded messages.
"""

from tui.backends.base import ServerInfo, Traits
from tui.backends.families import NAMES
from tui.client.prompt_options import PromptOptions
from tui.core.model import Request, Session
from tui.core.sanitize import single_line
from tui.core.store import Store
from tui.widgets.status.header import Heading

UNTITLED = "new session"
"""Title shown for a session until the server names it."""
NAME = 40
"""Maximum characters of a name from a server."""


def heading_of(store: Store, choices: PromptOptions, session_id: str) -> Heading:
    """Return title, agent, model and usage of a session."""
    session = known_session(store, session_id)
    title = (session.title.replace("\n", " ").strip() or UNTITLED) if session is not None else ""
    parent = store.sessions.get(session.parent_id or "") if session is not None else None
    if parent is not None:
        title = f"{parent.title.strip() or UNTITLED} › {title}"
    choice = choices.of(session_id)
    model = (choice.model or "").rpartition("/")[2]
    who = " · ".join(name for name in (choice.agent or _agent(store, session_id), model) if name)
    return Heading(single_line(title), single_line(who), *_usage(store, session_id))


def asker_of(store: Store, request: Request, session_id: str | None) -> str:
    """Return the name of the agent that asks: of the session on the screen, or of a child session."""
    if request.session_id == session_id:
        return _agent(store, session_id)
    session = store.sessions.get(request.session_id)
    named = "" if session is None else session.agent or single_line(session.title, NAME)
    return named or "a child session"


def name_of(store: Store, session_id: str) -> str:
    """Return the title of a session, which may be deleted, for a notice."""
    session = known_session(store, session_id)
    return (single_line(session.title, NAME) if session is not None else "") or UNTITLED


def server_name(traits: Traits | None, server: ServerInfo | None) -> str:
    """Return the display name of the server's family, and its version; "" before the first connection."""
    if traits is None or server is None:
        return ""
    return single_line(f"{NAMES.get(traits.family, traits.family)} {server.version}", NAME)


def known_session(store: Store, session_id: str) -> Session | None:
    return store.sessions.get(session_id) or store.deleted.get(session_id)


def _agent(store: Store, session_id: str) -> str:
    transcript = store.transcript(session_id)
    return "" if transcript is None else transcript.newest_agent()


def _usage(store: Store, session_id: str) -> tuple[int, float]:
    """Return tokens and dollars of the session: the server's sum, else that of the loaded messages."""
    session = store.sessions.get(session_id)
    if session is not None and session.tokens:
        return session.tokens, session.cost
    transcript = store.transcript(session_id)
    return transcript.usage_totals() if transcript is not None else (0, 0.0)
