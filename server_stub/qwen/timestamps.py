"""Times as qwen writes them."""

from datetime import UTC, datetime


def iso(milliseconds: int) -> str:
    """Epoch ms as JavaScript's `toISOString` gives them."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
