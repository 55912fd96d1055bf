"""Doing what a caller asks once for each idempotency key: a repetition gets what the first request led to."""

from collections.abc import Callable
from typing import TypeVar

from orders.adapters.store import calls
from orders.domain.digests import CallRecord, KeyedCall
from orders.domain.errors import IdempotencyMismatch, OrderError

Result = TypeVar("Result")


def once(call: KeyedCall | None, do: Callable[[], Result], again: Callable[[CallRecord], Result]) -> tuple[Result, bool]:
    """What ``do`` returns, and ``True``; or, where the call was made before, what ``again`` makes of its record, and ``False``.

    ``do`` writes the call's record in the transaction of its first change: a refused request leaves none, and of two at the
    same time one is refused, which then finds the record of the other. A ``do`` that failed after its first change was
    committed finds its own record: that is a repetition too, as the record does not say which try has written it.

    Raises:
        IdempotencyMismatch: the key was used at this path with another body.
        and whatever ``do`` refuses with.
    """
    if call is None:
        return do(), True
    found = calls.find(call)
    if found is None:
        try:
            return do(), True
        except OrderError:
            found = calls.find(call)
            if found is None:
                raise
    if found.call != call:
        raise IdempotencyMismatch("This Idempotency-Key was used with another request before.")
    return again(found), False
