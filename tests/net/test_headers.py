"""Header values; invalid ones count as absent."""

import pytest

from tui.net.headers import MAX_RETRY_AFTER, content_length, date, media_type, readable, retry_after

IMPOSSIBLE = (
    "Thu, 20 Nov 99999999999 12:00:00 GMT",
    "Thu, 20 Nov 2025 99999999999999999999:00:00 GMT",
    "Thu, 20 Nov 2025 12:00:00 +99999999999999999999",
    "Thu, 20 Nov -2025 12:00:00 GMT",
    "Wed, 31 Dec 1969 23:59:59 GMT",
)
NOON = 1763640000.0  # Thu, 20 Nov 2025 12:00:00 GMT


def test_names_are_lower_case_values_sanitized_and_repeats_joined() -> None:
    read = readable([("X-Next-Cursor", "abc"), ("Link", "<a>"), ("link", "<b>"), ("x\x1bc", "\x1b[2Jv\u202e")])
    assert read == {"x-next-cursor": "abc", "link": "<a>, <b>", "x": "v"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Text/Event-Stream; charset=latin-1", "text/event-stream"),
        ("application/json", "application/json"),
        ("", ""),
    ],
)
def test_media_type(value: str, kind: str) -> None:
    assert media_type({"content-type": value}) == kind
    assert media_type({}) == ""


@pytest.mark.parametrize(
    "value",
    ["Thu, 20 Nov 2025 12:00:00 GMT", "Thu, 20 Nov 2025 12:00:00 -0000", "Thu, 20 Nov 2025 13:00:00 +0100"],
)
def test_date(value: str) -> None:
    assert date({"date": value}) == NOON


@pytest.mark.parametrize(
    "value", ["", "noon", "Thu, 99 Nov 2025 12:00:00 GMT", "Thu, 20 Nov 99999 12:00:00 GMT", "0", *IMPOSSIBLE]
)
def test_an_invalid_date(value: str) -> None:
    assert date({"date": value}) is None
    assert date({}) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Thu, 20 Nov 2025 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 20 Nov 2025 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 20 Nov 2025 12:00:30 GMT", "date": "Thu, 20 Nov 2025 12:00:20 GMT"}, 10.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "99999999999"}, MAX_RETRY_AFTER),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, MAX_RETRY_AFTER),
        ({"retry-after": "Fri, 31 Dec 99999999999 23:59:59 GMT"}, None),
        ({"retry-after": "Thu, 20 Nov 2025 12:00:30 GMT", "date": "Fri, 1 Jan 99999999999 0:0:0 GMT"}, 30.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "٣"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOON) == seconds


@pytest.mark.parametrize(
    ("value", "size"),
    [("12", 12), (" 0 ", 0), ("", None), ("-1", None), ("1e3", None), ("12, 12", None), ("9" * 5000, None)],
)
def test_content_length(value: str, size: int | None) -> None:
    assert content_length({"content-length": value}) == size
