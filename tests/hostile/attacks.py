"""The table of attacks: what each sends, on which routes, and what the client must make of it.

A `wire` attack replaces the bytes of every answer of a kind of route, an attack of `documents` the JSON of single
routes, one of `frames` what an event stream brings after its healthy beginning. All data is made here by code.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from tests.hostile import payloads as p
from tests.hostile import wires as w
from tests.hostile.documents import ROUTES
from tests.hostile.exchange import Exchange

Must: TypeAlias = Literal["live", "lost", "either"]
"""What the connection must be shown as while the attack lasts; `either`: as what it is known to be."""
Wire: TypeAlias = Callable[[Exchange], Awaitable[bool]]

EITHER: Final = "either"
WATCH: Final = 2.0


@dataclass(frozen=True)
class Attack:
    """One line of the table. `sends` is for its reader.

    `watch`: seconds for which the client is watched at most; `after`: those that an event stream is healthy
    before; `mebibytes`: what it may cost in memory, above the idle client; `only`: the single routes of `wire`.
    """

    name: str
    sends: str
    routes: tuple[str, ...]
    must: Must = EITHER
    wire: Wire | None = None
    documents: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    frames: Callable[[], Iterator[bytes]] | None = None
    families: tuple[str, ...] = ("opencode",)
    watch: float = WATCH
    after: float = 0.4
    mebibytes: int = 64
    only: tuple[str, ...] = ()

    def is_on(self, name: str) -> bool:
        """Whether a `wire` attack replaces the answer of the route of this name."""
        return not self.only or name in self.only


def _on_the_wire() -> Iterator[Attack]:
    every = ("opencode", "mimo", "qwen")
    for name, sends, wire, must, watch in (
        ("gzip", "Content-Encoding: gzip, 1 MB that unpack to 1 GB", w.gzip_once, "lost", 2.0),
        ("gzip, gzip, gzip", "three layers of gzip: 1 kB that unpack to 6 GB", w.gzip_thrice, "lost", 2.0),
        ("deflate", "Content-Encoding: deflate, 1 MB that unpack to 1 GB", w.deflate, "lost", 2.0),
        ("endless body", "Content-Length: 1 GB, all of it", w.gigabyte, EITHER, 3.0),
        ("endless chunks", "chunks of 64 KiB without an end, up to 1 GB", w.endless_chunks, EITHER, 3.0),
        ("tiny chunks", "a document in chunks of one byte", w.tiny_chunks, EITHER, 3.0),
        ("trickled body", "headers, then a byte a second", w.trickled_body, EITHER, 8.0),
        ("trickled headers", "a byte of a header line a second", w.trickled_headers, EITHER, 12.0),
        ("endless 102", "102 Processing every 10 ms, and no answer", w.endless_102, EITHER, 12.0),
        ("silence", "the connection is taken, and nothing is said", w.silence, EITHER, 8.0),
        ("10,000 headers", "10,000 header lines", w.many_headers, EITHER, WATCH),
        ("1 MB header", "one header line of 1 MB", w.long_header, EITHER, WATCH),
        ("endless headers", "header lines without an end", w.endless_headers, EITHER, WATCH),
        ("redirect", "302 to itself", w.redirect, EITHER, WATCH),
        ("close at once", "the connection is closed before a byte", w.close_at_once, EITHER, WATCH),
        ("close in the status line", "`HTTP/1.1 20`, then closed", w.close_in_status, EITHER, WATCH),
        ("close in the headers", "half of the headers, then closed", w.close_in_headers, EITHER, WATCH),
        ("close in the body", "half of the body, then closed", w.close_in_body, EITHER, WATCH),
        ("reset in the body", "half of the body, then a RST", w.reset_in_body, EITHER, WATCH),
        ("not HTTP", "bytes 0 to 255", w.garbage, EITHER, WATCH),
        ("HTML", "200 with a web page", w.html, EITHER, WATCH),
        ("500 HTML", "500 with a web page of 10 MB", w.html_500, EITHER, WATCH),
        ("wrong type", "200 with image/png", w.wrong_type, EITHER, WATCH),
        ("deep JSON", "100,000 opening brackets, in JSON and in an event", w.deep_arrays, EITHER, WATCH),
        ("deep objects", '`{"a":` 100,000 times', w.deep_objects, EITHER, WATCH),
        ("invalid UTF-8", "bytes that are no UTF-8 in every text", w.invalid_utf8, EITHER, WATCH),
        ("UTF-16", "a document in UTF-16 with its byte order mark", w.utf_16, EITHER, WATCH),
        ("hostile headers", "escape sequences in status line and headers", w.hostile_headers, EITHER, WATCH),
        ("dates", "Date and Retry-After of the year 99999999999", w.dates, EITHER, WATCH),
        ("far Retry-After", "429 with a Retry-After of 400 digits", w.retry_after, EITHER, WATCH),
        ("lengths", "two Content-Lengths, of which one is negative", w.lengths, EITHER, WATCH),
        ("401", "401 with a hostile challenge", w.unauthorised, "lost", WATCH),
        ("status 999", "a status that there is not", w.status_999, EITHER, WATCH),
        ("empty", "204 without a body", w.no_content, EITHER, WATCH),
        ("white space", "60 MB of white space, then a document", w.padding, EITHER, 3.0),
        ("null", "`null` for every document", w.null, EITHER, WATCH),
        ("number", "a number of 10,000 digits for every document", w.long_number, EITHER, WATCH),
    ):
        families = every if name in _FOR_ALL else ("opencode",)
        most = 128 if name in _AS_A_LEGAL_BODY else 64
        if must == "lost":
            yield Attack(name, sends, ("health", "events"), "lost", wire=wire, watch=watch, families=families)
            yield Attack(f"{name}, later", sends, ("lists", "prompt"), wire=wire, watch=watch, families=families)
        else:
            yield Attack(name, sends, ROUTES, wire=wire, watch=watch, families=families, mebibytes=most)


_AS_A_LEGAL_BODY: Final = {"endless body", "endless chunks", "white space"}
"""What is taken up to the size of the largest body that is legal."""
_FOR_ALL: Final = {"gzip, gzip, gzip", "deep JSON", "trickled headers", "endless chunks"}


def _events() -> Iterator[Attack]:
    for name, sends, frames in (
        ("endless line", "`data: ` and 1 GB without a line end", p.endless_line),
        ("endless comment", "`:` and 1 GB without a line end", p.endless_comment),
        ("endless event", "`data:` lines of one event without an end", p.endless_event),
        ("empty lines of data", "ten million `data:` lines in one event", p.tiny_data_lines),
        ("retry", "`retry: 99999999999`, then the end", p.long_retry),
        ("huge id", "an `id:` and an `event:` of 10 MB, then events", p.huge_id),
        ("unknown events", "200,000 events of unknown kinds", p.unknown_events),
        ("unknown sessions", "100,000 events for 100,000 unknown sessions", p.unknown_sessions),
        ("duplicates", "one message and its part 100,000 times", p.duplicates),
        ("deltas to nothing", "200,000 deltas to parts that there are not", p.stray_deltas),
        ("20,000 new messages", "20,000 new messages by events", p.messages_by_events),
        ("10,000 sessions by events", "10,000 new sessions", p.sessions_by_events),
        ("50,000 parts by events", "50,000 tool parts of one message", p.parts_by_events),
        ("5,000 permissions by events", "5,000 open permissions", p.permissions_by_events),
        ("100,000 statuses by events", "100,000 sessions at work", p.statuses_by_events),
        ("no JSON", "100,000 events that are no JSON", p.frames_of_no_json),
        ("numbers by events", "every number as infinite, NaN, huge, negative or text", p.numbers_by_events),
        ("texts by events", "controls, escapes, bidi, LF and TAB in every text", p.texts_by_events),
        ("long texts by events", "1 MB titles, plans, errors and retry messages", p.long_texts_by_events),
        ("heartbeats", "a million heartbeats", p.heartbeats),
        ("broken characters", "deltas of half characters and lone surrogates", p.surrogates),
    ):
        yield Attack(name, sends, ("events",), frames=frames, watch=4.0)
    yield Attack(
        "frames of qwen", "hostile texts and numbers in every update", ("events",),
        frames=p.qwen_frames, families=("qwen",), watch=3.0,
    )  # fmt: skip
    yield Attack(
        "updates of qwen", "50,000 tool calls and 20,000 chunks", ("events",),
        frames=p.qwen_flood, families=("qwen",), watch=4.0,
    )  # fmt: skip


def _lists() -> Iterator[Attack]:
    for name, sends, documents in (
        ("10,000 sessions", "a list of 10,000 sessions", {"sessions": p.sessions(10_000)}),
        ("100,000 sessions", "a list of 100,000 sessions", {"sessions": p.sessions(100_000)}),
        ("100,000 children", "100,000 child sessions", {"children": p.children(100_000)}),
        ("2,000 permissions", "2,000 open permissions", {"permissions": p.permissions(2_000), **p.BUSY}),
        ("5,000 permissions", "5,000 open permissions", {"permissions": p.permissions(5_000), **p.BUSY}),
        ("5,000 questions", "5,000 open questions", {"questions": p.questions(5_000), **p.BUSY}),
        ("100,000 statuses", "100,000 sessions at work", {"statuses": p.statuses(100_000)}),
        ("20,000 messages", "20,000 messages in one page", {"messages": p.messages(20_000)}),
        ("50,000 tool parts", "a message of 50,000 tool parts", {"messages": p.tool_parts(50_000)}),
        ("50,000 text parts", "a message of 50,000 text parts", {"messages": p.text_parts(50_000)}),
        ("100,000 todos", "a plan of 100,000 entries", {"todos": p.todos(100_000)}),
        ("long labels", "100,000 lines in an option's label", {"questions": p.long_label, **p.BUSY}),
        ("100,000 options", "a question of 100,000 options", {"questions": p.many_options, **p.BUSY}),
        ("1,000 questions", "1,000 questions in one request", {"questions": p.many_questions, **p.BUSY}),
        ("long patterns", "100,000 patterns, and one of 1 MB", {"permissions": p.long_patterns, **p.BUSY}),
        ("long retry", "a retry message of 100,000 lines", {"statuses": p.long_retry_message}),
        ("long todos", "plan entries of 100,000 lines", {"todos": p.long_todos}),
        ("long titles", "titles, agents and ids of 1 MB", {"sessions": p.long_titles, "session": p.long_title}),
        ("long errors", "an error of 100,000 lines", {"messages": p.long_error}),
        ("long file names", "tool titles, files and inputs of 1 MB", {"messages": p.long_names}),
        ("long line", "a text of 5 MB in one line", {"messages": p.long_line}),
        ("deep Markdown", "10,000 nested quotes, lists and brackets", {"messages": p.deep_markdown}),
        ("Markdown entities", "controls and bidi as entities", {"messages": p.markdown_entities}),
        ("long ids", "ids and a cursor of 70,000 characters", {"messages": p.long_ids, "sessions": p.long_ids_of}),
        ("texts", "controls, escapes, bidi, LF and TAB in every text", p.texts()),
        ("requests with texts", "the same in questions and permissions", p.request_texts()),
        ("infinite numbers", "1e400 in every number", p.numbers("1e400")),
        ("NaN", "NaN in every number", p.numbers("NaN")),
        ("Infinity", "-Infinity in every number", p.numbers("-Infinity")),
        ("huge numbers", "10^300 in every number", p.numbers("1" + "0" * 300)),
        ("endless numbers", "10^5000 in every number", p.numbers("1" + "0" * 5000)),
        ("negative numbers", "-1 in every number", p.numbers("-1")),
        ("texts for numbers", "a text in every number", p.numbers('"\\u001b[2J"')),
        ("lists for anything", "[] for every value", p.numbers("[]")),
    ):
        headers = {"x-next-cursor": "c" * 70_000} if name == "long ids" else {}
        yield Attack(name, sends, ("lists",), documents=documents, headers=headers, watch=3.0)
    yield Attack(
        "60 MB of text", "a message of 60 MB: legal", ("lists",),
        documents={"messages": p.long_text}, watch=4.0, mebibytes=128,
    )  # fmt: skip
    yield Attack(
        "qwen: numbers, texts", "hostile values in the list and in what is loaded", ("lists",),
        documents=p.qwen_documents(), families=("qwen",), watch=3.0,
    )  # fmt: skip
    yield Attack(
        "qwen: 100,000 sessions", "a list of 100,000 sessions", ("lists",),
        documents={"sessions": p.qwen_sessions}, families=("qwen",), watch=3.0,
    )  # fmt: skip
    yield Attack(
        "qwen: long session", "50,000 records in one load", ("lists",),
        documents={"messages": p.qwen_records}, families=("qwen",), watch=4.0,
    )  # fmt: skip
    yield Attack(
        "mimo: terminals", "5,000 commands at a terminal, with hostile texts", ("lists",),
        documents={"terminals": p.mimo_terminals}, families=("mimo",), watch=3.0,
    )  # fmt: skip


def _answers() -> Iterator[Attack]:
    for name, sends, documents in (
        ("answer: numbers", "1e400 in every number of the answer", {"prompt": p.answer_numbers}),
        ("answer: texts", "hostile texts in the answer", {"prompt": p.answer_texts}),
        ("answer: 50,000 parts", "an answer of 50,000 tool parts", {"prompt": p.answer_parts}),
        ("answer: long ids", "ids of 70,000 characters", {"prompt": p.answer_ids}),
    ):
        yield Attack(name, sends, ("prompt",), documents=documents, watch=3.0)
    for name, sends, made in (
        ("health: texts", "hostile texts in version and folders", p.health_texts()),
        ("health: long texts", "a version of 1 MB", p.health_long()),
    ):
        yield Attack(name, sends, ("health",), documents=made)


ATTACKS: Final[Mapping[str, Attack]] = {
    attack.name: attack for made in (_on_the_wire, _events, _lists, _answers) for attack in made()
}
