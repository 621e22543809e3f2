"""JSON documents with damage: values replaced, removed, duplicated or nested at random places.

What Python cannot represent or write (an integer of 5,000 digits, `1e400`, a duplicate key) is put into the text.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, Literal

from hypothesis import strategies as st

LITERALS: Final = {
    "5,000 digits": "9" * 5000,
    "-5,000 digits": "-" + "9" * 5000,
    "4,300 digits": "9" * 4300,
    "1e400": "1e400",
    "-1e400": "-1e400",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "NaN": "NaN",
    "1E+5000": "1E+5000",
    "-0": "-0",
}
"""Numbers that JSON can write and Python cannot."""
_MARKERS: Final = {f"\ue000 {name}": literal for name, literal in LITERALS.items()}
_TWICE: Final = "\ue001"
"""Suffix of a key that is written twice."""


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"time": value}
    return value


NUMBERS: Final[list[Any]] = [
    *_MARKERS, -1, 0, 1, -0.5, 5e-324, 1.7976931348623157e308, 2**31, 2**53, 2**63, 2**64, 10**18, 10**400,
    -(10**30), 8_640_000_000_000_001, "5", "1e400", "NaN", "", True, False, None, [], {}, [1], {"created": 1},
]  # fmt: skip
"""Replacements of a number."""
OTHERS: Final[list[Any]] = [
    "x" * 5000, "\ud83d", "\ude00x", "\x1b[2J", "\u202e", "\x00", "a\nb\tc", "\ufeff", "msg_" + "f" * 26, ".",
    _nested(90), _nested(120), [None] * 50, {"": ""}, {"type": "text"}, {"type": "tool", "state": {}}, [[]], [{}],
]  # fmt: skip

values = (
    st.sampled_from(NUMBERS)
    | st.sampled_from(OTHERS)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    )
)


def _places(value: Any, wanted: Callable[[Any], bool]) -> Iterator[tuple[Any, Any]]:
    """Each container in the tree, with the key or index of a wanted value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if wanted(item):
            yield value, key
        yield from _places(item, wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Damage:
    """What is done at one place of a tree; numbers choose it: a part of the first level, and a place in that."""

    part: int
    place: int
    at_number: bool
    how: Literal["replace", "take away", "give twice", "wrap in a list", "wrap in an object"]
    value: Any

    def do(self, tree: dict[str, Any]) -> None:
        part = sorted(tree)[self.part % len(tree)]
        found = list(_places(tree[part], _is_number if self.at_number else lambda value: True))
        value = deepcopy(self.value)
        if not found:
            tree[part] = value
            return
        container, key = found[self.place % len(found)]
        match self.how:
            case "take away":
                del container[key]
            case "give twice" if isinstance(container, dict):
                container[f"{key}{_TWICE}"] = value
            case "wrap in a list":
                container[key] = [container[key]]
            case "wrap in an object":
                container[key] = {"value": container[key]}
            case _:
                container[key] = value


_HOW = ("replace", "replace", "replace", "take away", "give twice", "wrap in a list", "wrap in an object")
_where = st.integers(0, 10_000)
damages = st.lists(
    st.builds(Damage, _where, _where, st.just(True), st.just("replace"), st.sampled_from(NUMBERS))
    | st.builds(Damage, _where, _where, st.booleans(), st.sampled_from(_HOW), values),
    min_size=1,
    max_size=4,
)


def damaged(whole: dict[str, Any], damages: Sequence[Damage]) -> dict[str, Any]:
    """A copy of `whole` with all damage done below its first level."""
    tree = deepcopy(whole)
    for one in damages:
        one.do(tree)
    return tree


def written(tree: Any) -> str:
    """The tree as JSON text."""
    text = json.dumps(tree)
    if "\\ue00" in text:
        for marker, literal in _MARKERS.items():
            text = text.replace(json.dumps(marker), literal)
        text = text.replace(json.dumps(_TWICE)[1:-1], "")
    return text


def with_numbers(tree: Any, literals: Iterator[str], kept: Collection[str] = ()) -> str:
    """The tree as JSON, each number replaced by the next of `literals`; those of keys in `kept` stay."""

    def marked(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: marked(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [marked(item, key) for item in value]
        return f"\ue002{next(literals)}\ue002" if _is_number(value) and key not in kept else value

    return re.sub(r'"\\ue002(.*?)\\ue002"', r"\1", json.dumps(marked(tree)))
