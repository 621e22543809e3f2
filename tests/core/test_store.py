"""Events applied to the store, including contradictory, repeated and missing ones."""

import time
from typing import Literal

import pytest
from msgspec.structs import replace

from tests.processor_time import slowness
from tui.core import events as e
from tui.core.changes import (
    FailureSeen,
    MessageChanged,
    MessageRemoved,
    OlderLoaded,
    PartChanged,
    PartRemoved,
    PlanChanged,
    RequestClosed,
    RequestsChanged,
    SessionsChanged,
    TextAppended,
    TranscriptReset,
)
from tui.core.known_sessions import MAX_STATES
from tui.core.model import (
    Busy,
    Failure,
    FullMessage,
    Idle,
    Message,
    Option,
    PermissionRequest,
    Question,
    QuestionRequest,
    Retrying,
    Session,
    SessionStatus,
    TextPart,
    Todo,
    ToolPart,
)
from tui.core.store import MAX_PLANS, Store

SESSION = Session("ses_1", "one", "/a")
CHILD = Session("ses_2", "child", "/a", parent_id="ses_1")
PROMPT = Message("msg_1", "ses_1", "user", created=1.0)
ANSWER = Message("msg_2", "ses_1", "assistant", created=2.0, parent_id="msg_1")
TEXT = TextPart("prt_1", "ses_1", "msg_2", "", "streaming")
QUESTION = QuestionRequest(
    "que_1", "ses_1", (Question("Which?", "DB", (Option("A"), Option("B"))),), message_id="msg_2", call_id="call_1"
)
TOOL = ToolPart("prt_9", "ses_1", "msg_2", "call_1", "question", "running")


def delta(text: str, part_id: str = "prt_1") -> e.TextDelta:
    return e.TextDelta("ses_1", "msg_2", part_id, text)


@pytest.fixture
def store() -> Store:
    """One open session with a prompt and a streaming answer."""
    store = Store()
    store.apply(e.SessionUpserted(SESSION))
    store.open_transcript("ses_1")
    store.apply(e.StatusChanged("ses_1", Busy()))
    for event in (e.MessageUpserted(PROMPT), e.MessageUpserted(ANSWER), e.PartUpserted(TEXT)):
        store.apply(event)
    return store


def text_of(store: Store, part_id: str = "prt_1") -> tuple[str, str]:
    transcript = store.transcript("ses_1")
    assert transcript is not None
    part = transcript.part("msg_2", part_id)
    assert isinstance(part, TextPart)
    return part.text, part.state


def test_deltas_are_appended_to_a_part(store: Store) -> None:
    assert store.apply(delta("Hel")) == (TextAppended("ses_1", "msg_2", "prt_1", "Hel"),)
    store.apply(delta("lo"))
    assert text_of(store) == ("Hello", "streaming")


def test_a_split_emoji_is_joined(store: Store) -> None:
    assert store.apply(delta("a\ud83d")) == (TextAppended("ses_1", "msg_2", "prt_1", "a"),)
    assert store.apply(delta("\ude00b")) == (TextAppended("ses_1", "msg_2", "prt_1", "\U0001f600b"),)
    assert text_of(store)[0] == "a\U0001f600b"


def test_a_lone_surrogate_is_replaced(store: Store) -> None:
    store.apply(delta("\ud83d"))
    store.apply(delta("x\ude00y"))
    assert text_of(store)[0] == "\ufffdx\ufffdy"


def test_the_complete_part_replaces_deltas_and_late_ones_are_dropped(store: Store) -> None:
    store.apply(delta("Hel"))
    whole = replace(TEXT, text="Hello!", state="done")
    assert store.apply(e.PartUpserted(whole)) == (PartChanged("ses_1", "msg_2", "prt_1"),)
    assert store.apply(delta("lo!")) == ()
    assert text_of(store) == ("Hello!", "done")


def test_an_unchanged_part_reports_no_change(store: Store) -> None:
    whole = replace(TEXT, text="Hello!", state="done")
    store.apply(e.PartUpserted(whole))
    assert store.apply(e.PartUpserted(whole)) == ()


