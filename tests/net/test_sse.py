"""The stream's events, named after the examples of the standard (WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.net.test_padded_json import split
from tui.net.errors import ConnectionLost, ResponseTooSlow, TooLarge
from tui.net.sse import FRAME_TIMEOUT, GATHER, EventDecoder, ServerSentEvent, read_events


def decode(*pieces: bytes, limit: int = 1 << 20) -> tuple[list[ServerSentEvent], list[str], bool]:
    """Events, comments, and whether it ended with TooLarge."""
    comments: list[str] = []
    events: list[ServerSentEvent] = []
    decoder = EventDecoder(limit=limit, on_comment=comments.append)
    try:
        for piece in pieces:
            events.extend(decoder.feed(piece))
    except TooLarge:
        return events, comments, True
    return events, comments, False


def data_of(*pieces: bytes) -> list[str]:
    return [event.data for event in decode(*pieces)[0]]


lines = st.sampled_from(
    [
        b"data: one", b"data:two", b"data", b"data: ", "data: é\u2028😀".encode(), b"data: \xff\xf0\x9f",
        b"event: note", b"id: 7", b"id", b"id: \x00", b"retry: 3000", b"retry: -5", b": beat", b":", b"unknown: x",
        b"data: " + b"x" * 40, b"\xef\xbb\xbfdata: marked", b"", b"", b"",
    ]
)  # fmt: skip
ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
streams = st.lists(st.tuples(lines, ends).map(b"".join), max_size=30).map(b"".join) | st.binary(max_size=60)


@given(streams, st.lists(st.integers(0, 2000), max_size=12), st.sampled_from([20, 60, 1 << 20]))
@example(b"data: one\n" * 5 + (b"data: " + b"x" * 40 + b"\n") * 3, [], 20)
def test_any_split_of_the_bytes_gives_the_same(data: bytes, cuts: list[int], limit: int) -> None:
    whole = decode(data, limit=limit)
    assert decode(*split(data, cuts), limit=limit) == whole
    assert decode(*(data[at : at + 1] for at in range(len(data))), limit=limit) == whole


@given(streams)
def test_no_event_is_empty_and_no_retry_out_of_bounds(data: bytes) -> None:
    for event in decode(data)[0]:
        assert event.data
        assert event.retry is None or 0.1 <= event.retry <= 60


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_stock_example(end: bytes) -> None:
    stream = end.join([b"data: YHOO", b"data: +2", b"data: 10", b"", b""])
    assert decode(stream)[0] == [ServerSentEvent("message", "YHOO\n+2\n10")]


def test_comments_ids_and_spaces_example() -> None:
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert decode(stream) == (
        [
            ServerSentEvent("message", "first event", "1"),
            ServerSentEvent("message", "second event", ""),
            ServerSentEvent("message", " third event", ""),
        ],
        ["test stream"],
        False,
    )


def test_an_unfinished_event_is_not_returned() -> None:
    assert data_of(b"data: whole\n\ndata: cut") == ["whole"]
    assert data_of(b"data: whole\n\ndata: cut\n") == ["whole"]


def test_an_event_is_returned_with_its_last_byte() -> None:
    decoder = EventDecoder()
    assert list(decoder.feed(b"data: now\r\n\r")) == [ServerSentEvent("message", "now")]
    assert list(decoder.feed(b"\n")) == []
    assert list(decoder.feed(b"")) == []
    assert list(decoder.feed(b"data: next\n\n")) == [ServerSentEvent("message", "next")]


@pytest.mark.parametrize("cut", range(4))
def test_a_byte_order_mark_does_not_hide_the_first_event(cut: int) -> None:
    stream = b"\xef\xbb\xbfdata: first\n\n"
    assert data_of(stream[:cut], stream[cut:]) == ["first"]
    assert data_of(stream + stream) == ["first"]


def test_comments_after_an_id_are_not_events() -> None:
    events, comments, _ = decode(b"id: 4\ndata: x\n\n: beat\n\n: beat\n\ndata: y\n\n")
    assert events == [ServerSentEvent("message", "x", "4"), ServerSentEvent("message", "y", "4")]
    assert comments == ["beat", "beat"]


def test_events_without_data_are_skipped_with_their_name_but_not_their_id() -> None:
    assert decode(b"event: gone\nid: 5\n\ndata\n\ndata:\n\ndata: x\n\n")[0] == [ServerSentEvent("message", "x", "5")]


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (b"retry: 3000", 3.0),
        (b"retry:100", 0.1),
        (b"retry: 0", 0.1),
        (b"retry: 99999999", 60.0),
        (b"retry: " + b"9" * 5000, 60.0),
        (b"retry: -5", None),
        (b"retry: 1_000", None),
        (b"retry: 1.5", None),
        (b"retry: \xd9\xa3", None),
        (b"retry:", None),
        (b"retry", None),
    ],
)
def test_retry(field: bytes, seconds: float | None) -> None:
    assert decode(field + b"\ndata: x\n\ndata: y\n\n")[0] == [
        ServerSentEvent("message", "x", retry=seconds),
        ServerSentEvent("message", "y"),
    ]


def test_a_separate_retry_is_returned_with_the_next_event() -> None:
    assert decode(b"retry: 3000\n\n: beat\n\ndata: x\n\n")[0] == [ServerSentEvent("message", "x", retry=3.0)]


def test_the_stream_is_always_utf8() -> None:
    assert data_of("data: é😀\u2028z\n\n".encode()) == ["é😀\u2028z"]
    assert data_of(b"data: \xe9\n\n") == ["\ufffd"]


def test_names_ids_and_comments_are_sanitized() -> None:
    events, comments, _ = decode(b"event: a\x1b[2Jb\nid: 1\x07\ndata: x\n\n: \x1b]0;t\x07beat\n")
    assert events == [ServerSentEvent("ab", "x", "1")]
    assert comments == ["beat"]


def test_an_endless_line_is_refused() -> None:
    decoder = EventDecoder(limit=1000)
    for _ in range(150):
        assert not list(decoder.feed(b"x" * 100))
    with pytest.raises(TooLarge):
        list(decoder.feed(b"x" * 1001))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_only_the_event_over_the_limit_is_dropped(size: int) -> None:
    large = b"id: 2\ndata: " + b"y" * 500 + b"\ndata: more\n\n"
    stream = b"id: 1\ndata: x\n\n" + large + b": beat\n\n" + b"id: 3\ndata: z\n\n"
    decoder = EventDecoder(limit=100)
    pieces = (stream[at : at + size] for at in range(0, len(stream), size))
    assert [event.data for piece in pieces for event in decoder.feed(piece)] == ["x", "z"]


def test_an_endless_event_raises_after_those_before_it() -> None:
    assert decode(b"data: x\n\n" + b"data: y\n" * 1000, limit=100) == ([ServerSentEvent("message", "x")], [], True)
    assert decode(b"unknown\n" * 1000, limit=100)[2]


def test_the_limit_is_for_each_event_and_each_comment() -> None:
    events, comments, too_large = decode((b"data: " + b"x" * 90 + b"\n: " + b"c" * 90 + b"\n\n") * 3, limit=100)
    assert (len(events), len(comments), too_large) == (3, 3, False)
    assert decode(b": " + b"c" * 99 + b"\n", limit=100) == ([], [], True)


def test_comments_in_total_are_unlimited() -> None:
    assert decode(b"data: x\n" + b": beat\n" * 1000 + b"\n", limit=100)[0] == [ServerSentEvent("message", "x")]


async def chunks(*pieces: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if error is not None:
        raise error


async def test_every_byte_is_counted_before_its_event() -> None:
    seen: list[object] = []
    async for event in read_events(chunks(b": beat\n", b"\n", b"data: x\n\ndata: y\n\n"), on_bytes=seen.append):
        seen.append(event.data)
    assert seen == [7, 1, 18, "x", "y"]


async def test_the_error_of_the_chunks_follows_the_last_event() -> None:
    cut = chunks(b"data: x\n\ndata", error=ConnectionLost("connection reset"))
    events = read_events(cut, on_bytes=lambda _: None)
    assert (await anext(events)).data == "x"
    with pytest.raises(ConnectionLost):
        await anext(events)


async def test_reading_can_continue_after_a_break() -> None:
    events = read_events(chunks(b"data: x\n\ndata: y\n\n", b"data: z\n\n"), on_bytes=lambda _: None)
    async for event in events:
        assert event.data == "x"
        break
    assert [event.data async for event in events] == ["y", "z"]


async def test_the_stream_pauses_after_an_expensive_chunk() -> None:
    loop = asyncio.get_running_loop()
    came: list[str] = []

    async def live() -> AsyncIterator[bytes]:
        for pieces in ((b"data: a\n\n",), (b"data: b\n\n", b"data: c\n\n"), (b"data: d\n\n",)):
            arrival = loop.create_future()
            loop.call_later(0.005, arrival.set_result, None)
            await arrival
            for piece in pieces:
                yield piece

    async def pause(seconds: float) -> None:
        came.append(f"rest {seconds}")

    async for event in read_events(live(), on_bytes=lambda _: None, pause=pause):
        came.append(event.data)
    rest = f"rest {GATHER}"
    assert came == ["a", rest, "b", rest, "c", "d", rest]


class TestTrickle:
    """Bytes that arrive for ever without completing an event."""

    async def read(self, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], every: float) -> list[str]:
        """The events of `pieces`, one of which arrives every `every` seconds of the loop's clock."""
        loop = asyncio.get_running_loop()
        now = loop.time()

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal now
            for piece in pieces:
                now += every
                yield piece

        async def pause(seconds: float) -> None:
            pass

        monkeypatch.setattr(loop, "time", lambda: now)
        return [event.data async for event in read_events(chunks(), on_bytes=lambda _: None, pause=pause)]

    @pytest.mark.parametrize("piece", [b"x", b"data: x\n", b"id: 7\r\n", b"retry: 1\n", b"event: x\n"])
    async def test_of_one_event(self, monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
        pieces = [b"data: whole\n\n", *[piece] * (int(FRAME_TIMEOUT) + 3)]
        with pytest.raises(ResponseTooSlow, match=r"^the event stream is too slow: \d+ bytes in 31 s"):
            await self.read(monkeypatch, pieces, 1.0)

    async def test_of_one_comment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ResponseTooSlow):
            await self.read(monkeypatch, [b":", *[b"beat "] * 60], 1.0)

    @pytest.mark.parametrize("beat", [b": beat\n", b"\n", b"\r", b"data: {}\n\n", b":\n"])
    async def test_a_heartbeat_does_not_trickle(self, monkeypatch: pytest.MonkeyPatch, beat: bytes) -> None:
        await self.read(monkeypatch, [beat] * 20, 29.0)

    async def test_a_heartbeat_in_two_pieces_does_not_trickle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert len(await self.read(monkeypatch, [b"data: ", b"{}\n\n"] * 20, 15.0)) == 20

    async def test_a_large_event_on_a_slow_connection_does_not_trickle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pieces = [b"data: ", *[b"x" * 1000] * 100, b"\n\n"]
        assert await self.read(monkeypatch, pieces, 1.0) == ["x" * 100_000]
