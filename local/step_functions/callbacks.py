"""Tasks that wait: tokens, and the deadlines of an attempt."""

from __future__ import annotations

import asyncio
import base64
import binascii
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from local.common import Json
from local.step_functions.documents import StateError


@dataclass(eq=False, slots=True)
class Callback:
    """The task of a token. The first to settle it wins; later calls get a stale token."""

    settled: asyncio.Future[Json]
    beat: Callable[[], None]

    def succeed(self, output: Json) -> None:
        if not self.settled.done():
            self.settled.set_result(output)

    def fail(self, error: str, cause: str) -> None:
        if not self.settled.done():
            self.settled.set_exception(StateError(error, cause))


def new_token(execution_arn: str) -> str:
    return base64.urlsafe_b64encode(f"{execution_arn}\n{uuid.uuid4()}".encode()).decode()


def token_owner(token: str) -> str | None:
    """The execution a token was made for; None when it is no token of ours."""
    try:
        arn, _, _ = base64.urlsafe_b64decode(token.encode()).decode().partition("\n")
    except (binascii.Error, ValueError):
        return None
    return arn if arn.startswith("arn:aws:states:") else None


class Deadlines:
    """The time-out and the heartbeat of one attempt."""

    def __init__(
        self,
        settled: asyncio.Future[Json],
        timeout: float | None,
        heartbeat: float | None,
        unanswered: Callable[[], bool],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._settled = settled
        self._unanswered = unanswered
        self._heartbeat = heartbeat
        self._timer = self._loop.call_later(timeout, self._expire, "States.Timeout") if timeout else None
        self._pulse: asyncio.TimerHandle | None = None

    def __enter__(self) -> Deadlines:
        self.beat()
        return self

    def __exit__(self, *_: object) -> None:
        for timer in (self._timer, self._pulse):
            if timer:
                timer.cancel()

    def beat(self) -> None:
        if self._heartbeat is None or self._settled.done():
            return
        if self._pulse:
            self._pulse.cancel()
        self._pulse = self._loop.call_later(self._heartbeat, self._expire, "States.HeartbeatTimeout")

    def _expire(self, error: str) -> None:
        if not self._settled.done() and self._unanswered():
            self._settled.set_exception(StateError(error))
