"""One thing that `holdfast doctor` looked at, with a verdict and, where it is not good, a remedy."""

from typing import Literal

import msgspec

from tui.core.sanitize import single_line

Verdict = Literal["good", "bad", "unknown"]


class CheckResult(msgspec.Struct, frozen=True):
    """What was looked at, what was found, and what to do where that is not good."""

    what: str
    verdict: Verdict
    found: str
    hint: str = ""

    def line(self) -> str:
        glyph = {"good": "✓", "bad": "✗", "unknown": "?"}[self.verdict]
        hint = f"\n    {single_line(self.hint)}" if self.hint else ""
        return f"{glyph} {self.what:<14} {single_line(self.found)}{hint}"
