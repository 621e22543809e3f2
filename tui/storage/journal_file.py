"""Writes to the journal's file in order, and to memory while the file is not writable.

File errors are not raised to the caller: they are reported once, and pending writes are retried if the error may be
temporary. Another program's lock does not delay the user's input.
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
from tui.storage.journal_errors import UNSAVED_CONSEQUENCE, fault, is_locked, passes
from tui.storage.owner_lock import OwnerLock
from tui.storage.state_folder import Unsafe

log = logging.getLogger(__name__)

LOCK_TIMEOUT = 0.02
"""Seconds that the user interface may be blocked by another client's write."""

Work = Callable[[sqlite3.Connection], None]
Rows = list[tuple[Any, ...]]


class JournalFile:
    """The file in `folder`, or a database in memory if that is None or unusable.

    `wall` returns epoch seconds; `say` is called once with each problem.
    """

    def __init__(
        self, folder: Path | None, owner_lock: OwnerLock, *, wall: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._owner_lock = owner_lock
        self._wall = wall
        self._say = say
        self.lost = False
        """Whether writes are lost when the program ends."""
        self.keys_lost = False
        """Whether keys of jobs cannot be read any more, because the file or their rows were damaged at this start."""
        self._place: tuple[int, int] | None = None
        """Device and inode of the open file; None if there is no file."""
        self._memory: sqlite3.Connection | None = None
        """The database in memory that replaces the file while it is not writable."""
        self._late: dict[Hashable, Work] = {}
        """The pending writes, in order."""
        self._said = False
        self._closed = False
        try:
            self.connection = self._open()
        except (OSError, sqlite3.Error, SchemaTooNew, Unsafe) as error:
            self.connection = self._give_up(error)

    def write(self, work: Work, *, key: Hashable = None, wait: bool = True) -> None:
        """Run `work` as one transaction: in the file, or later if another program has locked it (see `behind`).

        It replaces a pending write with the same `key`. `wait`: also try to write all pending writes now; false
        for drafts.
        """
        self._follow()
        if self._memory is not None and wait:
            self.catch_up(tell=False)
        if self._memory is None:
            try:
                self._run(self.connection, work, seconds=LOCK_TIMEOUT)
                return
            except sqlite3.Error as error:
                self._use_memory(error, tell=not is_locked(error))
        self._run(self._memory or self.connection, work)
        if self._memory is None:
            return
        key = object() if key is None else key
        self._late.pop(key, None)
        self._late[key] = work

    @property
    def behind(self) -> bool:
        """Whether writes are pending because another program has locked the file."""
        return self._memory is not None and not self.lost

    @property
    def problem_reported(self) -> bool:
        """Whether the user was told that the file is not writable now."""
        return self._said

    def write_before_sending(self, work: Work) -> bool:
        """Run `work` in the file before a request is sent; returns False while the file is locked.

        If the file is lost (which is reported), `work` is run in memory.
        """
        self._follow()
        if self._memory is None:
            try:
                self._run(self.connection, work, seconds=LOCK_TIMEOUT)
                return True
            except sqlite3.Error as error:
                self._use_memory(error, tell=not is_locked(error))
        elif self.catch_up(tell=False):
            return self.write_before_sending(work)
        if self.behind:
            return False
        self.write(work)
        return True

    def run_on_file(self, work: Work) -> bool:
        """Run `work`, which adopts rows of other clients or binds a key, in the file only.

        Returns whether it succeeded.
        """
        self._follow()
        if self._memory is None:
            try:
                self._run(self.connection, work)
                return True
            except sqlite3.Error as error:
                self._use_memory(error)
        elif self.catch_up():
            return self.run_on_file(work)
        return False

    def read(
        self, query: str, values: tuple[object, ...], kinds: tuple[type, ...], *, at_most: int | None = None
    ) -> Rows:
        """The rows whose values have these types; others are damaged and left out.

        `at_most`: stop after the row that reaches so many characters in the first column.
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
            self._use_memory(error)
            return self.read(query, values, kinds, at_most=at_most)
        return sound(rows, kinds)

    def catch_up(self, *, seconds: float = 0.0, tell: bool = True) -> bool:
        """Write the pending writes, and recreate a missing file; returns whether all is written.

        `tell`: also report a lock; other errors are always reported.
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
        """Write the pending writes, close the file and release the owner lock."""
        if self._closed:
            return
        if self._memory is not None:
            self.catch_up(seconds=BUSY_SECONDS)
        self._closed = True
        for database in (self._memory, self.connection):
            if database is not None:
                database.close()
        self._owner_lock.release()

    def _open(self) -> sqlite3.Connection:
        if self._folder is None:
            return create(sqlite3.connect(":memory:"))
        repaired = state_folder.prepare(self._folder)
        if repaired is not None:
            self._say(repaired)
        path = self._folder / FILE
        _create_file(path)
        place = state_folder.own_file(path)
        try:
            if not path.stat().st_size:
                raise sqlite3.DatabaseError("it is empty")  # as after a power cut: keys may be lost
            database = self._checked(path)
        except sqlite3.OperationalError:
            raise  # locked, read-only or full: the file may be intact
        except sqlite3.DatabaseError as error:
            aside = path.with_name(self._aside())
            for ending in ("", *state_folder.SQLITE_SIDE_FILES):
                part = path.with_name(path.name + ending)
                if part.exists():
                    part.rename(aside.with_name(aside.name + ending))
            self._say(f"the journal was damaged ({error}); it is kept as {aside.name}, and a new one was created.")
            _create_file(path)
            place = state_folder.own_file(path)
            database = self._checked(path)
            self.keys_lost = True
        try:
            self._owner_lock.acquire()
            self._owner_lock.sweep()
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
            self._say(moved.message)
            self.keys_lost = self.keys_lost or moved.keys_lost
        return database

    def save_to_file(self, text: str) -> str | None:
        """Write a text to a new file in the folder; returns its displayed path, or None on failure."""
        if self._folder is None:
            return None
        path = self._folder / self._new_name("draft", ".txt")
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            log.warning("journal: a long draft cannot be saved in %s: %s", path.name, error)
            return None
        return state_folder.shown(path)

    def _aside(self) -> str:
        """A new file name for damaged data."""
        return self._new_name("journal.damaged", ".sqlite")

    def _new_name(self, kind: str, ending: str) -> str:
        assert self._folder is not None
        stem = f"{kind}-{int(self._wall())}"
        names = chain((f"{stem}{ending}",), (f"{stem}-{number}{ending}" for number in count(2)))
        return next(name for name in names if not os.path.lexists(self._folder / name))

    def _follow(self) -> bool:
        """If the file was deleted or replaced, switch to the new file and copy this client's rows into it.

        Returns False if that fails.
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
            self._use_memory(error)
            return False
        with new:
            new.execute("BEGIN IMMEDIATE")
            copy(old, new, None if missing else self._owner_lock.name)
        old.close()
        self.connection = new
        now = "was deleted and recreated" if missing else "was replaced: the new one is used"
        self._say(f"while Holdfast ran, {state_folder.shown(path)} {now}, with the contents of the old one.")
        return True

    def _give_up(self, error: Exception) -> sqlite3.Connection:
        """Report the error and return a database in memory, permanently."""
        self._place = None
        self._tell(error)
        return create(sqlite3.connect(":memory:"))

    def _use_memory(self, error: Exception, *, tell: bool = True) -> None:
        """Switch to memory: until the file is writable again, or permanently if the error is not temporary."""
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
        self._say(f"state is not saved: {what}. {hint}. Until then {UNSAVED_CONSEQUENCE}.")

    def _run(self, database: sqlite3.Connection, work: Work, *, seconds: float = BUSY_SECONDS) -> None:
        database.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        with database:
            database.execute("BEGIN IMMEDIATE")
            work(database)


def _create_file(path: Path) -> None:
    """Create the file, if it does not exist, so that it is never seen empty. Raises as `connect`, and `OSError`."""
    if os.path.lexists(path):
        return
    new = path.with_name(f"{FILE}.{os.getpid()}.new")
    parts = [new.with_name(new.name + ending) for ending in ("", *state_folder.SQLITE_SIDE_FILES)]
    try:
        for part in parts:
            part.unlink(missing_ok=True)
        state_folder.own_file(new)
        connect(new).close()
        try:
            os.link(new, path)
        except FileExistsError:
            pass  # another client was faster
        except OSError:  # a file system without hard links
            new.rename(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def copy(source: sqlite3.Connection, target: sqlite3.Connection, owner: str | None) -> None:
    """Copy all rows, or only `owner`'s and unowned ones; existing rows are kept. Raises `sqlite3.Error`."""
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
    """The rows whose values have these types."""
    return [row for row in rows if all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True))]
