"""Timestamps in qwen's format."""

from datetime import UTC, datetime


def iso(milliseconds: int) -> str:
    """Epoch ms in the format of JavaScript's `toISOString`."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
