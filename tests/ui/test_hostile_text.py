"""All widgets and dialogs draw text with control sequences as text only.

The text is put directly into the client's state, bypassing the sanitizing of input: whatever its source, only
characters in cells reach the terminal.
"""

import re
import unicodedata
from base64 import b64decode

import pytest
from msgspec.structs import replace
from textual._compositor import CompositorUpdate

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.fake_client import FakeClient, FakeOffers
from tui.config.display import NotifySettings
from tui.core import changes as c
from tui.core import events as e
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import (
    CatalogItem,
    Failure,
    FilePart,
    Message,
    NotePart,
    Option,
    PermissionRequest,
    Question,
    QuestionRequest,
    ReasoningPart,
    Retrying,
    TextPart,
    Todo,
)
from tui.core.turn_state import TurnState
from tui.ui.notifier import TerminalEscapes
from tui.widgets.transcript.foldable import Foldable

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ATTACKS = (
    "".join(map(chr, range(0x20)))
    + "".join(map(chr, range(0x7F, 0xA0)))
    + BIDI
    + "\u2028\u2029\x1b[2J\x1b]52;c;cHduZWQ=\x07\x1b]0;pwned\x07\x9b2J\r\n\t"
    + "\ud800\udc00\udfff\ud83d"
    + "\u200b\u200c\u200d\u2060\ufeff\ufe0f漢字👩\u200d👩\u200d👧"
    + "e" + "\u0301" * 500
)  # fmt: skip
HOSTILE = f"one{ATTACKS}two"
ENTITIES = "&#x202e;&rlm;&lrm;&#x2028;&#27;[2J&#7;&#155;2J&#x2066;&#xd800;&#10;&#9;"
TEXTUALS_OWN = re.compile(r"\x1b\[[\d;:]*[mH]|\x1b\]8;[ -~]*\x1b\\")
"""Styles, cursor positions and links that Textual writes around texts."""
MARKDOWN = f"""# head {HOSTILE} {ENTITIES}

words {HOSTILE} {ENTITIES} `code {HOSTILE}` ![picture {ENTITIES}]({ENTITIES}) [link {ENTITIES}](http://a.b/{ENTITIES})

| a {ENTITIES} | b |
|---|---|
| c {ENTITIES} | d |

- item {ENTITIES}

> quote {ENTITIES}

```py{ENTITIES}
code {HOSTILE}
```

    {HOSTILE}
"""


def written(harness: AppHarness) -> str:
    """Everything that is written to a terminal to draw the current screen."""
    update: object = harness.app.screen._compositor.render_update(full=True)
    assert isinstance(update, CompositorUpdate)
    return update.render_segments(harness.app.console)


def control_characters_in(text: str) -> set[str]:
    """The control characters of `text`, and those that cannot be encoded."""
    rest = TEXTUALS_OWN.sub("", text).replace("\n", "")  # one newline between two lines of the screen
    return {one for one in rest if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") or one in BIDI}


def assert_only_text(harness: AppHarness) -> None:
    text = written(harness)
    assert control_characters_in(text) == set(), harness.text
    assert text.count("\n") == harness.app.size.height - 1
    assert text.count("\u0301") < 200 * harness.app.size.height


def hostile_session(session_id: str = sample.SESSION) -> e.Event:
    session = sample.session(session_id, title=HOSTILE)
    return e.SessionUpserted(replace(session, directory=HOSTILE, agent=HOSTILE))


def hostile_messages() -> list[e.Event]:
    failure = Failure(HOSTILE, "provider")
    answer = Message(
        sample.ANSWER, sample.SESSION, "assistant", created=2.0, parent_id=sample.PROMPT, agent=HOSTILE, failure=failure
    )
    return [
        *sample.prompt(HOSTILE),
        e.PartUpserted(FilePart("prt_f", sample.SESSION, sample.PROMPT, HOSTILE)),
        e.MessageUpserted(answer),
        e.PartUpserted(ReasoningPart("prt_r", sample.SESSION, sample.ANSWER, HOSTILE)),
        e.PartUpserted(TextPart("prt_m", sample.SESSION, sample.ANSWER, MARKDOWN)),
        e.PartUpserted(NotePart("prt_n", sample.SESSION, sample.ANSWER, HOSTILE)),
        sample.tool("prt_1", HOSTILE, title=HOSTILE, output=HOSTILE, input={HOSTILE: HOSTILE}),
        sample.tool("prt_2", "bash", title="", output=HOSTILE, input={"command": HOSTILE}, diff=f"@@\n+{HOSTILE}"),
        sample.tool("prt_3", "bash", state="error", error=HOSTILE),
    ]


QUESTION = QuestionRequest(
    "que_h",
    sample.SESSION,
    tuple(
        Question(HOSTILE, HOSTILE, (Option(HOSTILE, HOSTILE), Option("b")), multiple=multiple)
        for multiple in (True, False)
    ),
)
PERMISSION = PermissionRequest("per_h", sample.SESSION, HOSTILE, (HOSTILE,), (HOSTILE,), f"@@\n+{HOSTILE}")


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 16)])
async def test_a_transcript_of_hostile_texts_is_written_as_text(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        harness.client.feed(hostile_session(), *hostile_messages())
        await harness.settled()
        for fold in harness.main.transcript.query(Foldable):
            fold.unfold()
        await harness.settled()
        for _ in range(20):
            assert_only_text(harness)
            harness.main.transcript.action_page_up()
            await harness.settled()


async def test_numeric_character_references_give_no_control_characters() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text(MARKDOWN))
        await harness.settled()
        words = harness.main.transcript.text
        assert [one for one in words if one in BIDI or (ord(one) < 32 and one not in "\n\t")] == []


