"""A prompt as opencode takes it: one of its commands, or words; and with either the files that the words name.

What is a command and what is a file the server says, each time a prompt is posted: a name that was typed without
being picked from a list means the same as one that was. It sends nothing itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from tui.backends.base import Catalog, PromptRejected
from tui.core.mentions import FILES_AT_MOST, names_in
from tui.core.model import CatalogItem, Prompt
from tui.net.errors import CertificateError, ConnectFailed, HttpStatusError, NetError, UnexpectedContentType

FOLDER = "application/x-directory"
FILE = "text/plain"
"""For any file: opencode's own reader finds out what it is, and calls it that."""

DirectoryOf = Callable[[str], Awaitable[str]]
"""A session's directory, which its files' names begin at."""


async def payload(prompt: Prompt, offers: Catalog, directory_of: DirectoryOf) -> tuple[str, dict[str, Any]]:
    """The last word of the route, and the body. Raises `PromptRejected` when the server does not say what is what."""
    try:
        command, files = await _found(prompt, offers, directory_of)
    except (ConnectFailed, CertificateError):
        raise
    except NetError as error:
        raise PromptRejected(f"what it names could not be looked up: {error.message}", error.hint) from error
    body: dict[str, Any] = {"messageID": prompt.message_id}
    if prompt.agent is not None:
        body["agent"] = prompt.agent
    if command:
        body |= {"command": command, "arguments": prompt.text.removeprefix(f"/{command}").strip()}
        body |= {"model": prompt.model} if prompt.model is not None else {}
        body |= {"parts": files} if files else {}
        return "command", body
    if prompt.model is not None:
        provider, _, model = prompt.model.partition("/")
        body["model"] = {"providerID": provider, "modelID": model}
    body["parts"] = [{"id": prompt.part_id, "type": "text", "text": prompt.text}]
    # Parts stand in the order of their ids; posted again, each takes the place that it had.
    body["parts"] += [{"id": f"{prompt.part_id}{row:02}"} | file for row, file in enumerate(files)]
    return "message", body


async def _found(prompt: Prompt, offers: Catalog, directory_of: DirectoryOf) -> tuple[str, list[dict[str, str]]]:
    """The command that the prompt begins with ("" for none), and its files as parts."""
    name = _first_word(prompt.text)
    named = list(dict.fromkeys(names_in(prompt.text)))[:FILES_AT_MOST]
    if not name and not named:
        return "", []
    directory = await directory_of(prompt.session_id)
    commands = await _known(offers.commands(directory)) if name else ()
    command = name if any(one.name == name for one in commands) else ""
    files = []
    for candidates in named:
        path = await _file(candidates, offers, directory)
        if path:
            files.append(_part(directory, path))
    return command, files


def _first_word(text: str) -> str:
    return text[1:].split(maxsplit=1)[0] if text.startswith("/") and not text[1:2].isspace() and text[1:] else ""


async def _file(candidates: Sequence[str], offers: Catalog, directory: str) -> str:
    """The server's path that one of the names is; "" where it has none of them."""
    for name in candidates:
        for one in await _known(offers.files(directory, name)):
            if one.name.rstrip("/") == name.rstrip("/"):
                return one.name
    return ""


async def _known(asked: Awaitable[Sequence[CatalogItem]]) -> Sequence[CatalogItem]:
    """Nothing, where the server's version does not know the question. Raises `NetError`."""
    try:
        return await asked
    except UnexpectedContentType:  # opencode answers unknown paths with a page
        return ()
    except HttpStatusError as error:
        if error.status != 404:
            raise
        return ()


def _part(directory: str, path: str) -> dict[str, str]:
    url = "file://" + quote(f"{directory.rstrip('/')}/{path}")
    return {"type": "file", "mime": FOLDER if path.endswith("/") else FILE, "filename": path, "url": url}
