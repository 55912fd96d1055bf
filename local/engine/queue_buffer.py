"""The messages of one queue, so held that taking some costs the same however many wait.

The engine keeps a list and goes through all of it, several times, for each ten messages taken: five thousand orders
at once leave tens of thousands of messages, and most of the time went there.
"""

from __future__ import annotations

import heapq
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

Message = dict[str, Any]


class QueueBuffer:
    """Has the interface of the engine's list: append, length, iteration."""

    def __init__(self, messages: Iterable[Message] = (), now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._ready: deque[Message] = deque()
        self._hidden: dict[int, Message] = {}
        self._times: list[tuple[float, int, Message]] = []
        self._number = count()
        self._newest: Message = {}
        for message in messages:
            self.append(message)

    def append(self, message: Message) -> None:
        self._newest = message
        if message["visible_at"] <= self._now():
            self._ready.append(message)
        else:
            self._hide(message)

    def __iter__(self) -> Iterator[Message]:
        return iter([*self._ready, *self._hidden.values()])

    def __getitem__(self, place: int) -> Message:
        """The engine looks at the message that it has just put in, at no other."""
        if place != -1:
            raise IndexError(place)
        return self._newest

    def __len__(self) -> int:
        return len(self._ready) + len(self._hidden)

    def clear(self) -> None:
        self._ready.clear()
        self._hidden.clear()
        self._times.clear()

    def waiting(self) -> int:
        """How many could be taken now."""
        self._reveal()
        return len(self._ready)

    def next_at(self) -> float | None:
        """When the next message can be taken."""
        self._reveal()
        if self._ready:
            return self._now()
        return self._times[0][0] if self._times else None

    def take(self, most: int, hidden_for: float) -> list[Message]:
        """So many messages, out of sight until they are deleted or their time is over."""
        self._reveal()
        taken: list[Message] = []
        while self._ready and len(taken) < most:
            message = self._ready.popleft()
            if message["visible_at"] <= self._now():
                message["receipt_handle"] = str(uuid.uuid4())
                message["receive_count"] += 1
                message["first_receive_at"] = message.get("first_receive_at") or self._now()
                message["visible_at"] = self._now() + hidden_for
                taken.append(message)
            self._hide(message)
        return taken

    def delete(self, messages: Iterable[Message]) -> None:
        """A message that has become visible again belongs to another receiver."""
        for message in messages:
            self._hidden.pop(id(message), None)

    def moved(self) -> None:
        """To be called when the engine has moved a hidden message's time in place: it may have become an earlier one."""
        self._times = [(message["visible_at"], next(self._number), message) for message in self._hidden.values()]
        heapq.heapify(self._times)

    def _hide(self, message: Message) -> None:
        self._hidden[id(message)] = message
        heapq.heappush(self._times, (message["visible_at"], next(self._number), message))

    def _reveal(self) -> None:
        """What was hidden and whose time has come. An entry may be old: its message was deleted, or its time moved."""
        now = self._now()
        while self._times and (self._times[0][0] <= now or id(self._times[0][2]) not in self._hidden):
            at, _, message = heapq.heappop(self._times)
            if id(message) not in self._hidden:
                continue
            if message["visible_at"] > max(at, now):  # the engine's own calls move it in place
                heapq.heappush(self._times, (message["visible_at"], next(self._number), message))
                continue
            del self._hidden[id(message)]
            self._ready.append(message)
