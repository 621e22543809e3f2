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

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
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


def written(stage: Stage) -> str:
    """Everything that is written to a terminal to draw the current screen."""
    update: object = stage.app.screen._compositor.render_update(full=True)
    assert isinstance(update, CompositorUpdate)
    return update.render_segments(stage.app.console)


def obeyed(text: str) -> set[str]:
    """The control characters of `text`, and those that cannot be encoded."""
    rest = TEXTUALS_OWN.sub("", text).replace("\n", "")  # one newline between two lines of the screen
    return {one for one in rest if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") or one in BIDI}


def assert_only_text(stage: Stage) -> None:
    text = written(stage)
    assert obeyed(text) == set(), stage.text
    assert text.count("\n") == stage.app.size.height - 1
    assert text.count("\u0301") < 200 * stage.app.size.height


def hostile_session(session_id: str = talk.SESSION) -> e.Event:
    session = talk.session(session_id, title=HOSTILE)
    return e.SessionUpserted(replace(session, directory=HOSTILE, agent=HOSTILE))


def hostile_messages() -> list[e.Event]:
    failure = Failure(HOSTILE, "provider")
    answer = Message(
        talk.ANSWER, talk.SESSION, "assistant", created=2.0, parent_id=talk.PROMPT, agent=HOSTILE, failure=failure
    )
    return [
        *talk.prompt(HOSTILE),
        e.PartUpserted(FilePart("prt_f", talk.SESSION, talk.PROMPT, HOSTILE)),
        e.MessageUpserted(answer),
        e.PartUpserted(ReasoningPart("prt_r", talk.SESSION, talk.ANSWER, HOSTILE)),
        e.PartUpserted(TextPart("prt_m", talk.SESSION, talk.ANSWER, MARKDOWN)),
        e.PartUpserted(NotePart("prt_n", talk.SESSION, talk.ANSWER, HOSTILE)),
        talk.tool("prt_1", HOSTILE, title=HOSTILE, output=HOSTILE, input={HOSTILE: HOSTILE}),
        talk.tool("prt_2", "bash", title="", output=HOSTILE, input={"command": HOSTILE}, diff=f"@@\n+{HOSTILE}"),
        talk.tool("prt_3", "bash", state="error", error=HOSTILE),
    ]


QUESTION = QuestionRequest(
    "que_h",
    talk.SESSION,
    tuple(
        Question(HOSTILE, HOSTILE, (Option(HOSTILE, HOSTILE), Option("b")), multiple=multiple)
        for multiple in (True, False)
    ),
)
PERMISSION = PermissionRequest("per_h", talk.SESSION, HOSTILE, (HOSTILE,), (HOSTILE,), f"@@\n+{HOSTILE}")


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 16)])
async def test_a_transcript_of_hostile_texts_is_written_as_text(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        stage.client.feed(hostile_session(), *hostile_messages())
        await stage.settled()
        for fold in stage.main.transcript.query(Foldable):
            fold.unfold()
        await stage.settled()
        for _ in range(20):
            assert_only_text(stage)
            stage.main.transcript.action_page_up()
            await stage.settled()


async def test_numeric_character_references_give_no_control_characters() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text(MARKDOWN))
        await stage.settled()
        words = stage.main.transcript.text
        assert [one for one in words if one in BIDI or (ord(one) < 32 and one not in "\n\t")] == []


async def test_the_status_of_hostile_texts_is_written_as_text() -> None:
    async with on_stage() as stage:
        todos = (Todo(HOSTILE, "in_progress"), Todo(HOSTILE, "pending"))
        stage.client.feed(hostile_session(), *talk.prompt(), e.TodosChanged(talk.SESSION, todos))
        await stage.press("f6")
        assert_only_text(stage)
        turn = stage.run_turn(TurnState.RETRYING, retry=Retrying(3, HOSTILE, None))
        for words in (HOSTILE, "queued"):
            stage.main.prompt.load_draft(words)
            await stage.press("enter")
        stage.second()
        await stage.settled()
        assert_only_text(stage)
        stage.client.abort_progress = c.AbortProgress("retrying", HOSTILE)
        stage.second()
        await stage.settled()
        assert_only_text(stage)
        turn.state, turn.reason = TurnState.INTERRUPTED, HOSTILE.encode("utf-8", "replace").decode()
        stage.client.turn_moved(turn)
        stage.client.tell(c.Notice(HOSTILE, "warning", sticky=True))
        await stage.settled()
        assert_only_text(stage)
        for state in (ConnectionState.RECONNECTING, ConnectionState.STOPPED):
            stage.client.set_line(ConnectionStatus(state, reason=HOSTILE, hint=HOSTILE, retry_in=3.0))
            await stage.settled()
            assert_only_text(stage)


