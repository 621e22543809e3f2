"""Ids of prompts for a server that decides by their order."""

import re
from collections.abc import Callable

import pytest

from tests.fake_time import FakeTime
from tui.backends.opencode.message_ids import CLOCK_LAG, DATE_STEP, SHORT, Ids
from tui.core.model import Message

NOW = 1_795_851_846.322
"""Epoch seconds; the time of the ids below."""
LONG = re.compile(r"(?:msg|prt)_g([0-9a-f]{16})[0-9A-Za-z]{9}")
SHORT_FORM = re.compile(r"(?:msg|prt)_([0-9a-f]{12})[0-9A-Za-z]{14}")
ANSWER = "msg_g001a2211c839a001dbtdp4j4y"
"""An id of MiMo Code 0.1.15, generated at `NOW` + 0.232 s."""


def message(message_id: str, created: float, role: str = "assistant", session_id: str = "ses_1") -> Message:
    return Message(message_id, session_id, "user" if role == "user" else "assistant", created=created)


def long_id(at: float) -> str:
    return f"msg_g{int(at * 1000) * 4096:016x}{'A' * 9}"


def short_id(at: float) -> str:
    return f"msg_{int(at * 1000) * 4096 % SHORT:012x}{'A' * 14}"


def seconds(one: str) -> float:
    found = LONG.fullmatch(one) or SHORT_FORM.fullmatch(one)
    assert found is not None, one
    return int(found[1], 16) / 4096 / 1000


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def ids(time: FakeTime) -> Ids:
    ids = Ids(wall=lambda: NOW + 3600, mono=time.mono)  # the client's clock is an hour ahead
    ids.dated(float(int(NOW)))
    return ids


def test_the_form_is_learned_from_the_servers_answers(ids: Ids) -> None:
    assert SHORT_FORM.fullmatch(ids.new("ses_1")[0])
    ids.saw(message(ANSWER, NOW + 0.232))
    for one in (*ids.new("ses_1"), *ids.new("ses_other")):
        assert LONG.fullmatch(one)
    ids.saw(message(short_id(NOW + 9), NOW + 9, session_id="ses_new"))  # the server now has another version
    assert SHORT_FORM.fullmatch(ids.new("ses_new")[0])
    assert LONG.fullmatch(ids.new("ses_1")[0])  # all short ids sort below the existing ones


def test_ids_are_above_the_newest_answer_and_not_in_the_servers_future(ids: Ids) -> None:
    ids.saw(message(ANSWER, NOW + 0.232))
    minted = [one for _ in range(50) for one in ids.new("ses_1")]
    assert all(one > ANSWER.replace("msg", one[:3]) for one in minted)
    assert [one[4:] for one in minted] == sorted(one[4:] for one in minted)
    assert all(seconds(one) <= NOW + 0.233 for one in minted)


@pytest.mark.parametrize("form", [long_id, short_id])
def test_a_prompt_id_of_a_client_with_a_clock_ahead_is_capped(ids: Ids, form: Callable[[float], str]) -> None:
    ids.saw(message(form(NOW), NOW))
    ids.saw(message(form(NOW + 3600), NOW + 1, "user"))
    assert seconds(ids.new("ses_1")[0]) == pytest.approx(seconds(form(NOW + 1)), abs=0.01)


async def test_ids_advance_with_the_servers_time(ids: Ids, time: FakeTime) -> None:
    ids.saw(message(ANSWER, NOW + 0.232))
    await time.advance(60.0)
    assert seconds(ids.new("ses_1")[0]) == pytest.approx(NOW + 60.232, abs=0.01)


@pytest.mark.parametrize("seconds_later", [-3600, -20, 20, 3600])
def test_ids_follow_a_server_clock_that_was_set(ids: Ids, seconds_later: int) -> None:
    ids.saw(message(ANSWER, NOW + 0.232))
    ids.dated(float(int(NOW + seconds_later)))
    ids.saw(message(ANSWER, NOW + 0.232))
    assert seconds(ids.new("ses_other")[0]) == pytest.approx(NOW + seconds_later, abs=1.4)


def test_ids_lag_behind_if_the_servers_time_is_unknown() -> None:
    ids = Ids(wall=lambda: NOW, mono=lambda: 5.0)
    ids.saw(message("no id of any known form", NOW + 50))
    assert seconds(ids.new("ses_1")[0]) == pytest.approx((NOW - CLOCK_LAG) % (2**36 / 1000), abs=0.01)


def test_the_short_form_wraps_around_every_795_days() -> None:
    turn = 27 * 2**36 / 1000
    ids = Ids(wall=lambda: turn, mono=lambda: 0.0)
    ids.saw(message(short_id(turn - 0.01), turn - 0.01))
    before = ids.new("ses_1")[0]
    ids.saw(message(short_id(turn + 1), turn + 1))
    after = ids.new("ses_1")[0]
    assert before > short_id(turn - 0.01)
    assert after > short_id(turn + 1)
    assert seconds(after) < 2


@pytest.mark.parametrize("created", [0.0, 0.0001])
def test_ids_are_above_those_of_messages_without_a_valid_time(ids: Ids, created: float) -> None:
    ids.dated(NOW)
    ids.saw(message(ANSWER, created))
    first, _ = ids.new("ses_1")
    assert LONG.fullmatch(first)
    assert first > ANSWER
    assert seconds(first) < NOW + 2 * DATE_STEP
    other = Ids(wall=lambda: NOW + 5, mono=lambda: 5.0)
    other.dated(NOW + 5)
    other.saw(message(short_id(NOW + 4), created))
    assert short_id(NOW + 4) < other.new("ses_1")[0]
