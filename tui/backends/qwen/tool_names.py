"""Finds the tool name of a permission that is only known from the list of sessions.

The list has the kind of the call and its input ("execute", a command), but not its name. The stored transcript has
the call itself; unlike `load`, reading it neither activates nor joins the session.
"""

import logging
from collections.abc import Iterator

import msgspec

from tui.backends.decoding import UNREADABLE, RawJSON, decode_items, read
from tui.backends.qwen.requests import Asked
from tui.net.errors import NetError
from tui.net.http_client import Http
from tui.net.url import path_segment

log = logging.getLogger(__name__)

NEWEST = 20
"""Number of stored records to search: the waiting call is among the last."""


class _Page(msgspec.Struct):
    events: list[RawJSON] = []


class _Meta(msgspec.Struct, rename="camel"):
    tool_name: str = ""


class _Update(msgspec.Struct, rename="camel"):
    session_update: str = ""
    raw_input: RawJSON = None
    meta: _Meta = msgspec.field(default_factory=_Meta, name="_meta")


class _Event(msgspec.Struct):
    data: _Update = msgspec.field(default_factory=_Update)


async def tool_of(http: Http, asked: Asked) -> str:
    """The name of the newest call with the input of the request; "" if unknown."""
    path = f"/session/{path_segment(asked.request.session_id)}/transcript"
    try:
        reply = await http.call("GET", path, params={"direction": "backward", "limit": NEWEST})
        calls = list(_calls(reply.value))
    except (NetError, *UNREADABLE) as error:
        log.info("the tool name of a permission is unknown: %s", error)
        return ""
    names = [call.meta.tool_name for call in calls if asked.input and call.raw_input == asked.input]
    return names[-1] if names else ""


def _calls(value: RawJSON) -> Iterator[_Update]:
    events = read(value, _Page).events
    for event in decode_items(events, lambda raw: read(raw, _Event), "an event of a stored transcript"):
        update = event.data
        if update.session_update == "tool_call":
            yield update
