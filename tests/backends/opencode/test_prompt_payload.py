"""The payload of a prompt: text, commands, and mentioned files."""

from typing import Any

import pytest
from starlette.responses import JSONResponse

from tests.backends.opencode_server import Watcher, after_handshake
from tui.backends.base import PromptRejected
from tui.core.mentions import names_in
from tui.core.model import Prompt
from tui.net.errors import NetError

SESSION = {"id": "ses_1", "title": "", "directory": "/srv/my project", "time": {"created": 1, "updated": 1}}
PATHS = ["src/", "src/store.py", "a b.txt"]
OFFERED = {
    "GET /session/ses_1": SESSION,
    "GET /command": [{"name": "init", "description": None, "template": "…"}],
    "GET /find/file": PATHS,
}


async def posted(text: str, answers: dict[str, Any], **chosen: str) -> tuple[str, Any, list[str]]:
    """The route's last segment, the body, and all requests before."""
    async with after_handshake(answers) as (script, backend):
        prompt = Prompt("ses_1", text, "msg_1", "prt_1", **chosen)
        with pytest.raises(NetError):  # the scripted server runs no turn
            await backend.post_prompt(prompt, Watcher())
        last = script.asked[-1]
        return last.call.rpartition("/")[2], last.body, script.calls[:-1]


def file(path: str, mime: str = "text/plain", row: int = 0) -> dict[str, str]:
    url = "file:///srv/my%20project/" + path.replace(" ", "%20")
    return {"id": f"prt_1{row:02}", "type": "file", "mime": mime, "filename": path, "url": url}


async def test_agent_and_model_are_sent_without_lookups() -> None:
    kind, body, before = await posted("words, me@home", {}, agent="plan", model="acme/big/1")
    assert kind == "message"
    assert body == {
        "messageID": "msg_1",
        "agent": "plan",
        "model": {"providerID": "acme", "modelID": "big/1"},
        "parts": [{"id": "prt_1", "type": "text", "text": "words, me@home"}],
    }
    assert before == []


async def test_a_typed_command_is_posted_as_a_command() -> None:
    kind, body, _ = await posted("/init the\nlot", OFFERED, agent="plan", model="acme/big/1")
    assert kind == "command"
    assert body == {
        "messageID": "msg_1",
        "agent": "plan",
        "command": "init",
        "arguments": "the\nlot",
        "model": "acme/big/1",
    }


@pytest.mark.parametrize("text", ["/initial", "/usr/bin is full", "/ no", "/", " /init", "init"])
async def test_other_text_is_posted_as_text(text: str) -> None:
    kind, body, _ = await posted(text, OFFERED)
    assert kind == "message"
    assert body["parts"][0]["text"] == text


async def test_mentioned_files_are_attached() -> None:
    kind, body, before = await posted('see @src/store.py, @src and @"a b.txt"; ask @sam', OFFERED)
    assert kind == "message"
    assert body["parts"][1:] == [
        file("src/store.py"),
        file("src/", "application/x-directory", 1),
        file("a b.txt", row=2),
    ]
    assert before[0] == "GET /session/ses_1"


async def test_a_command_has_files_too() -> None:
    kind, body, _ = await posted("/init like @src/store.py", OFFERED)
    assert kind == "command"
    assert [part["filename"] for part in body["parts"]] == ["src/store.py"]


async def test_a_file_mentioned_twice_is_attached_once() -> None:
    _, body, _ = await posted("@src/store.py @src/store.py", OFFERED)
    assert len(body["parts"]) == 2


async def test_a_failed_lookup_rejects_the_prompt() -> None:
    broken = {**OFFERED, "GET /command": JSONResponse({}, 503)}
    async with after_handshake(broken) as (script, backend):
        with pytest.raises(PromptRejected, match="could not be looked up"):
            await backend.post_prompt(Prompt("ses_1", "/init", "msg_1", "prt_1"), Watcher())
        assert not [call for call in script.calls if call.startswith("POST")]


async def test_an_older_server_without_commands_gets_text() -> None:
    answers = {"GET /session/ses_1": SESSION, "GET /find/file": JSONResponse({}, 404)}
    kind, body, _ = await posted("/init @src/store.py", answers)
    assert kind == "message"
    assert len(body["parts"]) == 1


def test_punctuation_after_a_name_is_ignored() -> None:
    assert list(names_in("(@a.py) @b.py? @c.py. x@y")) == [("b.py?", "b.py"), ("c.py.", "c.py")]
