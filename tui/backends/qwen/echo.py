"""Finds a prompt whose 202 was lost: qwen serve accepts no client ids, and a second post would be a second prompt.

The server stores a prompt's text and, until it is restarted, its author. Together with the position in the session's
events at which the prompt was created, that identifies it.
"""

import re
from collections.abc import Set
from dataclasses import dataclass

from tui.backends.qwen.session_reducer import Echo
from tui.backends.qwen.streams import FollowedSession
from tui.core.model import Prompt
from tui.core.sanitize import sanitize

CURSOR = re.compile("[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class EchoPosition:
    """A position in a session's events: the last event of an epoch, and the newest prompt before it."""

    epoch: str
    cursor: int
    newest: str

    @classmethod
    def of(cls, watch: FollowedSession) -> "EchoPosition":
        newest = watch.fold.echoes[-1].prompt_id if watch.fold.echoes else ""
        return cls(watch.epoch, watch.fold.cursor, newest)

    @classmethod
    def parse(cls, text: str) -> "EchoPosition | None":
        epoch, _, rest = text.partition(" ")
        cursor, _, newest = rest.partition(" ")
        return cls(epoch, int(cursor), newest) if CURSOR.fullmatch(cursor) else None

    def __str__(self) -> str:
        return f"{self.epoch} {self.cursor} {self.newest}"


def find_prompt(prompt: Prompt, now: FollowedSession, *, mine: Set[str], claimed: Set[str]) -> str | None:
    """The server's id of `prompt`, if the session in the state `now` has it.

    `mine` are all ids that this client has had in it, `claimed` the prompts that are known to be other ones of ours.
    """
    place = EchoPosition.parse(prompt.resume_cursor)
    restarted = place is not None and place.epoch != now.epoch
    words = sanitize(prompt.text).strip()
    for echo in _after(place, now):
        ours = echo.author in mine or (restarted and not echo.author)  # a restart loses the authors
        if ours and echo.prompt_id not in claimed and echo.text.strip() == words:
            return echo.prompt_id
    return None


def _after(place: EchoPosition | None, now: FollowedSession) -> list[Echo]:
    echoes = list(now.fold.echoes)
    if place is None:
        return echoes
    if place.epoch == now.epoch:
        return [echo for echo in echoes if echo.id > place.cursor]
    known = [index for index, echo in enumerate(echoes) if echo.prompt_id == place.newest]
    return echoes[known[-1] + 1 :] if known else echoes
