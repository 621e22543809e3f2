"""The smallest Textual application that changes one line each second, for comparison with an idle client."""

from itertools import count

from textual.app import App, ComposeResult
from textual.widgets import Static


class TickingApp(App[None]):
    CSS = "Static { height: 1; }"

    def compose(self) -> ComposeResult:
        self._seconds = count()
        self._line = Static()
        yield self._line

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        self._line.update(f"second {next(self._seconds)}", layout=False)


if __name__ == "__main__":
    TickingApp().run()
