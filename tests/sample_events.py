"""A small conversation for tests and screenshots: one session, a prompt, and an unfinished answer."""

from tui.core import events as e
from tui.core.model import (
    Busy,
    Message,
    Option,
    PermissionRequest,
    Question,
    QuestionRequest,
    ReasoningPart,
    Session,
    TextPart,
    ToolPart,
)

SESSION = "ses_1"
PROMPT = "msg_1"
ANSWER = "msg_2"

DIFF = """--- src/store.py
+++ src/store.py
@@ -1,3 +1,4 @@
 import json
+import sqlite3
-x = 1
+x = 2
"""


def session(session_id: str = SESSION, title: str = "Move the store to SQLite", updated: float = 0.0) -> Session:
    return Session(session_id, title, directory="/src/holdall", updated=updated)


def child(session_id: str, parent_id: str = SESSION, title: str = "Look around") -> Session:
    return Session(session_id, title, directory="/src/holdall", parent_id=parent_id)


def asked_in(session_id: str, request_id: str = "que_9", text: str = "Which port?") -> QuestionRequest:
    """A question of one step in any session."""
    return QuestionRequest(request_id, session_id, (Question(text, "Port", (Option("4096"), Option("8080"))),))


def prompt(text: str = "Move the session store to SQLite.") -> list[e.Event]:
    return [
        e.MessageUpserted(Message(PROMPT, SESSION, "user", created=1.0)),
        e.PartUpserted(TextPart("prt_1", SESSION, PROMPT, text)),
    ]


def answer_begins() -> e.Event:
    return e.MessageUpserted(Message(ANSWER, SESSION, "assistant", created=2.0, parent_id=PROMPT, agent="build"))


def text(words: str, part_id: str = "prt_2", state: str = "done") -> e.Event:
    return e.PartUpserted(TextPart(part_id, SESSION, ANSWER, words, state))  # type: ignore[arg-type]


def delta(words: str, part_id: str = "prt_2") -> e.Event:
    return e.TextDelta(SESSION, ANSWER, part_id, words)


def tool(part_id: str = "prt_t", tool: str = "bash", state: str = "completed", **more: object) -> e.Event:
    fields: dict[str, object] = {
        "title": "pytest -q tests/store",
        "output": "12 passed",
        "started": 1.0,
        "ended": 9.4,
    }
    fields |= more
    return e.PartUpserted(ToolPart(part_id, SESSION, ANSWER, f"call_{part_id}", tool, state, **fields))  # type: ignore[arg-type]


def at_work() -> list[e.Event]:
    """An unfinished turn: reasoning, text, three tool calls."""
    return [
        e.StatusChanged(SESSION, Busy()),
        *prompt(),
        answer_begins(),
        e.PartUpserted(ReasoningPart("prt_0", SESSION, ANSWER, "The store rewrites one JSON file at each save.")),
        text("I'll look at the **store** first, then at whoever calls it:\n\n- `src/store.py`\n- its tests"),
        tool("prt_3", "read", title="src/store.py", ended=1.1, input={"filePath": "src/store.py"}),
        tool("prt_4", "bash", input={"command": "pytest -q tests/store"}),
        tool("prt_5", "edit", title="src/store.py", ended=1.2, diff=DIFF),
    ]


CHOICES = QuestionRequest(
    "que_1",
    SESSION,
    (
        Question(
            "Where shall the sessions live?",
            "Store",
            (
                Option("SQLite", "one file, atomic writes, nothing to install"),
                Option("Postgres", "shared by several machines, needs a server"),
            ),
        ),
        Question(
            "What shall come with it?",
            "Extras",
            (Option("Migration", "carry over the JSON files"), Option("Expiry", "drop sessions after 30 days")),
            multiple=True,
        ),
    ),
)

ONE_CHOICE = QuestionRequest(
    "que_2",
    SESSION,
    (Question("May I change the callers?", "Callers", (Option("Change them"), Option("Leave them")), custom=False),),
)

PERMISSION = PermissionRequest(
    "per_1", SESSION, "bash", ("pytest -q tests/store",), ("pytest *",), "pytest -q tests/store\nmake check"
)
