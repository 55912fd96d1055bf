"""A step is finished, and the next one begins."""

from datetime import datetime

from orders.domain.order import Order
from orders.domain.statuses import ApprovalStatus, StepStatus
from orders.domain.steps import STEPS, StepName


def step_done(order: Order, name: StepName, now: datetime, status: StepStatus = StepStatus.COMPLETED) -> Order:
    """The order with a step done or skipped and the next one begun; a review that is not needed, or decided, is passed.

    Earlier steps that are still open are skipped: support, or the warehouse, was faster than the workflow.
    """
    place = STEPS.index(name)
    after = order
    for earlier in order.steps[:place]:
        if earlier.status in (StepStatus.PENDING, StepStatus.IN_PROGRESS):
            after = after.with_step(earlier.name, StepStatus.SKIPPED, now)
    after = after.with_step(name, status, now)
    following = STEPS[place + 1]
    if following is StepName.REVIEW and (passed := _review_passed(order)):
        return step_done(after, following, now, passed)
    return after.with_step(following, StepStatus.IN_PROGRESS, now)


def _review_passed(order: Order) -> StepStatus | None:
    if order.approval is None:
        return StepStatus.SKIPPED
    return StepStatus.COMPLETED if order.approval.status is ApprovalStatus.APPROVED else None
