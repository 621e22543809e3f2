"""A tool call in one line; its input, output or diff when it is unfolded."""

import json
from collections.abc import Callable, Iterable
from typing import ClassVar

from msgspec.structs import replace
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content

from tui.core.model import ToolPart
from tui.core.store import ENDED
from tui.widgets.base.format import took
from tui.widgets.base.static_text import MUTED
from tui.widgets.text.blocks import Code, Paragraph, Piece
from tui.widgets.text.highlighting import plain_lines
from tui.widgets.transcript.foldable import NAME, Fold, Headline

SHOWN_AT_MOST = 400
"""Lines of an output; the rest is counted, and shown where more is asked for..."""
MORE = 2_000
"""...so many lines at a time."""

TELLING = ("command", "filePath", "file_path", "path", "pattern", "query", "url", "description")
"""Names of inputs that say what a call is about, the most telling first."""


class ToolCall(Fold):
    """One tool call. `alive`: a turn works on its message."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("m", "more", "more of a long output", show=False)]

    def __init__(self, part: ToolPart, *, alive: bool = True) -> None:
        super().__init__()
        self.part = part
        self._alive = alive
        self._limit = SHOWN_AT_MOST

    def on_mount(self) -> None:
        self.show()

    def show_part(self, part: ToolPart) -> None:
        self.part = part
        self.show()

    def show_alive(self, alive: bool) -> None:
        """A call that the server has as running, and that no turn works on, was interrupted."""
        if alive != self._alive:
            self._alive = alive
            self.show()

    def headline(self) -> Headline:
        headline = headline_of(self.part)
        if self._alive or self.part.state in ENDED:
            return headline
        return replace(headline, outcome=Content.styled("! interrupted", "$warning"))

    def detail(self) -> list[Piece]:
        return detail_of(self.part, self._limit)

    def on_click(self, event: events.Click) -> None:
        """On the last line of what was cut: more of it. The line that opens is `Fold`'s."""
        if self._detail is not None and event.screen_offset.y == self._detail.region.bottom - 1 and self._is_cut:
            event.stop()
            self.action_more()

    @property
    def _is_cut(self) -> bool:
        text = self.part.diff or self.part.output or _input_text(self.part)
        return text.rstrip("\n").count("\n") >= self._limit

    def action_more(self) -> None:
        self.show_more()

    def show_more(self) -> bool:
        """Show more of what was cut; false where nothing is."""
        if not self.unfolded or not self._is_cut:
            return False
        self._limit += MORE
        self.show()
        return True


def headline_of(part: ToolPart) -> Headline:
    """What stands in the one line."""
    added, removed = _changed_lines(part.diff)
    about = part.title or _telling(part)
    if part.diff:
        about = f"{about}  +{added} −{removed}"
    return Headline(part.tool, about, _outcome(part))


def detail_of(part: ToolPart, limit: int = SHOWN_AT_MOST) -> list[Piece]:
    """What stands under it once it is unfolded, each part of it `limit` lines long at most."""
    pieces: list[Piece] = []
    if len(part.tool) > NAME:
        pieces.append(Paragraph(Content.styled(part.tool, MUTED)))
    if part.diff:
        pieces.append(Code(_cut(part.diff, limit, diff_lines)))
    elif part.input:
        pieces.append(Code(_cut(_input_text(part), limit)))
    if part.error:
        pieces.append(Paragraph(Content.styled(part.error, "$error")))
    if part.output and not part.diff:
        pieces.append(Code(_cut(part.output, limit)))
    return pieces or [Paragraph(Content.styled("nothing to show yet", MUTED))]


def _outcome(part: ToolPart) -> Content:
    time = took(part.ended - part.started) if part.ended is not None and part.started is not None else ""
    match part.state:
        case "completed":
            return Content.assemble((time, MUTED), (" ✓ done", "$success"))
        case "error":
            glyph, colour = ("✗", "$error") if part.why == "failed" else ("×", "$warning")
            return Content.assemble((time, MUTED), (f" {glyph} {part.why}", colour))
        case "running":
            return Content.styled("… running", "$primary")
        case "pending":
            return Content.styled("· pending", MUTED)


def _telling(part: ToolPart) -> str:
    for name in TELLING:
        value = part.input.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _input_text(part: ToolPart) -> str:
    command = part.input.get("command")
    if isinstance(command, str):
        return f"$ {command}"
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)}"
        for name, value in part.input.items()
    )


def _cut(text: str, limit: int, draw: Callable[[str], Iterable[Content]] = plain_lines) -> tuple[Content, ...]:
    lines = text.rstrip("\n").expandtabs(4).split("\n")
    shown = tuple(draw("\n".join(lines[:limit])))
    left = len(lines) - limit
    if left <= 0:
        return shown
    count = "1 more line" if left == 1 else f"{left} more lines"
    more = Content.styled(f"… {count} · m shows more", MUTED)
    return (*shown, more)


def _changed_lines(diff: str) -> tuple[int, int]:
    lines = [line for line in diff.split("\n") if not line.startswith(("+++", "---"))]
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)


def diff_lines(diff: str) -> Iterable[Content]:
    for line in diff.rstrip("\n").expandtabs(4).split("\n"):
        if line.startswith(("+++ ", "--- ")):
            yield Content.styled(line, MUTED)
        elif line.startswith("+"):
            yield Content.styled(line, "$success")
        elif line.startswith("-"):
            yield Content.styled(line, "$error")
        elif line.startswith("@@"):
            yield Content.styled(line, "$primary")
        else:
            yield Content(line)
