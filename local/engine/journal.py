"""What survives a SIGKILL: each table write, in SQLite, before the request that made it is acknowledged.

One DynamoDB request is one SQLite transaction, and the stream records it caused stand in the same one, until their
consumer is done with them. WAL without an fsync per commit: the process may die at any point, the machine may not.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from local.fastpath import fast_json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (tbl TEXT, pk TEXT, sk TEXT, body TEXT NOT NULL, PRIMARY KEY (tbl, pk, sk)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, feed TEXT NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Write(NamedTuple):
    table: str
    pk: str
    sk: str
    item: dict[str, Any] | None  # None: deleted


class Journal:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # it contains the signing keys
        self._db = sqlite3.connect(folder / "journal.sqlite", timeout=1, check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        self._done: list[int] = []
        try:
            # Held for good: two stacks on one folder would overwrite each other.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as busy:
            self._db.close()
            raise RuntimeError(f"{folder} is in use by another stack, or is not a journal: {busy}") from busy
        self._next = self._db.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()[0]

    def commit(self, writes: Sequence[Write], records: Sequence[tuple[str, dict[str, Any]]] = ()) -> list[int]:
        """Keeps one request's writes and the records (feed, record) they caused; answers the records' numbers."""
        numbers = list(range(self._next + 1, self._next + 1 + len(records)))
        puts = [(w.table, w.pk, w.sk, fast_json.dumps(w.item)) for w in writes if w.item is not None]
        # A later write of the request wins over an earlier one of the same key.
        last = {(w.table, w.pk, w.sk): w.item for w in writes}
        deletes = [key for key, item in last.items() if item is None]
        with self._lock:
            self._next += len(records)
            self._db.execute("BEGIN")
            try:
                self._db.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", puts)
                self._db.executemany("DELETE FROM items WHERE tbl = ? AND pk = ? AND sk = ?", deletes)
                rows = ((n, feed, fast_json.dumps(record)) for n, (feed, record) in zip(numbers, records, strict=True))
                self._db.executemany("INSERT INTO outbox VALUES (?, ?, ?)", rows)
                self._forget()
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        return numbers

    def done(self, numbers: Iterable[int]) -> None:
        """The consumer has processed these records. Written with the next commit: at worst a record is delivered twice."""
        with self._lock:
            self._done += numbers

    def _forget(self) -> None:
        done, self._done = self._done, []
        self._db.executemany("DELETE FROM outbox WHERE id = ?", [(number,) for number in done])

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for table, body in self._db.execute("SELECT tbl, body FROM items"):
            yield table, fast_json.loads(body)

    def outstanding(self) -> list[tuple[int, str, dict[str, Any]]]:
        rows = self._db.execute("SELECT id, feed, record FROM outbox ORDER BY id").fetchall()
        return [(number, feed, fast_json.loads(record)) for number, feed, record in rows]

    def keep(self, name: str, value: str) -> str:
        """The value stored under the name at an earlier start, or else this one from now on."""
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO kept VALUES (?, ?)", (name, value))
            kept: str = self._db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()[0]
        return kept

    def close(self) -> None:
        with self._lock:
            self._forget()
            self._db.close()
