"""What the terminal sends, as keys and pastes: every character, Enter with a modifier, lines that come at once.

Runs in the driver's input thread, where it is still known which bytes came together. It knows no widget.
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
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tui.ui.escape_sequences import (
    BEGUN,
    ESCAPE,
    PASTE_END,
    PASTE_START,
    SEQUENCE_AT_MOST,
    WHOLE,
    committed_text,
    skipped,
    understood,
    without_controls,
)
from tui.widgets.prompt.text_limit import CHARACTERS_AT_MOST

AFTER_ENTER = 0.01
"""Seconds in which what comes behind Enter belongs to the same burst: a terminal hands a paste on in pieces."""
AFTER_LINES = 0.05
"""The same, once several lines have come."""
LONG = 64
"""Characters of one line that come at once and are a paste: a field takes that faster than as many keys."""
TICK = 0.1
"""Seconds between two looks at an escape sequence that has not ended: Textual's own."""
SEQUENCE_WITHIN = 1.0
"""Seconds in which an escape sequence ends that has begun: then its characters are keys."""
PASTE_ENDS_AFTER = 2.0
"""Seconds without a byte after which a bracketed paste is over though its end has not come."""
CHUNK = 4096
"""Bytes of one read: what a terminal keeps."""

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


def adapt(event: events.Key | events.Paste, *, single_line: bool) -> None:
    """Change a key or a paste so that a text widget takes all of it; `single_line`: one that drops further lines."""
    match event:
        case events.Key(character="\u2028" | "\u2029"):
            event.key, event.character = "ctrl+j", "\n"
        case events.Key(character=str(character)) if is_text(character):
            event.character = Character(character)
        case events.Paste(text=text):
            event.text = " ".join(text.splitlines()) if single_line else text.translate(LINE_ENDS)


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


class PasteTooLong(Message):
    """So many characters were pasted that no field takes them; they are not kept."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.characters = characters


class Pasted:
    """A text that comes in pieces: kept as far as a field could take it, and counted."""

    def __init__(self) -> None:
        self.characters = 0
        self._pieces: list[str] = []

    def add(self, text: str) -> None:
        self.characters += len(text)
        if self.characters <= CHARACTERS_AT_MOST:
            self._pieces.append(text)
        else:
            self._pieces.clear()

    def take(self) -> str | PasteTooLong:
        """All of it, from the beginning on; nothing is left."""
        characters, text = self.characters, "".join(self._pieces)
        self.characters, self._pieces = 0, []
        return PasteTooLong(characters) if characters > CHARACTERS_AT_MOST else text


class InputParser(XTermParser):
    """Textual's, which gets nothing but plain text and whole sequences that it can take: no input makes it fail.

    It adds: Enter with its modifiers, Alt in the middle of a burst, keys that told only their code, and a
    bracketed paste as one text, whatever is in it. An Enter that was a key for certain, as the kitty protocol
    sends it, has no character.
    """

    def __init__(self, debug: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(debug)
        self._now = now
        self._rest = ""
        """What has come of a sequence or a paste that has not ended."""
        self._since = 0.0
        """When the sequence began, or the last of the paste came."""
        self._pasting = False
        self._paste = Pasted()
        """What has come of a paste, but for the last characters, which may be the beginning of its end."""
        self._skipping = ""
        """While a sequence goes on that is too long: the character that followed its escape."""
        self._escape_until = 0.0
        """Until when an escape that was taken for a key may still prove to be the first byte of a paste."""

    def feed(self, data: str) -> Iterable[Message]:
        if not data:  # the end of all input
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
                    if len(part[0]) > SEQUENCE_AT_MOST and not part[0].endswith(ESCAPE):
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
        elif self._skipping and waited >= SEQUENCE_WITHIN:
            self._skipping = ""
        elif (
            self._rest
            and not self._pasting
            and not self._skipping
            and waited >= (constants.ESCAPE_DELAY if self._rest == ESCAPE else SEQUENCE_WITHIN)
        ):
            rest, self._rest = self._rest, ""
            self._escape_until = self._now() + SEQUENCE_WITHIN if rest == ESCAPE else 0.0
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
        """What a whole sequence means: nothing where nobody knows it."""
        if text := committed_text(sequence):
            yield from super().feed(text)
        elif known := understood(sequence):
            yield from super().feed(known)
            if self._awaiting.timeout is not None:  # Textual's parser waits for more of it
                self._timeout_time, self._awaiting = None, self._gen.throw(ParseTimeout())
                self._tokens.clear()

    def _broken(self, begun: str) -> Iterable[Message]:
        """Characters that looked like a sequence, and are keys: Alt and a character, and what was typed then."""
        if begun == ESCAPE:
            yield events.Key("escape", ESCAPE)
        else:
            yield from super()._sequence_to_key_events(begun[1], alt=True)
            for character in begun[2:].rstrip(ESCAPE):
                yield from super()._sequence_to_key_events(character)

    def parse_mouse_code(self, code: str) -> Message | None:
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
        self._lines = Pasted()
        """What has come of several lines, but for `_text`."""
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
        """Seconds for which what comes next belongs to it; 0 where nothing can."""
        return AFTER_LINES if self._has_lines else AFTER_ENTER if self._text[-1:] == ["\r"] else 0

    def end(self) -> None:
        """Nothing more belongs to it."""
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
    """How many bytes the terminal has that nobody has read yet; 0 where it cannot tell."""
    try:
        count = fcntl.ioctl(terminal, termios.FIONREAD, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(count, sys.byteorder)


class InputDriver(LinuxDriver):
    """Textual's, with `InputParser` and `Burst`. A byte that is no UTF-8 ends nothing.

    What was typed before the terminal was in raw mode came through its line discipline, which makes a newline of
    Enter: there a newline is Enter.
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
