"""Runs the program of `[notify] exec` for what a user who is away is told, as `holdfast watch --exec` does."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.config.display import NotifySettings
from tui.core.changes import Change

if TYPE_CHECKING:
    from tui.api.alerts import AlertFeed
    from tui.api.hook_runner import HookRunner
    from tui.client.client import Client

MAX_REASONS = 20
"""How many different failures are shown; the log has all."""


class AlertHook:
    """Does nothing without a program. `on_failure` is called once for each reason why the program failed."""

    def __init__(self, client: "Client", settings: NotifySettings, *, on_failure: Callable[[str], None]) -> None:
        self._feed: AlertFeed | None = None
        self._runner: HookRunner | None = None
        self._on_failure = on_failure
        self._reasons: set[str] = set()
        if settings.exec and settings.when != "never":
            from tui.api import alerts, hook_runner  # only few users have a program

            self._runner = hook_runner.HookRunner(settings.exec, on_failure=self._failed)
            self._feed = alerts.AlertFeed(client, self._runner.submit)

    @property
    def is_off(self) -> bool:
        return self._feed is None

    def on_change(self, change: Change) -> None:
        if self._feed is not None:
            self._feed.on_change(change)

    async def close(self) -> None:
        """Kill what runs; what waits is not run."""
        if self._feed is not None and self._runner is not None:
            self._feed.close()
            await self._runner.close()

    def _failed(self, reason: str) -> None:
        if reason not in self._reasons and len(self._reasons) < MAX_REASONS:
            self._reasons.add(reason)
            self._on_failure(f"[notify] exec: {reason}")
