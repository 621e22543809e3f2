"""What the widgets of the main screen need of the client."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.widgets.transcript.view import RecordedEnd

if TYPE_CHECKING:
    from tui.widgets.transcript.transcript_search import Older


@dataclass(frozen=True, slots=True)
class MainPorts:
    """`older` fetches the page before the oldest message of a session."""

    older: "Older"
    submit: Callable[[str], None]
    """Takes the text of the prompt before the next key is handled."""
    past: Callable[[], Sequence[str]]
    """Returns earlier prompts, newest first."""
    keep_long: Callable[[str], bool]
    """Saves a text that is too long for the prompt elsewhere; returns False on failure."""
    answer_draft: Callable[[str], bytes | None]
    """Returns the saved draft of an answer, by request id."""
    recorded_end: RecordedEnd
