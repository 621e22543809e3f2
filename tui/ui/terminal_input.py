"""Converts terminal input to keys and pastes: all characters, Enter with modifiers, multi-line bursts.

Runs in the driver's input thread, where the timing of the bytes is known. It knows no widget.
"""

import fcntl
import os
import re
import selectors
import sys
import termios
import time
import unicodedata
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable

from textual import constants, events
from textual._parser import ParseError, ParseTimeout
from textual._xterm_parser import XTermParser
from textual.message import Message

from tui.ui.escape_sequences import (
    BEGUN,
    ESCAPE,
    MAX_SEQUENCE_CHARACTERS,
    PASTE_END,
    PASTE_START,
    WHOLE,
    committed_text,
    skipped,
    understood,
    without_controls,
)
from tui.ui.job_control import JobControlDriver
from tui.widgets.prompt.text_limit import MAX_CHARACTERS

AFTER_ENTER = 0.01
"""Seconds after Enter in which input belongs to the same burst: terminals deliver a paste in chunks."""
AFTER_LINES = 0.05
"""The same, after several lines."""
LONG = 64
"""Characters of one line arriving at once that count as a paste: faster to insert than as many keys."""
TICK = 0.1
"""Seconds between two checks of an incomplete escape sequence, as in Textual."""
SEQUENCE_TIMEOUT = 1.0
"""Seconds within which an escape sequence must be complete; otherwise its characters are keys."""
PASTE_ENDS_AFTER = 2.0
"""Seconds without input after which a bracketed paste without an end marker is complete."""
CHUNK = 4096
"""Bytes per read: the size of the terminal's buffer."""

_CODE_POINT = re.compile(r"\x1b\[(\d+)(?:;\d*)?u")
_FUNCTIONAL = range(0xE000, 0xF900)
"""Code points of functional keys in the kitty keyboard protocol."""
_SAME_AS = {"shift+backspace": "backspace", "shift+space": "space"}


class Character(str):
    """A printable character of any kind.

    Textual's text widgets accept only characters for which `str.isprintable` is true, which excludes spaces other than
    U+0020, joiners, direction marks and characters newer than Python's Unicode tables.
    """

    __slots__ = ()

    def isprintable(self) -> bool:
        return True


LINE_ENDS = str.maketrans(dict.fromkeys("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", "\n"))
"""Characters that Textual's text widgets treat as line ends, and drop at the end of a text."""


def is_text(character: str | None) -> bool:
    """Whether it is one character other than a control."""
    return character is not None and len(character) == 1 and unicodedata.category(character) != "Cc"


def adapt(event: events.Key | events.Paste, *, single_line: bool) -> None:
    """Change a key or paste so that a text widget accepts all of it; `single_line`: the widget drops further lines."""
    match event:
        case events.Key(character="\u2028" | "\u2029"):
            event.key, event.character = "ctrl+j", "\n"
        case events.Key(character=str(character)) if is_text(character):
            event.character = Character(character)
        case events.Paste(text=text):
            event.text = " ".join(text.splitlines()) if single_line else text.translate(LINE_ENDS)


class TextBurst(Message):
    """Characters that arrived at once, in one line or several (separated by `\r`)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    @property
    def is_paste(self) -> bool:
        """Whether it is too much to be typed."""
        return "\r" in self.text or len(self.text) >= LONG

    @property
    def pasted(self) -> events.Paste:
        return events.Paste(self.text.replace("\r\n", "\n").replace("\r", "\n"))

    @property
    def keys(self) -> Iterable[events.Key]:
        parser = InputParser()
        for character in self.text:
            yield from parser._sequence_to_key_events(character)


class PasteTooLong(Message):
    """A paste of `characters` characters, too long for any field; the text is discarded."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.characters = characters


class Pasted:
    """Collects text that arrives in chunks, up to the limit of a field, and counts its characters."""

    def __init__(self) -> None:
        self.characters = 0
        self._pieces: list[str] = []

    def add(self, text: str) -> None:
        self.characters += len(text)
        if self.characters <= MAX_CHARACTERS:
            self._pieces.append(text)
        else:
            self._pieces.clear()

    def take(self) -> str | PasteTooLong:
        """Return the collected text and reset; `PasteTooLong` if it is over the limit."""
        characters, text = self.characters, "".join(self._pieces)
        self.characters, self._pieces = 0, []
        return PasteTooLong(characters) if characters > MAX_CHARACTERS else text


