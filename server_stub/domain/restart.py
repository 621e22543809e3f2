"""The state of a server after it was killed and restarted, as measured on opencode 1.18.33.

Sessions, messages and the configuration are stored on disk. Statuses, open requests and subscribers are lost; a
running tool call stays `running`, and its message has no completion time.
"""

from server_stub.domain.state import Message, ServerState, Session


def after_crash(server: ServerState) -> ServerState:
    """The same server in a new process. Runs of the old state do not change the new one."""
    found = ServerState(server.profile, server.clock, server.directory)
    found.config = server.config
    for session in server.sessions.values():
        found.sessions[session.id] = as_stored(session)
    return found


def as_stored(session: Session) -> Session:
    """A copy of what is stored on disk."""
    return Session(
        session.info,
        {name: Message(message.info, dict(message.parts)) for name, message in session.messages.items()},
        session.todos,
        session.diff,
    )