def test_a_delta_of_an_unknown_part_is_dropped(store: Store) -> None:
    assert store.apply(delta("x", "prt_unknown")) == ()


def test_a_lost_stream_marks_streaming_parts_as_partial(store: Store) -> None:
    store.apply(delta("Hel"))
    assert store.apply(e.StreamLost()) == (PartChanged("ses_1", "msg_2", "prt_1"),)
    assert text_of(store) == ("Hel", "partial")


def marked(store: Store) -> str:
    transcript = store.transcript("ses_1")
    assert transcript is not None
    part = transcript.part("msg_2", "prt_1")
    assert isinstance(part, TextPart)
    return part.marked


def test_each_gap_in_streamed_text_is_marked(store: Store) -> None:
    store.apply(delta("One two"))
    store.apply(e.StreamLost())
    assert marked(store) == "One two", "a missing end is reported below the text"
    store.apply(delta("five six"))
    store.apply(e.StreamLost())
    store.apply(e.StreamLost())
    store.apply(delta("ten"))
    assert marked(store) == "One two […] five six […] ten"
    assert text_of(store) == ("One twofive sixten", "partial")
    store.apply(e.PartUpserted(replace(TEXT, text="One two three four five six seven eight nine ten", state="done")))
    assert "[…]" not in marked(store)


def test_a_gap_before_the_first_text_is_marked() -> None:
    store = Store()
    store.open_transcript("ses_1")
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(ANSWER, (TEXT,)),), None))
    store.apply(delta("lo"))
    assert marked(store) == "[…] lo"


def test_a_page_with_an_empty_copy_keeps_streamed_text(store: Store) -> None:
    """opencode stores a text part as "" until it ends."""
    store.apply(delta("Hel"))
    store.apply(e.StreamLost())
    page = (FullMessage(PROMPT, ()), FullMessage(ANSWER, (TEXT,)))
    store.apply(e.MessagesLoaded("ses_1", page, None))
    assert text_of(store) == ("Hel", "partial")
    store.apply(e.PartUpserted(replace(TEXT, text="Hello!", state="done")))
    assert text_of(store) == ("Hello!", "done")


def test_a_page_without_a_gap_keeps_a_streaming_part(store: Store) -> None:
    store.apply(delta("Hel"))
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(PROMPT, ()), FullMessage(ANSWER, (TEXT,))), None))
    store.apply(delta("lo"))
    assert text_of(store) == ("Hello", "streaming")


def test_a_streaming_part_first_seen_in_a_page_is_partial() -> None:
    store = Store()
    store.open_transcript("ses_1")
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(ANSWER, (TEXT,)),), None))
    assert text_of(store) == ("", "partial")


def test_the_newest_page_replaces_the_transcript_from_its_first_message_on(store: Store) -> None:
    old = replace(PROMPT, id="msg_0", created=0.5)
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(PROMPT, ()), FullMessage(ANSWER, ())), "cursor"))
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(old, ()),), None, "older"))
    newer = replace(PROMPT, id="msg_3", created=3.0)
    changes = store.apply(e.MessagesLoaded("ses_1", (FullMessage(ANSWER, ()), FullMessage(newer, ())), "other"))
    assert changes == (TranscriptReset("ses_1"),)
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert [m.id for m in transcript.ordered()] == ["msg_0", "msg_1", "msg_2", "msg_3"]
    assert transcript.cursor is None


def test_a_page_that_does_not_overlap_leaves_no_gap(store: Store) -> None:
    """More messages than a page were missed: those between are loaded again, as are older ones."""
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(PROMPT, ()), FullMessage(ANSWER, ())), None))
    far = tuple(FullMessage(replace(PROMPT, id=f"msg_{n}", created=float(n)), ()) for n in (51, 52))
    store.apply(e.MessagesLoaded("ses_1", far, "cursor"))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert [m.id for m in transcript.ordered()] == ["msg_51", "msg_52"]
    assert transcript.cursor == "cursor"


