"""Terminal escape sequences: where one ends, which ones the parser supports, and what is not text."""

import re

ESCAPE = "\x1b"
PASTE_START = "\x1b[200~"
PASTE_END = "\x1b[201~"
STRINGS = "]PX^_"
"""Characters after ESC that start a string sequence (OSC, DCS, SOS, PM, APC)."""

_PAYLOAD = r"[^\x00-\x1f\x7f-\x9f]*"
WHOLE = re.compile(
    r"\x1b(?:"
    r"\[(?:\[[A-Z]|M[^\x00-\x1f]{3}|\d+\$|(?![M\[])[0-?]*[ -/]*[@-~])"
    r"|O[ -~]"
    rf"|[{re.escape(STRINGS)}]{_PAYLOAD}(?:\x07|\x1b\\)"
    rf"|[^\x1b\[O{re.escape(STRINGS)}]"
    r")"
)
"""A complete sequence, or Alt and a character. Beyond ECMA-48: function keys of the Linux console (`ESC [ [ A`) and
of rxvt (`ESC [ 24 $`), and X10 mouse reports (`ESC [ M` and three characters)."""
BEGUN = re.compile(
    rf"\x1b(?:\[(?:\[|M[^\x00-\x1f]{{0,2}}|[0-?]*[ -/]*)|O|[{re.escape(STRINGS)}]{_PAYLOAD}(?:\x1b\Z)?)?"
)
"""An incomplete sequence: what has arrived of it."""
MAX_SEQUENCE_CHARACTERS = 4096
"""Maximum characters of an incomplete sequence; no requested report is longer."""
_REST = {
    "[": re.compile(r"[0-?]*[ -/]*([@-~])?"),
    **dict.fromkeys(STRINGS, re.compile(rf"{_PAYLOAD}(\x07|\x1b\\)?")),
}
_MAX_CHARACTERS = 32
"""Maximum characters of a sequence that Textual's parser reads."""
_TOO_LARGE = re.compile(r"\d{8}")
"""A number too large for any key, column or row."""
_KEY = re.compile(r"\x1b\[([\d:;]*)([u~ABCDEFHPQRS])", re.ASCII)
_SIZE = re.compile(r"\x1b\[48;(\d[\d:]*);(\d[\d:]*);(\d[\d:]*);(\d[\d:]*)t", re.ASCII)
_COMMITTED = re.compile(r"\x1b\[0;;([\d:]+)u", re.ASCII)
_RELEASED = "3"
"""The event type of a key release."""
_SHIFT, _LOCKS = 1, 64 | 128
_MAX_CELLS = 500_000
"""Maximum cells of a reported screen size: each cell costs memory."""

_NOT_TEXT = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    rf"|(?:\x1b[{re.escape(STRINGS)}]|[\x90\x98\x9d-\x9f])(?:{_PAYLOAD}(?:\x07|\x1b\\|\x9c))?"
    r"|\x1b[ #%()*+][0-~]"
    r"|[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f]"
)


def skipped(text: str, at: int, kind: str) -> tuple[int, bool]:
    """Return where the rest of an overlong sequence ends, and whether it continues after `text`.

    `kind`: the character that followed its ESC.
    """
    rest = _REST[kind].match(text, at)
    end = rest.end() if rest is not None else at
    ended = rest is not None and rest[1] is not None
    return end, not ended and (end == len(text) or (kind in STRINGS and text[end:] == ESCAPE))


def without_controls(text: str) -> str:
    """Return `text` without escape sequences and control characters; line ends become newlines and tabs stay."""
    return _NOT_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def committed_text(sequence: str) -> str:
    """Return the text that an input method commits without a key; "" if the sequence is something else."""
    found = _COMMITTED.fullmatch(sequence)
    return "".join(chr(int(code)) for code in _characters(found[1])) if found else ""


def understood(sequence: str) -> str:
    """Return `sequence` in a form that Textual's parser supports; "" if unsupported or without effect.

    Textual does not support event types and alternate keys of the kitty keyboard protocol. Key releases are dropped.
    """
    if sequence[1] in STRINGS or _TOO_LARGE.search(sequence):
        return ""
    if found := _KEY.fullmatch(sequence):
        sequence = _key(found[1], found[2])
    elif found := _SIZE.fullmatch(sequence):
        rows, columns = (int(size.partition(":")[0]) for size in found.group(1, 2))
        sequence = sequence if 0 < rows * columns <= _MAX_CELLS else ""
    return sequence if len(sequence) <= _MAX_CHARACTERS else ""


def _key(fields: str, final: str) -> str:
    """Convert `code:shifted:base ; modifiers:event ; text` (all optional) to `code ; modifiers ; text`."""
    codes, modifiers, text, *more = (*fields.split(";"), "", "")
    if (codes, final) == ("27", "~"):  # xterm's modifyOtherKeys: `27 ; modifiers ; code ~`
        codes, text, final = text, "", "u"
    code, shifted = (*codes.split(":"), "")[:2]
    modifier, event = (*modifiers.split(":"), "")[:2]
    texts = _characters(text)
    named = _is_code_point(int(code)) if code else final not in "u~"
    if event == _RELEASED or any(more) or not (named or texts):
        return ""
    if final == "u" and not texts and ((int(modifier or 1) - 1) & ~_LOCKS) == _SHIFT:
        texts = _characters(shifted)
    kept = ";".join((code if named else "0", modifier, ":".join(texts)))
    return f"\x1b[{kept.rstrip(';')}{final}"


def _characters(codes: str) -> list[str]:
    """Return the codes, separated by colons in `codes`, of characters other than controls."""
    return [code for code in codes.split(":") if code and _is_code_point(int(code)) and not _is_control(int(code))]


def _is_code_point(code: int) -> bool:
    return 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF


def _is_control(code: int) -> bool:
    return code < 0x20 or 0x7F <= code < 0xA0
