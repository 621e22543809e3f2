"""A tool call in one line; its input, output or diff when it is unfolded."""

import json
from collections.abc import Iterable

from textual.content import Content

from tui.core.model import ToolPart
from tui.widgets.duration import took
from tui.widgets.fold import Fold, Headline
from tui.widgets.markdown import code_lines
from tui.widgets.pieces import Code, Paragraph, Piece
from tui.widgets.plain import MUTED

SHOWN_AT_MOST = 400
"""Lines of an output; the rest is counted."""

TELLING = ("command", "filePath", "file_path", "path", "pattern", "query", "url", "description")
"""Names of inputs that say what a call is about, the most telling first."""


class ToolCall(Fold):
    """One tool call."""

    def __init__(self, part: ToolPart) -> None:
        super().__init__()
        self.part = part
        self.set_class(part.state == "error", "failed")

    def on_mount(self) -> None:
        self.show()

    def show_part(self, part: ToolPart) -> None:
        self.part = part
        self.show()

    def headline(self) -> Headline:
        return headline_of(self.part)

    def detail(self) -> list[Piece]:
        return detail_of(self.part)


def headline_of(part: ToolPart) -> Headline:
    """What stands in the one line."""
    added, removed = _changed_lines(part.diff)
    about = part.title or _telling(part)
    if part.diff:
        about = f"{about}  +{added} −{removed}"
    return Headline(part.tool, about, _outcome(part))


def detail_of(part: ToolPart) -> list[Piece]:
    """What stands under it once it is unfolded."""
    pieces: list[Piece] = []
    if part.diff:
        pieces.append(Code(tuple(diff_lines(part.diff))))
    elif part.input:
        pieces.append(Code(_shortened(_input_text(part))))
    if part.error:
        pieces.append(Paragraph(Content.styled(part.error, "$error")))
    if part.output and not part.diff:
        pieces.append(Code(_shortened(part.output)))
    return pieces or [Paragraph(Content.styled("nothing to show yet", MUTED))]


def _outcome(part: ToolPart) -> Content:
    time = took(part.ended - part.started) if part.ended is not None and part.started is not None else ""
    match part.state:
        case "completed":
            return Content.assemble((time, MUTED), (" ✓", "$success"))
        case "error":
            return Content.assemble((time, MUTED), (" ✗ failed", "$error"))
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


def _shortened(text: str) -> tuple[Content, ...]:
    lines = text.rstrip("\n").expandtabs(4).split("\n")
    shown = code_lines("\n".join(lines[:SHOWN_AT_MOST]), "")
    if len(lines) > SHOWN_AT_MOST:
        return (*shown, Content.styled(f"… {len(lines) - SHOWN_AT_MOST} more lines", MUTED))
    return shown


def _changed_lines(diff: str) -> tuple[int, int]:
    lines = [line for line in diff.split("\n") if not line.startswith(("+++", "---"))]
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)


def diff_lines(diff: str) -> Iterable[Content]:
    for line in diff.rstrip("\n").expandtabs(4).split("\n")[:SHOWN_AT_MOST]:
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
