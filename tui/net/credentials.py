"""Credentials of a server. A secret appears here and in one header; no repr, log or error shows it."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """User and password (RFC 7617, in UTF-8); bytes of the environment that are not UTF-8 are sent unchanged.

    Raises ValueError, without quoting it, for text that cannot be encoded.
    """

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            self.header()
        except UnicodeEncodeError:
            raise ValueError("The user or the password holds characters that cannot be sent.") from None

    def header(self) -> str:
        return "Basic " + b64encode(f"{self.user}:{self.password}".encode("utf-8", "surrogateescape")).decode()

    def secrets(self) -> tuple[str, ...]:
        """The texts that `redact` must hide: the password, and the encoded credentials of the header."""
        return self.password, self.header().removeprefix("Basic ")


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A token (RFC 6750). Raises ValueError, without quoting it, if a header cannot carry it."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if not is_token(self.token):
            raise ValueError("The token holds characters that a token cannot have.")

    def header(self) -> str:
        return f"Bearer {self.token}"

    def secrets(self) -> tuple[str, ...]:
        """The texts that `redact` must hide: the token."""
        return (self.token,)


def is_token(text: str) -> bool:
    """Whether a header can carry `text` as a token."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


Credentials: TypeAlias = BasicAuth | BearerAuth

SHORTEST_HIDDEN = 4
"""Minimum length of a secret that `redact` hides: shorter ones occur in many words by chance."""


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` without secrets echoed by a server or proxy."""
    for secret in secrets:
        if len(secret) >= SHORTEST_HIDDEN:
            text = text.replace(secret, "[password]")
    return text
