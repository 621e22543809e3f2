"""Parses response headers. An invalid header counts as absent."""

from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from tui.core.sanitize import sanitize

MAX_RETRY_AFTER: Final = 3600.0
"""Limit of `Retry-After` in seconds."""
_DIGITS: Final = 15
"""Digits of an accepted number: longer ones are invalid, and Python refuses thousands of digits."""


def readable(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Names in lower case, values sanitized; repeated headers are joined by commas (RFC 9110, 5.2)."""
    read: dict[str, str] = {}
    for name, value in headers:
        name, value = sanitize(name).lower(), sanitize(value)
        read[name] = f"{read[name]}, {value}" if name in read else value
    return read


def media_type(headers: Mapping[str, str]) -> str:
    """Content-Type without its parameters, in lower case; `""` if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def encoding(headers: Mapping[str, str]) -> str:
    """The Content-Encoding; `""` if absent or `identity`."""
    value = headers.get("content-encoding", "")
    return value if any(one.strip().lower() not in ("", "identity") for one in value.split(",")) else ""


def content_length(headers: Mapping[str, str]) -> int | None:
    """The Content-Length in bytes."""
    return _number(headers.get("content-length", ""))


def date(headers: Mapping[str, str]) -> float | None:
    """The Date header in epoch seconds."""
    return _epoch(headers.get("date", ""))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """`Retry-After` in seconds, at most MAX_RETRY_AFTER.

    `now` in epoch seconds, for a server that sends a date there and no Date header.
    """
    value = headers.get("retry-after", "")
    seconds: float | None = _number(value)
    if seconds is None:
        then = _epoch(value)
        if then is None:
            return None
        server_now = date(headers)
        seconds = then - (now if server_now is None else server_now)
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


def _number(value: str) -> int | None:
    value = value.strip()
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= _DIGITS else None


def _epoch(http_date: str) -> float | None:
    """Epoch seconds; None for an invalid date, or one before 1970."""
    try:
        moment = parsedate_to_datetime(http_date.strip())
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None
