"""A refund: money of a payment that is given back, and what is left that can be."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from orders.domain.errors import ConstraintViolated
from orders.domain.events import SYSTEM
from orders.domain.money import Money
from orders.domain.payment import Payment
from orders.domain.personal import Impersonal, Personal, guarded
from orders.domain.statuses import REFUND_TRANSITIONS, RefundStatus


@dataclass(frozen=True, slots=True)
class RefundedLine:
    """So many pieces of a line, by its id, for which money is given back."""

    line_id: Impersonal
    quantity: int


@guarded
@dataclass(frozen=True, slots=True)
class Refund:
    """Money that is given back: written before the provider is asked, and ``key`` is what it gets with every call.

    ``items`` are the pieces it is for, none where it is for an amount. ``requested_by`` asked for it and gave the ``reason``;
    ``failure_reason`` is the provider's. ``due_at`` is when the sweep asks the provider again, where one is asked: cash is
    handed out by people.
    """

    refund_id: Impersonal
    status: RefundStatus
    amount: Money
    created_at: datetime
    requested_by: Impersonal
    reason: Personal | None = None
    items: tuple[RefundedLine, ...] = ()
    tries: int = 1
    due_at: datetime | None = None
    completed_at: datetime | None = None
    failure_reason: Personal | None = None
    return_id: Impersonal | None = None
    """The return whose goods it is for."""

    @property
    def key(self) -> str:
        """The provider's idempotency key. What it has refused under one is asked for under another."""
        return self.refund_id if self.tries == 1 else f"{self.refund_id}-{self.tries}"

    def become(self, status: RefundStatus) -> "Refund":
        """The refund in another status; raises where the allowed transitions have no such step."""
        if status not in REFUND_TRANSITIONS[self.status]:
            allowed = sorted(REFUND_TRANSITIONS[self.status])
            raise ConstraintViolated(
                f"The refund is {self.status} and cannot become {status}.", refund=self.status, allowed=allowed
            )
        return replace(self, status=status, due_at=None)

    def completed(self, now: datetime) -> "Refund":
        """The refund once the money is given back."""
        return replace(self.become(RefundStatus.COMPLETED), completed_at=now, failure_reason=None)

    def failed(self, reason: str) -> "Refund":
        """The refund that the provider has refused, perhaps after it had taken it."""
        return replace(self.become(RefundStatus.FAILED), completed_at=None, failure_reason=reason)

    def retried(self, due_at: datetime | None) -> "Refund":
        """The refund that is asked for again."""
        return replace(self.become(RefundStatus.PENDING), tries=self.tries + 1, due_at=due_at, failure_reason=None)


def total(refunds: Iterable[Refund], status: RefundStatus) -> int:
    """What the refunds of that status come to, in minor units."""
    return sum(one.amount.amount for one in refunds if one.status is status)


def left(payment: Payment, refunds: Iterable[Refund]) -> int:
    """What was captured and is not given back, nor about to be."""
    return max(0, payment.left - total(refunds, RefundStatus.PENDING))


def of_unwinding(payment: Payment) -> str:
    """The id of the refund that gives back what is left of a payment when its order is unwound: the same on every try."""
    return f"refund-{payment.payment_id}"


def is_arranged(payment: Payment, refunds: Iterable[Refund]) -> bool:
    """Whether nothing is left to be done about the money of an order that is unwound, but what its refunds still wait for."""
    refunds = tuple(refunds)
    return not left(payment, refunds) or any(one.refund_id == of_unwinding(payment) for one in refunds)


def is_open(refund: Refund, payment: Payment, refunds: Iterable[Refund]) -> bool:
    """Whether somebody still waits for the money: a failed one is settled by later ones for as much, or if nothing is left.

    What is given back for other pieces, as they are cancelled or come back, does not settle it.
    """
    if refund.status is RefundStatus.FAILED:
        later = (one for one in refunds if one.status is not RefundStatus.FAILED and one.created_at >= refund.created_at)
        given = sum(one.amount.amount for one in later if not (one.items and one.requested_by == SYSTEM))
        return left(payment, refunds) > 0 and given < refund.amount.amount
    return refund.status is RefundStatus.PENDING


def pieces(refunds: Iterable[Refund]) -> dict[str, int]:
    """For how many pieces of each line money was given back, or is about to be."""
    found: dict[str, int] = {}
    for one in refunds:
        for line in one.items if one.status is not RefundStatus.FAILED else ():
            found[line.line_id] = found.get(line.line_id, 0) + line.quantity
    return found


def with_changed(refunds: tuple[Refund, ...], changed: tuple[Refund, ...]) -> tuple[Refund, ...]:
    """The refunds with those that have changed, or are new, as they are now; the oldest first."""
    found = {one.refund_id: one for one in (*refunds, *changed)}
    return tuple(sorted(found.values(), key=lambda one: (one.created_at, one.refund_id)))