def test_messages_before_the_first_page_are_not_older_than_it(store: Store) -> None:
    """Messages of events in a session just opened are not a page: others may be missing between them."""
    first = replace(PROMPT, id="msg_9", created=9.0)
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(PROMPT, ()), FullMessage(first, ())), "cursor"))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert [m.id for m in transcript.ordered()] == ["msg_1", "msg_9"]
    store.apply(e.MessagesLoaded("ses_1", (), None))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert transcript.ordered() == []


def test_a_page_of_a_closed_session_is_ignored(store: Store) -> None:
    assert store.apply(e.MessagesLoaded("ses_other", (FullMessage(PROMPT, ()),), None)) == ()
    assert store.transcript("ses_other") is None


def test_a_page_removes_messages_that_the_server_no_longer_has(store: Store) -> None:
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(PROMPT, ()),), None))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert list(transcript.messages) == ["msg_1"]


def test_an_older_page_is_added_at_the_start(store: Store) -> None:
    old = replace(PROMPT, id="msg_0", created=0.5)
    assert store.apply(e.MessagesLoaded("ses_1", (FullMessage(old, ()),), "more", "older")) == (
        OlderLoaded("ses_1", 1),
    )
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert [m.id for m in transcript.ordered()] == ["msg_0", "msg_1", "msg_2"]
    assert transcript.cursor == "more"


def test_the_same_page_again_reports_no_change(store: Store) -> None:
    page = e.MessagesLoaded(
        "ses_1", (FullMessage(PROMPT, ()), FullMessage(ANSWER, (replace(TEXT, state="done"),))), None
    )
    assert store.apply(page) == (TranscriptReset("ses_1"),)
    assert store.apply(page) == ()


def test_order_is_by_creation_and_not_by_id(store: Store) -> None:
    store.apply(e.MessageUpserted(replace(PROMPT, id="msg_zzz", created=1.5)))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert [m.id for m in transcript.ordered()] == ["msg_1", "msg_zzz", "msg_2"]


def test_messages_of_closed_sessions_are_ignored(store: Store) -> None:
    other = replace(PROMPT, session_id="ses_other")
    assert store.apply(e.MessageUpserted(other)) == ()
    assert store.transcript("ses_other") is None


def test_messages_and_parts_can_be_removed(store: Store) -> None:
    assert store.apply(e.PartRemoved("ses_1", "msg_2", "prt_1")) == (PartRemoved("ses_1", "msg_2", "prt_1"),)
    assert store.apply(e.PartRemoved("ses_1", "msg_2", "prt_1")) == ()
    assert store.apply(e.MessageRemoved("ses_1", "msg_2")) == (MessageRemoved("ses_1", "msg_2"),)
    assert store.apply(e.MessageRemoved("ses_1", "msg_2")) == ()
    assert store.apply(e.MessageUpserted(ANSWER)) == (MessageChanged("ses_1", "msg_2"),)


def test_a_request_opens_once_and_closes_once(store: Store) -> None:
    assert store.apply(e.RequestOpened(QUESTION)) == (RequestsChanged(),)
    assert store.apply(e.RequestOpened(QUESTION)) == ()
    answered = e.QuestionAnswered("ses_1", "que_1", (("A",),))
    assert store.apply(answered) == (RequestClosed(QUESTION, "answered", (("A",),)),)
    assert store.apply(answered) == ()


def test_closing_a_request_reports_how_it_ended(store: Store) -> None:
    permission = PermissionRequest("per_1", "ses_1", "bash")
    store.apply(e.RequestOpened(QUESTION))
    store.apply(e.RequestOpened(permission))
    assert store.apply(e.QuestionRejected("ses_1", "que_1")) == (RequestClosed(QUESTION, "rejected"),)
    assert store.apply(e.PermissionReplied("ses_1", "per_1", "always")) == (
        RequestClosed(permission, "replied", reply="always"),
    )


def test_an_idle_session_has_no_open_requests(store: Store) -> None:
    """An abort leaves the question in opencode's list, without an event."""
    store.apply(e.RequestOpened(QUESTION))
    changes = store.apply(e.StatusChanged("ses_1", Idle()))
    assert changes == (SessionsChanged("ses_1"), RequestClosed(QUESTION, "gone"))