async def test_the_status_of_hostile_texts_is_written_as_text() -> None:
    async with app_harness() as harness:
        todos = (Todo(HOSTILE, "in_progress"), Todo(HOSTILE, "pending"))
        harness.client.feed(hostile_session(), *sample.prompt(), e.TodosChanged(sample.SESSION, todos))
        await harness.press("f6")
        assert_only_text(harness)
        turn = harness.run_turn(TurnState.RETRYING, retry=Retrying(3, HOSTILE, None))
        for words in (HOSTILE, "queued"):
            harness.main.prompt.load_draft(words)
            await harness.press("enter")
        harness.second()
        await harness.settled()
        assert_only_text(harness)
        harness.client.abort_progress = c.AbortProgress("retrying", HOSTILE)
        harness.second()
        await harness.settled()
        assert_only_text(harness)
        turn.state, turn.reason = TurnState.INTERRUPTED, HOSTILE.encode("utf-8", "replace").decode()
        harness.client.turn_moved(turn)
        harness.client.tell(c.Notice(HOSTILE, "warning", sticky=True))
        await harness.settled()
        assert_only_text(harness)
        for state in (ConnectionState.RECONNECTING, ConnectionState.STOPPED):
            harness.client.set_line(ConnectionStatus(state, reason=HOSTILE, hint=HOSTILE, retry_in=3.0))
            await harness.settled()
            assert_only_text(harness)


async def test_the_start_page_of_a_hostile_server_is_written_as_text() -> None:
    client = FakeClient(line=ConnectionStatus(ConnectionState.STOPPED, reason=HOSTILE, hint=HOSTILE))
    async with app_harness(client=client, session=None) as harness:
        await harness.settled()
        assert_only_text(harness)
        client.set_line(ConnectionStatus(ConnectionState.RECONNECTING, reason=HOSTILE, hint=HOSTILE, answers=True))
        await harness.settled()
        assert_only_text(harness)


@pytest.mark.parametrize("request_", [QUESTION, PERMISSION], ids=["question", "permission"])
async def test_a_hostile_request_is_written_as_text(request_: QuestionRequest | PermissionRequest) -> None:
    async with app_harness() as harness:
        harness.client.feed(hostile_session(), *sample.prompt(), e.RequestOpened(request_))
        await harness.settled()
        harness.pass_input_guard()
        for keys in (("f4",), ("f4",), ("right",), ("space",), ("right",), ("3",)):
            await harness.press(*keys)
            assert_only_text(harness)
        harness.client.tell(c.ReplyStatusChanged(request_, "refused", reason=HOSTILE))
        await harness.settled()
        assert_only_text(harness)
        await harness.press("escape", "f3")
        assert_only_text(harness)
        await harness.press("enter")
        assert_only_text(harness)


async def test_dialogs_of_hostile_texts_are_written_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async def offered(self: FakeOffers, directory: str, session_id: str = "") -> tuple[CatalogItem, ...]:
        return (CatalogItem(HOSTILE, HOSTILE), CatalogItem("plan", HOSTILE))

    monkeypatch.setattr(FakeOffers, "agents", offered)
    monkeypatch.setattr(FakeOffers, "commands", offered)
    async with app_harness() as harness:
        harness.client.feed(hostile_session(), hostile_session("ses_h"), *sample.prompt())
        await harness.settled()
        await harness.press("f2")
        assert_only_text(harness)
        harness.client.tell(c.Notice(HOSTILE, "error"))  # above a dialog
        await harness.settled()
        assert_only_text(harness)
        for keys in (("ctrl+r",), ("escape", "ctrl+x"), ("escape", "escape", "f1"), ("escape", "ctrl+t")):
            await harness.press(*keys)
            assert_only_text(harness)
        await harness.press("escape")
        harness.main.prompt.focus()
        await harness.press("/", "o")
        assert_only_text(harness)
        await harness.press("escape", "ctrl+f", "o")
        assert_only_text(harness)


async def test_text_of_a_damaged_file_is_sanitized_on_output() -> None:
    async with app_harness() as harness:
        harness.main.prompt.load_draft(HOSTILE)
        await harness.settled()
        assert_only_text(harness)
        assert control_characters_in(harness.main.prompt.text.replace("\t", "")) == set()
        harness.main.prompt.select_all()
        await harness.press("ctrl+c")  # a lone surrogate cannot be sent to a clipboard


async def test_a_name_with_newlines_is_drawn_on_one_line() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session(title="first\nsecond\tthird")))
        todos = (Todo("one\ntwo", "in_progress"),)
        harness.client.feed(*sample.prompt(), e.TodosChanged(sample.SESSION, todos))
        harness.client.feed(sample.answer_begins(), sample.tool(title="three\nfour"))
        await harness.shows("one two", "three four")
        assert "first second third" in harness.text.split("\n")[0]


def test_notices_title_and_clipboard_have_no_control_characters() -> None:
    out: list[str] = []
    for environment in ({"TERM": "xterm"}, {"TERM": "rxvt"}, {"TERM": "xterm", "TMUX": "/tmp/tmux"}):
        terminal = TerminalEscapes(out.append, NotifySettings(osc9=True, osc777=True), environment)
        terminal.notify(HOSTILE)
        terminal.show_title(HOSTILE)
        terminal.copy(HOSTILE)
        terminal.restore_title()
    sequences = [one for text in out for one in re.findall(r"(?s)\x1b\](?:9|777|2);(.*?)\x07", text)]
    assert len(sequences) == 9
    assert [control_characters_in(words) for words in sequences if control_characters_in(words)] == []
    copies = re.findall(r"52;c;(.*?)\x07", "".join(out))
    assert len(copies) == 1
    assert b64decode(copies[0], validate=True)
