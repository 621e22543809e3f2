"""Deltas with a position in their part, and the order of messages."""

import pytest
from msgspec.structs import replace

from tui.core.events import TextDelta
from tui.core.model import Failure, Message, TextPart, ToolPart, Usage
from tui.core.transcript import Transcript


def growing(text: str = "") -> Transcript:
    transcript = Transcript()
    transcript.put_part(TextPart("prt_1", "ses_1", "msg_1", text, "streaming"))
    return transcript


def say(transcript: Transcript, words: str, at: int | None) -> str:
    return transcript.append(TextDelta("ses_1", "msg_1", "prt_1", words, at))


def text(transcript: Transcript) -> str:
    part = transcript.part("msg_1", "prt_1")
    assert isinstance(part, TextPart)
    return part.text


@pytest.mark.parametrize("read_between", [False, True])
def test_text_already_present_is_not_appended_again(read_between: bool) -> None:
    transcript = growing("one ")
    deltas = [("one ", 0), ("two ", 4), ("three", 8)]
    for words, at in [*deltas, *deltas]:
        say(transcript, words, at)
        if read_between:
            text(transcript)
    assert text(transcript) == "one two three"


def test_prompts_and_answers_beside_a_message() -> None:
    transcript = Transcript()
    for at in range(1, 5):
        transcript.put_message(Message(f"msg_{at}", "ses_1", "user" if at % 2 else "assistant", created=float(at)))
    first, answer, second, last = transcript.messages.values()
    assert list(transcript.prompts_behind(first)) == [second]
    assert list(transcript.prompts_behind(answer)) == [second]
    assert list(transcript.prompts_behind(second)) == []
    assert (transcript.answer_before(first), transcript.answer_before(second)) == (None, answer)
    assert transcript.answer_before(last) == last
    assert transcript.index(second.id) == 2


def test_the_newest_agent_is_that_of_the_newest_answer_with_one() -> None:
    transcript = Transcript()
    assert transcript.newest_agent() == ""
    for at, agent in enumerate(("plan", "build", "")):
        transcript.put_message(Message(f"msg_{at}", "ses_1", "assistant", created=float(at), agent=agent))
    assert transcript.newest_agent() == "build"


def test_the_missing_rest_of_a_delta_is_appended() -> None:
    transcript = growing("one tw")
    assert say(transcript, "two three", 4) == "o three"
    assert text(transcript) == "one two three"


def test_a_page_that_replaces_the_part_sets_the_position() -> None:
    transcript = growing()
    say(transcript, "one ", 0)
    transcript.put_part(TextPart("prt_1", "ses_1", "msg_1", "one two ", "streaming"))
    assert say(transcript, "two ", 4) == ""
    assert say(transcript, "three", 8) == "three"
    assert text(transcript) == "one two three"


def test_a_delta_without_a_position_is_always_appended() -> None:
    transcript = growing("ha")
    assert say(transcript, "ha", None) == "ha"
    assert text(transcript) == "haha"


def test_messages_are_ordered_by_creation_after_any_change() -> None:
    transcript = Transcript()
    for name, created in (("b", 2.0), ("d", 4.0), ("a", 1.0), ("c", 2.0)):
        transcript.put_message(message(name, created))
    assert names(transcript) == ["a", "b", "c", "d"]
    transcript.put_message(replace(message("b", 2.0), agent="other"))
    assert [one.agent for one in transcript.ordered()] == ["", "other", "", ""]
    transcript.put_message(message("b", 3.0))
    assert names(transcript) == ["a", "c", "b", "d"]
    transcript.drop_message("c")
    transcript.drop_message("c")
    assert names(transcript) == ["a", "b", "d"]
    assert set(transcript.messages) == {"a", "b", "d"}


def test_queries_on_the_order_are_right_after_every_change() -> None:
    transcript = Transcript()
    assert (transcript.answer_to("p"), transcript.newest_prompt(), transcript.newest_answer()) == (
        None,
        None,
        None,
    )
    first, second = answer("a", 2.0, "p", 10), answer("b", 3.0, "p", 5)
    for one in (second, first, Message("p", "ses", "user", created=1.0), Message("q", "ses", "user", created=4.0)):
        transcript.put_message(one)
    assert transcript.answer_to("p") == second == transcript.newest_answer()
    assert [one.id for one in transcript.prompts_after(1.0)] == ["q"]
    assert [one.id for one in transcript.prompts_after(float("-inf"))] == ["p", "q"]
    assert (transcript.newest_prompt() or first).id == "q"
    assert transcript.usage_totals() == (15, 0.0)
    transcript.put_message(replace(second, parent_id="q", usage=Usage(7)))
    assert (transcript.answer_to("p"), (transcript.answer_to("q") or first).id) == (first, "b")
    assert transcript.usage_totals() == (17, 0.0)
    transcript.put_message(replace(first, created=9.0))
    assert (transcript.answer_to("p") or second).created == 9.0
    assert (transcript.newest_answer() or second).id == "a"
    transcript.drop_message("a")
    assert (transcript.answer_to("p"), transcript.usage_totals()) == (None, (7, 0.0))


def test_a_message_without_a_time_is_first_and_can_be_removed() -> None:
    transcript = Transcript()
    for number in range(4):
        transcript.put_message(message(f"timed {number}", float(number)))
        transcript.put_message(message(f"untimed {number}", 0.0))
    for one in list(transcript.messages.values()):
        transcript.put_message(replace(one, completed=9.0))
    assert names(transcript)[0] == "timed 0"
    assert names(transcript)[-3:] == ["timed 1", "timed 2", "timed 3"]
    for name in list(transcript.messages):
        transcript.drop_message(name)
    assert names(transcript) == []


def test_a_message_has_parts_from_the_first_until_the_last_is_removed() -> None:
    transcript = growing()
    assert (transcript.has_parts("msg_1"), transcript.has_parts("msg_2")) == (True, False)
    transcript.drop_part("msg_1", "prt_1")
    assert not transcript.has_parts("msg_1")


def answer(name: str, created: float, parent_id: str, tokens: int) -> Message:
    return Message(name, "ses", "assistant", created=created, parent_id=parent_id, usage=Usage(tokens))


def message(name: str, created: float) -> Message:
    return Message(name, "ses", "assistant", created=created)


def names(transcript: Transcript) -> list[str]:
    return [one.id for one in transcript.ordered()]


def test_nothing_is_kept_of_what_was_replaced() -> None:
    transcript = Transcript()
    for at in range(3):
        transcript.put_message(
            Message("msg_1", "ses_1", "assistant", parent_id=f"msg_{at}", failure=Failure(f"error {at}"))
        )
        transcript.put_part(ToolPart("prt_1", "ses_1", "msg_1", f"call_{at}", "read", "running"))
    assert (list(transcript._failed), list(transcript._answers)) == (["error 2"], ["msg_2"])
    assert list(transcript._calls) == [("msg_1", "call_2")]
    transcript.drop_message("msg_1")
    assert not transcript._failed
    assert not transcript._answers
    assert not transcript._calls
