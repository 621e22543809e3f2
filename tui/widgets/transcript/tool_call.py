"""Widget of a tool call: one line, and its input, output or diff when expanded."""

import json
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace
from textual.content import Content

from tui.core.model import ToolPart
from tui.core.sanitize import single_line
from tui.core.store import ENDED
from tui.widgets.base.format import step_duration
from tui.widgets.base.static_text import ERROR, MUTED, PRIMARY, SUCCESS, WARNING
from tui.widgets.text.blocks import Code, Paragraph, TextBlock, paragraphs
from tui.widgets.text.highlighting import plain_lines
from tui.widgets.transcript.foldable import MAX_SHOWN, NAME, Foldable, Headline, first_lines, more_line

DESCRIPTIVE_INPUTS = ("command", "filePath", "file_path", "path", "pattern", "query", "url", "description")
"""Names of inputs that describe a call, most descriptive first."""


class ToolCall(Foldable):
    """Widget of one tool call. `alive`: a turn works on its message."""

    def __init__(self, part: ToolPart, *, alive: bool = True) -> None:
        super().__init__()
        self.part = part
        self._alive = alive

    def on_mount(self) -> None:
        self.show()

    def show_part(self, part: ToolPart) -> None:
        self.part = part
        self.show()

    def show_alive(self, alive: bool) -> None:
        """Set whether a turn works on the call. A running call without a turn is shown as interrupted."""
        if alive != self._alive:
            self._alive = alive
            self.show()

    def headline(self) -> Headline:
        headline = headline_of(self.part)
        if self._alive or self.part.state in ENDED:
            return headline
        return replace(headline, outcome=Content.styled("! interrupted", WARNING))

    def detail(self) -> list[TextBlock]:
        return detail_of(self.part, self._limit)

    @property
    def is_cut(self) -> bool:
        part = self.part
        texts = (part.diff or _input_text(part), "" if part.diff else part.output, part.error)
        return any(first_lines(text, self._limit)[1] for text in texts)


def headline_of(part: ToolPart) -> Headline:
    """Return the content of the collapsed line."""
    added, removed = _changed_lines(part.diff)
    about = single_line(part.title or _telling(part))
    if part.diff:
        about = f"{about}  +{added} −{removed}"
    return Headline(part.tool, about, _outcome(part))


def detail_of(part: ToolPart, limit: int = MAX_SHOWN) -> list[TextBlock]:
    """Return the detail of the expanded line, at most `limit` lines of each text."""
    pieces: list[TextBlock] = []
    if len(part.tool) > NAME:
        pieces.append(Paragraph(Content.styled(single_line(part.tool), MUTED)))
    if part.diff:
        pieces.append(Code(_cut(part.diff, limit, diff_lines)))
    elif part.input:
        pieces.append(Code(_cut(_input_text(part), limit)))
    if part.error:
        error, more = first_lines(part.error, limit)
        pieces += paragraphs(error, ERROR, gap=1)
        pieces += [Paragraph(more_line(more), gap=0)] if more else []
    if part.output and not part.diff:
        pieces.append(Code(_cut(part.output, limit)))
    return pieces or [Paragraph(Content.styled("nothing to show yet", MUTED))]


def texts_of(part: ToolPart, limit: int) -> Iterator[str]:
    """Yield the text of `detail_of` without layout."""
    if len(part.tool) > NAME:
        yield single_line(part.tool)
    yield first_lines(part.diff or _input_text(part), limit)[0]
    yield first_lines(part.error, limit)[0]
    if not part.diff:
        yield first_lines(part.output, limit)[0]


def _outcome(part: ToolPart) -> Content:
    time = step_duration(part.ended - part.started) if part.ended is not None and part.started is not None else ""
    match part.state:
        case "completed":
            return Content.assemble((time, MUTED), (" ✓ done", SUCCESS))
        case "error":
            glyph, colour = ("✗", ERROR) if part.why == "failed" else ("×", WARNING)
            return Content.assemble((time, MUTED), (f" {glyph} {part.why}", colour))
        case "running":
            return Content.styled("… running", PRIMARY)
        case "pending":
            return Content.styled("· pending", MUTED)


def _telling(part: ToolPart) -> str:
    for name in DESCRIPTIVE_INPUTS:
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
    beginning, more = first_lines(text, limit)
    shown = tuple(draw(beginning))
    return (*shown, more_line(more)) if more else shown


def _changed_lines(diff: str) -> tuple[int, int]:
    text = f"\n{diff}"
    added, removed = text.count("\n+") - text.count("\n+++"), text.count("\n-") - text.count("\n---")
    return added, removed


def diff_lines(diff: str) -> Iterable[Content]:
    for line in diff.rstrip("\n").expandtabs(4).split("\n"):
        if line.startswith(("+++ ", "--- ")):
            yield Content.styled(line, MUTED)
        elif line.startswith("+"):
            yield Content.styled(line, SUCCESS)
        elif line.startswith("-"):
            yield Content.styled(line, ERROR)
        elif line.startswith("@@"):
            yield Content.styled(line, PRIMARY)
        else:
            yield Content(line)
