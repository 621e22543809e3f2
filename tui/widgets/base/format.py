"""Short formats for durations and ordinals."""


def clock(seconds: float) -> str:
    """Format a running time: `0:07`, `12:04`, `1:02:03`."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def span(seconds: float) -> str:
    """Format a duration in its largest unit: `4s`, `3 min`, `2 h`, `5 d`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h"
    return f"{whole // 86400} d"


def step_duration(seconds: float) -> str:
    """Format the duration of a step: `0.1s`, `8.4s`, `12:04`."""
    return f"{max(0.0, seconds):.1f}s" if seconds < 60 else clock(seconds)


def ordinal(number: int) -> str:
    """Format an ordinal: `1st`, `2nd`, `3rd`, `4th`, `11th`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
