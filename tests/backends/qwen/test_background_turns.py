"""Turns that the server starts by itself, as recorded from a real one: live, loaded, and from disk."""

import json
from collections.abc import Sequence

import pytest

from tests.backends.daemon import LOAD, NOT_FOUND, daemon, loaded
from tests.backends.feeding import after_handshake
from tests.backends.recording_qwen import recording
from tui.backends.base import PromptLookup
from tui.backends.qwen.session_reducer import picture
from tui.backends.qwen.tool_calls import INCOMPLETE_ANSWER
from tui.core import events as e
from tui.core.model import Busy, Failure, FullMessage, Idle, NotePart, QuestionRequest, TextPart, ToolPart

NOTICE = 'Background agent "general-purpose: look around" completed.'
BEGUN = ["background", "background_failed", "background_overtaken"]


def shown(full: FullMessage) -> list[str]:
    """Texts and notes, the notes with a prefix."""
    found = []
    for part in full.parts:
        match part:
            case TextPart(text=text):
                found.append(text)
            case NotePart(text=text):
                found.append(f"· {text}")
            case _:
                pass
    return found


def restarted(name: str) -> tuple[FullMessage, ...]:
    recorded = recording(name)
    return picture(recorded.session_id, recorded.loaded("restarted")[1])


def own(messages: Sequence[FullMessage]) -> tuple[FullMessage, FullMessage]:
    """The message in place of the prompt of the server's turn, and the answer."""
    prompt, answer = messages[2:4]
    assert "notification" in prompt.message.id
    assert answer.message.parent_id == prompt.message.id
    return prompt, answer


def test_its_report_is_a_note_in_place_of_a_prompt() -> None:
    messages = recording("background").streamed()
    prompt, answer = own(messages)
    assert [full.message.role for full in messages] == ["user", "assistant", "user", "assistant"]
    assert shown(prompt) == [f"· {NOTICE}"]
    assert shown(messages[1]) == ["Working. ", "Launched."]
    assert shown(answer)[0] == "Working. "


def test_it_has_the_servers_start_time() -> None:
    prompt, answer = own(recording("background").streamed())
    assert answer.message.completed is not None
    assert 0 < answer.message.completed - prompt.message.created < 5
    assert own(restarted("background"))[0].message.created == prompt.message.created


def test_it_runs_from_its_first_event_to_its_end() -> None:
    _, events = recording("background").reduce()
    statuses = [event.status for event in events if isinstance(event, e.StatusChanged)]
    assert statuses == [Busy(), Idle(), Busy(), Idle()]
    [at] = [n for n, one in enumerate(events) if isinstance(one, e.MessageUpserted) and "notif" in one.message.id][:1]
    assert isinstance(events[at - 1], e.StatusChanged)


def test_a_question_in_it_is_open_until_answered() -> None:
    _, events = recording("background").reduce()
    asked = [one.request for one in events if isinstance(one, e.RequestOpened)]
    [question] = [one for one in asked if isinstance(one, QuestionRequest)]
    _, answer = own(recording("background").streamed())
    assert question.message_id == answer.message.id
    assert e.QuestionAnswered(question.session_id, question.id, (("SQLite",),)) in events


@pytest.mark.parametrize("name", BEGUN)
def test_from_disk_it_has_the_same_position_and_no_author(name: str) -> None:
    live, stored = own(recording(name).streamed())[0], own(restarted(name))[0]
    assert stored == live


def test_a_prompt_that_interrupts_it_is_answered_and_it_is_aborted() -> None:
    reducer, events = recording("background_overtaken").reduce()
    messages = recording("background_overtaken").streamed()
    _, answer = own(messages)
    [call] = [part for part in answer.parts if isinstance(part, ToolPart)]
    assert (answer.message.failure, call.state) == (Failure("aborted", "aborted"), "error")
    assert len(messages) == 6
    assert (messages[5].message.final, messages[5].message.failure) == (True, None)
    assert not reducer.open
    assert [one.status for one in events if isinstance(one, e.StatusChanged)][2:] == [Busy(), Busy(), Idle()]


def test_an_interrupted_one_without_an_end_ends_with_the_prompt() -> None:
    messages = restarted("background_overtaken")
    assert own(messages)[1].message.failure == INCOMPLETE_ANSWER
    assert (messages[5].message.final, messages[5].message.failure) == (True, None)


def test_an_error_in_it_ends_it() -> None:
    _, answer = own(recording("background_failed").streamed())
    assert answer.message.failure == Failure("scripted 400", "provider", 400)
    assert not answer.parts


def test_a_report_during_a_turn_is_a_note_in_its_answer() -> None:
    live, stored = recording("background_within").streamed(), restarted("background_within")
    for messages in (live, stored):
        assert [full.message.role for full in messages] == ["user", "assistant"]
        [before, words, note, after] = shown(messages[1])
        assert (before, note, after[:5]) == ("Working. ", f"· {NOTICE}", "Done.")
        assert words == "".join(f"l{n} " for n in range(40))


async def test_it_can_be_looked_up() -> None:
    """The server has no route for its id, but returns it with the session (measured)."""
    replay = recording("background").loads["end"]["compactedReplay"]
    turn_id = next(raw["promptId"] for raw in replay if "notification" in raw.get("promptId", ""))
    plain = json.loads(json.dumps(replay).replace(turn_id, "p9"))
    async with daemon(**{"GET /session/s1/turns/p9": NOT_FOUND, LOAD: loaded(*plain, last=99)}) as (_, http):
        backend = await after_handshake(http)
        assert await backend.look_up("s1", "p9") == PromptLookup(stored=True)
