"""Asynchronous invocations: retried after a pause, then sent to their failure destination."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.common import iso
from local.lambda_runtime.answers import Answer
from local.lambda_runtime.lambdas import Lambdas

logger = logging.getLogger(__name__)

# One and two minutes on AWS; shorter here, for people who watch.
PAUSES = (1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Policy:
    """A function's EventInvokeConfig."""

    retries: int = 2
    max_age: float = 21_600
    on_failure: str | None = None


class Invocations:
    def __init__(self, loop: asyncio.AbstractEventLoop, lambdas: Lambdas, send_dead_letter: Callable[[str, str], None]) -> None:
        self._loop = loop
        self._lambdas = lambdas
        self._send_dead_letter = send_dead_letter
        self._counting = threading.Lock()
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, function: str, event: Any, policy: Policy) -> None:
        """From any thread."""
        if self._loop.is_closed():  # a schedule that fires while the stack is being stopped
            return
        self._count(1)
        self._loop.call_soon_threadsafe(self._begin, function, event, policy)

    def idle(self) -> bool:
        return self._under_way == 0

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _begin(self, function: str, event: Any, policy: Policy) -> None:
        task = self._loop.create_task(self._carry_out(function, event, policy))
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._count(-1)

    def _count(self, step: int) -> None:
        with self._counting:
            self._under_way += step

    async def _carry_out(self, function: str, event: Any, policy: Policy) -> None:
        began = self._loop.time()
        answer = await self._lambdas.begin(function, event, later=True)
        tries = 1
        while answer.failed and tries <= policy.retries:
            pause = PAUSES[min(tries, len(PAUSES)) - 1]
            if self._loop.time() + pause - began > policy.max_age:
                break
            await asyncio.sleep(pause)
            answer = await self._lambdas.begin(function, event, later=True)
            tries += 1
        if answer.failed:
            self._give_up(function, event, policy, answer, tries)

    def _give_up(self, function: str, event: Any, policy: Policy, answer: Answer, tries: int) -> None:
        logger.error("%s gave up an event after %d tries: %s", function, tries, answer.failure())
        if policy.on_failure:
            arn = self._lambdas.config(function).arn
            self._send_dead_letter(policy.on_failure, json.dumps(_failure_record(arn, event, answer, tries)))


def _failure_record(arn: str, event: Any, answer: Answer, tries: int) -> dict[str, Any]:
    return {
        "version": "1.0",
        "timestamp": iso(time.time()),
        "requestContext": {
            "functionArn": f"{arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": tries,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": answer.payload,
    }
