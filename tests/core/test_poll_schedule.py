"""When a turn is polled."""

from tui.core.poll_schedule import POLL_DELAYS, UNKNOWN_POLL_MAX, PollSchedule

TICK = 0.5


def polls(schedule: PollSchedule, first: float, last: float) -> list[float]:
    """The ticks of these seconds at which a poll is due."""
    ticks = (first + TICK * number for number in range(int((last - first) / TICK)))
    return [now for now in ticks if schedule.due(now, False, 0.0)]


def test_polls_for_a_prompt_that_is_never_shown_become_rare() -> None:
    schedule = PollSchedule()
    schedule.post_failed(100.0)
    due = polls(schedule, 100.0, 700.0)
    assert due[: len(POLL_DELAYS) - 1] == [100.5, 101.0, 102.0, 103.5, 105.0]
    assert len(due) < 70
    assert due[-1] - due[-2] == UNKNOWN_POLL_MAX


def test_polls_that_were_due_while_the_process_was_suspended_are_not_made_up_for() -> None:
    schedule = PollSchedule()
    schedule.post_failed(100.0)
    assert polls(schedule, 3_700.0, 3_720.0) == [3_700.0, 3_710.0]
