"""A session whose events are followed, and the result of loading one."""

from dataclasses import dataclass

from tui.backends.qwen.session_reducer import SessionReducer
from tui.core import events as e


@dataclass(slots=True)
class FollowedSession:
    """A session whose events are followed: its state, and the epoch of its event ids."""

    reducer: SessionReducer
    epoch: str

    @property
    def session_id(self) -> str:
        return self.reducer.session_id


@dataclass(frozen=True, slots=True)
class LoadedSession:
    """The result of a load: the position to follow from, and the events to report."""

    watch: FollowedSession
    events: tuple[e.Event, ...]