def test_idle_again_closes_a_request_opened_in_between(store: Store) -> None:
    store.apply(e.StatusChanged("ses_1", Idle()))
    store.apply(e.RequestOpened(QUESTION))
    assert store.apply(e.StatusChanged("ses_1", Idle())) == (RequestClosed(QUESTION, "gone"),)


def test_a_request_of_an_unknown_call_is_kept(store: Store) -> None:
    store.apply(e.PartUpserted(replace(TOOL, state="completed", call_id="")))
    unplaced = replace(QUESTION, message_id=None, call_id=None)
    store.apply(e.Resynced({"ses_1": Busy()}, (unplaced,)))
    assert list(store.requests) == ["que_1"]


@pytest.mark.parametrize("state", ["completed", "error"])
def test_a_resync_ignores_a_request_of_an_earlier_turn(store: Store, state: Literal["completed", "error"]) -> None:
    """An abort left it in the server's list; the session is busy with another turn."""
    store.apply(e.PartUpserted(replace(TOOL, state=state)))
    other = replace(QUESTION, id="que_2", call_id="call_2")
    store.apply(e.Resynced({"ses_1": Busy()}, (QUESTION, other)))
    assert list(store.requests) == ["que_2"]


def test_a_request_closes_when_its_tool_call_ends(store: Store) -> None:
    store.apply(e.RequestOpened(QUESTION))
    store.apply(e.PartUpserted(TOOL))
    assert store.requests
    changes = store.apply(e.PartUpserted(replace(TOOL, state="error", error="Tool execution aborted")))
    assert changes == (PartChanged("ses_1", "msg_2", "prt_9"), RequestClosed(QUESTION, "gone"))


def test_a_resync_adds_missed_requests_and_closes_others(store: Store) -> None:
    stale = replace(QUESTION, id="que_0")
    store.apply(e.RequestOpened(stale))
    changes = store.apply(e.Resynced({"ses_1": Busy()}, (QUESTION,), frozenset({"/a"})))
    assert changes == (RequestClosed(stale, "gone"), RequestsChanged())
    assert list(store.requests) == ["que_1"]


def test_a_resync_ignores_requests_of_ended_calls(store: Store) -> None:
    store.apply(e.Resynced({}, (QUESTION,), frozenset({"/a"})))
    assert store.status("ses_1") == Idle()
    assert not store.requests


def test_a_resync_does_not_touch_other_directories(store: Store) -> None:
    store.apply(e.RequestOpened(QUESTION))
    store.apply(e.Resynced({}, (), frozenset({"/b"})))
    assert store.status("ses_1") == Busy()
    assert list(store.requests) == ["que_1"]


def test_a_child_s_requests_count_for_its_ancestors(store: Store) -> None:
    store.apply(e.SessionUpserted(CHILD))
    grandchild = replace(CHILD, id="ses_3", parent_id="ses_2")
    store.apply(e.SessionUpserted(grandchild))
    deep = replace(QUESTION, id="que_3", session_id="ses_3")
    store.apply(e.RequestOpened(deep))
    assert store.requests_of("ses_1") == [deep]
    assert store.requests_of("ses_3") == [deep]


def test_a_cycle_of_parents_ends(store: Store) -> None:
    store.apply(e.SessionUpserted(replace(SESSION, parent_id="ses_2")))
    store.apply(e.SessionUpserted(CHILD))
    assert store.session_tree("ses_1") == {"ses_1", "ses_2"}


def test_the_version_changes_with_the_session_and_its_children_only(store: Store) -> None:
    store.apply(e.SessionUpserted(CHILD))
    before = store.session_version("ses_1")
    store.apply(e.StatusChanged("ses_other", Busy()))
    store.apply(e.Heartbeat())
    assert store.session_version("ses_1") == before
    store.apply(e.PartUpserted(replace(TEXT, session_id="ses_2")))
    assert store.session_version("ses_1") > before


def test_changing_requests_and_pages_change_the_version(store: Store) -> None:
    before = store.session_version("ses_1")
    assert before > 0
    assert store.session_version("ses_other") == 0
    store.apply(e.RequestOpened(QUESTION))
    store.apply(e.QuestionRejected("ses_1", "que_1"))
    closed = store.session_version("ses_1")
    assert closed > before
    page = e.MessagesLoaded("ses_1", (FullMessage(PROMPT, ()),), None)
    store.apply(page)
    loaded = store.session_version("ses_1")
    assert loaded > closed
    store.apply(page)
    assert store.session_version("ses_1") == loaded


