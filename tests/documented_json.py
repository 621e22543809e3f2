"""Generates docs/json.schema.json, and the table of exit codes. `make docs` writes them; a test compares them."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from tui.api.alerts import Alert
from tui.api.values import AnswerOutcome, Event, PendingRequest, Result
from tui.cli.exit_codes import ExitCode
from tui.cli.pending import PendingList

ROOT = Path(__file__).parents[1]
SCHEMA, COMMANDS_MD = ROOT / "docs/json.schema.json", ROOT / "docs/commands.md"
CODES = re.compile(r"(?<=## Exit codes\n\n).*?(?=\n\n)", re.DOTALL)


def schema() -> dict[str, Any]:
    """The JSON Schema of all that the commands print as JSON."""
    kinds = (Event, Result, PendingRequest, PendingList, AnswerOutcome, Alert)
    tops, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "JSON of the commands of Holdfast, version 1",
        "anyOf": list(tops),
        "$defs": components,
    }


def schema_text() -> str:
    return json.dumps(schema(), indent=1) + "\n"


def exit_codes() -> str:
    """The table of exit codes."""
    return "\n".join(("| | |", "|---|---|", *(f"| {int(code)} | {code.text} |" for code in ExitCode)))


if __name__ == "__main__":
    SCHEMA.write_text(schema_text())
    COMMANDS_MD.write_text(CODES.sub(lambda _: exit_codes(), COMMANDS_MD.read_text()))
