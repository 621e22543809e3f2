"""The tour: most features of an agent's turn, in about two minutes plus the time for answers."""

from collections.abc import Mapping
from typing import Any

from server_stub.domain.json_encoding import Json
from server_stub.domain.scripted_turn import ScriptedTurn

STORE = "src/holdall/store.py"
MIGRATION = "src/holdall/migration.py"
SYNC = "src/holdall/sync.py"

SOURCE = """1: import json
2: from pathlib import Path
3:
4: class SessionStore:
5:     def __init__(self, path: Path) -> None:
6:         self._path = path
7:         self._sessions = json.loads(path.read_text()) if path.exists() else {}
8:
9:     def save(self, key: str, value: dict) -> None:
10:         self._sessions[key] = value
11:         self._path.write_text(json.dumps(self._sessions))"""

SQLITE = f"""--- {STORE}
+++ {STORE}
@@ -1,11 +1,14 @@
 import json
+import sqlite3
 from pathlib import Path

 class SessionStore:
     def __init__(self, path: Path) -> None:
-        self._path = path
-        self._sessions = json.loads(path.read_text()) if path.exists() else {{}}
+        self._db = sqlite3.connect(path)
+        self._db.execute("PRAGMA journal_mode = WAL")
+        self._db.execute("CREATE TABLE IF NOT EXISTS %(table)s (key TEXT PRIMARY KEY, value TEXT)")

     def save(self, key: str, value: dict) -> None:
-        self._sessions[key] = value
-        self._path.write_text(json.dumps(self._sessions))
+        with self._db:
+            self._db.execute("REPLACE INTO %(table)s VALUES (?, ?)", (key, json.dumps(value)))
"""
POSTGRES = f"""--- {STORE}
+++ {STORE}
@@ -1,11 +1,13 @@
 import json
+import psycopg

 class SessionStore:
-    def __init__(self, path: Path) -> None:
-        self._path = path
-        self._sessions = json.loads(path.read_text()) if path.exists() else {{}}
+    def __init__(self, url: str) -> None:
+        self._db = psycopg.connect(url, autocommit=True)

     def save(self, key: str, value: dict) -> None:
-        self._sessions[key] = value
-        self._path.write_text(json.dumps(self._sessions))
+        self._db.execute("INSERT INTO %(table)s VALUES (%%s, %%s)", (key, json.dumps(value)))
"""
JSON = f"""--- {STORE}
+++ {STORE}
@@ -9,3 +9,5 @@
     def save(self, key: str, value: dict) -> None:
         self._sessions[key] = value
-        self._path.write_text(json.dumps(self._sessions))
+        written = self._path.with_suffix(".new")
+        written.write_text(json.dumps(self._sessions))
+        written.replace(self._path)
"""
STORES: dict[str, tuple[str, str, tuple[str, str, str]]] = {
    "SQLite (recommended)": ("SQLite", SQLITE, ("one row, 0.6 ms", "old row stays", "both are kept")),
    "Postgres": ("Postgres", POSTGRES, ("one row, 2.1 ms", "old row stays", "both are kept")),
    "Keep JSON": ("JSON", JSON, ("whole file, 43 ms", "old file stays", "last one wins")),
}
"""By answer: the store's name, the patch, and the effects of a write, a kill and two processes."""


def question(text: str, header: str, options: Mapping[str, str], **more: bool) -> Json:
    """A question as the agent asks it; `options`: descriptions by label."""
    listed = [{"label": label, "description": about} for label, about in options.items()]
    return {"question": text, "header": header, "options": listed, **more}


CHOICES = [
    question(
        "Where shall the sessions live?",
        "Store",
        {
            "SQLite (recommended)": "one file, atomic writes, nothing to install",
            "Postgres": "shared by several machines, needs a server",
            "Keep JSON": "only make the write atomic",
        },
        multiple=False,
    ),
    question(
        "What shall come with it?",
        "Extras",
        {
            "Migration": "carry over the JSON files that exist",
            "Expiry": "drop sessions after 30 days",
            "Benchmark": "writes a second, before and after",
        },
        multiple=True,
    ),
    question("How shall the new table be called?", "Table", {}),
]
CALLERS = question(
    "Three callers use the private attribute `_sessions`. May I change them?",
    "Callers",
    {"Change them": "3 files, 5 lines", "Leave them": "I add a property that still answers"},
    multiple=False,
    custom=False,
)
OLD_FILE = question(
    "What shall become of the old `sessions.json`?",
    "Old file",
    {"Set it aside": "renamed to sessions.json.migrated", "Leave it": "it is not read again"},
    multiple=False,
)

TESTS = [
    "============================= test session starts ==============================",
    "collected 9 items",
    "",
    "tests/test_store.py ......                                               [ 66%]",
    "tests/test_migration.py ...                                              [100%]",
    "",
    "============================== 9 passed in 1.84s ===============================",
]

KEEP_CALLERS = "Leave them"


