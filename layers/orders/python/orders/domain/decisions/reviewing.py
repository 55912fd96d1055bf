"""The manual review of an order: asked for, approved, rejected."""

from dataclasses import replace
from datetime import datetime, timedelta

from orders.domain import facts, recording
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive, failed_at
from orders.domain.errors import ApprovalPending, ConstraintViolated, OrderOver
from orders.domain.events import EventType, FollowUp
from orders.domain.order import Approval, Cancellation, Change, Order, Snapshot
from orders.domain.statuses import ApprovalStatus, StepStatus
from orders.domain.steps import CancelReason, StepName

REJECTED = "Rejected in review"


def request_approval(snapshot: Snapshot, token: str, seconds: float, now: datetime, run: int | None = None) -> Change | None:
    """Keeps the callback token of the wait for approval; ``None`` when the decision is already made.

    ``run`` is the one that waits: where a later one has taken the order over, its token must not be replaced by this one.
    """
    order = alive(snapshot)
    if run is not None and run != order.run:
        raise OrderOver(f"Run {order.run} processes this order now.", order_status=order.status)
    approval = order.approval
    if approval is None or approval.status is not ApprovalStatus.PENDING:
        return None
    expires = now + timedelta(seconds=seconds)
    after = replace(order, approval=replace(approval, expires_at=expires), approval_token=token)
    return recording.change(order, after, EventType.APPROVAL_REQUESTED, now, metadata={"expires_at": expires})


def approve(snapshot: Snapshot, now: datetime, by: str, reason: str | None) -> Change:
    """Approves the order; a second decision is refused."""
    order, approval = _under_review(snapshot)
    decided = replace(approval, status=ApprovalStatus.APPROVED, decided_by=by, reason=reason)
    after = replace(order, approval=decided)
    if order.step(StepName.REVIEW).status is StepStatus.IN_PROGRESS:
        after = step_done(after, StepName.REVIEW, now)
    total = facts.of_total(order)
    return recording.change(
        order, after, EventType.ORDER_APPROVED, now, by, reason=reason, metadata=total, follow_up=FollowUp.ANSWER_APPROVED
    )


def reject(snapshot: Snapshot, now: datetime, by: str, reason: str | None) -> Change:
    """Rejects the order and begins the unwinding in the same change."""
    order, approval = _under_review(snapshot)
    decided = replace(approval, status=ApprovalStatus.REJECTED, decided_by=by, reason=reason)
    cause = Cancellation(CancelReason.APPROVAL_REJECTED, now, by, reason)
    reviewed = replace(snapshot, order=replace(order, approval=decided))
    change = failed_at(reviewed, StepName.REVIEW, REJECTED, cause, EventType.ORDER_REJECTED, FollowUp.ANSWER_REJECTED)
    return replace(change, before=order)


def review_answered(order: Order) -> None:
    """Raises ``ApprovalPending`` while the review is not decided."""
    if order.approval is not None and order.approval.status is ApprovalStatus.PENDING:
        raise ApprovalPending("The order waits for its manual review: approve or reject it first.")


def _under_review(snapshot: Snapshot) -> tuple[Order, Approval]:
    order, approval = snapshot.order, snapshot.order.approval
    if approval is None:
        raise ConstraintViolated("This order needs no review.", order_status=order.status)
    if approval.status is not ApprovalStatus.PENDING or order.is_over:
        raise ConstraintViolated(
            "The review is already decided, or the order is over.",
            order_status=order.status,
            approval=str(approval.status),
        )
    return order, approval
