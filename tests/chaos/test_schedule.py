"""A schedule is its seed and nothing else."""

from tests.chaos.schedule import draw, draw_for_real


def test_a_seed_always_draws_the_same_schedule() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert draw_for_real(7) == draw_for_real(7)


def test_a_schedule_prints_its_seed_and_every_step() -> None:
    schedule = draw(7)
    words = str(schedule)
    assert "schedule 7," in words
    assert len(words.splitlines()) == 1 + len(schedule.steps)
