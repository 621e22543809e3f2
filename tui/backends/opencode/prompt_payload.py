"""The payload of a prompt for opencode: a command or a text, and the files that the text mentions.

The server decides, each time a prompt is posted, what is a command and what is a file: a typed name means the same
as a picked one. It sends no prompt itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from tui.backends.base import Catalog, PromptRejected
from tui.core.mentions import MAX_FILES, names_in
from tui.core.model import CatalogItem, Prompt
from tui.net.errors import CertificateError, ConnectFailed, NetError, NotFound, UnexpectedContentType

FOLDER = "application/x-directory"
FILE = "text/plain"
"""For any file: opencode detects the actual type."""

DirectoryOf = Callable[[str], Awaitable[str]]
"""Returns a session's directory, which file names are relative to."""


async def payload(prompt: Prompt, offers: Catalog, directory_of: DirectoryOf) -> tuple[str, dict[str, Any]]:
    """The last segment of the route, and the body. Raises `PromptRejected` if a name cannot be looked up."""
    try:
        command, files = await _found(prompt, offers, directory_of)
    except (ConnectFailed, CertificateError):
        raise
    except NetError as error:
        raise PromptRejected(f"its commands and files could not be looked up: {error.message}", error.hint) from error
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
    # Parts are ordered by their ids; posted again, each keeps its place.
    body["parts"] += [{"id": f"{prompt.part_id}{row:02}"} | file for row, file in enumerate(files)]
    return "message", body


async def _found(prompt: Prompt, offers: Catalog, directory_of: DirectoryOf) -> tuple[str, list[dict[str, str]]]:
    """The command at the start of the prompt ("" if none), and its files as parts."""
    name = _first_word(prompt.text)
    named = list(dict.fromkeys(names_in(prompt.text)))[:MAX_FILES]
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
    """The server's path for one of the names; "" if it has none."""
    for name in candidates:
        for one in await _known(offers.files(directory, name)):
            if one.name.rstrip("/") == name.rstrip("/"):
                return one.name
    return ""


async def _known(asked: Awaitable[Sequence[CatalogItem]]) -> Sequence[CatalogItem]:
    """The items; none if the server's version lacks the route. Raises `NetError`."""
    try:
        return await asked
    except (NotFound, UnexpectedContentType):  # opencode answers unknown paths with a web page
        return ()


def _part(directory: str, path: str) -> dict[str, str]:
    url = "file://" + quote(f"{directory.rstrip('/')}/{path}")
    return {"type": "file", "mime": FOLDER if path.endswith("/") else FILE, "filename": path, "url": url}
