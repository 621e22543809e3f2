"""No terminal input stops the parser, loses text, or turns a paste into keys."""

import random

import pytest
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.message import Message

from tui.ui.escape_sequences import PASTE_END, PASTE_START, WHOLE
from tui.ui.terminal_input import PASTE_ENDS_AFTER, SEQUENCE_TIMEOUT, InputParser

SEQUENCES = 20_000


class Reader:
    """A parser with a clock, and its output."""

    def __init__(self) -> None:
        self.time = 100.0
        self.parser = InputParser(now=lambda: self.time)
        self.messages: list[Message] = []

    def feed(self, *chunks: str, apart: float = 0.0) -> "Reader":
        for chunk in chunks:
            self.messages.extend(self.parser.feed(chunk))
            self.wait(apart)
        return self

    def wait(self, seconds: float) -> "Reader":
        self.time += seconds
        self.messages.extend(self.parser.tick())
        return self

    @property
    def inputs(self) -> list[str]:
        """Keys by name or character, pastes in quotes."""
        inputs = []
        for one in self.messages:
            if isinstance(one, events.Key):
                inputs.append(one.key if one.character in (None, one.key) else f"{one.key} {one.character!r}")
            else:
                inputs.append(f"“{one.text}”" if isinstance(one, events.Paste) else type(one).__name__)
        return inputs

    @property
    def text(self) -> str:
        """All text that a field would get, without Enter."""
        keys = [one for one in self.messages if isinstance(one, events.Key) and "+" not in one.key]
        return "".join(one.character or "" for one in keys)


@pytest.mark.parametrize(
    ("came", "inputs"),
    [
        ("\x1b[1;1:3A", []),
        ("\x1b[1;1:1A", ["up"]),
        ("\x1b[1;5:2A", ["ctrl+up"]),
        ("\x1b[97;1:1u", ["a"]),
        ("\x1b[97;1:3u", []),
        ("\x1b[97:65;2u", ["A"]),
        ("\x1b[50:64;2u", ["@"]),
        ("\x1b[97:65:97;6u", ["ctrl+shift+a"]),
        ("\x1b[1089::99;5u", ["ctrl+с"]),
        ("\x1b[13;2:1u", ["ctrl+j '\\n'"]),
        ("\x1b[27;2;13~", ["ctrl+j '\\n'"]),
        ("\x1b[27;3;13~", ["ctrl+j '\\n'"]),
        ("\x1b[27;5;97~", ["ctrl+a"]),
        ("\x1b[27;2;65~", ["A"]),
        ("\x1b[27;2;55296~", []),
        ("\x1b[3;1:1~\x1b[3;1:3~", ["delete"]),
        ("\x1b[1114112u", []),
        ("\x1b[55296u", []),
        ("\x1b[0;;55296u", []),
        ("\x1b[97;;55296u", ["a"]),
        ("\x1b[0;;13:97u", ["a"]),
        ("\x1b[" + "9" * 5000 + "u", []),
        ("\x1b[48;99999999;99999999;1;1t", []),
        ("\x1b[48;0;0;0;0t", []),
        ("\x1b[99;99;99Zab", ["a", "b"]),
        ("\x1b]11;rgb:0000/0000/0000\x1b\\a", ["a"]),
        ("\x1b[1;\x1b[A", ["[", "1", ";", "up"]),
    ],
)
def test_a_sequence_is_a_key_or_ignored(came: str, inputs: list[str]) -> None:
    names = {"left_square_bracket '['": "[", "semicolon ';'": ";", "at '@'": "@"}
    assert [names.get(one, one) for one in Reader().feed(came).inputs] == inputs
    assert [names.get(one, one) for one in Reader().feed(*came[:60]).feed(came[60:]).inputs] == inputs


def test_every_key_of_textual_is_one_sequence() -> None:
    keys = [sequence for sequence in ANSI_SEQUENCES_KEYS if len(sequence) > 1 and sequence != "\x1b\x1b"]
    assert [sequence for sequence in keys if not WHOLE.fullmatch(sequence)] == []


