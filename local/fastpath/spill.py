"""A table's partitions, of which only those used of late are in memory.

The engine keeps every item as a dict of dicts: an order leaves 25 KB behind for as long as the stack runs. What has not been
used for some thousand partitions stands in a file here, as JSON, and comes back when it is asked for. The file is SQLite's
own temporary one and is gone with the process; what is to survive is the journal's business (`local/engine/journal.py`).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from local.engine.internals import part
from local.fastpath import fast_json
from local.fastpath.expressions import Item

Partition = dict[str, Item]

HOT = 8_000  # partitions in memory; an order has three or four
RESTED = 20.0  # seconds: in a rush, all that is in use stays in memory
AT_ONCE = 32  # so many are put away together: half a millisecond of work
REAPER = "dynamodb-ttl-reaper"  # the engine's thread that looks for what has expired
_ABSENT: Any = object()


class Partitions(dict[str, Partition]):
    """The engine's dict of partitions by key. Not to be called but under the engine's lock.

    A partition that was handed out may be changed in place until `cool` is called: between two requests.
    """

    def __init__(
        self, partitions: dict[str, Partition], expires: str | None = None, hot: int = HOT, rested: float = RESTED
    ) -> None:
        super().__init__(partitions)
        self._expires = expires
        self._hot, self._rested = hot, rested
        self._used = OrderedDict.fromkeys(partitions, time.monotonic())  # when each was used last, the longest ago first
        self._cold = 0
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode=OFF")
        self._file.execute("PRAGMA cache_size=-2000")
        self._file.execute("CREATE TABLE cold (pk TEXT PRIMARY KEY, expires REAL, body BLOB NOT NULL) WITHOUT ROWID")
        self._file.execute("CREATE INDEX by_expiry ON cold (expires) WHERE expires IS NOT NULL")

    def cool(self) -> None:
        """Puts away some of those that were not used for a while, once there are too many."""
        if super().__len__() < self._hot + AT_ONCE:
            return
        until = time.monotonic() - self._rested
        oldest = [(pk, self.pop(pk)) for pk in [pk for pk, used in islice(self._used.items(), AT_ONCE) if used <= until]]
        rows = [(pk, self._expiry(partition), fast_json.written(partition)) for pk, partition in oldest if partition]
        if not rows:
            return
        self._file.execute("BEGIN")
        self._file.executemany("INSERT INTO cold VALUES (?, ?, ?)", rows)
        self._file.execute("COMMIT")
        self._cold += len(rows)

    def _expiry(self, partition: Partition) -> float | None:
        if self._expires is None:
            return None
        return min((float(item[self._expires]["N"]) for item in partition.values() if self._expires in item), default=None)

    def _thawed(self, pk: str) -> bool:
        """Whether the partition is in memory now."""
        if super().__contains__(pk):
            self._use(pk)
            return True
        row = self._cold and self._file.execute("SELECT body FROM cold WHERE pk = ?", (pk,)).fetchone()
        if not row:
            return False
        self._file.execute("DELETE FROM cold WHERE pk = ?", (pk,))
        self._cold -= 1
        super().__setitem__(pk, fast_json.loads(row[0]))
        self._use(pk)
        return True

    def _use(self, pk: str) -> None:
        self._used[pk] = time.monotonic()
        self._used.move_to_end(pk)

    def close(self) -> None:
        """Removes the file and what is in it. What is in memory can still be read; `cool` must not be called any more."""
        self._file.close()
        self._cold = 0

    # -- what a dict does

    def get(self, pk: str, default: Any = None) -> Any:
        return super().__getitem__(pk) if self._thawed(pk) else default

    def __getitem__(self, pk: str) -> Partition:
        if not self._thawed(pk):
            raise KeyError(pk)
        return super().__getitem__(pk)

    def __contains__(self, pk: object) -> bool:
        return isinstance(pk, str) and self._thawed(pk)

    def setdefault(self, pk: str, default: Any = None) -> Any:
        if not self._thawed(pk):
            self._use(pk)
        return super().setdefault(pk, default)

    def __setitem__(self, pk: str, partition: Partition) -> None:
        if not self._thawed(pk):
            self._use(pk)
        super().__setitem__(pk, partition)

    def __delitem__(self, pk: str) -> None:
        self._thawed(pk)
        super().__delitem__(pk)
        self._used.pop(pk)

    def pop(self, pk: str, default: Any = _ABSENT) -> Any:
        self._thawed(pk)
        self._used.pop(pk, None)
        return super().pop(pk) if default is _ABSENT else super().pop(pk, default)

    def __len__(self) -> int:
        return super().__len__() + self._cold

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> Any:
        cold = self._file.execute("SELECT pk FROM cold").fetchall() if self._cold else []
        return [*super().keys(), *(pk for (pk,) in cold)]

    def values(self) -> Any:
        return (partition for _, partition in self._all())

    def items(self) -> Any:
        return self._all()

    def _all(self) -> Iterator[tuple[str, Partition]]:
        """All of them, in memory or not; those that are not are shown and stay where they are."""
        yield from list(super().items())
        if not self._cold:
            return
        if threading.current_thread().name == REAPER:
            rows = self._file.execute("SELECT pk, body FROM cold WHERE expires <= ?", (time.time(),)).fetchall()
            yield from ((pk, fast_json.loads(body)) for pk, body in rows)
            return
        for pk in [pk for (pk,) in self._file.execute("SELECT pk FROM cold")]:
            row = self._file.execute("SELECT body FROM cold WHERE pk = ?", (pk,)).fetchone()
            if row:  # not loaded by an iteration
                yield pk, fast_json.loads(row[0])


class Spill:
    """The partitions of all tables."""

    def __init__(self) -> None:
        self._tables: list[Partitions] = []

    def open(self, names: Iterable[str]) -> None:
        for name in names:
            table, expiry = part("dynamodb", "_tables")[name], part("dynamodb", "_ttl_settings").get(name)
            table["items"] = Partitions(table["items"], (expiry or {}).get("AttributeName"))
            self._tables.append(table["items"])

    def cool(self) -> None:
        for partitions in self._tables:
            partitions.cool()

    def close(self) -> None:
        while self._tables:
            self._tables.pop().close()
