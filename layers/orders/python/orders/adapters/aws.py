"""Clients of AWS, made by botocore itself: boto3 would load unused modules in every cold start."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

from orders import logs
from orders.domain.errors import TransientError


class OutOfTime(TransientError):
    """A call was not begun, as it could have exceeded the function's time-out."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take: the seconds of one attempt, and how many attempts there are."""

    connect: float
    read: float
    attempts: int

    @property
    def most_seconds(self) -> float:
        """What a call takes if each attempt runs into its time-outs and each pause before the next is the longest."""
        return self.attempts * (self.connect + self.read) + sum(2.0**retry for retry in range(self.attempts - 1))


USUAL = Patience(connect=2, read=5, attempts=4)
"""Short time-outs, as a Lambda pays for every second it waits."""
HASTY = Patience(connect=1, read=2, attempts=2)
RESERVE_SECONDS = 1.0
"""What a function needs to end after its last call."""

_seconds_left: ContextVar[Callable[[], float] | None] = ContextVar("seconds_left", default=None)


@contextmanager
def within(seconds_left: Callable[[], float]) -> Iterator[None]:
    """Calls in this block have short time-outs, and none is begun that could exceed the remaining time."""
    before = _seconds_left.set(seconds_left)
    try:
        yield
    finally:
        _seconds_left.reset(before)


def patience() -> Patience:
    """The time limits for calls in this context."""
    return HASTY if _seconds_left.get() else USUAL


def check_time() -> None:
    """Raises ``OutOfTime`` where a call that begins now might not end in time."""
    seconds_left = _seconds_left.get()
    if seconds_left and seconds_left() < HASTY.most_seconds + RESERVE_SECONDS:
        raise OutOfTime("Not enough time is left for another call.")


@cache
def session() -> Session:
    """One session a process: a second client costs a fortieth of the first."""
    logs.hold_libraries()
    return get_session()


def client(service: str, attempts: int = USUAL.attempts, **config: Any) -> Any:
    """A client that retries calls a few times where that may help."""
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return session().create_client(service, config=Config(retries=retries, **config))


def limited_client(service: str, allowed: Patience) -> Any:
    """A client whose calls end within ``allowed.most_seconds``."""
    return client(service, allowed.attempts, connect_timeout=allowed.connect, read_timeout=allowed.read)
