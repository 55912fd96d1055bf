"""Workflow step: take the order's goods out of stock."""

from orders import fulfilment
from orders.statuses import ApprovalStatus
from orders.tasks import Event, standing, task


@task
def handler(event: Event) -> dict[str, object]:
    """Reserves the stock and says whether a person has to look at the order first."""
    snapshot = fulfilment.reserve_stock(event["order_id"])
    approval = snapshot.order.approval
    needs_review = approval is not None and approval.status is ApprovalStatus.PENDING
    return {**standing(snapshot), "needs_review": needs_review}
