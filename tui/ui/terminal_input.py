"""What the terminal sends, as keys and pastes: every character, Enter with a modifier, lines that come at once.

Runs in the driver's input thread, where it is still known which bytes came together. It knows no widget.
"""

import os
import re
import selectors
import unicodedata
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable

from textual import events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

AFTER_ENTER = 0.01
"""Seconds in which what comes behind Enter belongs to the same burst: a terminal hands a paste on in pieces."""
AFTER_LINES = 0.05
"""The same, once several lines have come."""
LONG = 64
"""Characters of one line that come at once and are a paste: a field takes that faster than as many keys."""
TICK = 0.1
"""Seconds between two looks at an escape sequence that has not ended: Textual's own."""
CHUNK = 4096
"""Bytes of one read: what a terminal keeps."""

_INTRODUCERS = "[OP]X^_"
"""What follows an escape that begins a longer sequence (CSI, SS3, DCS, OSC, SOS, PM, APC)."""
_KITTY_TEXT = re.compile(r"\x1b\[0;;([\d:]+)u")
"""Text without a key, as an input method commits it."""
_CODE_POINT = re.compile(r"\x1b\[(\d+)(?:;\d*)?u")
_FUNCTIONAL = range(0xE000, 0xF900)
"""Code points with which the kitty keyboard protocol names keys that have none."""
_SAME_AS = {"shift+backspace": "backspace", "shift+space": "space"}


class Character(str):
    """A character of a key that is text, whichever it is.

    Textual's text widgets take only what `str.isprintable` says yes to: no space but U+0020, no joiner, no
    direction mark, nothing newer than Python's tables.
    """

    __slots__ = ()

    def isprintable(self) -> bool:
        return True


LINE_ENDS = str.maketrans(dict.fromkeys("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", "\n"))
"""What Textual's text widgets take for the end of a line, and drop at the end of what they are given."""


def is_text(character: str | None) -> bool:
    """Whether it is a character, and no control."""
    return character is not None and len(character) == 1 and unicodedata.category(character) != "Cc"


def adapt(event: events.Key | events.Paste, *, one_line: bool) -> None:
    """Change a key or a paste so that a text widget takes all of it; `one_line`: one that drops further lines."""
    match event:
        case events.Key(character="\u2028" | "\u2029"):
            event.key, event.character = "ctrl+j", "\n"
        case events.Key(character=str(character)) if is_text(character):
            event.character = Character(character)
        case events.Paste(text=text):
            event.text = " ".join(text.splitlines()) if one_line else text.translate(LINE_ENDS)


class TextBurst(Message):
    """Characters that came at once, in one line or several (ended by `\\r`)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    @property
    def is_paste(self) -> bool:
        """Whether it is more than anybody types."""
        return "\r" in self.text or len(self.text) >= LONG

    @property
    def pasted(self) -> events.Paste:
        return events.Paste(self.text.replace("\r\n", "\n").replace("\r", "\n"))

    @property
    def keys(self) -> Iterable[events.Key]:
        parser = InputParser()
        for character in self.text:
            yield from parser._sequence_to_key_events(character)


class InputParser(XTermParser):
    """Textual's, with Enter and its modifiers, Alt in the middle of a burst, and keys that told only their code.

    An Enter that was a key for certain, as the kitty protocol sends it, has no character.
    """

    def feed(self, data: str) -> Iterable[Message]:
        text = _KITTY_TEXT.sub(_text_of, data)
        return super().feed(text) if text or not data else ()  # "" is the end of all input

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if len(sequence) == 1:
            yield from super()._sequence_to_key_events(sequence, alt)
        elif sequence in ("\x1b\r", "\x1b\n"):
            yield events.Key("ctrl+j", "\n")
        elif keys := list(super()._sequence_to_key_events(sequence, alt)):
            yield from (_usual(key, sequence) for key in keys)
        elif len(sequence) == 2 and sequence[1] not in _INTRODUCERS:
            yield from super()._sequence_to_key_events(sequence[1], alt=True)


def _usual(key: events.Key, sequence: str) -> events.Key:
    """A key of an escape sequence, by the name that the widgets know."""
    name = key.key.rpartition("+")[2]
    if name in ("enter", "\r"):
        return events.Key("enter", None) if key.key == "enter" else events.Key("ctrl+j", "\n")
    told = _CODE_POINT.fullmatch(sequence)
    code = int(told[1]) if told and key.character is None and key.key in (name, f"shift+{name}") else 0
    if code and code not in _FUNCTIONAL and is_text(chr(code)):
        character = chr(code) if key.key == name else chr(code).upper()[:1]
        return events.Key(name if len(name) > 1 else character, character)
    return events.Key(_SAME_AS.get(key.key, key.key), key.character)


class Burst:
    """Characters that came together: `send` gets them as one `TextBurst`. A key alone stays a key, and so do Tab
    and the Enter at the end."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._keys: list[events.Key] = []
        self._text: list[str] = []
        self._has_enter = self._has_lines = False

    def take(self, message: Message) -> None:
        character = message.character if isinstance(message, events.Key) else None
        if (
            isinstance(message, events.Key)
            and character is not None
            and (character in "\r\n\t" or ("+" not in message.key and is_text(character)))
        ):
            self._text.append(character)
            if character == "\r":
                self._has_enter = True
            elif self._has_enter and character != "\n":
                self._has_lines = True
            if self._has_lines:
                self._keys.clear()
            else:
                self._keys.append(message)
        else:
            self.end()
            self._send(message)

    @property
    def lasts(self) -> float:
        """Seconds for which what comes next belongs to it; 0 where nothing can."""
        return AFTER_LINES if self._has_lines else AFTER_ENTER if self._text[-1:] == ["\r"] else 0

    def end(self) -> None:
        """Nothing more belongs to it."""
        keys, text, has_lines = self._keys, self._text, self._has_lines
        self._keys, self._text, self._has_enter, self._has_lines = [], [], False, False
        if has_lines:
            self._send(TextBurst("".join(text)))
        elif len(line := "".join(text).rstrip("\r")) >= LONG or (len(line) > 1 and "\t" not in line):
            self._send(TextBurst(line))
            del keys[: len(line)]
        for key in keys:
            self._send(key)


class InputDriver(LinuxDriver):
    """Textual's, with `InputParser` and `Burst`. A byte that is no UTF-8 ends nothing."""

    def run_input_thread(self) -> None:
        parser, burst = InputParser(self._debug), Burst(self.process_message)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                came = selector.select(burst.lasts or TICK)
                data = os.read(self.fileno, CHUNK) if came else b""
                if came and not data:
                    self.exit_event.wait(TICK)  # standard input has ended
                text = decode(data)
                for message in parser.feed(text) if text else ():
                    burst.take(message)
                for message in parser.tick():
                    burst.take(message)
                if not came or not burst.lasts:
                    burst.end()
        burst.end()
        try:
            for _ in parser.feed(""):
                pass
        except (EOFError, ParseError):
            pass


def _text_of(committed: re.Match[str]) -> str:
    return "".join(chr(int(code)) for code in committed[1].split(":") if code and int(code) <= 0x10FFFF)
