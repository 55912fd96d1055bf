"""Read, decide, write: the loop that makes every change of an order."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from orders.adapters.pauses import ATTEMPTS, pause
from orders.adapters.store import orders
from orders.domain import erasure
from orders.domain.digests import CallRecord, KeyedCall
from orders.domain.errors import OrderChanged, StoreBusy, VersionMismatch
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Snapshot

Clock = Callable[[], datetime]
Result = TypeVar("Result")
Decide = Callable[[Snapshot], Change | None]


def utc_now() -> datetime:
    """The clock of a running function."""
    return datetime.now(UTC)


def apply(order_id: OrderId, decide: Decide, known: Snapshot | None = None, call: KeyedCall | None = None) -> Snapshot:
    """Applies a decision to the order as it is now and returns the order as it is then.

    A writer that loses against another change reloads and decides again: the decision must hold for what the row says then.
    Nothing personal is written about an order whose customer's data has been erased.
    ``known`` spares the first read where the caller has just written the row. ``call`` is recorded with the change.

    Raises:
        OrderChanged, StoreBusy: every try lost; retry later.
        KeyUsed: another request of this ``call`` was first.
        NotFound: there is no such order.
        and whatever ``decide`` refuses with.
    """
    decided: list[Snapshot] = [known] if known else []

    def once() -> Snapshot:
        snapshot = decided.pop() if decided else orders.load(order_id)
        change = decide(snapshot)
        if change is None:
            return snapshot
        if snapshot.order.erased_at:
            change = erasure.redacted(change)
        orders.commit(change, CallRecord(call, order_id) if call else None)
        return change.applied_to(snapshot)

    return with_retries(once)


class Apply(Protocol):
    """The signature of ``apply``, with which a step makes its changes."""

    def __call__(self, order_id: OrderId, decide: Decide, known: Snapshot | None = None) -> Snapshot:
        """See ``apply``."""


class SeenAt:
    """``apply`` for a caller who has read one version: refused once another change was first.

    Only their first change is checked: later versions are their own. ``reason`` is theirs too, and is recorded on the
    trail with each change that has no other. ``call`` is recorded with the first change.
    """

    def __init__(self, version: int | None = None, reason: str | None = None, call: KeyedCall | None = None) -> None:
        self._version = version
        self.reason = reason
        self._call = call

    def __call__(self, order_id: OrderId, decide: Decide, known: Snapshot | None = None) -> Snapshot:
        """See ``apply``; raises ``VersionMismatch`` too."""

        def checked(snapshot: Snapshot) -> Change | None:
            self.check(snapshot)
            change = decide(snapshot)
            return change and replace(change, event=replace(change.event, reason=change.event.reason or self.reason))

        after = apply(order_id, checked, known, self._call)
        self._call = None
        if after.order.version != self._version:
            self._version = None
        return after

    def check(self, snapshot: Snapshot) -> None:
        """Raises ``VersionMismatch`` when the caller has read another version of the order."""
        if self._version is not None and snapshot.order.version != self._version:
            raise VersionMismatch("The order has changed since you read it.", version=snapshot.order.version)


def with_retries(action: Callable[[], Result]) -> Result:
    """Retries a few times, with growing pauses, when another change won or the table was busy."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return action()
        except (OrderChanged, StoreBusy):
            pause(attempt)
    return action()
