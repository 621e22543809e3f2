"""What a server still knows after it was killed and started again. As measured on opencode 1.18.33.

Sessions, messages and the configuration are on disk. Statuses, open requests and whoever listened are gone; a tool
that ran stays `running` for ever, and its message without a time of completion.
"""

from server_stub.domain.state import Message, ServerState, Session


def after_crash(world: ServerState) -> ServerState:
    """The same server in a new process. What still runs in the old world changes nothing in the new one."""
    found = ServerState(world.profile, world.clock, world.directory)
    found.config = world.config
    for session in world.sessions.values():
        found.sessions[session.id] = as_stored(session)
    return found


def as_stored(session: Session) -> Session:
    """A copy of what is on disk now."""
    return Session(
        session.info,
        {name: Message(message.info, dict(message.parts)) for name, message in session.messages.items()},
        session.todos,
        session.diff,
    )