def _sequence(rng: random.Random) -> str:
    """A complete sequence, often one that no terminal sends."""
    fields = "".join(rng.choice("0123456789:;;::<?") for _ in range(rng.randrange(14)))
    code = rng.choice(["97", "13", "27", "0", "55296", "57343", "1114112", "4294967296", "57399", "1", ""])
    return rng.choice(
        [
            f"\x1b[{fields}{rng.choice('u~ABCDEFHPQRSmt$ILZcnyhq')}",
            f"\x1b[{code}:{rng.randrange(0x120000)};{rng.randrange(300)}:{rng.randrange(5)}u",
            f"\x1b[{code};{fields}u",
            f"\x1b[0;;{code}:{rng.randrange(0x120000)}:13u",
            f"\x1b[<{rng.randrange(300)};{rng.randrange(-9, 999)};{rng.randrange(10 ** rng.randrange(1, 40))}M",
            f"\x1b[48;{fields}t",
            f"\x1b[{rng.randrange(9)};{rng.randrange(9)}R",
            f"\x1b]{rng.randrange(99)};text\x07",
            f"\x1bP>|{fields}\x1b\\",
            f"\x1bO{rng.choice('ABCDPQRSMjkl')}",
            f"{PASTE_START}{fields}\x1b[{fields}\x03{PASTE_END}",
            PASTE_END,
        ]
    )


def test_no_sequence_stops_the_parser_or_swallows_text() -> None:
    rng = random.Random(20260101)
    for at in range(0, SEQUENCES, 20):
        reader, sent = Reader(), ""
        for number in range(at, at + 20):
            sequence, word = _sequence(rng), f"«{number}»"
            came, cut = sequence + word, rng.randrange(len(sequence))
            sent += word
            reader.feed(*([came[:cut], came[cut:]] if cut and rng.random() < 0.5 else [came]))
        kept = iter(reader.text)
        assert all(character in kept for character in sent), (at, reader.text)
        assert not any("\ud800" <= character <= "\udfff" for character in reader.text)


def test_no_bytes_stop_the_parser() -> None:
    rng = random.Random(7)
    for _ in range(2_000):
        reader = Reader()
        for _ in range(10):
            size = rng.randrange(1, 12)
            reader.feed("".join(rng.choice("\x1b\x1b\x1b[[OP];:<?0192~uMARtb\r\t\x00\x7f\x9b日") for _ in range(size)))
            reader.wait(rng.choice([0.0, 0.11, 3.0]))
        reader.wait(SEQUENCE_TIMEOUT + PASTE_ENDS_AFTER)
        assert reader.feed("z").inputs[-1] == "z"


PASTED = f"{PASTE_START}head \x1b[31mred\x1b[0m line\x13\x03\x07\x1btail\tx\r\ny\x1b]0;t\x07{PASTE_END}"
KEPT = "“head red linetail\tx\ny”"


def test_any_content_of_a_bracketed_paste_is_text() -> None:
    assert Reader().feed(f"a{PASTED}b\r").inputs == ["a", KEPT, "b", "enter '\\r'"]


@pytest.mark.parametrize("apart", [0.0, 0.15, 0.9])
def test_a_paste_may_arrive_in_pieces(apart: float) -> None:
    for border in range(1, len(PASTED)):
        inputs = Reader().feed(PASTED[:border], PASTED[border:], apart=apart).inputs
        late_escape = ["escape '\\x1b'"] if border == 1 and apart else []  # it was already handled as a key
        assert inputs == [*late_escape, KEPT], border


def test_a_paste_may_arrive_byte_by_byte() -> None:
    assert Reader().feed(*PASTED, apart=0.09).inputs == [KEPT]
    assert Reader().feed(*PASTED, apart=0.15).inputs[1:] == [KEPT]


def test_a_paste_without_an_end_is_delivered() -> None:
    reader = Reader().feed(f"{PASTE_START}one\x03", "two\x1b[2", apart=PASTE_ENDS_AFTER / 2)
    assert reader.inputs == []
    assert reader.wait(PASTE_ENDS_AFTER).feed("x").inputs == ["“onetwo”", "x"]


def test_escape_alone_is_a_key_after_a_short_delay() -> None:
    assert Reader().feed("\x1b").wait(0.11).feed("[").wait(SEQUENCE_TIMEOUT).inputs == [
        "escape '\\x1b'",
        "left_square_bracket '['",
    ]
    assert Reader().feed("\x1b", "\x1b", apart=0.11).inputs == ["escape '\\x1b'"] * 2
