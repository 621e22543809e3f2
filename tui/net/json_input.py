"""Parses a server's JSON into values whose strings are safe for a terminal.

The only place where a server's JSON is parsed. It accepts what servers send, including lone surrogates and NaN, and
never returns a string that is not sanitized, nor a value nested so deep that walking it would raise.
"""

import json
import re
from typing import Final, TypeAlias

import msgspec

from tui.core.sanitize import sanitize, sanitize_fragment
from tui.net.errors import NotJson, TooLarge
from tui.net.json_size import MAX_BYTES, has_escape, too_much

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

MAX_DEPTH: Final = 100
"""Limit of nesting: far above any message, far below Python's recursion limit."""

FRAGMENTS: Final = frozenset({"delta"})
"""Keys whose text is a delta of a stream, and may begin or end within a character."""

LARGE: Final = 4 << 20
"""Size in bytes above which a document is parsed without a copy as text, which may be four times as large.

What the stricter parser does not accept raises TooLarge: invalid UTF-8, lone surrogates, numbers out of range."""

STEP: Final = 16 << 20
"""Size in bytes above which a document is parsed in steps."""
STEPS: Final = 3
"""Levels of nesting at which it is taken apart: each costs a pass over the document."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_EXCERPT: Final = 120
_SURELY_SHALLOW: Final = 4096

# Characters that `sanitize` would change, in raw JSON: escaped, or bare.
_UNSAFE_ESCAPE: Final = re.compile(r"\\(?:[bfr]|u(?:00[0189]|007[fF]|061[cC]|20[0-9a-fA-F]|[dD][89a-fA-F]))")
_UNSAFE_BARE: Final = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ORDINARY_ASCII: Final = bytes(range(0x7F))
_UNSAFE_ESCAPE_BYTES: Final = re.compile(_UNSAFE_ESCAPE.pattern.encode())
_UNSAFE_BARE_BYTES: Final = re.compile(  # the same, in UTF-8
    rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]"
)
_SLICE: Final = 1 << 20


def loads(raw: str | bytes | bytearray, *, fragments: frozenset[str] = FRAGMENTS, max_depth: int = MAX_DEPTH) -> JSON:
    """The JSON value in `raw`, every string and key sanitized; strings under a key in `fragments` as fragments.

    Bytes are UTF-8; a byte order mark is skipped, and an invalid byte becomes U+FFFD, so that the result of a long turn
    is not lost because of one. A `bytearray` may be empty afterwards, to save memory. Raises NotJson, also for values
    nested deeper than `max_depth`, and TooLarge for what would take too much memory.
    """
    if (size := too_much(raw)) is not None:
        raise TooLarge(MAX_BYTES, size=size, parsed=True)
    if len(raw) > LARGE and not isinstance(raw, str):
        return _large(raw, fragments, max_depth)
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff")
    try:
        value = _parsed(text)
    except RecursionError as error:
        raise _too_deep(text, max_depth) from error
    except ValueError as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise NotJson(text[:_EXCERPT], problem) from error
    if _may_be_deeper(text, max_depth) and _is_deeper(value, max_depth):
        raise _too_deep(text, max_depth)
    return _cleaned(value, fragments) if _may_be_unsafe(text) else value


def _large(raw: bytes | bytearray, fragments: frozenset[str], max_depth: int) -> JSON:
    try:
        with memoryview(raw) as whole, whole[3 if raw.startswith(_BYTE_ORDER_MARK) else 0 :] as document:
            value = _in_steps(document, STEPS)
    except RecursionError as error:
        raise _too_deep(_begins(raw), max_depth) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TooLarge(LARGE, size=len(raw)) from error
    if _is_deeper(value, max_depth):
        raise _too_deep(_begins(raw), max_depth)
    unsafe = _bytes_may_be_unsafe(raw)
    if isinstance(raw, bytearray):
        raw.clear()
    return _cleaned(value, fragments) if unsafe else value


def _in_steps(document: memoryview, levels: int) -> JSON:
    """The value, its parts one by one if it is large: one call of the parser holds up all other threads.

    Of a document that is not too much, the references to its parts take a few megabytes. Raises as the parser.
    """
    if len(document) > STEP and levels:
        first = bytes(document[:_EXCERPT]).lstrip()[:1]
        if first == b"[":
            parts = msgspec.json.decode(document, type=list[msgspec.Raw])
            return [_in_steps(memoryview(part), levels - 1) for part in parts]
        if first == b"{":
            fields = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
            return {key: _in_steps(memoryview(part), levels - 1) for key, part in fields.items()}
    value: JSON = msgspec.json.decode(document)
    return value


def _begins(raw: bytes | bytearray) -> str:
    return raw[:_EXCERPT].decode("utf-8", "replace")


def _bytes_may_be_unsafe(raw: bytes | bytearray) -> bool:
    """As `_may_be_unsafe`, in slices; a character may span two."""
    if has_escape(_UNSAFE_ESCAPE_BYTES, raw):
        return True
    return any(
        _UNSAFE_BARE_BYTES.search(raw[max(0, at - 2) : at + _SLICE].translate(None, _ORDINARY_ASCII)) is not None
        for at in range(0, len(raw), _SLICE)
    )


def first_value(text: str) -> tuple[JSON, int]:
    """The first value in the text, not sanitized, and where it ends.

    Raises json.JSONDecodeError, whose `pos` is where parsing stopped, and RecursionError.
    """
    value, end = _FIRST.raw_decode(text)
    return value, end


def _parsed(text: str) -> JSON:
    value: JSON
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than Python converts
        value = json.loads(text, parse_int=_integer)
    return value


def _integer(digits: str) -> int | float:
    """An integer; infinite if it has more digits than Python converts."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


_FIRST: Final = json.JSONDecoder(parse_int=_integer)


def _too_deep(text: str, max_depth: int) -> NotJson:
    return NotJson(text[:_EXCERPT], f"nested deeper than {max_depth} levels")


def _may_be_deeper(text: str, max_depth: int) -> bool:
    """Avoids the walk for small documents; for large ones, counting costs more than walking."""
    return len(text) > _SURELY_SHALLOW or text.count("{") + text.count("[") > max_depth


def _is_deeper(value: JSON, max_depth: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(max_depth):
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) is dict or type(child) is list  # for every value: isinstance takes twice as long
        ]
    return bool(level)


def _may_be_unsafe(text: str) -> bool:
    """Whether sanitizing may change anything; rarely so.

    Bare control characters below U+0020 need no check: the parser refuses them.
    """
    if _UNSAFE_ESCAPE.search(text) is not None:
        return True
    if text.isascii():
        return "\x7f" in text
    unusual = text.encode("utf-8", "surrogatepass").translate(
        None, _ORDINARY_ASCII
    )  # ten times faster than searching `text`
    return _UNSAFE_BARE.search(unusual.decode("utf-8", "surrogatepass")) is not None


def _cleaned(value: JSON, fragments: frozenset[str]) -> JSON:
    if isinstance(value, str):
        return sanitize(value)
    if isinstance(value, list):
        return [_cleaned(item, fragments) for item in value]
    if isinstance(value, dict):
        return {
            sanitize(key): sanitize_fragment(item)
            if key in fragments and isinstance(item, str)
            else _cleaned(item, fragments)
            for key, item in value.items()
        }
    return value
