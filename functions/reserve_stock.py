"""Workflow step: take the order's goods out of stock."""

from orders.domain.decisions import reviewing
from orders.services import fulfilling
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Reserves the stock; ``ApprovalPending`` sends the workflow to the review first."""
    snapshot = fulfilling.reserve_stock(event["order_id"])
    reviewing.review_answered(snapshot.order)
    return result(snapshot)
