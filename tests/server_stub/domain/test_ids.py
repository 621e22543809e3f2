import re

from server_stub.domain.ids import Ids
from tests.server_stub.conftest import START, InstantClock


def test_ids_have_opencodes_form(clock: InstantClock) -> None:
    assert re.fullmatch(r"msg_[0-9a-f]{12}[0-9A-Za-z]{14}", Ids(clock).new("msg"))


def test_long_ids_have_mimo_codes_form_and_sort_above_short_ones(clock: InstantClock) -> None:
    ids = Ids(clock, "long")
    message, session = ids.new("msg"), ids.new("ses")
    assert re.fullmatch(rf"msg_g{START * 4096 + 1:016x}[0-9A-Za-z]{{9}}", message)
    assert re.fullmatch(r"ses_ffe[0-9a-f]{13}[0-9A-Za-z]{10}", session)
    assert message > "msg_" + "f" * 26


def test_ids_increase_with_time_and_within_one_millisecond(clock: InstantClock) -> None:
    ids = Ids(clock)
    minted = [ids.new("prt") for _ in range(50)]
    clock.moment += 1
    minted += [ids.new("prt") for _ in range(50)]
    assert minted == sorted(minted)
    assert len(set(minted)) == 100


def test_ids_increase_when_the_clock_is_set_back(clock: InstantClock) -> None:
    ids = Ids(clock)
    before = ids.new("msg")
    clock.moment -= 60_000
    assert ids.new("msg") > before


def test_sessions_sort_newest_first(clock: InstantClock) -> None:
    ids = Ids(clock)
    older = ids.new("ses")
    clock.moment += 1
    assert ids.new("ses") < older