def test_the_newest_answer_to_a_prompt(store: Store) -> None:
    second = replace(ANSWER, id="msg_3", created=3.0)
    store.apply(e.MessageUpserted(second))
    assert store.answer_to("ses_1", "msg_1") == second
    assert store.answer_to("ses_1", "msg_x") is None
    assert store.answer_to("ses_closed", "msg_1") is None


def test_a_renamed_session_keeps_all_but_its_title(store: Store) -> None:
    store.apply(e.SessionUpserted(Session("ses_1", "old", "/srv")))
    assert store.apply(e.SessionRenamed("ses_1", "new")) == (SessionsChanged("ses_1"),)
    assert store.sessions["ses_1"] == Session("ses_1", "new", "/srv")
    assert store.apply(e.SessionRenamed("ses_unknown", "new")) == ()


def test_deleting_a_session_closes_its_requests(store: Store) -> None:
    store.apply(e.RequestOpened(QUESTION))
    assert store.apply(e.SessionDeleted("ses_1")) == (RequestClosed(QUESTION, "gone"), SessionsChanged("ses_1"))
    assert store.apply(e.SessionDeleted("ses_1")) == ()


def test_plans_and_failures_are_reported(store: Store) -> None:
    todos = (Todo("write", "pending"),)
    assert store.apply(e.TodosChanged("ses_1", todos)) == (PlanChanged("ses_1"),)
    assert store.todos("ses_1") == todos
    failure = Failure("no model")
    assert store.apply(e.SessionFailed("ses_1", failure)) == (FailureSeen("ses_1", failure),)


def test_a_session_list_adds_and_never_removes(store: Store) -> None:
    assert store.apply(e.SessionsListed((SESSION, CHILD))) == (SessionsChanged("ses_2"),)
    assert set(store.sessions) == {"ses_1", "ses_2"}


def test_a_provider_failure_marks_streaming_text_as_broken() -> None:
    store = Store()
    store.open_transcript("ses_1")
    message = Message("msg_2", "ses_1", "assistant", created=2.0, parent_id="msg_1")
    streaming = TextPart("prt_1", "ses_1", "msg_2", "", "streaming")
    begun: list[e.Event] = [
        e.MessageUpserted(message),
        e.PartUpserted(streaming),
        e.TextDelta("ses_1", "msg_2", "prt_1", "The store "),
    ]
    for event in begun:
        store.apply(event)
    reported = store.apply(e.StatusChanged("ses_1", Retrying(1, "Overloaded", None)))
    assert PartChanged("ses_1", "msg_2", "prt_1") in reported
    broken = replace(streaming, text="The store ", state="broken")
    again = replace(streaming, id="prt_2")
    anew: list[e.Event] = [
        e.PartUpserted(again),
        e.PartUpserted(streaming),  # the server stores no text of the first attempt
        e.StatusChanged("ses_1", Busy()),
        e.StreamLost(),
    ]
    for event in anew:
        store.apply(event)
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert transcript.parts_of("msg_2") == [broken, replace(again, state="partial", gaps=(len(again.text),))]
    done = replace(message, completed=3.0, final=True)
    whole = FullMessage(done, (streaming, replace(again, text="The store is kept.", state="done")))
    store.apply(e.MessagesLoaded("ses_1", (whole,), None))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert transcript.part("msg_2", "prt_1") == broken


def test_a_broken_part_stays_broken_though_the_server_still_calls_it_streaming() -> None:
    store = Store()
    store.open_transcript("ses_1")
    streaming = TextPart("prt_1", "ses_1", "msg_2", "The", "streaming")
    store.apply(e.MessageUpserted(Message("msg_2", "ses_1", "assistant", created=2.0, parent_id="msg_1")))
    store.apply(e.PartUpserted(streaming))
    store.apply(e.StatusChanged("ses_1", Retrying(1, "Overloaded", None)))
    store.apply(e.PartUpserted(streaming))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert transcript.part("msg_2", "prt_1") == replace(streaming, state="broken")


