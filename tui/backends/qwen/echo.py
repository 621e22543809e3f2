"""Finding a prompt whose 202 was lost. qwen serve takes no id of ours, and a second post would be a second prompt.

What it keeps of a prompt is its words and, until it is restarted, who sent it. With the place in the session's
events at which the prompt was made that is enough.
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
    """Where a session's events stood: the last event of an epoch, and the newest prompt before it."""

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
    """The server's id of `prompt`, if the session as it is `now` has it.

    `mine` are all identities that we have had in it, `claimed` the prompts that are known to be others of ours.
    """
    place = EchoPosition.parse(prompt.resume_cursor)
    restarted = place is not None and place.epoch != now.epoch
    words = sanitize(prompt.text).strip()
    for echo in _after(place, now):
        told = echo.author in mine or (restarted and not echo.author)  # a restart forgets the authors
        if told and echo.prompt_id not in claimed and echo.text.strip() == words:
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
