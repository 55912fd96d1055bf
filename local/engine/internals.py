"""ministack, the engine: access to its inner parts."""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.metadata import version
from types import ModuleType
from typing import Any

from local.engine.queue_buffer import Message, QueueBuffer

PINNED = "1.5.33"
Response = tuple[int, dict[str, str], bytes]

# The engine was written to be called on one loop; our handlers call it from their threads. This keeps its promise.
LOCK = threading.RLock()


class WrongEngine(RuntimeError):
    """Another version than the one whose inner parts are known here."""


def check_version(found: str | None = None) -> None:
    found = found or version("ministack")
    if found != PINNED:
        raise WrongEngine(f"The patches fit ministack {PINNED}, not {found}: go through patches.py before changing it.")


@cache
def service(name: str) -> ModuleType:
    return importlib.import_module(f"ministack.services.{name}")


def part(name: str, attribute: str) -> Any:
    """An inner part of one of the engine's modules."""
    return getattr(service(name), attribute)


def replace(module: str, name: str, make: Callable[[Any], Any]) -> None:
    """Puts `make(original)` in its place; a missing name is an error, not a patch without effect."""
    setattr(service(module), name, make(part(module, name)))


class Queue:
    """One of its queues, for our own delivery."""

    def __init__(self, arn: str) -> None:
        self._queue = part("sqs", "_queue_by_arn")(arn)
        self._lock = part("sqs", "_queues_lock")

    def _buffer(self) -> QueueBuffer:
        """Some of the engine's calls put a list back in its place."""
        messages = self._queue["messages"]
        if not isinstance(messages, QueueBuffer):
            messages = self._queue["messages"] = QueueBuffer(messages)
        return messages

    def waiting(self) -> int:
        with self._lock:
            return self._buffer().waiting()

    def next_at(self) -> float | None:
        with self._lock:
            return self._buffer().next_at()

    def receive(self, most: int) -> list[Message]:
        with self._lock:
            attributes = self._queue["attributes"]
            oldest = time.time() - float(attributes.get("MessageRetentionPeriod", 345_600))
            limit, dead_letters = _redrive(attributes.get("RedrivePolicy"))
            batch = self._buffer().take(most, float(attributes.get("VisibilityTimeout", 30)))
            spent = [message for message in batch if message["receive_count"] > limit]
            expired = [message for message in batch if message["sent_at"] <= oldest]
            if spent or expired:
                self._buffer().delete([*spent, *expired])
                self._send_dead_letters(spent, dead_letters)
                gone = {message["id"] for message in (*spent, *expired)}
                batch = [message for message in batch if message["id"] not in gone]
            return batch

    def _send_dead_letters(self, spent: list[Message], dead_letters: str) -> None:
        target = part("sqs", "_queue_by_arn")(dead_letters)
        for message in spent:
            attributes = {**message.get("sys", {}), "DeadLetterQueueSourceArn": self._queue["attributes"].get("QueueArn", "")}
            kept = {"receipt_handle": None, "visible_at": time.time(), "receive_count": message["receive_count"] - 1}
            target["messages"].append({**message, **kept, "sys": attributes})

    def delete(self, messages: list[Message]) -> None:
        with self._lock:
            self._buffer().delete(messages)


@lru_cache(maxsize=64)
def _redrive(policy: str | None) -> tuple[float, str]:
    """The receive limit of a queue, and its dead-letter queue."""
    described = json.loads(policy) if policy else {}
    return float(described.get("maxReceiveCount") or "inf"), str(described.get("deadLetterTargetArn", ""))
