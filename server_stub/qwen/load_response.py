"""The history in the response of `load`: all that is kept, or its newest records if a page size is given.

A page is read from disk, and only while the session is idle; otherwise the whole history is returned.
A load with a page that activates a session limits all later loads to it, until the session is closed.
(Measured on qwen 0.24.4. Not implemented: after a failed turn the real page ends with its `turn_error`.)
"""

from server_stub.domain.json_encoding import Json
from server_stub.qwen import stored_transcript
from server_stub.qwen.live_session import LiveSession

LOOKED_AT_FOR_ANCHOR = 50
"""Newest records; the first of these is the anchor if the kept events name no record."""


def load_response(live: LiveSession, page_size: int | None) -> Json:
    """`page_size` in records; None for all. A session that this load activated has only its page."""
    ended = stored_transcript.terminals(live.session)
    terminals = {"promptTerminals": ended} if ended else {}
    if page_size is not None and not live.prompts.busy and not live.interactions:
        return {**_page(live, page_size), **terminals}
    replay, journal = live.ring.replay.compacted_replay(), live.journal()
    more = {"historyHasMore": True} if live.began_with_a_page else {}
    anchor = _anchor(live, [*replay, *journal])
    named = {} if anchor is None else {"historyAnchorRecordId": anchor}
    return {"compactedReplay": replay, "liveJournal": journal, **more, **named, **terminals}


def _page(live: LiveSession, size: int) -> Json:
    records = stored_transcript.records(live.session)
    events = [{"v": 1, "type": kind, "data": data["update"]} for _, said in records[-size:] for kind, data in said]
    more = {"historyHasMore": True} if len(records) > size else {}
    return {"compactedReplay": events, "liveJournal": [], **more}


def _anchor(live: LiveSession, events: list[Json]) -> str | None:
    """The record to anchor at, if events were dropped and no kept one names its record."""
    left_out = [event["data"] for event in events if event["type"] == "history_truncated"]
    known = any("recordId" in data for data in left_out) or any(map(stored_transcript.record_of, events))
    records = stored_transcript.records(live.session)[-LOOKED_AT_FOR_ANCHOR:]
    return records[0][0] if left_out and records and not known else None
