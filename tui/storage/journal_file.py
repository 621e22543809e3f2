"""Writes to the journal's file, in order; and in memory for as long as the file takes none.

A failure of the file costs what it keeps, never the caller: it is said once, and what could not be written is
written later, where that can help. What another program's lock keeps out does not hold up the keys.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Hashable
from itertools import chain, count
from pathlib import Path
from typing import Any

from tui.storage import damaged_rows, state_folder
from tui.storage.database import BUSY_SECONDS, COLUMNS, FILE, SchemaTooNew, connect, create
from tui.storage.journal_errors import AT_STAKE, fault, is_locked, passes
from tui.storage.owner_lock import OwnerLock
from tui.storage.state_folder import Unsafe

log = logging.getLogger(__name__)

BRIEFLY = 0.02
"""Seconds that the screen may wait for another client's write."""

Work = Callable[[sqlite3.Connection], None]
Rows = list[tuple[Any, ...]]


class JournalFile:
    """The file in `folder`, or a database in memory where that is None or cannot be used.

    `wall` gives epoch seconds; `say` hears what is wrong, once.
    """

    def __init__(
        self, folder: Path | None, me: OwnerLock, *, wall: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._me = me
        self._wall = wall
        self._say = say
        self.lost = False
        """Whether what is written is lost when the program ends."""
        self._place: tuple[int, int] | None = None
        """Device and inode of the file that is open; None for none."""
        self._memory: sqlite3.Connection | None = None
        """What stands in for the file while it takes no writes."""
        self._late: dict[Hashable, Work] = {}
        """What the file did not take yet, in order."""
        self._said = False
        self._closed = False
        try:
            self.connection = self._open()
        except (OSError, sqlite3.Error, SchemaTooNew, Unsafe) as error:
            self.connection = self._give_up(error)

    def write(self, work: Work, *, key: Hashable = None, wait: bool = True) -> None:
        """Do `work` as one transaction: in the file, or later where another program holds it (see `behind`).

        One that is still to be written under the same `key` is replaced by it. `wait`: it is no draft, and worth a
        try to write all that waits.
        """
        self._follow()
        if self._memory is None:
            try:
                self._run(self.connection, work, seconds=BRIEFLY)
                return
            except sqlite3.Error as error:
                self._stand_in(error, tell=not is_locked(error))
        elif wait:
            self.catch_up(tell=False)
        if self._memory is None:
            self._run(self.connection, work)
            return
        self._run(self._memory, work)
        key = object() if key is None else key
        self._late.pop(key, None)
        self._late[key] = work

    @property
    def behind(self) -> bool:
        """Whether what was written lately is not in the file, because another program holds that."""
        return self._memory is not None and not self.lost

    @property
    def said(self) -> bool:
        """Whether the person was told that the file takes no writes now."""
        return self._said

    def write_before_sending(self, work: Work) -> bool:
        """Do `work`, which has to be in the file before something is sent; false where it cannot be now.

        Where the file is lost for longer (which is said), it is done in memory.
        """
        self._follow()
        if self._memory is None:
            try:
                self._run(self.connection, work, seconds=BRIEFLY)
                return True
            except sqlite3.Error as error:
                self._stand_in(error, tell=not is_locked(error))
        elif self.catch_up(tell=False):
            return self.write_before_sending(work)
        if self.behind:
            return False
        self.write(work)
        return True

    def take_over(self, work: Work) -> bool:
        """Whether `work` is done, which takes what other clients left: in the file, or not at all."""
        self._follow()
        if self._memory is None:
            try:
                self._run(self.connection, work)
                return True
            except sqlite3.Error as error:
                self._stand_in(error)
        elif self.catch_up():
            return self.take_over(work)
        return False

    def read(
        self, query: str, values: tuple[object, ...], kinds: tuple[type, ...], *, at_most: int | None = None
    ) -> Rows:
        """The rows whose values are of these types; another is damaged, and left out.

        `at_most`: characters of their first values, with which the last row ends that is read.
        """
        rows: Rows = []
        try:
            for row in (self._memory or self.connection).execute(query, values):
                rows.append(row)
                if at_most is not None:
                    at_most -= len(row[0]) if isinstance(row[0], str) else 0
                    if at_most <= 0:
                        break
        except sqlite3.Error as error:
            if self._memory is not None or self._place is None:
                raise
            self._stand_in(error)
            return self.read(query, values, kinds, at_most=at_most)
        return sound(rows, kinds)

    def catch_up(self, *, seconds: float = 0.0, tell: bool = True) -> bool:
        """Write what the file did not take yet, and see to it that it is there: whether all is written.

        `tell`: say so where it cannot be; a lock of a moment is not worth a word.
        """
        in_place = self._follow()
        if self._memory is None or not in_place:
            return in_place
        late = list(self._late.values())

        def all_of_it(database: sqlite3.Connection) -> None:
            for work in late:
                work(database)

        try:
            self._run(self.connection, all_of_it, seconds=seconds)
        except sqlite3.Error as error:
            if tell or not is_locked(error):
                self._tell(error)
            return False
        self._memory.close()
        self._memory = None
        self._late.clear()
        if self._said:
            self.lost = self._said = False
            self._say("the journal is being saved again, with all pending changes.")
        return True

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        if self._closed:
            return
        if self._memory is not None:
            self.catch_up(seconds=BUSY_SECONDS)
        self._closed = True
        for database in (self._memory, self.connection):
            if database is not None:
                database.close()
        self._me.release()

    def _open(self) -> sqlite3.Connection:
        if self._folder is None:
            return create(sqlite3.connect(":memory:"))
        repaired = state_folder.prepare(self._folder)
        if repaired is not None:
            self._say(repaired)
        path = self._folder / FILE
        place = state_folder.own_file(path)
        try:
            database = self._checked(path)
        except sqlite3.OperationalError:
            raise  # locked, read-only, full: the file itself may be whole
        except sqlite3.DatabaseError as error:
            aside = path.with_name(self._aside())
            for ending in ("", *state_folder.WITH_THE_JOURNAL):
                part = path.with_name(path.name + ending)
                if part.exists():
                    part.rename(aside.with_name(aside.name + ending))
            self._say(f"the journal was damaged ({error}); it is kept as {aside.name}, and a new one was created.")
            place = state_folder.own_file(path)
            database = self._checked(path)
        try:
            self._me.acquire()
            self._me.sweep()
        except OSError:
            database.close()
            raise
        self._place = place
        return database

    def _checked(self, path: Path) -> sqlite3.Connection:
        database = connect(path)
        try:
            moved = damaged_rows.set_aside(database, path.parent, self._aside)
        except (OSError, sqlite3.Error):
            database.close()
            raise
        if moved is not None:
            self._say(moved)
        return database

    def keep_apart(self, text: str) -> str | None:
        """Write a text into a new file of the folder; its path as it is shown, None where that cannot be."""
        if self._folder is None:
            return None
        path = self._folder / self._new_name("draft", ".txt")
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            log.warning("journal: a long draft cannot be kept in %s: %s", path.name, error)
            return None
        return state_folder.shown(path)

    def _aside(self) -> str:
        """A name for what is set aside, that nothing has yet."""
        return self._new_name("journal.damaged", ".sqlite")

    def _new_name(self, kind: str, ending: str) -> str:
        assert self._folder is not None
        stem = f"{kind}-{int(self._wall())}"
        names = chain((f"{stem}{ending}",), (f"{stem}-{number}{ending}" for number in count(2)))
        return next(name for name in names if not os.path.lexists(self._folder / name))

    def _follow(self) -> bool:
        """Where the file was deleted or replaced, go on in the one that is there, with what this client had.

        False where that cannot be.
        """
        if self._place is None or self._folder is None or self._closed:
            return True
        path = self._folder / FILE
        try:
            found = path.lstat()
        except OSError:
            found = None
        if found is not None and (found.st_dev, found.st_ino) == self._place:
            return True
        old, missing = self.connection, found is None
        try:
            new = self._open()
        except (OSError, sqlite3.Error, SchemaTooNew, Unsafe) as error:
            self._stand_in(error)
            return False
        with new:
            new.execute("BEGIN IMMEDIATE")
            copy(old, new, None if missing else self._me.name)
        old.close()
        self.connection = new
        now = "was deleted: it was made again" if missing else "was replaced: the new one is used"
        self._say(f"while Holdfast ran, {state_folder.shown(path)} {now}, with what was in the old one.")
        return True

    def _give_up(self, error: Exception) -> sqlite3.Connection:
        """Go on in memory for good."""
        self._place = None
        self._tell(error)
        return create(sqlite3.connect(":memory:"))

    def _stand_in(self, error: Exception, *, tell: bool = True) -> None:
        """Go on in memory: until the file takes writes again, or for good where that cannot help."""
        if self._memory is None:
            memory = create(sqlite3.connect(":memory:"))
            try:
                copy(self.connection, memory, None)
            except sqlite3.Error as unreadable:
                log.warning("journal: what it holds cannot be read: %s", unreadable)
            if passes(error):
                self._memory = memory
            else:
                self._place = None
                self.connection.close()
                self.connection = memory
        if tell:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if self._said or self._closed:
            return
        self._said = True
        path = (self._folder or Path()) / FILE
        where = state_folder.shown(path)
        again = self._place is not None and passes(error)
        if again and is_locked(error):
            self._say(
                f"another program has locked {where}. Prompts are sent once it is unlocked and they are saved;"
                " until then what you write is lost if Holdfast exits, and data from earlier runs is not read."
            )
            return
        self.lost = True
        what, hint = fault(error, where)
        hint += ": it is saved then" if again else ", then start again"
        self._say(f"state is not saved: {what}. {hint}. Until then {AT_STAKE}.")

    def _run(self, database: sqlite3.Connection, work: Work, *, seconds: float = BUSY_SECONDS) -> None:
        database.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        with database:
            database.execute("BEGIN IMMEDIATE")
            work(database)


def copy(source: sqlite3.Connection, target: sqlite3.Connection, owner: str | None) -> None:
    """All rows, or the owner's and those that have none; what is there already stays. Raises `sqlite3.Error`."""
    for table, columns in COLUMNS.items():
        mine = owner is not None and "owner" in columns
        names = ", ".join(name for name, kind in columns.items() if (name, kind) != ("id", "INTEGER"))
        query = f"SELECT {names} FROM {table}"
        there = set(target.execute(query).fetchall())
        rows = source.execute(f"{query} WHERE owner = ?" if mine else query, (owner,) if mine else ()).fetchall()
        marks = ", ".join("?" * len(names.split(",")))
        new = [row for row in rows if row not in there]
        target.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", new)


def sound(rows: Rows, kinds: tuple[type, ...]) -> Rows:
    """Those whose values are of these types."""
    return [row for row in rows if all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True))]