def test_a_partial_part_is_not_marked_as_broken_by_a_later_retry() -> None:
    store = Store()
    store.open_transcript("ses_1")
    store.apply(e.MessageUpserted(Message("msg_2", "ses_1", "assistant", created=2.0, parent_id="msg_1")))
    store.apply(e.PartUpserted(TextPart("prt_1", "ses_1", "msg_2", "The", "streaming")))
    store.apply(e.StreamLost())
    store.apply(e.StatusChanged("ses_1", Retrying(1, "Overloaded", None)))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert [part.state for part in transcript.parts_of("msg_2") if isinstance(part, TextPart)] == ["partial"]


def test_parts_of_a_complete_message_are_done() -> None:
    store = Store()
    store.open_transcript("ses_1")
    message = Message("msg_2", "ses_1", "assistant", created=2.0, completed=3.0, parent_id="msg_1")
    page = (FullMessage(message, (TextPart("prt_1", "ses_1", "msg_2", "", "streaming"),)),)
    store.apply(e.MessagesLoaded("ses_1", page, None))
    transcript = store.transcript("ses_1")
    assert transcript is not None
    assert transcript.part("msg_2", "prt_1") == TextPart("prt_1", "ses_1", "msg_2", "", "done")


@pytest.mark.parametrize(
    "end",
    [
        e.Resynced({"ses_1": Busy()}, ()),
        e.StatusChanged("ses_1", Idle()),
    ],
)
def test_a_closed_request_was_answered_if_its_call_says_so(end: e.Event) -> None:
    store = Store()
    store.open_transcript("ses_1")
    store.apply(e.SessionUpserted(Session("ses_1", "Title")))
    store.apply(e.StatusChanged("ses_1", Busy()))
    store.apply(e.RequestOpened(QUESTION))
    message = Message("msg_2", "ses_1", "assistant", created=2.0, parent_id="msg_1")
    call = ToolPart("prt_1", "ses_1", "msg_2", "call_1", "question", "running", answers=(("A",),))
    store.apply(e.MessagesLoaded("ses_1", (FullMessage(message, (call,)),), None))
    assert RequestClosed(QUESTION, "answered", (("A",),)) in store.apply(end)


def test_an_up_to_date_page_completes_streaming_parts(store: Store) -> None:
    """qwen's load has all text so far; deltas received meanwhile are applied once."""
    store.apply(delta("Hel"))
    store.apply(e.StreamLost())
    for text, whole in (("Hello", "Hello"), ("Hell", "Hello")):
        page = (FullMessage(PROMPT, ()), FullMessage(ANSWER, (replace(TEXT, text=text),)))
        store.apply(e.MessagesLoaded("ses_1", page, None, up_to_date=True))
        assert text_of(store) == (whole, "streaming")
    store.apply(e.TextDelta("ses_1", "msg_2", "prt_1", "llo you", 2))
    assert text_of(store) == ("Hello you", "streaming")


