"""A schedule depends only on its seed."""

from tests.chaos.schedule import draw, draw_for_real

NAMES = ("zero", "one")


def test_a_seed_determines_the_schedule() -> None:
    assert draw(7, NAMES) == draw(7, NAMES)
    assert draw(7, NAMES) != draw(8, NAMES)
    assert draw_for_real(7, "one") == draw_for_real(7, "one")


def test_a_schedule_prints_its_seed_and_steps() -> None:
    schedule = draw(7, NAMES)
    words = str(schedule)
    assert "schedule 7, profile one," in words
    assert len(words.splitlines()) == 1 + len(schedule.steps)


def test_profiles_alternate_and_change_nothing_else() -> None:
    drawn = [draw(seed, NAMES) for seed in range(4)]
    assert [schedule.profile for schedule in drawn] == ["zero", "one", "zero", "one"]
    assert draw(7, ("other",)).steps == draw(7, NAMES).steps
