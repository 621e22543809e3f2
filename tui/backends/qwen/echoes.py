"""Prompts that the server has, as its events repeat them: in these a prompt whose 202 was lost is searched."""

import hashlib
from dataclasses import dataclass

MAX_ECHOES = 200
"""Limit of stored prompts of a session."""
COMPARED = 10_000
"""Characters from which on only the digest of a prompt's text is kept."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A prompt that the server has: running, ended, or in the server's queue. `id` is that of its event.

    Turns that the server started itself are included, without text. `text` is what `compared` makes of it.
    """

    prompt_id: str
    text: str
    author: str
    id: int


def compared(text: str) -> str:
    """What is compared of a prompt's text: of a long one its digest."""
    text = text.strip()
    if len(text) <= COMPARED:
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
