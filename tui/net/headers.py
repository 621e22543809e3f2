"""What the headers of an answer say, in our units. A header that makes no sense says nothing."""

from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from tui.core.sanitize import clean


def readable(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Names in lower case, values clean; what was sent more than once is joined by commas (RFC 9110, 5.2)."""
    read: dict[str, str] = {}
    for name, value in headers:
        name, value = clean(name).lower(), clean(value)
        read[name] = f"{read[name]}, {value}" if name in read else value
    return read


def media_type(headers: Mapping[str, str]) -> str:
    """Content-Type without its parameters, in lower case; `""` if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def content_length(headers: Mapping[str, str]) -> int | None:
    """Bytes of the body, where they are as sent: a compressed body says nothing of what it unpacks to."""
    value = headers.get("content-length", "").strip()
    packed = headers.get("content-encoding", "identity") != "identity"
    return int(value) if value.isascii() and value.isdecimal() and not packed else None


def date(headers: Mapping[str, str]) -> float | None:
    """The server's clock in epoch seconds."""
    return _epoch(headers.get("date", ""))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to stay away; `now` in epoch seconds, for a server that names a time of day and not its own."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    then = _epoch(value)
    if then is None:
        return None
    server_now = date(headers)
    return max(0.0, then - (now if server_now is None else server_now))


def _epoch(http_date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(http_date)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
