"""A step or a wait of the workflow has failed for good: whether the order goes on all the same, or is unwound, and why."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orders import settings
from orders.domain import errors, goods, outcomes
from orders.domain.decisions import cancelling, ending, paying, restarting, shortage
from orders.domain.errors import (
    ApprovalPending,
    DeliveryPending,
    GatewayUnavailable,
    OrderOnHold,
    OutcomeUnknown,
    PaymentPending,
    ShortagePending,
)
from orders.domain.events import SYSTEM
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Order, Snapshot
from orders.domain.statuses import UNSETTLED, ApprovalStatus
from orders.domain.steps import TIMED_OUT, CancelReason, PaymentDeclined, reason_of
from orders.services import arrivals, charging, fulfilling
from orders.services.changes import Clock, apply, utc_now

NOT_LED_TO = {
    ShortagePending.__name__: "Waits for its customer",
    ApprovalPending.__name__: "Waits for its review",
    PaymentPending.__name__: "Waits for its payment",
    OrderOnHold.__name__: "Is on hold",
    DeliveryPending.__name__: "Waits for its carrier",
}
"""The waits that the definition, or that of an earlier release, does not lead to from where it was: the next run has them."""


def report_of(refusal: errors.OrderError) -> str:
    """A refusal as the workflow service would report it."""
    return json.dumps({"errorType": type(refusal).__name__, "errorMessage": refusal.detail})


def failure_of(so_far: Mapping[str, Any]) -> tuple[str, str]:
    """The error and the cause that an execution's data ends with: a step's failure, or an outcome that is a refusal."""
    if "failure" in so_far:
        failure = so_far["failure"]
        return failure["Error"], failure.get("Cause", "")
    refusal = outcomes.failure_in(so_far)
    if refusal is None:
        raise ValueError("The execution has met no failure.")
    error, message = refusal
    return error, json.dumps({"errorType": error, "errorMessage": message})


def begin_unwinding(order_id: OrderId, error: str, cause: str, clock: Clock = utc_now, run: int | None = None) -> Snapshot:
    """A step failed permanently: records which and why; the unwinding follows.

    ``error`` and ``cause`` are the failed task's, as Step Functions reports them. Where a later run than ``run`` processes
    the order, nothing is recorded: that run meets the failure itself, if it lasts.
    """

    def failed(snapshot: Snapshot) -> Change | None:
        order, now = snapshot.order, clock()
        if run not in (None, order.run):
            return None
        if decided := _tried_again(snapshot, error, now) or _unanswered(snapshot, error, cause, now):
            return decided
        if goods.is_partly_handed_over(order):
            is_unpaid = error == PaymentDeclined.__name__
            transit, refund = settings.waits().delivery, fulfilling.new_id("ref", clock)
            return cancelling.cut_short(snapshot, _message(cause), transit, now, SYSTEM, refund_id=refund, is_unpaid=is_unpaid)
        reason = reason_of(error, order.current_step.name if order.current_step else None)
        message = "Nobody answered the review in time." if reason is CancelReason.APPROVAL_TIMEOUT else _message(cause)
        if error == PaymentDeclined.__name__:
            return paying.payment_declined(snapshot, message, now)
        return ending.fail(snapshot, reason, message, now)

    return arrivals.settle(apply(order_id, failed), SYSTEM, clock)


def _tried_again(snapshot: Snapshot, error: str, now: datetime) -> Change | None:
    """The change of an order that goes on all the same; ``None`` where the failure is its own."""
    if why := _why_it_goes_on(snapshot, error):
        return restarting.restart(snapshot, settings.waits(), now, SYSTEM, why)
    return paying.delayed(snapshot, now) if _is_provider_s_fault(snapshot, error) else None


def _unanswered(snapshot: Snapshot, error: str, cause: str, now: datetime) -> Change | None:
    """The end of an order whose customer has not answered or paid in time; ``None`` where nobody waited for that."""
    if error == TIMED_OUT and charging.is_awaited(snapshot) and not snapshot.order.is_asked:
        return ending.fail(snapshot, CancelReason.EXPIRED, "The payment was not made in time.", now)
    # What was there of it is reserved, whatever became of the question: it is put back.
    return shortage.unanswered(snapshot, now, shortage.UNANSWERED if error == TIMED_OUT else _message(cause))


def _is_provider_s_fault(snapshot: Snapshot, error: str) -> bool:
    """Whether a step has ended because the payment provider takes no calls, which says nothing about the order."""
    payment = snapshot.payment
    if error != OutcomeUnknown.__name__ or payment is None:
        return error == GatewayUnavailable.__name__
    return payment.status in UNSETTLED or payment.pending_capture is not None


def _why_it_goes_on(snapshot: Snapshot, error: str) -> str | None:
    """Why an execution has ended without a failure of its order, which then goes on with the next one."""
    order = snapshot.order
    if order.is_over:
        return None
    if error in NOT_LED_TO:
        return NOT_LED_TO[error]
    return _why_no_wait_ran_out(snapshot) if error == TIMED_OUT else None


def _why_no_wait_ran_out(snapshot: Snapshot) -> str | None:
    """A decision may be committed just before a wait runs out, and not reach it: the row decides."""
    order = snapshot.order
    if charging.is_awaited(snapshot) or order.is_asked:
        return None
    if order.release_token and not _in_review(order):
        return "The wait for the release ran out"
    if order.confirmation_token:
        return "Paid while the wait ran out"
    if _is_amended(order):
        return "Amended while the wait ran out"
    if order.warehouse_token:
        return "The wait for the warehouse ran out"
    approved = order.approval is not None and order.approval.status is ApprovalStatus.APPROVED
    return "Approved while the wait ran out" if approved else None


def _in_review(order: Order) -> bool:
    return order.approval is not None and order.approval.status is ApprovalStatus.PENDING


def _is_amended(order: Order) -> bool:
    """Whether the customer has taken what is there, and nothing has happened since."""
    undecided = order.approval is None or order.approval.status is ApprovalStatus.PENDING
    return order.shortage_token is not None and undecided and order.approval_token is None


def _message(cause: str) -> str:
    """The refusal's own words where it is one of ours; nothing internal otherwise."""
    try:
        report = json.loads(cause)
        if errors.named(report["errorType"]):
            return str(report["errorMessage"])
    except (ValueError, KeyError, TypeError):
        pass
    return "The step failed after several tries."
