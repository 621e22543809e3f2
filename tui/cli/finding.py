"""The result of one check of `holdfast doctor`."""

from typing import Literal

import msgspec

from tui.core.sanitize import single_line

Verdict = Literal["good", "bad", "unknown"]


class CheckResult(msgspec.Struct, frozen=True):
    """What was checked, the verdict, what was found, and a hint if the verdict is not good."""

    what: str
    verdict: Verdict
    found: str
    hint: str = ""

    def line(self) -> str:
        glyph = {"good": "✓", "bad": "✗", "unknown": "?"}[self.verdict]
        hint = f"\n    {single_line(self.hint)}" if self.hint else ""
        return f"{glyph} {self.what:<14} {single_line(self.found)}{hint}"