class InputParser(XTermParser):
    """Textual's parser, which is given only plain text and complete sequences that it supports.

    It adds: Enter with modifiers, Alt within a burst, keys reported by code only, and a bracketed paste as one text
    whatever it contains. An Enter that is certainly a key, as in the kitty protocol, has no character.
    """

    def __init__(self, debug: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(debug)
        self._now = now
        self._rest = ""
        """The incomplete sequence, or the end of an incomplete paste."""
        self._since = 0.0
        """When the sequence began, or when the paste last received input."""
        self._pasting = False
        self._paste = Pasted()
        """The paste so far, without the last characters, which may begin its end marker."""
        self._skipping = ""
        """While an overlong sequence is skipped: the character that followed its ESC."""
        self._escape_until = 0.0
        """Until when an ESC treated as a key may still turn out to be the first byte of a paste."""

    def feed(self, data: str) -> Iterable[Message]:
        if not data:  # end of input
            yield from super().feed(data)
            return
        now, begun = self._now(), bool(self._rest)
        if now < self._escape_until and (data.startswith(PASTE_START[1:]) or PASTE_START[1:].startswith(data)):
            data = ESCAPE + data
        self._escape_until = 0.0
        text, at, self._rest = self._rest + data, 0, ""
        while at < len(text):
            if self._pasting:
                end = text.find(PASTE_END, at)
                if end < 0:
                    end = max(at, len(text) - len(PASTE_END) + 1)
                    self._paste.add(text[at:end])
                    at = end
                    break
                yield from self._pasted(text[at:end])
                at = end + len(PASTE_END)
            elif self._skipping:
                at, goes_on = skipped(text, at, self._skipping)
                if goes_on:
                    break
                self._skipping = ""
            elif text.startswith(PASTE_START, at):
                self._pasting, at = True, at + len(PASTE_START)
            elif whole := WHOLE.match(text, at):
                yield from self._sequence(whole[0])
                at = whole.end()
            elif part := BEGUN.match(text, at):
                if part.end() == len(text):
                    if len(part[0]) > MAX_SEQUENCE_CHARACTERS and not part[0].endswith(ESCAPE):
                        self._skipping, at = part[0][1], len(text)
                    break
                yield from self._broken(part[0])
                at = part.end()
            else:
                end = text.find(ESCAPE, at)
                end = end if end >= 0 else len(text)
                yield from super().feed(text[at:end])
                at = end
        self._rest = text[at:]
        if self._pasting or self._skipping or not begun or at:
            self._since = now

    def tick(self) -> Iterable[Message]:
        waited = self._now() - self._since
        if self._pasting and waited >= PASTE_ENDS_AFTER:
            rest, self._rest = self._rest, ""
            yield from self._pasted(rest)
        elif self._skipping and waited >= SEQUENCE_TIMEOUT:
            self._skipping = ""
        elif (
            self._rest
            and not self._pasting
            and not self._skipping
            and waited >= (constants.ESCAPE_DELAY if self._rest == ESCAPE else SEQUENCE_TIMEOUT)
        ):
            rest, self._rest = self._rest, ""
            self._escape_until = self._now() + SEQUENCE_TIMEOUT if rest == ESCAPE else 0.0
            yield from self._broken(rest)

    def _pasted(self, text: str) -> Iterable[Message]:
        self._pasting = False
        self._paste.add(text)
        whole = self._paste.take()
        if isinstance(whole, PasteTooLong):
            yield whole
        elif clean := without_controls(whole):
            yield events.Paste(clean)

    def _sequence(self, sequence: str) -> Iterable[Message]:
        """Yield the messages of a complete sequence; nothing if it is unknown."""
        if text := committed_text(sequence):
            yield from super().feed(text)
        elif known := understood(sequence):
            yield from super().feed(known)
            if self._awaiting.timeout is not None:  # Textual's parser expects more input
                self._timeout_time, self._awaiting = None, self._gen.throw(ParseTimeout())
                self._tokens.clear()

    def _broken(self, begun: str) -> Iterable[Message]:
        """Yield a broken sequence as keys: Alt and a character, then the characters after it."""
        if begun == ESCAPE:
            yield events.Key("escape", ESCAPE)
        else:
            yield from super()._sequence_to_key_events(begun[1], alt=True)
            for character in begun[2:].rstrip(ESCAPE):
                yield from super()._sequence_to_key_events(character)

    def parse_mouse_code(self, code: str) -> Message | None:
        """As Textual does, but in cells while a size is unknown or 0: pixels are divided by it."""
        sizes = (self.terminal_size, self.terminal_pixel_size)
        self.mouse_pixels = self.mouse_pixels and all(size is not None and all(size) for size in sizes)
        return super().parse_mouse_code(code)

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if len(sequence) == 1:
            yield from super()._sequence_to_key_events(sequence, alt)
        elif sequence in ("\x1b\r", "\x1b\n"):
            yield events.Key("ctrl+j", "\n")
        elif keys := list(super()._sequence_to_key_events(sequence, alt)):
            yield from (_usual(key, sequence) for key in keys)
        elif len(sequence) == 2 and WHOLE.fullmatch(sequence):
            yield from super()._sequence_to_key_events(sequence[1], alt=True)


def _usual(key: events.Key, sequence: str) -> events.Key:
    """Return the key of an escape sequence, with the name that widgets use."""
    name = key.key.rpartition("+")[2]
    if name in ("enter", "\r"):
        return events.Key("enter", None) if key.key == "enter" else events.Key("ctrl+j", "\n")
    matched = _CODE_POINT.fullmatch(sequence)
    code = int(matched[1]) if matched and key.character is None and key.key in (name, f"shift+{name}") else 0
    if code and code not in _FUNCTIONAL and is_text(chr(code)):
        character = chr(code) if key.key == name else chr(code).upper()[:1]
        return events.Key(name if len(name) > 1 else character, character)
    return events.Key(_SAME_AS.get(key.key, key.key), key.character)


class Burst:
    """Combines characters that arrive together into one `TextBurst`, passed to `send`. Single keys, Tab and a final
    Enter stay keys."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._keys: list[events.Key] = []
        self._text: list[str] = []
        self._lines = Pasted()
        """The lines so far, without `_text`."""
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
                if len(self._text) >= CHUNK:
                    self._lines.add("".join(self._text[:-1]))
                    del self._text[:-1]
            else:
                self._keys.append(message)
        else:
            self.end()
            self._send(message)

    @property
    def lasts(self) -> float:
        """Seconds in which further input belongs to the burst; 0 if none can."""
        return AFTER_LINES if self._has_lines else AFTER_ENTER if self._text[-1:] == ["\r"] else 0

    def end(self) -> None:
        """Complete the burst and send it."""
        keys, text, has_lines = self._keys, self._text, self._has_lines
        self._keys, self._text, self._has_enter, self._has_lines = [], [], False, False
        if has_lines:
            self._lines.add("".join(text))
            lines = self._lines.take()
            self._send(TextBurst(lines) if isinstance(lines, str) else lines)
        elif len(line := "".join(text).rstrip("\r")) >= LONG or (len(line) > 1 and "\t" not in line):
            self._send(TextBurst(line))
            del keys[: len(line)]
        for key in keys:
            self._send(key)


def _bytes_to_read(terminal: int) -> int:
    """Return the number of bytes waiting at the terminal; 0 if unknown."""
    try:
        count = fcntl.ioctl(terminal, termios.FIONREAD, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(count, sys.byteorder)


class InputDriver(JobControlDriver):
    """Textual's driver with `InputParser` and `Burst`. Invalid UTF-8 is replaced.

    Input typed before raw mode passed the terminal's line discipline, which converts Enter to a newline: in that input
    a newline is converted back to Enter.
    """

    def run_input_thread(self) -> None:
        typed_ahead = _bytes_to_read(self.fileno)
        parser, burst = InputParser(self._debug), Burst(self.process_message)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                came = selector.select(burst.lasts or TICK)
                data = os.read(self.fileno, CHUNK) if came else b""
                if typed_ahead > 0:
                    data = data[:typed_ahead].replace(b"\n", b"\r") + data[typed_ahead:]
                    typed_ahead -= len(data)
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
