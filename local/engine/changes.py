"""What one request to the table changed: committed to the journal and offered to the feeds before it is answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.engine.journal import Journal, Write
from local.lambda_runtime.streams import Feed, Record, StreamDelivery


class Changes:
    """Filled and committed under the engine's lock, so that it only ever holds one request."""

    def __init__(self, loop: asyncio.AbstractEventLoop, journal: Journal | None = None) -> None:
        self._loop = loop
        self._journal = journal
        self._tables: Mapping[str, str] = {}
        self._feeds: dict[str, Feed] = {}
        self._writes: list[Write] = []
        self._records: list[Record] = []
        self._open = False
        self.listeners: list[Callable[[Record], None]] = []
        """Told of each record, on the loop, in the order of the commits."""
        self._counting = threading.Lock()
        self._on_their_way = 0

    def open(self, tables: Mapping[str, str], feeds: dict[str, Feed]) -> None:
        """From here on changes count. Tables have another name at each deployment; in the journal they keep one."""
        self._tables = tables
        self._feeds = feeds
        self._open = True
        if self._journal is None:
            return
        for feed in feeds.values():
            feed.done = self._journal.done
        for number, name, record in self._journal.outstanding():
            if name in feeds:
                feeds[name].offer([StreamDelivery(record, number)])
            else:  # the mapping left the template while the stack was down
                self._journal.done([number])

    def wrote(self, table: str, pk: Any, sk: Any, item: dict[str, Any] | None) -> None:
        if self._journal is not None and self._open:
            self._writes.append(Write(self._tables[table], str(pk), str(sk), item))

    def emitted(self, record: Record) -> None:
        if self._open:
            self._records.append(record)

    def commit(self) -> None:
        if not self._writes and not self._records:
            return
        writes, records = self._writes, self._records
        self._writes, self._records = [], []
        if self.listeners:
            self._loop.call_soon_threadsafe(self._tell, records)
        wanted = [(name, record) for record in records for name, feed in self._feeds.items() if feed.wants(record)]
        numbers: list[int] | list[None] = [None] * len(wanted)
        if self._journal is not None:
            numbers = self._journal.commit(writes, wanted)
        offers: dict[str, list[StreamDelivery]] = {}
        for (name, record), number in zip(wanted, numbers, strict=True):
            offers.setdefault(name, []).append(StreamDelivery(record, number))
        if offers:
            self._count(1)
            self._loop.call_soon_threadsafe(self._offer, offers)

    def _tell(self, records: Sequence[Record]) -> None:
        for record in records:
            for listener in self.listeners:
                listener(record)

    def _offer(self, offers: dict[str, list[StreamDelivery]]) -> None:
        for name, deliveries in offers.items():
            self._feeds[name].offer(deliveries)
        self._count(-1)

    def _count(self, step: int) -> None:
        with self._counting:
            self._on_their_way += step

    def idle(self) -> bool:
        """Every record has reached its consumer."""
        return self._on_their_way == 0 and all(feed.idle() for feed in self._feeds.values())