def test_plans_statuses_and_deletions_are_limited(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.core.known_sessions.MAX_STATES", 100)
    plan = (Todo("mine", "pending", "high"),)
    store.apply(e.TodosChanged("ses_1", plan))
    store.apply(e.StatusChanged("ses_1", Busy()))
    for number in range(1_000):
        store.apply(e.TodosChanged(f"ses_{number}x", plan))
        store.apply(e.StatusChanged(f"ses_{number}x", Busy()))
    for number in range(1_000, 2_000):
        store.apply(e.SessionDeleted(f"ses_{number}x"))
    assert len([n for n in range(1_000) if store.todos(f"ses_{n}x")]) <= MAX_PLANS
    assert len([n for n in range(1_000) if store.status(f"ses_{n}x") != Idle()]) <= 100
    assert len(store.deleted) <= 100
    assert (store.todos("ses_1"), store.status("ses_1")) == (plan, Busy())
    assert store.todos("ses_999x") == plan


def test_very_many_statuses_of_unknown_sessions_are_taken_in_a_moment(store: Store) -> None:
    statuses: dict[str, SessionStatus] = {f"ses_{number}x": Busy() for number in range(100_000)}
    took = []
    for at in range(3):
        statuses["ses_1"] = Retrying(at, "overloaded", None)
        version = store.version
        began = time.thread_time()
        changes = store.apply(e.Resynced(dict(statuses), ()))
        took.append(time.thread_time() - began)
        assert SessionsChanged("ses_1") in changes
        assert store.version != version
    began = time.thread_time()
    assert sum(len(name) for _ in range(40) for name in statuses) > 0  # what some passes over the names cost here
    assert min(took) < time.thread_time() - began + 0.15 * slowness()
    assert store.status("ses_99999x") == Busy()
    assert store.status("ses_1") == Retrying(2, "overloaded", None)
    assert len([s for s in statuses if store.status(s) != Idle()]) <= MAX_STATES


def test_another_question_under_the_same_id_replaces_the_old_one(store: Store) -> None:
    store.apply(e.RequestOpened(QUESTION))
    other = replace(QUESTION, questions=(replace(QUESTION.questions[0], text="Delete everything?"),))
    assert store.apply(e.RequestOpened(other)) == (RequestClosed(QUESTION, "gone"), RequestsChanged())
    assert store.requests == {"que_1": other}
    listed = e.Resynced({"ses_1": Busy()}, (QUESTION,))
    assert store.apply(listed) == (RequestClosed(other, "gone"), RequestsChanged())
    assert store.apply(listed) == ()


def test_details_of_a_question_do_not_replace_it(store: Store) -> None:
    store.apply(e.RequestOpened(replace(QUESTION, call_id=None)))
    assert store.apply(e.RequestOpened(QUESTION)) == (RequestsChanged(),)


@pytest.mark.parametrize(
    ("before", "now", "is_replaced"),
    [
        (("execute", ("ls",), ""), ("run_shell_command", ("ls",), "ls"), False),
        (("execute", (), ""), ("execute", ("ls",), ""), False),
        (("bash", ("ls",), "ls"), ("bash", ("rm *",), "ls"), True),
        (("bash", ("ls",), "ls"), ("bash", ("ls",), "rm -rf /"), True),
    ],
)
def test_further_details_of_a_permission_do_not_replace_it(
    store: Store,
    before: tuple[str, tuple[str, ...], str],
    now: tuple[str, tuple[str, ...], str],
    is_replaced: bool,
) -> None:
    old, new = (PermissionRequest("per_1", "ses_1", kind, what, detail=detail) for kind, what, detail in (before, now))
    store.apply(e.RequestOpened(old))
    closed = (RequestClosed(old, "gone"),) if is_replaced else ()
    assert store.apply(e.RequestOpened(new)) == (*closed, RequestsChanged())
    assert store.requests == {"per_1": new}


def test_a_request_with_the_id_of_another_sessions_request_is_counted_and_closes_alone(store: Store) -> None:
    store.apply(e.SessionUpserted(CHILD))
    other = replace(
        QUESTION, session_id="ses_2", questions=(replace(QUESTION.questions[0], text="Delete everything?"),)
    )
    store.apply(e.RequestOpened(QUESTION))
    assert store.apply(e.RequestOpened(other)) == (RequestsChanged(),)
    listed = e.Resynced({"ses_1": Busy(), "ses_2": Busy()}, (other, QUESTION))
    store.apply(listed)
    assert (store.requests, store.requests_not_loaded) == ({"que_1": QUESTION}, 1)
    store.apply(e.RequestRemoved("ses_2", "que_1"))
    assert (store.requests, store.requests_not_loaded) == ({"que_1": QUESTION}, 0)
    store.apply(listed)
    assert store.apply(e.QuestionAnswered("ses_1", "que_1", (("A",),))) == (
        RequestClosed(QUESTION, "answered", (("A",),)),
    )
    assert store.has_room_for_requests
    store.apply(e.Resynced({"ses_1": Busy(), "ses_2": Busy()}, (other,)))
    assert (store.requests, store.requests_not_loaded) == ({"que_1": other}, 0)
