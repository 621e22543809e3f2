from tui.core.backoff import BASE, CAP, MAX_RETRY_AFTER, Backoff


def delays(random: float, count: int) -> list[float]:
    backoff = Backoff(lambda: random)
    return [backoff.next() for _ in range(count)]


def test_delays_double_from_half_a_second_to_thirty() -> None:
    assert delays(0.5, 9) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_jitter_is_25_percent_both_ways() -> None:
    assert delays(0.0, 2) == [0.375, 0.75]
    assert delays(1.0, 7)[-1] == CAP * 1.25


def test_reset_starts_again_at_the_base() -> None:
    backoff = Backoff(lambda: 0.5)
    for _ in range(5):
        backoff.next()
    backoff.reset()
    assert backoff.next() == BASE


def test_retry_after_is_honoured_up_to_a_limit() -> None:
    backoff = Backoff(lambda: 0.5)
    assert backoff.next(at_least=20) == 20
    assert backoff.next(at_least=86_400) == MAX_RETRY_AFTER


def test_a_long_outage_does_not_overflow() -> None:
    assert delays(0.5, 5_000)[-1] == CAP
