"""ministack, the engine: how the rest gets at its inner parts, and what of it goes by another name here."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType
from typing import Any

PINNED = "1.5.33"
Response = tuple[int, dict[str, str], bytes]

# The engine was written to be called on one loop; our handlers call it from their threads. This keeps its promise.
LOCK = threading.RLock()


class WrongEngine(RuntimeError):
    """Another version than the one whose inner parts are known here."""


def check_version(found: str | None = None) -> None:
    found = found or version("ministack")
    if found != PINNED:
        raise WrongEngine(f"The mends fit ministack {PINNED}, not {found}: go through local/mends.py before changing it.")


def service(name: str) -> ModuleType:
    return importlib.import_module(f"ministack.services.{name}")


def part(name: str, attribute: str) -> Any:
    """An inner part of one of the engine's modules."""
    return getattr(service(name), attribute)


def replace(module: str, name: str, make: Callable[[Any], Any]) -> None:
    """Puts `make(original)` in its place; a name that is gone is an error, not a mend that silently does nothing."""
    setattr(service(module), name, make(part(module, name)))


class Queue:
    """One of its queues, for our own delivery."""

    def __init__(self, arn: str) -> None:
        self._queue = part("sqs", "_queue_by_arn")(arn)
        self._receive = part("sqs", "_receive_messages_for_esm")
        self._delete = part("sqs", "_delete_messages_for_esm")

    def waiting(self) -> int:
        now = time.time()
        return sum(message["visible_at"] <= now for message in list(self._queue["messages"]))

    def next_at(self) -> float | None:
        return min((message["visible_at"] for message in list(self._queue["messages"])), default=None)

    def receive(self, most: int) -> list[dict[str, Any]]:
        batch: list[dict[str, Any]] = []
        while len(batch) < most:
            some = self._receive(self._queue["url"], most - len(batch))  # ten at a time
            if not some:
                break
            batch += some
        return batch

    def delete(self, messages: list[dict[str, Any]]) -> None:
        self._delete(self._queue["url"], {message["receipt_handle"] for message in messages})
