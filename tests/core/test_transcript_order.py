"""Lookups among many messages and calls: the number of comparisons, and the order."""

import random
from typing import Literal

from tui.core.model import Failure, Message, ToolPart
from tui.core.transcript import Transcript

MANY = 4096


class CountedId(str):
    """An id that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        CountedId.compared += 1
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        CountedId.compared += 1
        return str.__ne__(self, other)

    __hash__ = str.__hash__


def answer(at: int, failure: Failure | None = None) -> Message:
    return Message(CountedId(f"msg_{at}"), "ses_1", "assistant", 1.0, parent_id="msg_p", failure=failure)


def test_messages_of_one_time_are_found_without_a_linear_search() -> None:
    CountedId.compared = 0
    transcript = Transcript()
    for at in range(MANY):
        transcript.put_message(answer(at))
    for at in range(MANY):
        transcript.put_message(answer(at, Failure("over")))
    assert CountedId.compared < 50 * MANY
    assert [message.id for message in transcript.ordered()] == [f"msg_{at}" for at in range(MANY)]


def test_the_order_equals_a_sorted_list_after_any_change() -> None:
    rng, transcript = random.Random(7), Transcript()
    expected: dict[str, tuple[Message, int]] = {}
    for step in range(3000):
        at = rng.randrange(200)
        if rng.random() < 0.2:
            transcript.drop_message(f"msg_{at}")
            expected.pop(f"msg_{at}", None)
            continue
        role: Literal["user", "assistant"] = "user" if rng.random() < 0.3 else "assistant"
        parent = rng.choice(["msg_1", "msg_2"]) if role == "assistant" else None
        failure = Failure("over") if rng.random() < 0.1 else None
        message = Message(f"msg_{at}", "ses_1", role, float(rng.randrange(20)), parent_id=parent, failure=failure)
        known = expected.get(message.id)
        stays = known is not None and (known[0].created, known[0].role, known[0].parent_id) == (
            message.created,
            message.role,
            message.parent_id,
        )
        expected[message.id] = (message, known[1] if known is not None and stays else step)
        transcript.put_message(message)
    order = [one for one, _ in sorted(expected.values(), key=lambda pair: (pair[0].created, pair[1]))]
    assert transcript.ordered() == order
    assert transcript.newest() == order[-1]
    assert [transcript.index(message.id) for message in order] == list(range(len(order)))
    prompts = [message for message in order if message.role == "user"]
    answers = [message for message in order if message.role == "assistant"]
    assert (transcript.newest_prompt(), transcript.newest_answer()) == (prompts[-1], answers[-1])
    assert transcript.prompts_after(9.0) == [message for message in prompts if message.created > 9.0]
    for parent in ("msg_1", "msg_2"):
        assert transcript.answer_to(parent) == [one for one in answers if one.parent_id == parent][-1]
    failed = [message for message in order if message.failure is not None]
    assert transcript.failed_with(Failure("over")) == failed


def test_a_call_is_found_by_id_until_its_part_is_removed() -> None:
    transcript = Transcript()
    for at in range(3):
        transcript.put_part(ToolPart(f"prt_{at}", "ses_1", "msg_1", f"call_{at}", "bash", "running"))
    assert [part.id for part in transcript.calls("msg_1", "call_1")] == ["prt_1"]
    transcript.put_part(ToolPart("prt_1", "ses_1", "msg_1", "call_9", "bash", "running"))
    assert (transcript.calls("msg_1", "call_1"), len(transcript.calls("msg_1", "call_9"))) == ([], 1)
    transcript.drop_part("msg_1", "prt_1")
    transcript.drop_message("msg_1")
    assert all(not transcript.calls("msg_1", f"call_{at}") for at in (0, 9))
