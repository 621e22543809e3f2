"""What the scripted agent plays: which words in a prompt choose which script.

The words of a scripted model that real servers are tested with keep their meaning here.
"""

import re
from typing import Any

from server_stub.turn import Script, Turn

Json = dict[str, Any]

DATABASE: Json = {
    "question": "Which database?",
    "header": "DB",
    "options": [
        {"label": "Postgres", "description": "relational"},
        {"label": "SQLite", "description": "embedded"},
    ],
    "multiple": False,
}
FEATURES: Json = {
    "question": "Which features?",
    "header": "Feat",
    "options": [
        {"label": "auth", "description": "logins"},
        {"label": "search", "description": "full text"},
    ],
    "multiple": True,
}


async def plain(turn: Turn) -> None:
    await turn.say("Done. Nothing to call, **all** is well.")


def asking(*questions: Json) -> Script:
    async def ask(turn: Turn) -> None:
        await turn.say("Working. ")
        answers = await turn.ask(*questions)
        await turn.say(f"Done. You said: {'; '.join(', '.join(answer) or 'nothing' for answer in answers)}.")

    return ask


def choose(text: str, default: str) -> Script:
    if re.search(r"\bASK1\b", text):
        return asking(DATABASE)
    if re.search(r"\bASK\b", text):
        return asking(DATABASE, FEATURES)
    return plain