async def tour(turn: ScriptedTurn) -> None:
    await turn.think(
        "The store keeps every session in one JSON file and rewrites it whole at each save. A crash in the middle "
        "of a write loses all of them. I should look at the file and at who calls it before I propose anything.",
        rate=10,
    )
    await turn.stream_words("I'll look at the store first, then at whoever calls it.\n", rate=7)
    steps = ["Read the store and its callers", "Change the store", "Carry over the JSON file", "Run the tests"]
    await turn.plan(_todos(steps, done=0))
    await turn.use("read", {"filePath": STORE}, SOURCE, STORE, seconds=3)
    callers = "src/holdall/web.py:41\nsrc/holdall/cli.py:88\nsrc/holdall/sync.py:12"
    await turn.use("grep", {"pattern": r"_sessions\b"}, callers, "_sessions", {"matches": 3}, seconds=4)

    await turn.stream_words(
        "Every save rewrites the whole file: that is slow, and a crash in mid-write loses **every** session. "
        "There is more than one good way out, so three questions before I touch anything.\n",
        rate=7,
    )
    choices = [*await turn.ask(*CHOICES), [], [], []]
    where, extras, table = _first(choices[0], "SQLite (recommended)"), choices[1], _first(choices[2], "session")
    if where not in STORES:
        await turn.stream_words(f"{where}: this tour has no change for that, and plays the one for SQLite.\n", rate=7)
    name, patch, _ = STORES.get(where, STORES["SQLite (recommended)"])
    migrates = "Migration" in extras and name != "JSON"
    steps = [step for step in steps if migrates or not step.startswith("Carry")]
    await turn.stream_words(f"{name} it is. A subagent looks at the callers while I plan the change.\n", rate=7)
    await turn.plan(_todos(steps, done=1))
    await turn.delegate("Check the callers", f"Who depends on the inside of {STORE}?", check_callers)

    await turn.think(
        "The callers are clear. The change stays inside one class, so its methods keep their names.", rate=8
    )
    await turn.stream_words("The change fits into one class; its methods stay as they are.\n", rate=7)
    await turn.edit(STORE, patch % {"table": table}, seconds=5)
    await turn.plan(_todos(steps, done=2))

    await turn.stream(["Now ", "the ", "next ", "step: "], rate=6, interrupts=True)
    await turn.retry("Overloaded (529)", attempt=1, seconds=5)
    await turn.retry("Overloaded (529)", attempt=2, seconds=12)
    if migrates:
        await turn.stream_words("Now the migration: the JSON file is read once, row by row.\n", rate=6)
        await turn.use("write", {"filePath": MIGRATION}, "Wrote file successfully.", MIGRATION, seconds=4)
        await turn.plan(_todos(steps, done=3))

    await turn.stream_words(
        "The tests need your permission, and there is one thing left that only you can say.\n", rate=7
    )
    results: dict[str, Any] = {}

    async def run_tests() -> None:
        results["tested"] = await turn.shell("pytest -q tests", TESTS, pause=2.5)

    async def ask_about_the_file() -> None:
        results["old file"] = _first([*await turn.ask(OLD_FILE), []][0], "Leave it")

    await turn.together(run_tests(), ask_about_the_file())
    await turn.plan(_todos(steps, done=len(steps) if results["tested"] else len(steps) - 1))
    await turn.stream_words(_closing(where, extras, migrates, results["tested"], results["old file"]), rate=5)


async def check_callers(turn: ScriptedTurn) -> None:
    await turn.stream_words("Three files reach into the class.\n", rate=8)
    await turn.use("read", {"filePath": SYNC}, "12: store._sessions.items()", SYNC)
    answers = await turn.ask(CALLERS)
    choice = _first([*answers, []][0], KEEP_CALLERS)
    await turn.stream_words(f"Three callers use `_sessions`; you chose: {choice}.", rate=10)


def _first(answer: list[str], otherwise: str) -> str:
    return answer[0] if answer else otherwise


def _closing(where: str, extras: list[str], migrates: bool, tested: bool, old_file: str) -> str:
    name, _, (write, killed, both) = STORES.get(where, STORES["SQLite (recommended)"])
    tests = "the tests pass" if tested else "the tests were not run, as you said"
    migrated = "The JSON file is read once." if migrates else "The sessions of the JSON file are not carried over."
    kept = "The sessions stay in the JSON file." if name == "JSON" else migrated
    left = [extra.lower() for extra in extras if extra in ("Expiry", "Benchmark")]
    question = f"Shall I go on with the {' and the '.join(left)}?" if left else "Shall I go on?"
    return f"""The session store is in {name} now, and {tests}.

| | before | after |
|---|---|---|
| a write | whole file, 41 ms | {write} |
| killed in mid-write | file lost | {killed} |
| two processes | last one wins | {both} |

- `SessionStore` has the same methods as before.
- {kept} What becomes of the old file, as you said: {old_file}.
- Nothing was committed; the change is in your working tree.

```python
store.save("ses_1", {{"title": "api refactor"}})
```

{question}"""


def _todos(steps: list[str], done: int) -> list[Json]:
    states = ["completed"] * done + ["in_progress"] + ["pending"] * len(steps)
    return [
        {"content": content, "status": status, "priority": "high"}
        for content, status in zip(steps, states, strict=False)
    ]