async def test_the_start_page_of_a_hostile_server_is_written_as_text() -> None:
    client = FakeClient(line=ConnectionStatus(ConnectionState.STOPPED, reason=HOSTILE, hint=HOSTILE))
    async with on_stage(client=client, session=None) as stage:
        await stage.settled()
        assert_only_text(stage)
        client.set_line(ConnectionStatus(ConnectionState.RECONNECTING, reason=HOSTILE, hint=HOSTILE, answers=True))
        await stage.settled()
        assert_only_text(stage)


@pytest.mark.parametrize("request_", [QUESTION, PERMISSION], ids=["question", "permission"])
async def test_a_hostile_request_is_written_as_text(request_: QuestionRequest | PermissionRequest) -> None:
    async with on_stage() as stage:
        stage.client.feed(hostile_session(), *talk.prompt(), e.RequestOpened(request_))
        await stage.settled()
        stage.after_grace()
        for keys in (("f4",), ("f4",), ("right",), ("space",), ("right",), ("3",)):
            await stage.press(*keys)
            assert_only_text(stage)
        stage.client.tell(c.ReplyStatusChanged(request_, "refused", reason=HOSTILE))
        await stage.settled()
        assert_only_text(stage)
        await stage.press("escape", "f3")
        assert_only_text(stage)
        await stage.press("enter")
        assert_only_text(stage)


async def test_dialogs_of_hostile_texts_are_written_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async def offered(self: FakeOffers, directory: str, session_id: str = "") -> tuple[CatalogItem, ...]:
        return (CatalogItem(HOSTILE, HOSTILE), CatalogItem("plan", HOSTILE))

    monkeypatch.setattr(FakeOffers, "agents", offered)
    monkeypatch.setattr(FakeOffers, "commands", offered)
    async with on_stage() as stage:
        stage.client.feed(hostile_session(), hostile_session("ses_h"), *talk.prompt())
        await stage.settled()
        await stage.press("f2")
        assert_only_text(stage)
        stage.client.tell(c.Notice(HOSTILE, "error"))  # above a dialog
        await stage.settled()
        assert_only_text(stage)
        for keys in (("ctrl+r",), ("escape", "ctrl+x"), ("escape", "escape", "f1"), ("escape", "ctrl+t")):
            await stage.press(*keys)
            assert_only_text(stage)
        await stage.press("escape")
        stage.main.prompt.focus()
        await stage.press("/", "o")
        assert_only_text(stage)
        await stage.press("escape", "ctrl+f", "o")
        assert_only_text(stage)


async def test_text_of_a_damaged_file_is_sanitized_on_output() -> None:
    async with on_stage() as stage:
        stage.main.prompt.load_draft(HOSTILE)
        await stage.settled()
        assert_only_text(stage)
        assert obeyed(stage.main.prompt.text.replace("\t", "")) == set()
        stage.main.prompt.select_all()
        await stage.press("ctrl+c")  # a lone surrogate cannot be sent to a clipboard


async def test_a_name_with_newlines_is_drawn_on_one_line() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session(title="first\nsecond\tthird")))
        todos = (Todo("one\ntwo", "in_progress"),)
        stage.client.feed(*talk.prompt(), e.TodosChanged(talk.SESSION, todos))
        stage.client.feed(talk.answer_begins(), talk.tool(title="three\nfour"))
        await stage.shows("one two", "three four")
        assert "first second third" in stage.text.split("\n")[0]


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
    assert [obeyed(words) for words in sequences if obeyed(words)] == []
    copies = re.findall(r"52;c;(.*?)\x07", "".join(out))
    assert len(copies) == 1
    assert b64decode(copies[0], validate=True)
